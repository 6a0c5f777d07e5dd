"""From one MQTT message to columns, and the last value of each tag.

A payload is decoded once for all tags of its topic. Whatever arrives gives points: a payload that
is no JSON gives bad points (MALFORMED) for all tags of the topic, a value of the wrong kind a bad
point (CONVERSION) for its tag, a missing field BAD_ADDRESS unless payloads are declared partial.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson

from mingwu.calc.convert import NAN, to_ns, to_point
from mingwu.field.mqtt.address import Path, parse, parse_path
from mingwu.field.mqtt.settings import MqttSettings
from mingwu.kernel.batch import U32, Columns
from mingwu.kernel.plant import TagSpec, ValueType
from mingwu.kernel.quality import GOOD, SIMULATED, Reason, bad, uncertain

MISSING = object()


@dataclass(frozen=True, slots=True)
class Field:
    """A tag in a topic's payload."""

    row: int
    path: Path
    type: ValueType
    scale: float
    offset: float


@dataclass(frozen=True, slots=True)
class Topic:
    """All tags of one topic; ``tag`` [n] their numbers."""

    fields: tuple[Field, ...]
    tag: U32


class Plan:
    """Tags by topic, and their last values (bad INITIALISING until something came)."""

    def __init__(self, tags: Sequence[TagSpec], settings: MqttSettings, *, simulated: bool) -> None:
        found: dict[str, list[Field]] = defaultdict(list)
        for row, tag in enumerate(tags):
            topic, path = parse(tag)
            found[topic].append(Field(row, path, tag.type, tag.scale, tag.offset))
        number = np.array([tag.number for tag in tags], np.uint32)
        self.topics = {
            topic: Topic(tuple(fields), number[[field.row for field in fields]])
            for topic, fields in found.items()
        }
        self._settings = settings
        self._time_path = parse_path(settings.time_field)
        self._mark = SIMULATED if simulated else 0
        count = len(tags)
        self._last = Columns(
            number,
            np.zeros(count, np.int64),
            np.full(count, NAN),
            np.full(count, bad(Reason.INITIALISING) | self._mark, np.uint8),
        )

    def last(self, now_ns: int) -> Columns:
        """Last known values; ``now_ns`` where nothing ever came."""
        known = self._last
        time_ns = np.where(known.time_ns == 0, now_ns, known.time_ns)
        return Columns(
            known.tag, time_ns, known.value.copy(), known.quality.copy(), dict(known.text)
        )

    def refuse(self, topic: str, reason: Reason, now_ns: int) -> Columns:
        """Bad points for all tags of a topic."""
        fields = self.topics[topic].fields
        return self._columns(topic, now_ns, [(f, NAN, bad(reason), None) for f in fields])

    def message(self, topic: str, payload: bytes, now_ns: int) -> Columns:
        """Columns of one message; ``now_ns`` is its time of arrival."""
        fields = self.topics[topic].fields
        if len(payload) > self._settings.max_payload_bytes:
            return self.refuse(topic, Reason.MALFORMED, now_ns)
        try:
            document: Any = orjson.loads(payload)
        except orjson.JSONDecodeError:
            document = MISSING
        time_ns, quality = self._time(document, now_ns)
        points: list[tuple[Field, float, int, str | None]] = []
        for field in fields:
            if field.path:
                found = _walk(document, field.path)
                if found is MISSING and document is not MISSING and self._settings.partial:
                    continue
            else:
                found = _plain(document, payload)
            if found is MISSING:
                reason = Reason.MALFORMED if document is MISSING else Reason.BAD_ADDRESS
                points.append((field, NAN, bad(reason), None))
            else:
                point = to_point(found, field.type, field.scale, field.offset, quality)
                points.append((field, *point))
        return self._columns(topic, time_ns, points)

    def _columns(
        self, topic: str, time_ns: int, points: list[tuple[Field, float, int, str | None]]
    ) -> Columns:
        known = self.topics[topic]
        number = known.tag
        if len(points) < len(known.fields):
            number = self._last.tag[[field.row for field, *_ in points]]
        value = np.array([point[1] for point in points], np.float64)
        quality = np.array([point[2] | self._mark for point in points], np.uint8)
        text = {at: point[3] for at, point in enumerate(points) if point[3] is not None}
        times = np.full(len(points), time_ns, np.int64)
        rows = [field.row for field, *_ in points]
        last = self._last
        last.time_ns[rows], last.value[rows], last.quality[rows] = times, value, quality
        for at, row in enumerate(rows):
            if at in text:
                last.text[row] = text[at]
            else:
                last.text.pop(row, None)
        return Columns(number, times, value, quality, text)

    def _time(self, document: Any, now_ns: int) -> tuple[int, int]:
        """(time, quality) of a message: its own time, or arrival."""
        if not self._time_path or document is MISSING:
            return now_ns, GOOD
        found = _walk(document, self._time_path)
        if found is MISSING:
            return now_ns, GOOD
        time_ns = to_ns(found, self._settings.time_format)
        return (now_ns, uncertain(Reason.TIME_SUSPECT)) if time_ns is None else (time_ns, GOOD)


def _walk(document: Any, path: Path) -> Any:
    for step in path:
        if isinstance(document, dict):
            document = document.get(step, MISSING)
        elif isinstance(document, list) and step.isascii() and step.isdigit():
            index = int(step)
            document = document[index] if index < len(document) else MISSING
        else:
            return MISSING
    return document


def _plain(document: Any, payload: bytes) -> Any:
    """The whole payload as a value: JSON if it is any, else text."""
    if document is not MISSING:
        return document
    try:
        return payload.decode().strip() or MISSING
    except UnicodeDecodeError:
        return MISSING
