"""The registry: what is named in the plant, where it stands, how its tags are acquired.

A :class:`Registry` is synchronous (call it through ``asyncio.to_thread``), may be used from
several threads and processes at once, and answers every question from one snapshot. Changes come
in as checked plant declarations only; ``generation`` moves with every change that mattered, so
that gateways, projections and consoles know when to ask again.
"""

import time
from collections.abc import Callable
from typing import Any, Self

import msgspec
from sqlalchemy import Engine, func, or_, select

from mingwu.kernel.errors import NotFound
from mingwu.kernel.names import fold
from mingwu.kernel.plant import (
    CardTag,
    DeviceSpec,
    GatewaySpec,
    Kind,
    TagSpec,
    ThingCard,
    ValueType,
)
from mingwu.registry import importing, migrations, queries, schema
from mingwu.registry.check import check
from mingwu.registry.importing import ImportSummary
from mingwu.registry.model import GatewayDef, PlaceDef, PlantFile, RelationKind, ThingDef, TypeDef
from mingwu.registry.places import tree
from mingwu.registry.rows import (
    MAX_PAGE,
    RELATION_LABELS,
    ChangeRow,
    Filter,
    GatewayRow,
    Page,
    PlaceNode,
    PlantRow,
    RelationRow,
    TagRow,
    ThingRow,
)
from mingwu.registry.schema import ACTIVE
from mingwu.registry.settings import RegistrySettings
from mingwu.registry.wot import thing_description, thing_model
from mingwu.store.engine import lock, open_engine, reading, writing
from mingwu.store.migrate import migrate

Row = dict[str, Any]

ALL = Filter()
FIRST_PAGE = Page()


