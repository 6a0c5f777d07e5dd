"""The MQTT driver: subscribes to the topics of its tags, hands each message on as columns.

One broker connection per device. ``read`` gives the last known values (and subscribes by itself
when nobody did), so that the device can be polled for a picture of the whole.
"""

import asyncio
import contextlib
from collections.abc import Sequence

from mingwu.field.base import DriverKind, Sink
from mingwu.field.mqtt.link import Link, line
from mingwu.field.mqtt.plan import Plan
from mingwu.field.mqtt.settings import MqttSettings
from mingwu.kernel.batch import Columns
from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.clock import Clock, SystemClock
from mingwu.kernel.errors import ConfigError, Unavailable
from mingwu.kernel.plant import TagSpec
from mingwu.kernel.quality import Reason


class MqttSubscription:
    """A plan listening on a link; implements Subscription of ``field.base``."""

    def __init__(self, driver: "MqttDriver", link: Link, plan: Plan, sink: Sink | None) -> None:
        self.plan = plan
        self.sink = sink
        self._driver = driver
        self._link = link
        self._closed = asyncio.Event()

    async def wait(self) -> None:
        """Until closed; raises Unavailable ``mqtt.lost`` when the broker is lost."""
        ends = [asyncio.ensure_future(e.wait()) for e in (self._closed, self._link.lost)]
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for end in ends:
                end.cancel()
        if not self._closed.is_set():
            raise self._driver.lost()

    async def close(self) -> None:
        """Stop listening."""
        if not self._closed.is_set():
            self._closed.set()
            self._driver.forget(self)


class MqttDriver:
    """One device behind a broker. Implements Driver and Subscribes of ``field.base``."""

    def __init__(self, settings: MqttSettings, simulated: bool, clock: Clock | None = None) -> None:
        if settings.password and not settings.user:
            raise ConfigError(
                "mqtt.setting", setting="password", fault=Phrase("needs a user", "须同时给出用户名")
            )
        self._settings = settings
        self._simulated = simulated
        self._clock = clock or SystemClock()
        self._link: Link | None = None
        self._listening: list[MqttSubscription] = []
        self._by_topic: dict[str, list[MqttSubscription]] = {}

    def compile(self, tags: Sequence[TagSpec]) -> Plan:
        """Tags by topic; raises ConfigError ``mqtt.address``."""
        return Plan(tags, self._settings, simulated=self._simulated)

    async def open(self) -> None:
        """Connect; raises Unavailable ``mqtt.unreachable``."""
        await self.close()
        self._link = await Link.connect(self._settings, self._message)

    async def close(self) -> None:
        """Disconnect; subscriptions end."""
        link, self._link = self._link, None
        for subscription in list(self._listening):
            await subscription.close()
        if link is not None:
            await link.close()

    async def read(self, plan: Plan) -> Columns:
        """Last known values; bad INITIALISING where nothing came since the subscription."""
        if not any(s.plan is plan for s in self._listening):
            await self._subscribe(plan, None)
        self._joined()
        return plan.last(self._clock.time_ns())

    async def subscribe(self, plan: Plan, sink: Sink) -> MqttSubscription:
        """Hand every message on as columns; topics the broker refuses give bad points at once."""
        return await self._subscribe(plan, sink)

    async def _subscribe(self, plan: Plan, sink: Sink | None) -> MqttSubscription:
        link = self._joined()
        subscription = MqttSubscription(self, link, plan, sink)
        new = [topic for topic in plan.topics if topic not in self._by_topic]
        self._listening.append(subscription)
        for topic in plan.topics:
            self._by_topic.setdefault(topic, []).append(subscription)
        try:
            refused = await link.subscribe(new)
        except BaseException:
            await subscription.close()
            raise
        for topic in refused:
            columns = plan.refuse(topic, Reason.ACCESS_DENIED, self._clock.time_ns())
            if sink:
                sink(columns)
        return subscription

    def forget(self, subscription: MqttSubscription) -> None:
        """Take a subscription off; topics nobody wants any more are unsubscribed."""
        with contextlib.suppress(ValueError):
            self._listening.remove(subscription)
        unwanted = []
        for topic in subscription.plan.topics:
            listeners = self._by_topic.get(topic, [])
            if subscription in listeners:
                listeners.remove(subscription)
            if not listeners and self._by_topic.pop(topic, None) is not None:
                unwanted.append(topic)
        if self._link is not None:
            self._link.unsubscribe(unwanted)

    def lost(self) -> Unavailable:
        """The error of a lost broker."""
        return Unavailable("mqtt.lost", line=line(self._settings))

    def _joined(self) -> Link:
        if self._link is None or self._link.lost.is_set():
            raise self.lost()
        return self._link

    def _message(self, topic: str, payload: bytes) -> None:
        now_ns = self._clock.time_ns()
        for subscription in self._by_topic.get(topic, ()):
            columns = subscription.plan.message(topic, payload, now_ns)
            if subscription.sink and len(columns):
                subscription.sink(columns)


KIND = DriverKind(name="mqtt", settings=MqttSettings, create=MqttDriver, line=line, subscribes=True)
