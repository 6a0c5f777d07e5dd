r"""HS_NAMESPACE data: XML templates for names that have no record of their own.

The value stands in a prefix's record and describes how the values of ``base<delimiter>extension``
are made from those of ``base``::

    <namespace><template delimiter="@"><foreach>
      <if value="type" test="equals" expression="URL">
        <if value="extension" test="matches" expression="page=(\d+)" parameter="x">
          <value data="${data}#p${x[1]}"/></if>
        <else><notfound/></else></if>
      <else><value/></else>
    </foreach></template></namespace>

Elements: ``foreach`` (each value of the base), ``if``/``else`` (``test`` equals or matches),
``def`` (``parameter``, ``expression`` or text), ``value`` (``index``, ``type``, ``data`` or text,
``ttl``, ``permissions``), ``notfound``. Modelled on the public example of the reference server's
manual. Here is only the form: size, depth and number of elements are limited, a DTD and entities
are refused; :mod:`mingwu.identity.namespaces` evaluates.
"""

from dataclasses import dataclass, field
from xml.parsers import expat

from mingwu.wire.handle.errors import ProtocolError

MAX_BYTES = 32_768
MAX_DEPTH = 24
MAX_ELEMENTS = 500

# Attributes that an element may and must have.
_ATTRIBUTES: dict[str, tuple[frozenset[str], frozenset[str]]] = {
    "namespace": (frozenset(), frozenset()),
    "template": (frozenset({"delimiter"}), frozenset()),
    "foreach": (frozenset(), frozenset()),
    "if": (frozenset({"value", "test", "expression", "parameter"}), frozenset({"value", "test"})),
    "else": (frozenset(), frozenset()),
    "def": (frozenset({"parameter", "expression"}), frozenset({"parameter"})),
    "value": (frozenset({"index", "type", "data", "ttl", "permissions"}), frozenset()),
    "notfound": (frozenset(), frozenset()),
}
_TESTS = {"equals", "matches"}
_INSIDE_TEMPLATE = {"foreach", "if", "else", "def", "value", "notfound"}
_LEAVES = {"def", "value", "notfound"}


@dataclass(slots=True)
class Node:
    """One element."""

    kind: str
    attributes: dict[str, str]
    children: list["Node"] = field(default_factory=list)
    text: str = ""


def read_namespace(data: bytes) -> list[Node]:
    """The ``template`` elements of HS_NAMESPACE data; ProtocolError says what is wrong."""
    if len(data) > MAX_BYTES:
        raise ProtocolError(f"namespace of {len(data)} bytes, limit {MAX_BYTES}")
    builder = _Builder()
    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = builder.refuse
    parser.EntityDeclHandler = builder.refuse
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.characters
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise ProtocolError(f"namespace is not XML: {error}") from error
    return builder.templates


class _Builder:
    """Takes the parser's events; checks where each element stands."""

    def __init__(self) -> None:
        self.templates: list[Node] = []
        self._open: list[Node] = []
        self._count = 0

    def refuse(self, *_: object) -> None:
        raise ProtocolError("namespace with a DTD or entities")

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self._count += 1
        if len(self._open) >= MAX_DEPTH or self._count > MAX_ELEMENTS:
            raise ProtocolError("namespace too deep or with too many elements")
        known = _ATTRIBUTES.get(name)
        if known is None or not self._may_stand_here(name):
            raise ProtocolError(f"<{name[:40]}> cannot stand here in a namespace")
        may, must = known
        if set(attributes) - may or must - set(attributes):
            raise ProtocolError(f"<{name}> with attributes {sorted(attributes)[:8]}")
        if name == "if" and attributes["test"] not in _TESTS:
            raise ProtocolError(f"test {attributes['test'][:40]!r} is not known")
        node = Node(name, attributes)
        if name == "template":
            self.templates.append(node)
        elif self._open:
            self._open[-1].children.append(node)
        self._open.append(node)

    def _may_stand_here(self, name: str) -> bool:
        if not self._open:
            return name == "namespace"
        parent = self._open[-1]
        if parent.kind == "namespace":
            return name == "template"
        if parent.kind in _LEAVES or name not in _INSIDE_TEMPLATE:
            return False
        if name == "foreach" and any(node.kind == "foreach" for node in self._open):
            return False
        return name != "else" or (bool(parent.children) and parent.children[-1].kind == "if")

    def end(self, _: str) -> None:
        self._open.pop()

    def characters(self, text: str) -> None:
        if self._open:
            self._open[-1].text += text
