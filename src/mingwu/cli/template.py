"""``mingwu template list|show|export|import|diff``: the data templates of the node on this machine.

Reads and writes the stores that ``--config`` names, beside a running node (calls of all processes
run one after the other). An import that would change a template says first what that means for the
names that exist; with ``--dry-run`` it says only that.
"""

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from mingwu.cli.lab import DEFAULT_CONFIG
from mingwu.cli.language import language
from mingwu.identity.enterprise.model import Item, Template, TemplateDef, TemplateRef, TemplateState
from mingwu.identity.enterprise.service import EnterpriseNode
from mingwu.identity.enterprise.templates import file as templatefile
from mingwu.identity.enterprise.templates.diff import Difference, FieldChange, difference
from mingwu.identity.enterprise.templates.effect import Effect, effect
from mingwu.identity.enterprise.templates.keeping import TemplateSearch
from mingwu.identity.enterprise.templates.rules import judged
from mingwu.identity.server.process import open_store
from mingwu.kernel.causes import told
from mingwu.kernel.errors import InvalidInput, NotFound
from mingwu.kernel.plant import Kind
from mingwu.node.config import load
from mingwu.trust.service import Trust

_TEXTS = {
    "none": (
        "No template. Next: mingwu template import FILE",
        "没有数据模板。可执行：mingwu template import FILE",
    ),
    "some": (
        "{count} of {total} template(s). Next: mingwu template show VERSION",
        "{total} 个数据模板，显示 {count} 个。可执行：mingwu template show VERSION",
    ),
    "wrote": ("wrote {file}. Next: mingwu template import {file}", "已写入 {file}"),
    "same": ("no item and no field differs", "属性与字段均无差异"),
    "binding": ("may refuse what was good", "可能使原有值失效"),
    "nothing": ("({n} name(s); all stay good)", "（{n} 个标识，全部有效）"),
    "refused": (
        "{invalid} of {judged} name(s) would be refused at their next change, {newly} are good now",
        "{judged} 个标识中有 {invalid} 个下次变更时将不通过校验，其中 {newly} 个目前有效",
    ),
    "part": (
        "only {judged} of {names} names were judged",
        "仅检查了 {names} 个标识中的 {judged} 个",
    ),
    "dry": ("nothing was stored (--dry-run)", "未保存（--dry-run）"),
    "made": (
        "{version}: {state}, revision {revision}. Next: publish it in the console, or --publish",
        "{version}：{state}，修订 {revision}。可在控制台启用，或导入时加 --publish",
    ),
    "stored": ("{version}: {state}, revision {revision}", "{version}：{state}，修订 {revision}"),
}
_MARKS = {"added": "+", "removed": "-", "changed": "~"}


def configure(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True)
    listing = actions.add_parser("list", help="the templates, latest change first")
    listing.add_argument("text", nargs="?", default="", help="words of name, version or handle")
    listing.add_argument("--kind", choices=[kind.value for kind in Kind])
    listing.add_argument("--state", choices=[state.value for state in TemplateState])
    listing.add_argument("--industry", default="", help="GB/T 4754 code of any level")
    show = actions.add_parser("show", help="the items of one template")
    export = actions.add_parser("export", help="one template as a JSON file")
    export.add_argument("--out", type=Path, help="file; without: standard output")
    export.add_argument("--form", choices=["mingwu", "snms"], default="mingwu")
    diff = actions.add_parser("diff", help="what differs between two revisions, and what it means")
    for one in (show, export, diff):
        one.add_argument("template", help="version or handle")
    show.add_argument("--revision", type=int, default=0, help="an earlier one")
    diff.add_argument("from_", metavar="FROM", nargs="?", type=int, default=0)
    diff.add_argument("to", metavar="TO", nargs="?", type=int, default=0)
    take = actions.add_parser("import", help="a file as a draft, or as the next revision")
    take.add_argument("file", type=Path)
    take.add_argument("--version", default="", help="another version than the file's")
    take.add_argument("--publish", action="store_true", help="take a new one into use at once")
    take.add_argument("--revise", action="store_true", help="change the template that exists")
    take.add_argument("--dry-run", action="store_true", help="say what it would mean")
    for one in (listing, show, export, diff, take):
        one.add_argument("--prefix", default="", help="whose template")
        one.add_argument("--config", type=Path, default=DEFAULT_CONFIG, help="the node's file")


def run(arguments: argparse.Namespace) -> int:
    """1 when a file has faults; they are printed."""
    with _opened(arguments.config) as node:
        work = {
            "list": _list, "show": _show, "export": _export, "diff": _diff, "import": _import,
        }[arguments.action]  # fmt: skip
        return work(node, arguments)


@contextmanager
def _opened(config_file: Path) -> Iterator[EnterpriseNode]:
    config = load(config_file)
    store = open_store(config.resolver)
    try:
        node = EnterpriseNode.open(config.enterprise, store)
        try:
            yield node
        finally:
            node.close()
    finally:
        store.close()


def _say(text: str, **given: object) -> str:
    return _TEXTS[text][language() == "zh"].format(**given)


def _title(definition: TemplateDef) -> str:
    names = (definition.name_zh, definition.name_en)
    return (names if language() == "zh" else names[::-1])[0] or "".join(names)


def _ref(arguments: argparse.Namespace) -> TemplateRef:
    text: str = arguments.template
    if "/" in text:
        return TemplateRef(handle=text)
    return TemplateRef(arguments.prefix, text)


