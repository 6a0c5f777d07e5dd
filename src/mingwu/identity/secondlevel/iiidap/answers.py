"""Objects of the data access service: identifiers, prefixes, enterprises, in the shapes of RDAP.

Modelled on the IIIDAP drafts, of which only the first pages were at hand; names of paths stand in
``iiidap.names``, shapes are RDAP's (RFC 9083), what is left out is named as in RFC 9537. The person
to contact is shown to accounts that may register; strangers see the enterprise. Legal persons and
citizen numbers never leave. Only prefixes in use and names under them are found.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from mingwu.identity.secondlevel.iiidap.names import NAMES
from mingwu.identity.secondlevel.model import Mode, PrefixRow, Tenant, iso
from mingwu.identity.secondlevel.prefixes import ACTIVE
from mingwu.identity.secondlevel.service import SecondLevel
from mingwu.kernel.errors import MingwuError, NotFound
from mingwu.kernel.names import parse

Members = dict[str, Any]

REDACTED = "redacted"
_CONTACT = "[?(@.roles[0]=='registrant')].entities"

_WORDS: Mapping[str, tuple[str, str]] = {
    "modelled": ("参照实现", "Modelled on"),
    "modelled-text": (
        "参照 RDAP 及 IIIDAP 草案实现；草案仅见首页，正文未能取得。",
        "Modelled on RDAP and the IIIDAP drafts, of which only the first pages were available.",
    ),
    "simulated": ("仿真数据", "Simulated data"),
    "simulated-text": (
        "本节点及其企业、标识均为仿真。",
        "This node, its enterprises and identifiers are made up.",
    ),
    "contact": ("联系人", "Contact person"),
    "contact-why": ("仅向有权账户显示", "Shown to authorised accounts only"),
    "own-node": ("企业自建节点", "Enterprise's own node"),
    "own-node-text": (
        "该前缀由企业自建节点解析和登记，请向该节点查询。",
        "Names of this prefix are registered and resolved on the enterprise's node; ask there.",
    ),
    "industry": ("行业（GB/T 4754）", "Industry (GB/T 4754)"),
    "lookups": ("查询", "Lookups"),
    "searches": ("检索", "Searches"),
    "access": ("访问规则", "Access"),
    "bootstrap": ("引导文件", "Bootstrap file"),
    "bootstrap-text": (
        "说明哪个服务负责哪个前缀（参照 RFC 9224）。",
        "Which service answers for which prefix (modelled on RFC 9224).",
    ),
}  # fmt: skip


class View(msgspec.Struct, frozen=True, kw_only=True):
    """For whom an answer is made. ``base`` is the service's address, without a slash at its end.

    ``known``: somebody logged in; ``contacts``: one who may see whom to contact.
    """

    base: str
    lang: str = "zh"
    known: bool = False
    contacts: bool = False

    def word(self, key: str) -> str:
        """A text of the table in the asker's language."""
        zh, en = _WORDS[key]
        return zh if self.lang == "zh" else en


def link(view: View, rel: str, path: str, *, about: str = "", media: str = "") -> Members:
    """A link (RFC 9083 4.2) from ``about`` to ``path``, both below the service's root."""
    href = f"{view.base}/{path}"
    return {
        "value": f"{view.base}/{about}" if about else href,
        "rel": rel,
        "href": href,
        "type": media or NAMES["media"],
    }


def notice(title: str, *lines: str, kind: str = "", links: Sequence[Members] = ()) -> Members:
    """A notice or remark (RFC 9083 4.3); ``kind`` is a registered type."""
    told: Members = {"title": title, "description": list(lines)}
    if kind:
        told["type"] = kind
    return told | {"links": list(links)} if links else told


def answer(
    node: SecondLevel,
    view: View,
    members: Members,
    *,
    notices: Sequence[Members] = (),
    extensions: Sequence[str] = (),
) -> Members:
    """The outermost object of a reply: conformance, notices, language, and ``members``."""
    told = [notice(view.word("modelled"), view.word("modelled-text"),
                   links=[link(view, "help", NAMES["help"])])]  # fmt: skip
    if node.settings.simulated:
        told.append(notice(view.word("simulated"), view.word("simulated-text")))
    return {
        "rdapConformance": ["rdap_level_0", NAMES["conformance"], *extensions],
        "notices": [*told, *notices],
        "lang": view.lang,
        **members,
    }


