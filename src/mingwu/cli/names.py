"""``mingwu names …``: import names from a table or a configured database; look at imports.

``import FILE --template T`` proposes a mapping from the columns (or takes a kept one), shows it,
and runs; ``--dry-run`` judges everything and stores nothing. ``imports`` lists what was imported,
``mappings`` what is kept.
"""

import argparse
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from mingwu.cli.language import language
from mingwu.cli.namewords import OUTCOMES, STATES, say
from mingwu.cli.tables import plain, table
from mingwu.identity.enterprise.imports.desk import ImportDesk
from mingwu.identity.enterprise.imports.importing import Outcome
from mingwu.identity.enterprise.imports.jobs import ImportOrder, Job, JobState
from mingwu.identity.enterprise.imports.previews import Preview, preview_source, preview_upload
from mingwu.identity.enterprise.imports.uploads import PART_BYTES, Uploading
from mingwu.identity.enterprise.mappings import Existing, Mapping
from mingwu.identity.enterprise.model import Actor, Template, TemplateRef
from mingwu.identity.enterprise.routes.imports import faults_csv
from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.causes import told
from mingwu.kernel.errors import InvalidInput
from mingwu.node.config import load
from mingwu.node.nameimport import actor_of, import_desk

_LOOK_S = 0.5
_SHOWN_FAULTS = 10
_LISTED = 20


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=["import", "imports", "mappings"])
    parser.add_argument("file", nargs="?", type=Path, help="table: .xlsx, or CSV")
    parser.add_argument("--config", type=Path, required=True, help="configuration file")
    parser.add_argument("--source", default="", help="a configured database instead of a file")
    parser.add_argument("--template", default="", help="version or handle of the data template")
    parser.add_argument("--mapping", default="", help="name of a kept mapping")
    parser.add_argument("--identifier", default="", help="e.g. '88.888.101/PRT.{serial}'")
    parser.add_argument(
        "--set", action="append", default=[], metavar="ITEM=PATTERN", help="repeatable"
    )
    parser.add_argument("--existing", choices=[one.value for one in Existing])
    parser.add_argument("--sheet", default="", help="sheet of a workbook (the first)")
    parser.add_argument("--head", type=int, default=0, help="row of the column names (found)")
    parser.add_argument("--dry-run", action="store_true", help="judge everything, store nothing")
    parser.add_argument("--save", default="", metavar="NAME", help="keep the mapping")
    parser.add_argument("--faults", type=Path, help="write all refused rows to this CSV file")
    parser.add_argument("--account", default="", help="act as this account (cli)")


def run(arguments: argparse.Namespace) -> int:
    """0 when every row was taken, 1 when some were refused or the import did not end well."""
    config = load(arguments.config)
    if arguments.action == "import" and bool(arguments.file) == bool(arguments.source):
        print(say("which"), file=sys.stderr)
        return 2
    actor = actor_of(config, arguments.account)
    with import_desk(config) as desk:
        if arguments.action == "imports":
            return _list(desk)
        if arguments.action == "mappings":
            return _mappings(desk)
        return _import(desk, arguments, actor)


def _import(desk: ImportDesk, arguments: argparse.Namespace, actor: Actor) -> int:
    upload = _uploaded(desk, arguments.file, actor) if arguments.file else ""
    mapping = _mapping(desk, arguments, upload)
    if arguments.save:
        mapping = msgspec.structs.replace(mapping, name=arguments.save)
        desk.node.mappings.put(mapping, actor=actor.name)
    _show(mapping)
    order = ImportOrder(
        mapping=mapping, dry=arguments.dry_run, upload=upload, source=arguments.source
    )
    job = _followed(desk, desk.start(order, actor=actor))
    return _told(desk, job, arguments)


def _uploaded(desk: ImportDesk, file: Path, actor: Actor) -> str:
    try:
        with file.open("rb") as content:
            uploading = Uploading(desk.node, file.name, actor=actor.name)
            while piece := content.read(PART_BYTES):
                uploading.add(piece)
    except OSError as error:
        raise InvalidInput("input.invalid", path=str(file), fault=told(error)) from error
    return uploading.close().id


def _mapping(desk: ImportDesk, arguments: argparse.Namespace, upload: str) -> Mapping:
    """A kept mapping or the proposed one, with what the command line says otherwise."""
    if arguments.mapping:
        mapping = desk.node.mappings.get(arguments.mapping)
    else:
        look = _look(desk, arguments, upload)
        if look.proposal is None:
            raise InvalidInput(
                "input.invalid",
                path="--template",
                fault=Phrase("or --mapping", "或 --mapping 必须给出"),
            )
        mapping = look.proposal
    values = dict(mapping.values)
    for text in arguments.set:
        item, sign, pattern = text.partition("=")
        if not sign:
            raise InvalidInput("input.invalid", path="--set", fault="ITEM=PATTERN")
        values[item] = pattern
    return msgspec.structs.replace(
        mapping,
        values={item: pattern for item, pattern in values.items() if pattern},
        identifier=arguments.identifier or mapping.identifier,
        existing=Existing(arguments.existing) if arguments.existing else mapping.existing,
        sheet=arguments.sheet or mapping.sheet,
        head=arguments.head or mapping.head,
    )


