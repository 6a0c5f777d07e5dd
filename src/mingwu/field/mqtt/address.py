"""Grammar of MQTT tag addresses.

::

    address = topic ["#" path]
    path    = field *("." field)           a.b.0 — numbers index lists
            | "/" token *("/" token)       RFC 6901 JSON Pointer, for names with dots

Without a path the whole payload is the value: a JSON scalar or plain text. ``#`` cannot be part of
a topic name and ``+`` is no name either (MQTT 3.1.1 clause 4.7): a tag names one topic.
"""

import mingwu.field.mqtt.errors  # noqa: F401 — registers the texts
from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.errors import ConfigError
from mingwu.kernel.plant import TagSpec

MAX_TOPIC_BYTES = 65_535
Path = tuple[str, ...]


def parse(tag: TagSpec) -> tuple[str, Path]:
    """(topic, path) of a tag; raises ConfigError ``mqtt.address`` that quotes the address."""
    topic, separator, path = tag.address.partition("#")
    fault = ""
    if not topic:
        fault = Phrase("no topic", "缺少主题")
    elif "+" in topic or "\0" in topic:
        fault = Phrase(
            "wildcards and control characters are not allowed in a topic",
            "主题中不允许通配符和控制字符",
        )
    elif len(topic.encode()) > MAX_TOPIC_BYTES:
        fault = Phrase("topic too long", "主题过长")
    elif separator and not path:
        fault = Phrase("no field after “#”", "“#”后缺少字段")
    elif "#" in path:
        fault = Phrase("more than one “#”", "“#”多于一个")
    if fault:
        raise ConfigError("mqtt.address", tag=tag.name, address=tag.address, fault=fault)
    return topic, parse_path(path)


def parse_path(path: str) -> Path:
    """Steps from the payload's root to the value; empty for the whole payload."""
    if not path:
        return ()
    if path.startswith("/"):
        return tuple(token.replace("~1", "/").replace("~0", "~") for token in path[1:].split("/"))
    return tuple(path.split("."))
