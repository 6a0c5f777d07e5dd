"""Uploaded tables, kept for some days in parts in the node's store.

So an import may be run by another process than the one that took the file, and again after a
crash. A file whose ``form`` is not known yet is still on its way.
"""

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO
from uuid import uuid4

import msgspec
from sqlalchemy import Connection, Select, delete, insert, select, update

from mingwu.identity.enterprise import importerrors as _texts  # noqa: F401 — registers the texts
from mingwu.identity.enterprise import schema
from mingwu.identity.enterprise.imports.tablefile import TableFile
from mingwu.identity.enterprise.service import EnterpriseNode
from mingwu.identity.enterprise.tables import TableForm
from mingwu.kernel.errors import InvalidInput, NotFound
from mingwu.store.engine import reading, writing

PART_BYTES = 1 << 20
_DAY_MS = 86_400_000
_STALE_MS = 3_600_000


class Upload(msgspec.Struct, frozen=True, kw_only=True):
    """An uploaded table."""

    id: str
    name: str
    size: int
    sha256: str
    form: TableForm
    created_by: str
    at_ms: int


class Uploading:
    """One upload under way; parts go to the store as they come. Blocks."""

    def __init__(self, node: EnterpriseNode, name: str, *, actor: str) -> None:
        self._node = node
        self._name = name.replace("\\", "/").rpartition("/")[2][-200:] or "table"
        self._actor = actor
        self._id = uuid4().hex
        self._digest = hashlib.sha256()
        self._rest = bytearray()
        self._parts = self._size = 0
        sweep(node)
        self._row = {
            "id": self._id, "name": self._name, "size": 0, "sha256": "", "form": "",
            "created_by": actor, "at_ms": node.now_ms(),
        }  # fmt: skip
        with writing(node.engine) as connection:
            connection.execute(insert(schema.upload).values(self._row))

    def add(self, data: bytes) -> None:
        """Take more of the file; InvalidInput ``enterprise.table-large`` beyond the limit."""
        self._size += len(data)
        limit = self._node.settings.upload_bytes
        if self._size > limit:
            self.drop()
            raise InvalidInput("enterprise.table-large", limit=limit)
        self._digest.update(data)
        self._rest += data
        while len(self._rest) >= PART_BYTES:
            self._put(bytes(self._rest[:PART_BYTES]))
            del self._rest[:PART_BYTES]

    def close(self) -> Upload:
        """The whole file; raises InvalidInput when it holds no table (and forgets it)."""
        if self._rest:
            self._put(bytes(self._rest))
        try:
            with spooled(self._node, self._id) as file:
                form = TableFile(file, self._node.settings).form
        except InvalidInput:
            self.drop()
            raise
        told = {
            "size": self._size,
            "sha256": self._digest.hexdigest(),
            "form": msgspec.json.encode(form).decode(),
        }
        table = schema.upload
        with writing(self._node.engine) as connection:
            connection.execute(update(table).where(table.c.id == self._id).values(told))
        return upload_of(self._node, self._id)

    def drop(self) -> None:
        """Forget what came so far."""
        with writing(self._node.engine) as connection:
            _forget(connection, self._id)

    def _put(self, data: bytes) -> None:
        with writing(self._node.engine) as connection:
            connection.execute(
                insert(schema.upload_part).values(upload=self._id, number=self._parts, data=data)
            )
        self._parts += 1


def upload_of(node: EnterpriseNode, number: str) -> Upload:
    """One upload; NotFound ``enterprise.upload-unknown``."""
    table = schema.upload
    with reading(node.engine) as connection:
        row = connection.execute(select(table).where(table.c.id == number)).mappings().first()
    if row is None or not row["form"]:
        raise NotFound("enterprise.upload-unknown", upload=number[:40])
    fields = dict(row) | {"form": msgspec.json.decode(row["form"], type=TableForm)}
    return Upload(**{str(name): value for name, value in fields.items()})


@contextmanager
def spooled(node: EnterpriseNode, number: str) -> Iterator[BinaryIO]:
    """The bytes of an upload as a file that can be read anywhere in."""
    table = schema.upload_part
    with tempfile.TemporaryFile() as file:
        here = table.c.upload == number
        with reading(node.engine) as connection:
            numbers = select(table.c.number).where(here).order_by(table.c.number)
            parts = list(connection.execute(numbers).scalars())
            if not parts and connection.execute(_known(number)).first() is None:
                raise NotFound("enterprise.upload-unknown", upload=number[:40])
            for part in parts:
                query = select(table.c.data).where(here, table.c.number == part)
                file.write(connection.execute(query).scalar_one())
        file.seek(0)
        yield file


def _known(number: str) -> Select[tuple[str]]:
    return select(schema.upload.c.id).where(schema.upload.c.id == number)


def sweep(node: EnterpriseNode) -> int:
    """Forget uploads beyond their days or their share of the disk, and those nobody finished.

    Returns how many.
    """
    now, table = node.now_ms(), schema.upload
    before = now - round(node.settings.upload_days * _DAY_MS)
    stuck = (table.c.form == "") & (table.c.at_ms < now - _STALE_MS)
    with writing(node.engine) as connection:
        query = select(table.c.id).where((table.c.at_ms < before) | stuck)
        old = list(connection.execute(query).scalars())
        old += _surplus(connection, old, node.settings.uploads_bytes)
        for number in old:
            _forget(connection, number)
    return len(old)


def _surplus(connection: Connection, gone: list[str], most: int) -> list[str]:
    """The oldest uploads beyond ``most`` bytes together."""
    table, total, found = schema.upload, 0, []
    query = select(table.c.id, table.c.size).order_by(table.c.at_ms.desc(), table.c.id)
    for number, size in connection.execute(query):
        if number in gone:
            continue
        total += size
        if total > most:
            found.append(number)
    return found


def _forget(connection: Connection, number: str) -> None:
    files, parts = schema.upload, schema.upload_part
    connection.execute(delete(parts).where(parts.c.upload == number))
    connection.execute(delete(files).where(files.c.id == number))
