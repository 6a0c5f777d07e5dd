"""Values written from the API to devices: a request on the bus, answered by the gateway."""

from mingwu.api.ports import TagRow, ThingRow
from mingwu.bus.client import Bus
from mingwu.bus.subjects import command
from mingwu.edge.command import WriteCommand, WriteReply
from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.errors import Unavailable


class DeviceWrites:
    """Implements ``api.ports.TagWrite``; ``bus`` is set once there is a connection."""

    def __init__(self) -> None:
        self.bus: Bus | None = None

    async def __call__(self, tag: TagRow, thing: ThingRow, value: float | str | bool) -> str:
        """Empty on success, else the gateway's or the device's reason. Raises Unavailable."""
        if self.bus is None or not thing.gateway:
            raise Unavailable("api.part-missing", part=Phrase("gateway", "网关"))
        question = WriteCommand(tag=tag.number, value=value, by="api")
        reply = await self.bus.request(command(thing.gateway, thing.device), question, WriteReply)
        return "" if reply.ok else reply.reason