def _look(desk: ImportDesk, arguments: argparse.Namespace, upload: str) -> Preview:
    text, template = arguments.template, None
    if text:
        ref = TemplateRef(handle=text) if "/" in text else TemplateRef(version=text)
        template = desk.node.templates.get(ref)
    return _preview(desk, arguments, upload, template)


def _preview(
    desk: ImportDesk, arguments: argparse.Namespace, upload: str, template: Template | None
) -> Preview:
    if not upload:
        return preview_source(desk.node, arguments.source, template=template)
    return preview_upload(
        desk.node, upload, sheet=arguments.sheet, head=arguments.head, template=template
    )


def _show(mapping: Mapping) -> None:
    print(say("mapping", name=mapping.name, template=mapping.template, head=mapping.head))
    rows = [(say("identifier"), mapping.identifier), *mapping.values.items()]
    for line in table([(f"  {plain(item)}", plain(pattern)) for item, pattern in rows]):
        print(line)


def _followed(desk: ImportDesk, job: Job) -> Job:
    """Show progress until the job ends; Ctrl-C cancels it at its next batch."""
    on_terminal = sys.stderr.isatty()
    while True:
        try:
            while job.alive:
                time.sleep(_LOOK_S)
                job = desk.jobs.get(job.id)
                _progress(job, "\r" if on_terminal else "")
        except KeyboardInterrupt:
            desk.jobs.cancel(job.id)
            print("\n" + say("stopping"), file=sys.stderr)
            continue
        break
    if on_terminal:
        print(file=sys.stderr)
    return job


def _progress(job: Job, begin: str) -> None:
    report = job.report
    rate = report.rows / report.seconds if report.seconds else 0
    line = say(
        "progress", state=STATES[job.state][language() == "zh"], rows=f"{report.rows:,}",
        total=f"{job.total:,}" if job.total else "?", rate=f"{rate:,.0f}",
        refused=f"{report.refused:,}",
    )  # fmt: skip
    print(f"{begin}{line}", end="   " if begin else "\n", file=sys.stderr, flush=True)


def _told(desk: ImportDesk, job: Job, arguments: argparse.Namespace) -> int:
    zh, report = language() == "zh", job.report
    print(say("ended", state=STATES[job.state][zh], job=job.id, seconds=f"{report.seconds:.1f}"))
    if job.wanted.dry:
        print(say("nothing"))
    for outcome in Outcome:
        number = getattr(report, "duplicates" if outcome is Outcome.DUPLICATE else outcome.value)
        if number:
            print(f"  {number:>10,}  {OUTCOMES[outcome][zh]}")
    for row in desk.jobs.rows(job.id, Outcome.REFUSED, limit=_SHOWN_FAULTS):
        for fault in row.faults:
            print(say("row", row=row.row, name=plain(row.name), text=plain(fault.text(language()))))
    if job.fault is not None:
        lang = language()
        print(f"{plain(job.fault.text(lang))} [{job.fault.code}]", file=sys.stderr)
        print(f"  → {job.fault.next_step(lang)}", file=sys.stderr)
    if arguments.faults is not None and report.refused:
        lines = faults_csv(desk.jobs.every_row(job.id, Outcome.REFUSED), language())
        _write(arguments.faults, lines)
        print(say("written", file=arguments.faults))
    print(say(_next(job)))
    return 0 if job.state is JobState.DONE and not report.refused else 1


def _write(file: Path, lines: Iterator[str]) -> None:
    with file.open("w", encoding="utf-8", newline="") as out:
        out.writelines(lines)


def _next(job: Job) -> str:
    if job.state is not JobState.DONE:
        return "next.again"
    if job.report.refused:
        return "next.faults"
    return "next.import" if job.wanted.dry else "next.done"


def _list(desk: ImportDesk) -> int:
    zh = language() == "zh"
    jobs, total = desk.jobs.latest(limit=_LISTED)
    if not jobs:
        print(say("none"))
        return 0
    rows = [say("columns").split("|")]
    for job in jobs:
        when = datetime.fromtimestamp(job.created_at_ms / 1000, UTC).astimezone()
        report, wanted = job.report, job.wanted
        rows.append(
            [str(job.id), f"{when:%Y-%m-%d %H:%M}", plain(wanted.file or wanted.source),
             say("dry") if wanted.dry else say("real"), STATES[job.state][zh], f"{report.rows:,}",
             f"{report.registered:,}", f"{report.changed:,}", f"{report.refused:,}",
             plain(job.actor.name)]
        )  # fmt: skip
    print("\n".join(table(rows)))
    if total > len(jobs):
        print(say("more", count=total - len(jobs)))
    return 0


def _mappings(desk: ImportDesk) -> int:
    kept = desk.node.mappings.kept()
    if not kept:
        print(say("nomapping"))
    for one in kept:
        _show(one.mapping)
    return 0
