"""Notes about HTTP answers for the usage log.

A reply carries its response code in the JSON that was rendered for the client, so it is read back
from there. Questions that are not about a name (site, lists, options) and changes are not noted.
"""

import re

from mingwu.identity.server.exchange import TUNNEL, HttpReply, HttpRequest
from mingwu.identity.server.usagenote import UsageNotes, Via
from mingwu.wire.handle.codes import Op, Rc

_API = "/api/handles/"
_CODE = re.compile(rb'"responseCode"\s*:\s*(\d{1,5})')
_CODE_WITHIN = 200  # behind a callback's name, if there is one
_FOUND = 302


def note_http(usage: UsageNotes, request: HttpRequest, reply: HttpReply, started_ns: int) -> None:
    """Note an answered request that asked for a name."""
    if reply.type == TUNNEL:
        usage.note(request.body, reply.body, request.source, Via.HTTP, started_ns)
        return
    path = request.path
    if path.startswith(_API):
        name = path[len(_API) :]
    else:
        name = "" if path.startswith("/api") else path[1:]
    if name and request.method in {"GET", "HEAD"}:
        usage.note_named(Op.RESOLVE, code_of(reply), name, request.source, started_ns)


def code_of(reply: HttpReply) -> int:
    """The response code that a reply tells."""
    if reply.status == _FOUND:
        return Rc.SUCCESS
    told = _CODE.search(reply.body, 0, _CODE_WITHIN)
    return int(told[1]) if told else Rc.ERROR
