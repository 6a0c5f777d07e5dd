"""The OPC UA driver: session, reads, subscriptions, writes and browsing behind the contract.

Constructing and compiling touch no network. One driver holds one session; ``open`` makes it,
a lost one is not mended here: calls raise Unavailable until the gateway has closed and reopened.
"""

from collections.abc import AsyncIterator, Sequence

from mingwu.field.base import (
    BrowseNode,
    DriverKind,
    Sink,
    Subscription,
    WriteRequest,
    WriteResult,
    mark,
)
from mingwu.field.opcua import profiles
from mingwu.field.opcua.browsing import children
from mingwu.field.opcua.plan import Plan, compile_tags
from mingwu.field.opcua.publishing import Publishing
from mingwu.field.opcua.reading import read
from mingwu.field.opcua.session import Session
from mingwu.field.opcua.settings import Mode, OpcuaSettings
from mingwu.field.opcua.watch import Watch
from mingwu.field.opcua.writing import Writer
from mingwu.kernel.batch import Columns
from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.errors import Unavailable
from mingwu.kernel.plant import TagSpec


class OpcuaDriver:
    """Driver, Subscribes, Writes and Browses of :mod:`mingwu.field.base`."""

    def __init__(self, settings: OpcuaSettings, simulated: bool) -> None:
        profiles.check(settings.profile)
        self._settings = settings
        self._simulated = simulated
        self._session: Session | None = None
        self._publishing: Publishing | None = None
        self._writer: Writer | None = None
        self._watches: list[Watch] = []

    def compile(self, tags: Sequence[TagSpec]) -> Plan:
        """See :func:`mingwu.field.opcua.plan.compile_tags`."""
        return compile_tags(tags)

    async def open(self) -> None:
        """Connect and log in. Raises Unavailable; an open session is closed first."""
        await self.close()
        session = await Session.open(self._settings)
        self._session = session
        self._publishing = Publishing(session)
        self._writer = Writer(session)

    async def close(self) -> None:
        """End subscriptions and session; never raises."""
        session, self._session = self._session, None
        watches, self._watches = self._watches, []
        publishing, self._publishing = self._publishing, None
        if session is None:
            return
        for watch in watches:
            await watch.close()
        if publishing is not None:
            await publishing.close()
        await session.close()

    async def read(self, plan: Plan) -> Columns:
        """Every tag once, straight from the device (maximum age 0)."""
        return mark(await read(self._alive(), plan), simulated=self._simulated)

    async def subscribe(self, plan: Plan, sink: Sink) -> Subscription:
        """Watch the plan's tags; each has a first value or a bad quality soon after."""
        session = self._alive()
        if self._publishing is None:
            raise self._not_open()
        watch = Watch(session, self._publishing, plan, sink, simulated=self._simulated)
        self._watches = [*(other for other in self._watches if not other.over), watch]
        await watch.start()
        return watch

    async def write(self, requests: Sequence[WriteRequest]) -> list[WriteResult]:
        """Write values; one result each, in order."""
        self._alive()
        if self._writer is None:
            raise self._not_open()
        return await self._writer.write(requests)

    def browse(self, address: str = "") -> AsyncIterator[BrowseNode]:
        """The nodes below ``address``, empty for the Objects folder."""
        return children(self._alive(), address)

    def _alive(self) -> Session:
        if self._session is None:
            raise self._not_open()
        if self._session.fault is not None:
            raise self._session.fault
        return self._session

    def _not_open(self) -> Unavailable:
        return Unavailable(
            "opcua.lost", endpoint=self._settings.endpoint, fault=Phrase("not open", "未连接")
        )


def _create(settings: OpcuaSettings, simulated: bool) -> OpcuaDriver:
    return OpcuaDriver(settings, simulated)


def _line(settings: OpcuaSettings) -> str:
    return f"opc.tcp://{settings.netloc}"


def _polled(settings: OpcuaSettings) -> bool:
    return settings.mode is Mode.POLL


KIND = DriverKind(
    name="opcua",
    settings=OpcuaSettings,
    create=_create,
    line=_line,
    subscribes=True,
    polled=_polled,
)