class Registry:
    """See the module. ``Registry.open(settings)`` migrates the store and is the way in."""

    def __init__(
        self,
        engine: Engine,
        *,
        api_base: str = "",
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self._engine = engine
        self._api_base = api_base
        self._now_ms = now_ms

    @classmethod
    def open(cls, settings: RegistrySettings) -> Self:
        """Open the store and bring its tables up to date.

        Raises ConfigError for a bad address, Unavailable when the database is not there, Conflict
        when a newer program wrote it.
        """
        engine = open_engine(settings.store)
        migrate(engine, "registry", migrations)
        return cls(engine, api_base=settings.api_base)

    def close(self) -> None:
        """Give the connections back."""
        self._engine.dispose()

    # ------------------------------------------------------------ changing

    def import_plant(self, file: PlantFile, *, actor: str = "") -> ImportSummary:
        """Make ``file`` the truth for the plant it names; returns what changed.

        Raises PlantFaults for a file with faults and Conflict ``registry.owned`` for a name that
        another plant owns; nothing is stored then.
        """
        with writing(self._engine) as connection:
            lock(connection, "registry")
            elsewhere = select(schema.thing.c.key).where(
                schema.thing.c.plant != file.name, schema.thing.c.state == ACTIVE
            )
            known = frozenset(connection.execute(elsewhere).scalars())
            plant = check(file, known=known)
            return importing.apply(connection, plant, actor=actor, now_ms=self._now_ms())

    def export_plant(self, name: str) -> PlantFile:
        """The declarations of a plant as they stand; NotFound for an unknown plant."""
        with reading(self._engine) as connection:
            head = connection.execute(
                select(schema.plant).where(schema.plant.c.name == name)
            ).one_or_none()
            if head is None:
                raise NotFound("registry.unknown", what="plant", name=name)

            def declared(table: Any) -> list[Row]:
                query = select(table).where(table.c.plant == name).order_by(table.c.position)
                if "state" in table.c:
                    query = query.where(table.c.state == ACTIVE)
                return [dict(row) for row in connection.execute(query).mappings()]

            return PlantFile(
                name=name,
                prefix=head.prefix,
                en=head.en,
                zh=head.zh,
                place=tuple(_declaration(PlaceDef, row) for row in declared(schema.place)),
                gateway=tuple(_declaration(GatewayDef, row) for row in declared(schema.gateway)),
                type=tuple(
                    msgspec.json.decode(row["declaration"], type=TypeDef)
                    for row in declared(schema.thing_type)
                ),
                thing=tuple(
                    msgspec.json.decode(row["declaration"], type=ThingDef)
                    for row in declared(schema.thing)
                ),
            )

    # ------------------------------------------------------------ asking

    def generation(self) -> int:
        """Moves with every change; cheap enough to ask once a second."""
        with reading(self._engine) as connection:
            return importing.count(connection, "generation", 0)

    def plants(self) -> list[PlantRow]:
        """The plants known, by name."""
        with reading(self._engine) as connection:
            rows = connection.execute(select(schema.plant).order_by("name")).mappings()
            return queries.structs(PlantRow, rows)

    def things(self, wanted: Filter = ALL, page: Page = FIRST_PAGE) -> tuple[list[ThingRow], int]:
        """A page of things, and how many match in all."""
        with reading(self._engine) as connection:
            return queries.thing_rows(connection, wanted, page)

    def thing(self, name: str) -> ThingRow:
        """One thing, active or retired; NotFound ``name.unknown``."""
        rows, _ = self.things(Filter(thing=name, retired=True), Page(limit=1))
        if not rows:
            raise NotFound("name.unknown", name=name)
        return rows[0]

    def tags(self, wanted: Filter = ALL, page: Page = FIRST_PAGE) -> tuple[list[TagRow], int]:
        """A page of tags, and how many match in all."""
        with reading(self._engine) as connection:
            return queries.tag_rows(connection, wanted, page)

    def all_tags(self, wanted: Filter = ALL) -> list[TagRow]:
        """Every matching tag (for caches and exports), read page by page from one snapshot."""
        found: list[TagRow] = []
        with reading(self._engine) as connection:
            while True:
                page = Page(offset=len(found), limit=MAX_PAGE)
                rows, total = queries.tag_rows(connection, wanted, page)
                found += rows
                if not rows or len(found) >= total:
                    return found

    def places(self) -> list[PlaceNode]:
        """The hierarchy with counts, roots first, in file order."""
        with reading(self._engine) as connection:
            return tree(connection)

    def relations(self, name: str) -> list[RelationRow]:
        """What the thing has to do with others, both directions; NotFound for an unknown thing."""
        key = fold(name)
        table, other = schema.relation, schema.thing
        query = (
            select(table.c.source, table.c.kind, other.c.id, other.c.en, other.c.zh)
            .add_columns(other.c.kind.label("thing_kind"))
            .join(
                other,
                or_(
                    (table.c.source == key) & (other.c.key == table.c.target),
                    (table.c.target == key) & (other.c.key == table.c.source),
                ),
            )
            .where(other.c.state == ACTIVE)
            .order_by(table.c.plant, table.c.position)
        )
        self.thing(name)
        with reading(self._engine) as connection:
            return [_relation(row, key) for row in connection.execute(query)]

    def gateways(self) -> list[GatewayRow]:
        """The gateways, with how many devices and tags each serves."""
        table = schema.gateway

        def amount(of: Any, *terms: Any) -> Any:
            count = select(func.count()).select_from(of)
            return count.where(of.c.gateway == table.c.name, *terms).scalar_subquery()

        query = select(
            *(table.c[name] for name in ("name", "en", "zh", "place", "plant")),
            amount(schema.device).label("devices"),
            amount(schema.tag, schema.tag.c.state == ACTIVE).label("tags"),
        ).order_by(table.c.plant, table.c.position)
        with reading(self._engine) as connection:
            return queries.structs(GatewayRow, connection.execute(query).mappings())

    def gateway(self, name: str) -> GatewaySpec:
        """Everything the gateway ``name`` needs to run; NotFound for an unknown gateway."""
        device, tag, thing = schema.device, schema.tag, schema.thing
        with reading(self._engine) as connection:
            known = select(schema.gateway.c.name).where(schema.gateway.c.name == name)
            if connection.execute(known).first() is None:
                raise NotFound("registry.unknown", what="gateway", name=name)
            devices = connection.execute(
                select(device, thing.c.id.label("thing_id"))
                .join(thing, thing.c.key == device.c.thing)
                .where(device.c.gateway == name)
                .order_by(device.c.plant, device.c.position)
            ).mappings()
            tags: dict[str, list[TagSpec]] = {}
            for row in connection.execute(
                select(tag, thing.c.id.label("thing_id"))
                .join(thing, thing.c.key == tag.c.thing)
                .where(tag.c.gateway == name, tag.c.state == ACTIVE)
                .order_by(tag.c.plant, tag.c.position)
            ).mappings():
                tags.setdefault(row["device"], []).append(_tag_spec(dict(row)))
            return GatewaySpec(
                name=name,
                devices=tuple(
                    _device_spec(dict(row), tuple(tags.get(row["name"], ()))) for row in devices
                ),
            )

    def card(self, name: str) -> ThingCard:
        """What the resolver needs to answer for one active thing; NotFound ``name.unknown``."""
        cards = self._cards(schema.thing.c.key == fold(name))
        if not cards:
            raise NotFound("name.unknown", name=name)
        return cards[0]

    def cards(self) -> list[ThingCard]:
        """The cards of all active things, in file order."""
        return self._cards()

    def _cards(self, *terms: Any) -> list[ThingCard]:
        thing, tag = schema.thing, schema.tag
        with reading(self._engine) as connection:
            things = connection.execute(
                select(thing)
                .where(thing.c.state == ACTIVE, *terms)
                .order_by(thing.c.plant, thing.c.position)
            ).all()
            exposed: dict[str, list[CardTag]] = {}
            for row in connection.execute(
                select(tag)
                .join(thing, thing.c.key == tag.c.thing)
                .where(tag.c.state == ACTIVE, tag.c.exposed.is_(True), *terms)
                .order_by(tag.c.plant, tag.c.position)
            ):
                card = CardTag(
                    number=row.number, name=row.name, unit=row.unit, type=ValueType(row.type)
                )
                exposed.setdefault(row.thing, []).append(card)
        return [
            ThingCard(
                id=row.id,
                kind=Kind(row.kind),
                type=row.type,
                name_en=row.en,
                name_zh=row.zh,
                place=row.place,
                documentation=row.documentation,
                simulated=row.simulated,
                tags=tuple(exposed.get(row.key, ())),
            )
            for row in things
        ]

    def types(self) -> list[TypeDef]:
        """The thing types, in file order."""
        table = schema.thing_type
        query = select(table.c.declaration).order_by(table.c.plant, table.c.position)
        with reading(self._engine) as connection:
            rows = connection.execute(query).scalars()
            return [msgspec.json.decode(row, type=TypeDef) for row in rows]

    def type(self, name: str) -> TypeDef:
        """One thing type; NotFound for an unknown name."""
        table = schema.thing_type
        with reading(self._engine) as connection:
            query = select(table.c.declaration).where(table.c.name == name)
            declaration = connection.execute(query).scalar_one_or_none()
        if declaration is None:
            raise NotFound("registry.unknown", what="type", name=name)
        return msgspec.json.decode(declaration, type=TypeDef)

    def thing_model(self, name: str) -> dict[str, Any]:
        """The W3C WoT Thing Model of a type."""
        return thing_model(self.type(name))

    def thing_description(self, name: str, *, base: str = "") -> dict[str, Any]:
        """The W3C WoT Thing Description of a thing; ``base`` as in RegistrySettings.api_base."""
        thing = self.thing(name)
        tags = self.all_tags(Filter(thing=name))
        return thing_description(thing, tags, self.relations(name), base=base or self._api_base)

    def history(self, name: str, *, limit: int = 100) -> list[ChangeRow]:
        """The latest changes of a thing or type, newest first."""
        table = schema.change
        query = select(table).where(func.upper(table.c.name) == name.upper())
        query = query.order_by(table.c.number.desc()).limit(limit)
        with reading(self._engine) as connection:
            return queries.structs(ChangeRow, connection.execute(query).mappings())


def _declaration(cls: type[Any], row: Row) -> Any:
    fields = {field: row[field] for field in cls.__struct_fields__}
    return msgspec.convert(fields, cls)


def _relation(row: Any, key: str) -> RelationRow:
    outward = row.source == key
    kind = RelationKind(row.kind)
    label_en, label_zh = RELATION_LABELS[kind][0 if outward else 1]
    return RelationRow(
        kind=kind,
        outward=outward,
        id=row.id,
        en=row.en,
        zh=row.zh,
        thing_kind=Kind(row.thing_kind),
        label_en=label_en,
        label_zh=label_zh,
    )


def _tag_spec(row: Row) -> TagSpec:
    same = ("number", "name", "address", "type", "unit", "low", "high", "period_ms", "writable")
    fields = {field: row[field] for field in same} | {
        "thing": row["thing_id"],
        "scale": row["raw_scale"],
        "offset": row["raw_offset"],
        "deadband": msgspec.json.decode(row["deadband"]),
    }
    return msgspec.convert(fields, TagSpec)


def _device_spec(row: Row, tags: tuple[TagSpec, ...]) -> DeviceSpec:
    same = ("name", "driver", "line", "start", "simulated")
    fields = {field: row[field] for field in same} | {
        "thing": row["thing_id"],
        "settings": msgspec.json.decode(row["settings"]),
        "tags": tags,
    }
    return msgspec.convert(fields, DeviceSpec)
