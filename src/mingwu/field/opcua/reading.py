"""Reading a plan: one Read service call per request, replies decoded by their learned layout.

A reply that cannot be parsed makes the tags of its request bad (malformed) and nothing else. A
server that finds a request too large is asked for half as much from then on.
"""

import asyncio
import time
from collections.abc import Sequence

import numpy as np

from mingwu.field.opcua import rawcall, status
from mingwu.field.opcua.layout import learn
from mingwu.field.opcua.plan import Plan, ReadRequest
from mingwu.field.opcua.points import columns, unreadable
from mingwu.field.opcua.scan import Malformed, count_at
from mingwu.field.opcua.session import Session
from mingwu.kernel.batch import Columns, concatenate
from mingwu.kernel.quality import Reason, bad


async def read(session: Session, plan: Plan) -> Columns:
    """Every tag of the plan once, in any order. Raises Unavailable when the session is lost."""
    while True:
        prepared = plan.requests(session.namespaces, session.nodes_per_read)
        try:
            parts = await _read_all(session, plan, prepared.requests)
        except rawcall.ServiceFailed as error:
            if error.code not in status.TOO_LARGE or session.nodes_per_read == 1:
                return unreadable(
                    plan,
                    np.arange(len(plan.tags)),
                    status.quality_of(error.code),
                    time.time_ns(),
                )
            largest = max(len(request.rows) for request in prepared.requests)
            session.nodes_per_read = max(largest // 2, 1)
            continue
        if len(prepared.unknown):
            parts.append(
                unreadable(plan, prepared.unknown, bad(Reason.BAD_ADDRESS), time.time_ns())
            )
        return concatenate(parts) if parts else unreadable(plan, prepared.unknown, 0, 0)


async def _read_all(session: Session, plan: Plan, requests: Sequence[ReadRequest]) -> list[Columns]:
    width = session.in_flight
    if width == 1:
        return [await _read_one(session, plan, request) for request in requests]
    parts: list[Columns] = []
    for first in range(0, len(requests), width):
        some = requests[first : first + width]
        parts += await asyncio.gather(*(_read_one(session, plan, request) for request in some))
    return parts


async def _read_one(session: Session, plan: Plan, request: ReadRequest) -> Columns:
    """One Read call. Raises ServiceFailed, Unavailable."""
    try:
        body, pos = await session.raw(rawcall.READ, request.body, reply=rawcall.READ_REPLY)
        return decode(plan, request, body, pos, time.time_ns())
    except Malformed:
        return unreadable(plan, request.rows, bad(Reason.MALFORMED), time.time_ns())


def decode(plan: Plan, request: ReadRequest, body: bytes, pos: int, now_ns: int) -> Columns:
    """The points of a ReadResponse whose Results array begins at ``pos``. Raises Malformed.

    The request's last layout is used if it fits, else a new one is learnt and kept.
    """
    count = count_at(body, pos)
    if count != len(request.rows):
        raise Malformed(f"{count} values for {len(request.rows)} nodes")
    if request.layout is None or not request.layout.fits(body, pos + 4):
        request.layout = learn(body, pos + 4, count)
    return columns(plan, request.rows, request.layout.cells(body, pos + 4), now_ns)
