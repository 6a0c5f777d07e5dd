"""Values in time: last values, thinned series with lineage, completeness, CSV."""

import csv
import io
import time

import pytest

pytestmark = pytest.mark.anyio
NOW = int(time.time() * 1000)
HOUR = 3_600_000


async def test_values_in_the_order_asked(viewer) -> None:
    reply = (await viewer.get("/api/values?tags=3,1,2")).json()
    assert [tag["number"] for tag in reply["values"]] == [3, 1, 2]
    assert (await viewer.get("/api/values?tags=3,99999")).status_code == 404
    assert (await viewer.get("/api/values?tags=three")).status_code == 400
    assert (await viewer.get("/api/values")).status_code == 400


async def test_series_is_thinned_to_the_width_and_carries_lineage(viewer) -> None:
    query = f"tags=2,3&start={NOW - HOUR}&end={NOW}&width=120"
    reply = (await viewer.get("/api/series?" + query)).json()
    assert reply["lineage"] | {"made_ms": 0} == {
        "start_ms": NOW - HOUR, "end_ms": NOW, "method": "minmax", "points": 120, "made_ms": 0,
    }  # fmt: skip
    assert [one["tag"] for one in reply["series"]] == [2, 3]
    one = reply["series"][0]
    assert len(one["ms"]) == len(one["v"]) == len(one["q"]) == len(one["low"]) == 120
    assert one["count"] == 3601
    assert one["simulated"] is True
    assert None in one["v"]  # the gap of bad quality breaks the line
    assert all((v is None) == (low is None) for v, low in zip(one["v"], one["low"], strict=True))


async def test_series_defaults_to_the_last_hour(viewer) -> None:
    lineage = (await viewer.get("/api/series?tags=2&method=avg")).json()["lineage"]
    assert lineage["end_ms"] - lineage["start_ms"] == HOUR
    assert abs(lineage["end_ms"] - time.time() * 1000) < 60_000


@pytest.mark.parametrize(
    "query",
    ["tags=2&start=5&end=5", "tags=2&start=9&end=5", "tags=2&width=5", "tags=", "tags=2&method=x",
     "tags=" + ",".join(["2"] * 17), "tags=2&start=-1"],
)  # fmt: skip
async def test_bad_windows_are_refused(viewer, query: str) -> None:
    assert (await viewer.get("/api/series?" + query)).status_code == 400


async def test_completeness(viewer) -> None:
    reply = (await viewer.get(f"/api/completeness?tags=2,3&start={NOW - HOUR}&end={NOW}")).json()
    assert [item["row"]["tag"] for item in reply["rows"]] == [2, 3]
    assert 0.9 < reply["rows"][0]["ratio"] <= 1


async def test_export_is_a_csv_that_spreadsheets_read(viewer, services) -> None:
    reply = await viewer.get(f"/api/export.csv?tags=2,3&start={NOW - 60_000}&end={NOW}")
    assert reply.content.startswith(b"\xef\xbb\xbf")
    assert "attachment" in reply.headers["content-disposition"]
    rows = list(csv.DictReader(io.StringIO(reply.content.decode("utf-8-sig"))))
    assert {row["tag"] for row in rows} == {"die_temperature", "melt_temperature"}
    assert len(rows) == 122
    assert rows[0]["time"].endswith("Z")
    assert (rows[0]["unit"], rows[0]["simulated"]) == ("°C", "1")
    assert float(rows[0]["value"]) > 100
    assert services.journal.lines[-1].action == "export"


async def test_export_stops_visibly_at_its_limit(viewer, services) -> None:
    import msgspec

    settings = msgspec.structs.replace(services.settings, export_rows=50)
    object.__setattr__(services, "settings", settings)
    reply = await viewer.get(f"/api/export.csv?tags=2,3&start={NOW - HOUR}&end={NOW}")
    assert "# stopped after 50 rows" in reply.text
    assert len(reply.text.splitlines()) == 52


async def test_without_a_history_it_says_what_is_missing(viewer, services) -> None:
    object.__setattr__(services, "history", None)
    reply = await viewer.get("/api/series?tags=2")
    assert (reply.status_code, reply.json()["code"]) == (503, "api.part-missing")
    assert "history" in reply.json()["message"]
    assert (await viewer.get("/api/values?tags=2")).status_code == 200
    assert "history" not in (await viewer.get("/api/statistics")).json()
