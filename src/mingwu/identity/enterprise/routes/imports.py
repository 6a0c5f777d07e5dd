"""Imports below ``/api/identity``: mappings, uploads and previews, jobs, what became of rows.

``POST /imports/uploads?name=`` takes a table as it comes and answers with the preview;
``POST /imports`` starts a job (a dry run unless told otherwise) and answers at once;
``GET /imports/N`` tells how far it is. Looking at tables and rows needs the permission to
register; the list of jobs shows names of files and counts only. Addresses of databases never
leave the node.
"""

import csv
import io
from collections.abc import Iterator
from functools import partial
from typing import Annotated, Any
from urllib.parse import quote

import msgspec
from msgspec import Meta
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from mingwu.identity.enterprise.door import EnterpriseServices, address_of, asker_of
from mingwu.identity.enterprise.imports.desk import ImportDesk
from mingwu.identity.enterprise.imports.importing import Outcome
from mingwu.identity.enterprise.imports.jobs import MAX_PAGE, ImportOrder, Job, JobRow
from mingwu.identity.enterprise.imports.previews import preview_source, preview_upload
from mingwu.identity.enterprise.imports.uploads import Uploading
from mingwu.identity.enterprise.mappings import Mapping
from mingwu.identity.enterprise.routes.visits import (
    BASE,
    OwnRoute,
    Visit,
    faults_of,
    mounted,
    plain,
)
from mingwu.identity.routing import Asked, Operation, routes_of
from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.errors import InvalidInput
from mingwu.trust.roles import Permission

_WRITE = Permission.REGISTER
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


class ImportBody(msgspec.Struct, forbid_unknown_fields=True):
    """What to import and how; ``mapping`` is the name of a stored one, or one written out."""

    mapping: str | Mapping
    upload: str = ""
    source: str = ""
    dry: bool = True


class AgainBody(msgspec.Struct, forbid_unknown_fields=True):
    """Run a job once more; ``dry`` as it was unless told."""

    dry: bool | None = None


class PageQuery(msgspec.Struct, kw_only=True):
    """Which part of a list."""

    offset: Annotated[int, Meta(ge=0)] = 0
    limit: Annotated[int, Meta(ge=1, le=MAX_PAGE)] = 50


class RowsQuery(PageQuery, kw_only=True):
    """Which rows of a job."""

    outcome: Outcome = Outcome.REFUSED


class LookQuery(msgspec.Struct, kw_only=True):
    """Which table to look at, and for which template."""

    upload: str = ""
    source: str = ""
    sheet: str = ""
    head: Annotated[int, Meta(ge=0, le=1000)] = 0
    template: int = 0


def routes(services: EnterpriseServices, desk: ImportDesk) -> list[Route]:
    """The routes of imports; ``desk`` is closed by the caller."""
    rows = [
        OwnRoute("GET", "/mappings", "Stored mappings of tables to templates",
                 lambda c: {"mappings": c.node.mappings.kept()}),
        OwnRoute("PUT", "/mappings", "Store a mapping",
                 _put_mapping, _WRITE, Mapping, "mapping", _mapping_told),
        OwnRoute("DELETE", "/mappings", "Remove a mapping",
                 _remove_mapping, _WRITE, None, "mapping.remove"),
        OwnRoute("GET", "/imports/about", "Limits of imports, and configured databases", _about),
        OwnRoute("GET", "/imports/preview", "First rows of a table with a proposed mapping",
                 _preview, _WRITE, query=LookQuery),
        OwnRoute("GET", "/imports", "Import jobs, newest first",
                 partial(_list, desk), query=PageQuery),
        OwnRoute("POST", "/imports", "Start an import or a dry run",
                 partial(_start, desk), _WRITE, ImportBody),
        OwnRoute("GET", "/imports/{number:int}", "How far a job is", partial(_one, desk)),
        OwnRoute("POST", "/imports/{number:int}/cancel", "Stop a job",
                 partial(_cancel, desk), _WRITE, None, "import.cancel"),
        OwnRoute("POST", "/imports/{number:int}/again", "Run a job once more",
                 partial(_again, desk), _WRITE, AgainBody),
        OwnRoute("GET", "/imports/{number:int}/rows", "Rows of a job by their outcome",
                 partial(_rows, desk), _WRITE, query=RowsQuery),
        OwnRoute("GET", "/imports/{number:int}/rows.csv", "Refused rows as a table",
                 partial(_rows_csv, desk), _WRITE),
    ]  # fmt: skip
    upload = Operation(
        method="POST", path=f"{BASE}/imports/uploads", work=partial(_upload, services),
        summary="Upload a table as it is; answers with its preview", tag="enterprise",
        permission=_WRITE,
    )  # fmt: skip
    return [*routes_of([upload]), *mounted(rows, services)]


# ---------------------------------------------------------------- mappings
def _put_mapping(call: Visit) -> object:
    call.node.mappings.put(call.body, actor=call.asker.actor.name)
    return call.body


def _mapping_told(call: Visit, _result: Any) -> tuple[str, dict[str, Any]]:
    return call.body.name, {}


def _remove_mapping(call: Visit) -> object:
    call.node.mappings.remove(call.name)
    return {"removed": call.name}


# ---------------------------------------------------------------- tables
def _about(call: Visit) -> object:
    """What an import may be made of: limits, and the names of configured databases."""
    settings = call.node.settings
    return {
        "upload_bytes": settings.upload_bytes,
        "rows": settings.import_rows,
        "days": settings.upload_days,
        "sources": [source.name for source in settings.sources],
    }


