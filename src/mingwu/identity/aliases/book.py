"""The book of aliases: which codes of other systems a name also has.

An alias is a public value of the name's record, type ``ALIAS.<SYSTEM>``, data the canonical code;
so it resolves, travels and is signed like every other value. The store's index leads from the
code back to the names. Invariant kept here: a code is alias of one name at most; records written
over the Handle protocol can break it, then ``names`` tells all of them.
"""

import threading
import time
from dataclasses import replace

from mingwu.identity.aliases import errors as _texts  # noqa: F401 - registers the texts
from mingwu.identity.codes.code import Code
from mingwu.identity.codes.recognition import recognise, require
from mingwu.identity.records import ALIAS_TYPE, LINK_INDEXES, Record, RecordStore
from mingwu.kernel.errors import Conflict, NotFound, Overloaded
from mingwu.kernel.names import fold
from mingwu.wire.handle.values import HandleValue

RESOLVED_AS_HANDLES = frozenset({"handle", "vaa"})
"""Systems whose codes are names of records themselves."""


class AliasBook:
    """Aliases over a record store; calls block for a moment (a read, or one durable write).

    A process that gives aliases has one book: its lock keeps two names from getting one code.
    """

    def __init__(self, store: RecordStore) -> None:
        self._store = store
        self._giving = threading.Lock()

    def names(self, text: str) -> list[str]:
        """Names that a code leads to: itself if registered, and those that have it as an alias.

        Raises InvalidInput when the text is no sound code.
        """
        return self.names_of(require(text))

    def names_of(self, code: Code) -> list[str]:
        """The same for a code already read."""
        found = self._store.named(code.key)
        if code.system in RESOLVED_AS_HANDLES:
            record = self._store.get(code.canonical)
            if record is not None and record.name not in found:
                found.insert(0, record.name)
        return found

    def aliases(self, name: str) -> list[Code]:
        """The aliases of a name, also unsound ones; raises NotFound ``name.unknown``."""
        record = self._store.get(name)
        if record is None:
            raise NotFound("name.unknown", name=name)
        return [
            recognise(value.text()) or Code("unknown", "", value.text())
            for value in record.values
            if value.type.startswith(ALIAS_TYPE) and value.is_public
        ]

    def add(self, name: str, text: str) -> Code:
        """Give ``name`` an alias; giving it again changes nothing.

        Raises InvalidInput (no sound code), NotFound ``name.unknown``, Conflict
        ``aliases.taken``, Overloaded ``aliases.full``.
        """
        code = require(text)

        def edit(record: Record) -> Record:
            if code.key in {known.key for known in self._read(record)}:
                return record
            used = {value.index for value in record.values}
            index = next((free for free in LINK_INDEXES if free not in used), 0)
            if not index:
                raise Overloaded("aliases.full", name=name)
            value = HandleValue(
                index,
                ALIAS_TYPE + code.system.upper(),
                code.canonical.encode(),
                timestamp=int(time.time()),
            )
            return replace(record, values=(*record.values, value))

        with self._giving:
            holder = next((one for one in self.names_of(code) if fold(one) != fold(name)), "")
            if holder:
                raise Conflict("aliases.taken", alias=code.canonical, holder=holder)
            self._store.change(name, edit)
        return code

    def remove(self, name: str, text: str) -> None:
        """Take an alias away; raises NotFound ``aliases.unknown`` or ``name.unknown``."""
        code = require(text)

        def edit(record: Record) -> Record:
            kept = tuple(value for value in record.values if not _is(value, code))
            if len(kept) == len(record.values):
                raise NotFound("aliases.unknown", name=name, alias=code.canonical)
            return replace(record, values=kept)

        self._store.change(name, edit)

    @staticmethod
    def _read(record: Record) -> list[Code]:
        texts = [v.text() for v in record.values if v.type.startswith(ALIAS_TYPE)]
        return [code for text in texts if (code := recognise(text)) is not None]


def _is(value: HandleValue, code: Code) -> bool:
    if not value.type.startswith(ALIAS_TYPE):
        return False
    read = recognise(value.text())
    return read is not None and read.key == code.key