def _list(node: EnterpriseNode, arguments: argparse.Namespace) -> int:
    search = TemplateSearch(
        text=arguments.text, prefix=arguments.prefix, industry=arguments.industry,
        kind=Kind(arguments.kind) if arguments.kind else None,
        state=TemplateState(arguments.state) if arguments.state else None,
    )  # fmt: skip
    found, total = node.templates.search(search)
    counts = node.templates.counts()
    for one in found:
        what, names = one.definition, counts.get(one.number, 0)
        print(
            f"{what.version:<24} {one.state.value:<10} r{one.revision:<4} {what.kind.value:<10} "
            f"{len(what.items):>4} {names:>9,}  {_title(what)}"
        )
    print(_say("some", count=len(found), total=total) if found else _say("none"))
    return 0


def _show(node: EnterpriseNode, arguments: argparse.Namespace) -> int:
    template = node.templates.get(_ref(arguments))
    definition = template.definition
    if arguments.revision:
        definition = node.templates.revision(_ref(arguments), arguments.revision).definition
    industry = node.industries.label(definition.industry, language())
    revision = arguments.revision or template.revision
    print(f"{definition.handle}  {template.state.value}  r{revision}  {_title(definition)}")
    print(f"  {definition.kind.value}, {industry}")
    for item in definition.items:
        print(f"  {item.index:>6} {item.type:<24} {item.data_type.value:<11}{_rules(item)}")
    return 0


def _rules(item: Item) -> str:
    names = ("required", "unique", "restricted")
    words = [name for name in names if getattr(item, name)]
    words += [] if item.enabled else ["disabled"]
    if item.low is not None or item.high is not None:
        ends = ("" if limit is None else f"{limit:g}" for limit in (item.low, item.high))
        words.append("..".join(ends))
    words += [item.unit] if item.unit else []
    words += ["|".join(item.choices)] if item.choices else []
    return ", ".join(words)


def _export(node: EnterpriseNode, arguments: argparse.Namespace) -> int:
    template = node.templates.get(_ref(arguments))
    dump = templatefile.dump_snms if arguments.form == "snms" else templatefile.dump
    if arguments.out is None:
        sys.stdout.write(dump(template).decode())
        return 0
    try:
        arguments.out.write_bytes(dump(template))
    except OSError as error:
        raise _unusable(arguments.out, error) from error
    print(_say("wrote", file=arguments.out))
    return 0


def _diff(node: EnterpriseNode, arguments: argparse.Namespace) -> int:
    ref = _ref(arguments)
    template = node.templates.get(ref)
    to = arguments.to or template.revision
    old = node.templates.revision(ref, arguments.from_ or max(1, to - 1))
    new = node.templates.revision(ref, to)
    print(f"{template.label}  r{old.revision} → r{new.revision}")
    _print_meaning(node, template, old.definition, new.definition)
    return 0


def _import(node: EnterpriseNode, arguments: argparse.Namespace) -> int:
    try:
        data = arguments.file.read_bytes()
    except OSError as error:
        raise _unusable(arguments.file, error) from error
    definition = templatefile.read(data, prefix=arguments.prefix, version=arguments.version)
    ref = TemplateRef(definition.prefix, definition.version)
    old = _existing(node, ref) if arguments.revise or arguments.dry_run else None
    found, faults = judged(definition, old.definition if old else None)
    if faults:
        for fault in faults:
            print(f"  {fault.text(language())}")
        return 1
    if old is not None:
        _print_meaning(node, old, old.definition, found)
    if arguments.dry_run:
        print(_say("dry"))
        return 0
    if old is not None:
        done = node.change_template(ref, definition, actor="cli", base=old.revision)
    else:
        done = node.templates.create(definition, actor="cli", publish=arguments.publish)
    _note(arguments.config, done)
    text = "made" if done.state is TemplateState.DRAFT else "stored"
    print(_say(text, version=ref.version, state=done.state.value, revision=done.revision))
    return 0


def _existing(node: EnterpriseNode, ref: TemplateRef) -> Template | None:
    try:
        return node.templates.get(ref)
    except NotFound:
        return None


def _note(config_file: Path, template: Template) -> None:
    trust = Trust.open(load(config_file).trust)
    try:
        detail = {"revision": template.revision, "state": template.state.value}
        handle = template.definition.handle
        trust.journal.append("cli", "identity.template.import", handle, detail=detail)
    finally:
        trust.close()


# ------------------------------------------------------------------ differences in words
def _print_meaning(
    node: EnterpriseNode, template: Template, old: TemplateDef, new: TemplateDef
) -> None:
    _print_difference(difference(old, new))
    _print_effect(effect(node.engine, template, old, new))


def _print_difference(found: Difference) -> None:
    if not found.fields and not found.items:
        print("  " + _say("same"))
    for change in found.fields:
        print("  " + _field(change))
    for item in found.items:
        note = "  ! " + _say("binding") if item.binding else ""
        print(f"  {_MARKS[item.what]} {item.index} {item.type}{note}")
        for change in item.fields:
            print("      " + _field(change))


def _field(change: FieldChange) -> str:
    before, after = (msgspec.json.encode(one).decode() for one in (change.before, change.after))
    return f"{change.field}: {before} → {after}"


def _print_effect(means: Effect) -> None:
    if not means.invalid:
        print("  " + _say("nothing", n=means.names))
    else:
        print("  " + _say("refused", **_counts(means)))
    for name in means.first:
        for fault in name.faults:
            print(f"    {name.name}: {fault.text(language())}")
    if 0 < means.judged < means.names:
        print("  " + _say("part", **_counts(means)))


def _counts(means: Effect) -> dict[str, int]:
    return {name: getattr(means, name) for name in ("names", "judged", "invalid", "newly")}


def _unusable(path: Path, error: OSError) -> InvalidInput:
    return InvalidInput("input.invalid", path=str(path), fault=told(error))
