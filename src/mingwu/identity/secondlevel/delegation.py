"""Where the top-level node sends people for our prefix: to us, or to whoever took over.

In an emergency the top node delegates the prefix to the disaster-recovery node (annex 4 of the
interconnection guide, modelled on). Nobody tells us; so the top node is asked for the record
``0.NA/<prefix>`` by the Handle protocol, and it is compared with the address we answer at.
"""

from enum import StrEnum

import msgspec

from mingwu.identity.client.handleclient import resolve, site_address
from mingwu.identity.lookup import PREFIX_HOME
from mingwu.identity.secondlevel.settings import SecondLevelSettings
from mingwu.kernel.errors import PeerError, Unavailable
from mingwu.wire.handle.errors import ProtocolError
from mingwu.wire.handle.site import Site, read_site


class Whither(StrEnum):
    """What the top node's record says."""

    HERE = "here"
    TAKEN_OVER = "taken-over"
    ABSENT = "absent"
    SILENT = "silent"
    NOT_ASKED = "not-asked"


class Delegation(msgspec.Struct, frozen=True, kw_only=True):
    """The answer: ``address`` is where the record leads, ``ours`` where we answer."""

    state: Whither
    prefix: str
    asked: str = ""
    address: str = ""
    ours: str = ""
    elapsed_ms: float = 0.0
    detail: str = ""


async def look(settings: SecondLevelSettings, site: Site) -> Delegation:
    """Ask the top node's resolver for our prefix; a silent one is an answer, too."""
    prefix, top = settings.prefix, settings.upstream_resolver
    here = site_address(site, prefix)
    ours = f"{here[0]}:{here[1]}" if here else ""
    if not top:
        return Delegation(state=Whither.NOT_ASKED, prefix=prefix, ours=ours)
    known = Delegation(state=Whither.SILENT, prefix=prefix, asked=top, ours=ours)
    try:
        found = await resolve(
            f"{PREFIX_HOME}/{prefix}", top, timeout_s=settings.probe_timeout_s, follow=False
        )
        sites = [read_site(one.data) for one in found.values if one.type.startswith("HS_SITE")]
    except (Unavailable, PeerError, ProtocolError) as error:
        return msgspec.structs.replace(known, detail=str(error))
    where = site_address(sites[0], prefix) if sites else None
    if where is None:
        return msgspec.structs.replace(known, state=Whither.ABSENT, detail=f"code {found.rc}")
    state = Whither.HERE if where == here else Whither.TAKEN_OVER
    address = f"{where[0]}:{where[1]}"
    return msgspec.structs.replace(known, state=state, address=address, elapsed_ms=found.elapsed_ms)