def redacted(view: View, where: str) -> Members:
    """What says that the contact was left out at the JSON path ``where`` (RFC 9537 4.2)."""
    return {
        REDACTED: [
            {
                "name": {"description": view.word("contact")},
                "prePath": where,
                "pathLang": "jsonpath",
                "method": "removal",
                "reason": {"description": view.word("contact-why")},
            }
        ]
    }


def contact_path(kind: str, root: str) -> str:
    """Where objects of a kind have their contact, below the JSON path ``root``."""
    return f"{root}.entities" if kind == NAMES["entity"] else f"{root}.entities{_CONTACT}"


def _lookup(node: SecondLevel, view: View, members: Members) -> Members:
    if view.contacts:
        return answer(node, view, members)
    where = contact_path(members["objectClassName"], "$")
    return answer(node, view, members | redacted(view, where), extensions=[REDACTED])


def _in_use(node: SecondLevel, asked: str) -> PrefixRow:
    row = node.prefixes.get(asked)
    if row.state != ACTIVE:
        raise NotFound("secondlevel.prefix-unknown", prefix=asked)
    return row


# ---------------------------------------------------------------- objects
def prefix_object(row: PrefixRow, tenant: Tenant, view: View) -> Members:
    """A prefix with its holder."""
    path = f"{NAMES['prefix']}/{row.prefix}"
    made: Members = {
        "objectClassName": NAMES["prefix"],
        "handle": row.prefix,
        "status": ["active"],
        "mode": row.mode.value,
        "events": [_event("registration", row.since_ms), _event("last changed", row.changed_at_ms)],
        "entities": [holder_object(tenant, view)],
        "links": [link(view, "self", path)],
    }
    if row.mode is Mode.OWN:
        made["remarks"] = [notice(view.word("own-node"), view.word("own-node-text"))]
        made["links"].append(_node_link(row, view, path))
    return made


def holder_object(tenant: Tenant, view: View) -> Members:
    """An enterprise as the holder of a prefix; with its contact for those who may see it."""
    path = f"{NAMES['entity']}/{tenant.uscc}"
    card = [
        ["version", {}, "text", "4.0"],
        ["fn", {}, "text", tenant.name],
        ["kind", {}, "text", "org"],
    ]
    made: Members = {
        "objectClassName": NAMES["entity"],
        "handle": tenant.uscc,
        "roles": ["registrant"],
        "vcardArray": ["vcard", card],
        "publicIds": [{"type": "USCC (GB 32100)", "identifier": tenant.uscc}],
        "status": ["active"] if view.contacts else ["active", "private"],
        "events": [_event("last changed", tenant.changed_at_ms)],
        "links": [link(view, "self", path)],
    }
    if tenant.industry:
        made["remarks"] = [notice(view.word("industry"), tenant.industry)]
    if view.contacts:
        made["entities"] = [_contact(tenant)]
    return made


def _contact(tenant: Tenant) -> Members:
    person = tenant.form.contact
    card: list[list[Any]] = [
        ["version", {}, "text", "4.0"],
        ["fn", {}, "text", person.name],
        ["kind", {}, "text", "individual"],
    ]
    if person.phone:
        card.append(["tel", {"type": "voice"}, "text", person.phone])
    if person.email:
        card.append(["email", {}, "text", person.email])
    return {
        "objectClassName": NAMES["entity"],
        "roles": ["administrative"],
        "vcardArray": ["vcard", card],
    }


def entity_object(tenant: Tenant, held: Sequence[str], view: View) -> Members:
    """An enterprise and the prefixes it holds."""
    return holder_object(tenant, view) | {"iiidap_prefixes": list(held)}


def identifier_object(
    name: str, row: PrefixRow, tenant: Tenant, view: View, *, template: str = "", at_ms: int = 0
) -> Members:
    """An identifier; of one on an enterprise's own node only where to ask is known here."""
    path = f"{NAMES['identifier']}/{name}"
    made: Members = {
        "objectClassName": NAMES["identifier"],
        "handle": name,
        "prefix": row.prefix,
        "entities": [holder_object(tenant, view)],
        "links": [
            link(view, "self", path),
            link(view, "up", f"{NAMES['prefix']}/{row.prefix}", about=path),
        ],
    }
    if row.mode is Mode.HOSTED:
        events = [_event("last changed", at_ms)]
        return made | {"template": template, "status": ["active"], "events": events}
    made["remarks"] = [notice(view.word("own-node"), view.word("own-node-text"))]
    made["links"].append(_node_link(row, view, path))
    return made