async def _upload(services: EnterpriseServices, asked: Asked) -> object:
    """Takes a file of any size the settings allow, part by part."""
    limit, told = services.node.settings.upload_bytes, asked.request.headers.get("content-length")
    if told and told.isdecimal() and int(told) > limit:  # before all of it is sent
        raise InvalidInput("enterprise.table-large", limit=limit)
    name, actor = asked.request.query_params.get("name", ""), asker_of(asked.request).actor.name
    uploading = await run_in_threadpool(partial(Uploading, services.node, name, actor=actor))
    ended = False
    try:
        async for piece in asked.request.stream():
            await run_in_threadpool(uploading.add, piece)
        upload = await run_in_threadpool(uploading.close)
        ended = True
    except ClientDisconnect:  # nobody is there to be told
        return Response(status_code=400)
    finally:
        if not ended:
            await run_in_threadpool(uploading.drop)
    return upload


def _preview(call: Visit) -> object:
    want = call.wanted(LookQuery)
    template = call.node.register.template(want.template) if want.template else None
    if want.source:
        return preview_source(call.node, want.source, template=template)
    return preview_upload(
        call.node, want.upload, sheet=want.sheet, head=want.head, template=template
    )


# ---------------------------------------------------------------- jobs
def _start(desk: ImportDesk, call: Visit) -> object:
    body: ImportBody = call.body
    if bool(body.upload) == bool(body.source):
        raise InvalidInput(
            "input.invalid",
            path="body",
            fault=Phrase("either upload or source", "upload 与 source 须且只能给出其一"),
        )
    mapping = body.mapping
    if isinstance(mapping, str):
        mapping = call.node.mappings.get(mapping)
    wanted = ImportOrder(mapping=mapping, dry=body.dry, upload=body.upload, source=body.source)
    job = desk.start(wanted, actor=call.asker.actor, address=address_of(call.request))
    return _shown(job, call.lang)


def _again(desk: ImportDesk, call: Visit) -> object:
    job = desk.again(
        call.number, actor=call.asker.actor, address=address_of(call.request), dry=call.body.dry
    )
    return _shown(job, call.lang)


def _cancel(desk: ImportDesk, call: Visit) -> object:
    return _shown(desk.cancel(call.number), call.lang)


def _list(desk: ImportDesk, call: Visit) -> object:
    want = call.wanted(PageQuery)
    jobs, total = desk.jobs.latest(offset=want.offset, limit=want.limit)
    return {"imports": [_shown(job, call.lang) for job in jobs], "total": total}


def _one(desk: ImportDesk, call: Visit) -> object:
    return _shown(desk.jobs.get(call.number), call.lang)


def _shown(job: Job, lang: str) -> dict[str, Any]:
    report = plain(job.report)
    del report["faults"]
    return {
        "id": job.id,
        "state": job.state,
        "dry": job.wanted.dry,
        "mapping": job.wanted.mapping,
        "upload": job.wanted.upload,
        "source": job.wanted.source,
        "file": job.wanted.file,
        "sha256": job.wanted.sha256,
        "by": job.actor.account or job.actor.name,
        "total": job.total,
        "report": report,
        "stopping": job.cancel and job.alive,
        "fault": faults_of([job.fault], lang)[0] if job.fault else None,
        "created_at_ms": job.created_at_ms,
        "started_at_ms": job.started_at_ms,
        "ended_at_ms": job.ended_at_ms,
    }


# ---------------------------------------------------------------- rows
def _rows(desk: ImportDesk, call: Visit) -> object:
    want = call.wanted(RowsQuery)
    job = desk.jobs.get(call.number)
    found = desk.jobs.rows(job.id, want.outcome, offset=want.offset, limit=want.limit)
    return {
        "rows": [_shown_row(row, call.lang) for row in found],
        "total": desk.jobs.counted(job.id, want.outcome),
    }


def _shown_row(row: JobRow, lang: str) -> dict[str, Any]:
    told: dict[str, Any] = {"row": row.row, "name": row.name, "outcome": row.outcome}
    if row.faults:
        told["faults"] = [
            {**one, "value": row.given.get(one["item"], "")} for one in faults_of(row.faults, lang)
        ]
    if row.changes:
        told["changes"] = row.changes
    return told


def _rows_csv(desk: ImportDesk, call: Visit) -> Response:
    """All refused rows, a line per fault, as a table for spreadsheet programs."""
    job = desk.jobs.get(call.number)
    name = f"import-{job.id}-{job.wanted.file or job.wanted.source}.csv"
    headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(name)}"}
    lines = faults_csv(desk.jobs.every_row(job.id, Outcome.REFUSED), call.lang)
    return StreamingResponse(lines, media_type="text/csv; charset=utf-8", headers=headers)


def faults_csv(rows: Iterator[JobRow], lang: str) -> Iterator[str]:
    """Refused rows as CSV with a byte order mark; no cell begins as a formula does."""
    head = ("行", "标识", "属性", "值", "原因", "下一步", "代码") if lang == "zh" else (
        "row", "name", "item", "value", "reason", "next step", "code")  # fmt: skip
    yield "\ufeff" + _csv_line(head)
    for row in rows:
        for fault in row.faults:
            item = str(fault.params.get("item", ""))
            about = (row.row, row.name, item, row.given.get(item, ""))
            yield _csv_line((*about, fault.text(lang), fault.next_step(lang), fault.code))


def _csv_line(cells: tuple[object, ...]) -> str:
    texts = [str(cell) for cell in cells]
    line = io.StringIO()
    csv.writer(line).writerow(
        [f"'{text}" if text.startswith(_FORMULA_STARTS) else text for text in texts]
    )
    return line.getvalue()
