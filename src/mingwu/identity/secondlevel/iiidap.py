"""Data access in the manner of the IIIDAP drafts, with the shapes of RDAP (RFC 9082, 9083).

The drafts' bodies were not available: paths and member names stand in :data:`NAMES`, the rest is
RDAP's. Personal data of legal persons never leave; contacts are shown to known callers only.
"""

from collections.abc import Mapping
from typing import Any

from mingwu.identity.secondlevel.model import PrefixRow, Tenant, iso
from mingwu.identity.secondlevel.prefixes import ACTIVE
from mingwu.identity.secondlevel.service import SecondLevel
from mingwu.kernel.errors import MingwuError, NotFound
from mingwu.kernel.names import parse

NAMES: Mapping[str, str] = {
    "root": "/iiidap",
    "conformance": "iiidap_level_0_modelled_on_rdap",
    "identifier": "identifier",
    "prefix": "prefix",
    "entity": "entity",
    "media": "application/rdap+json",
}
_NOTICE = {
    "zh": "参照 RDAP 及 IIIDAP 草案实现；草案正文未能取得。",
    "en": "Modelled on RDAP and the IIIDAP drafts, whose bodies were not available.",
}


def _answer(kind: str, lang: str, **members: object) -> dict[str, Any]:
    return {
        "rdapConformance": ["rdap_level_0", NAMES["conformance"]],
        "notices": [{"title": "Modelled on", "description": [_NOTICE[lang]]}],
        "lang": lang,
        "objectClassName": kind,
        **members,
    }


def help_(node: SecondLevel, lang: str) -> dict[str, Any]:
    """What this service answers."""
    root = NAMES["root"]
    told = [f"{root}/{NAMES[kind]}/…" for kind in ("identifier", "prefix", "entity")]
    return _answer("help", lang, description=told, handle=node.settings.prefix)


def prefix(node: SecondLevel, asked: str, lang: str, *, known: bool) -> dict[str, Any]:
    """A prefix with its holder; NotFound when it is not in use here."""
    row = _in_use(node, asked)
    tenant = node.tenants.get(row.uscc)
    return _prefix(row, tenant, lang, known=known)


def _in_use(node: SecondLevel, asked: str) -> PrefixRow:
    row = node.prefixes.get(asked)
    if row.state != ACTIVE:
        raise NotFound("secondlevel.prefix-unknown", prefix=asked)
    return row


def _prefix(row: PrefixRow, tenant: Tenant, lang: str, *, known: bool) -> dict[str, Any]:
    events = [
        {"eventAction": "registration", "eventDate": iso(row.since_ms)},
        {"eventAction": "last changed", "eventDate": iso(row.changed_at_ms)},
    ]
    return _answer(
        NAMES["prefix"], lang, handle=row.prefix, status=["active"], mode=row.mode.value,
        events=events, entities=[_holder(tenant, known=known)],
        links=[{"rel": "self", "href": f"{NAMES['root']}/{NAMES['prefix']}/{row.prefix}"}],
    )  # fmt: skip


def _holder(tenant: Tenant, *, known: bool) -> dict[str, Any]:
    organisation, contact = tenant.form.organisation, tenant.form.contact
    card: list[list[Any]] = [
        ["version", {}, "text", "4.0"],
        ["fn", {}, "text", tenant.name],
        ["kind", {}, "text", "org"],
    ]
    if known:
        card.append(["tel", {}, "text", contact.phone])
        if contact.email:
            card.append(["email", {}, "text", contact.email])
    return {
        "objectClassName": NAMES["entity"],
        "handle": tenant.uscc,
        "roles": ["registrant"],
        "vcardArray": ["vcard", card],
        "publicIds": [{"type": "USCC (GB 32100)", "identifier": tenant.uscc}],
        "remarks": [{"title": "industry", "description": [organisation.industry]}],
        "status": ["active"] if known else ["active", "private"],
    }


def entity(node: SecondLevel, uscc: str, lang: str, *, known: bool) -> dict[str, Any]:
    """A tenant and its prefixes."""
    tenant = node.tenants.get(uscc)
    holder = _holder(tenant, known=known)
    holder.pop("objectClassName")
    held = [row.prefix for row in node.prefixes.all(uscc=uscc)]
    return _answer(NAMES["entity"], lang, **holder, prefixes=held)


def identifier(node: SecondLevel, name: str, lang: str, *, known: bool) -> dict[str, Any]:
    """Registration data of a hosted identifier, or whose node to ask for another."""
    parsed = parse(name)
    row = _in_use(node, parsed.prefix)
    tenant = node.tenants.get(row.uscc)
    found = node.hosted.get(name)
    members: dict[str, Any] = {
        "handle": name,
        "entities": [_holder(tenant, known=known)],
        "prefix": parsed.prefix,
    }
    if found is None:
        if row.mode == "hosted":
            raise NotFound("name.unknown", name=name)
        site = row.site
        members["links"] = [{"rel": "related", "title": "own node",
                             "href": f"hdl://{site.host}:{site.port}" if site else ""}]  # fmt: skip
        members["status"] = ["referred"]
    else:
        members |= {
            "handle": found["name"],
            "template": found["template"],
            "status": ["active"],
            "events": [{"eventAction": "last changed", "eventDate": iso(found["at_ms"])}],
        }
    return _answer(NAMES["identifier"], lang, **members)


def fault(error: MingwuError, lang: str) -> dict[str, Any]:
    """An error as RDAP writes it (RFC 9083 §6)."""
    return {
        "rdapConformance": ["rdap_level_0", NAMES["conformance"]],
        "lang": lang,
        "errorCode": error.status,
        "title": error.text(lang),
        "description": [error.next_step(lang)],
    }
