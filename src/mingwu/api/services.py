"""The parts an API process works with, in one frozen bundle."""

from dataclasses import dataclass, field

from starlette.routing import BaseRoute, Route

from mingwu.api.door import Doorkeeper
from mingwu.api.live import LiveHub
from mingwu.api.ports import HistoryReader, Journal, LiveSource, People, Plant, Resolve, TagWrite
from mingwu.api.settings import ApiSettings
from mingwu.api.status import StatusBoard
from mingwu.api.tagindex import PlantCache
from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.errors import Unavailable


@dataclass(frozen=True, kw_only=True)
class Services:
    """All the API works with. A part that is None answers 503 ``api.part-missing``.

    ``guarded`` routes of other packages are mounted behind the door, ``free`` ones without it.
    """

    settings: ApiSettings
    plant: Plant
    index: PlantCache
    people: People
    door: Doorkeeper
    journal: Journal
    live: LiveSource
    hub: LiveHub
    status: StatusBoard
    history: HistoryReader | None = None
    resolve: Resolve | None = None
    write: TagWrite | None = None
    product: dict[str, str] = field(default_factory=dict)
    # Parts of the identity plane that this node runs, as its configuration names them.
    parts: tuple[str, ...] = ()
    guarded: tuple[Route, ...] = ()
    free: tuple[BaseRoute, ...] = ()

    def need_history(self) -> HistoryReader:
        """The history, or Unavailable ``api.part-missing``."""
        if self.history is None:
            raise Unavailable("api.part-missing", part=Phrase("history", "历史数据服务"))
        return self.history

    def need_resolve(self) -> Resolve:
        """The resolver, or Unavailable ``api.part-missing``."""
        if self.resolve is None:
            raise Unavailable("api.part-missing", part=Phrase("resolver", "标识解析服务"))
        return self.resolve

    def need_write(self) -> TagWrite:
        """The way to the devices, or Unavailable ``api.part-missing``."""
        if self.write is None:
            raise Unavailable("api.part-missing", part=Phrase("gateway commands", "网关命令"))
        return self.write


def make_services(
    settings: ApiSettings,
    *,
    plant: Plant,
    people: People,
    journal: Journal,
    live: LiveSource,
    history: HistoryReader | None = None,
    resolve: Resolve | None = None,
    write: TagWrite | None = None,
    product: dict[str, str] | None = None,
    parts: tuple[str, ...] = (),
    guarded: tuple[Route, ...] = (),
    free: tuple[BaseRoute, ...] = (),
) -> Services:
    """Bundle the engines with a hub, a board and a plant index of this process."""
    hub = LiveHub(live, hz=settings.live_hz, backlog=settings.live_backlog)
    status = StatusBoard()
    status.attach(hub)
    return Services(
        settings=settings,
        plant=plant,
        index=PlantCache(plant),
        people=people,
        door=Doorkeeper(people),
        journal=journal,
        live=live,
        hub=hub,
        status=status,
        history=history,
        resolve=resolve,
        write=write,
        product=product or {},
        parts=parts,
        guarded=guarded,
        free=free,
    )
