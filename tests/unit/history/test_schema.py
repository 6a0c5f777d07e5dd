"""The declaration and the two forms of DDL made from it."""

import pytest

from mingwu.history import migrations, schema
from mingwu.history.settings import SchemaSettings

ONE = SchemaSettings()
CLUSTER = SchemaSettings(cluster="plant", points_days=30, minute_days=400)


def ddl(settings: SchemaSettings) -> dict[str, str]:
    return {
        s.split("(", 1)[0].split("\n", 1)[0].strip(): s
        for s in schema.create_all(settings, "mingwu")
    }


def test_one_server():
    text = "\n".join(schema.create_all(ONE, "mingwu"))
    assert "CLUSTER" not in text
    assert "Replicated" not in text
    assert "Distributed" not in text
    assert "ENGINE = ReplacingMergeTree(time)" in text
    assert "TTL toDateTime(time) + INTERVAL 7 DAY" in text, "blocks are kept for a week"


def test_points_of_one_server_word_for_word():
    (statement,) = schema.create_table(
        schema.table("points"), SchemaSettings(points_days=90), "mingwu"
    )
    assert statement == (
        "CREATE TABLE IF NOT EXISTS mingwu.points\n"
        "(\n"
        "  `tag` UInt32 CODEC(ZSTD(1)),\n"
        "  `time` DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),\n"
        "  `value` Float64 CODEC(Delta, ZSTD(1)),\n"
        "  `quality` UInt8 CODEC(ZSTD(1))\n"
        ")\n"
        "ENGINE = MergeTree()\n"
        "PARTITION BY toYYYYMM(time)\n"
        "ORDER BY (tag, time)\n"
        "TTL toDateTime(time) + INTERVAL 90 DAY DELETE\n"
        "SETTINGS non_replicated_deduplication_window = 1000, ttl_only_drop_parts = 1"
    )


def test_points_of_a_cluster_word_for_word():
    local, spread = schema.create_table(schema.table("last"), CLUSTER, "mingwu")
    assert local == (
        "CREATE TABLE IF NOT EXISTS mingwu.last_local ON CLUSTER `plant`\n"
        "(\n"
        "  `tag` UInt32,\n"
        "  `time` DateTime64(3, 'UTC'),\n"
        "  `value` Float64,\n"
        "  `quality` UInt8\n"
        ")\n"
        "ENGINE = ReplicatedReplacingMergeTree("
        "'/clickhouse/tables/{shard}/mingwu/last', '{replica}', time)\n"
        "ORDER BY (tag)\n"
        "SETTINGS replicated_deduplication_window = 1000"
    )
    assert spread == (
        "CREATE TABLE IF NOT EXISTS mingwu.last ON CLUSTER `plant` AS mingwu.last_local\n"
        "ENGINE = Distributed('plant', 'mingwu', 'last_local', cityHash64(tag))"
    )


def test_everything_of_a_cluster_is_on_the_cluster():
    for statement in schema.create_all(CLUSTER, "mingwu"):
        assert "ON CLUSTER `plant`" in statement
    for view in schema.VIEWS:
        text = schema.create_view(view, CLUSTER, "mingwu")
        assert f"TO mingwu.{view.target}_local" in text
        assert f"FROM mingwu.{view.source}_local AS {view.source} " in text


def test_views_fill_their_tables_completely():
    for view in schema.VIEWS:
        for column in schema.table(view.target).columns:
            assert column.name in view.select, f"{view.name} leaves out {column.name}"


def test_every_table_remembers_its_inserts():
    for settings in (ONE, CLUSTER):
        for one in schema.TABLES:
            assert "deduplication_window = 1000" in next(
                iter(schema.create_table(one, settings, "mingwu"))
            )


def test_power_safe_forces_to_the_disk():
    (statement,) = schema.create_table(
        schema.table("points"), SchemaSettings(power_safe=True), "mingwu"
    )
    assert "fsync_after_insert = 1" in statement


@pytest.mark.parametrize(
    ("days", "clause"), [(0, "REMOVE TTL"), (30, "MODIFY TTL toDateTime(time)")]
)
def test_retention_can_change(days: int, clause: str):
    text = schema.modify_retention(
        schema.table("points"), SchemaSettings(points_days=days), "mingwu"
    )
    assert text.startswith("ALTER TABLE mingwu.points ")
    assert clause in text


def test_migrations_are_numbered_without_gaps():
    assert [step.number for step in migrations.MIGRATIONS] == list(range(1, migrations.NEWEST + 1))
    assert migrations.after(migrations.NEWEST) == []
    assert [s.number for s in migrations.after(0)] == [s.number for s in migrations.MIGRATIONS]