def _node_link(row: PrefixRow, view: View, about: str) -> Members:
    site = row.site
    host, port = (site.host, site.port) if site else ("", 0)
    target = f"hdl:{site.service}" if site and site.service else f"hdl://{host}:{port}"
    return {"value": f"{view.base}/{about}", "rel": "related", "href": target,
            "title": view.word("own-node")}  # fmt: skip


def _event(action: str, at_ms: int) -> Members:
    return {"eventAction": action, "eventDate": iso(at_ms)}


# ---------------------------------------------------------------- lookups
def prefix(node: SecondLevel, asked: str, view: View) -> Members:
    """A prefix with its holder; NotFound when it is not in use here."""
    row = _in_use(node, asked)
    return _lookup(node, view, prefix_object(row, node.tenants.get(row.uscc), view))


def entity(node: SecondLevel, uscc: str, view: View) -> Members:
    """An enterprise and its prefixes; NotFound when it holds none."""
    tenant = node.tenants.get(uscc)
    held = [row.prefix for row in node.prefixes.all(uscc=uscc)]
    if not held:
        raise NotFound("secondlevel.tenant-unknown", uscc=uscc)
    return _lookup(node, view, entity_object(tenant, held, view))


def identifier(node: SecondLevel, name: str, view: View) -> Members:
    """Registration data of a hosted identifier, or whose node to ask for another."""
    row = _in_use(node, parse(name).prefix)
    tenant = node.tenants.get(row.uscc)
    if row.mode is Mode.OWN:
        return _lookup(node, view, identifier_object(name, row, tenant, view))
    found = node.lookup.get(name)
    if found is None:
        raise NotFound("name.unknown", name=name)
    made = identifier_object(
        found["name"], row, tenant, view, template=found["template"], at_ms=found["at_ms"]
    )
    return _lookup(node, view, made)


def help_(node: SecondLevel, view: View) -> Members:
    """What this service answers, and to whom (RFC 9083 7)."""
    settings = node.settings
    lookups = [f"{view.base}/{NAMES[kind]}/…" for kind in ("identifier", "prefix", "entity")]
    searches = [
        f"{view.base}/{NAMES['identifiers']}?name={settings.prefix}.1/A*",
        f"{view.base}/{NAMES['prefixes']}?name={settings.prefix}.*",
        f"{view.base}/{NAMES['entities']}?fn=…*, ?handle=91*",
        "sort=PROPERTY[:a|:d], cursor=…, count=true (RFC 8977)",
    ]
    rates = (settings.iiidap_per_minute, settings.iiidap_known_per_minute, settings.iiidap_page)
    zh = "匿名每分钟 {0} 次、登录账户 {1} 次；每页 {2} 项，匿名仅首页；联系人仅向有权账户显示。"
    en = (
        "{0} questions a minute for strangers, {1} for accounts; {2} results a page, strangers "
        "get the first; contact persons are shown to authorised accounts."
    )
    told = [
        notice(view.word("lookups"), *lookups),
        notice(view.word("searches"), *searches),
        notice(view.word("access"), (zh if view.lang == "zh" else en).format(*rates)),
        notice(view.word("bootstrap"), view.word("bootstrap-text"),
               links=[link(view, "related", NAMES["bootstrap"], about=NAMES["help"],
                           media="application/json")]),
    ]  # fmt: skip
    return answer(node, view, {}, notices=told, extensions=["paging", "sorting", REDACTED])


def fault(error: MingwuError, lang: str) -> Members:
    """An error as RDAP writes it (RFC 9083 6); ``iiidap_code`` is the stable code of ours."""
    return {
        "rdapConformance": ["rdap_level_0", NAMES["conformance"]],
        "lang": lang,
        "errorCode": error.status,
        "title": error.text(lang),
        "description": [error.next_step(lang)],
        "iiidap_code": error.code,
    }
