"""Daily escrow: everything needed to resolve in our place, sealed for the disaster node.

A deposit is an XML document (shape modelled on RFC 8909: deposit, watermark, contents, deletes),
zipped, encrypted with SM4-GCM under a key that SM2 encrypts for the receiver, cut into pieces, and
described by a manifest that lists the pieces' SM3 digests and is signed with the node's SM2 key.
FULL holds all prefixes and the records that resolve here, DIFF what changed since the deposit
before (``escrowrecords``). Files appear whole or not at all; :func:`read_manifest` and
:func:`read_objects` check signature, digests and tag before anything is believed.
Form: docs/formats/escrow.md.
"""

import os
import secrets
import shutil
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import IO, Any
from xml.etree import ElementTree as ET  # noqa: S405 - documents with a DTD are refused
from xml.sax.saxutils import escape, quoteattr

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from sqlalchemy import Connection, Engine, func, insert, select, update

from mingwu.identity.lookup import PREFIX_HOME
from mingwu.identity.records import RecordStore
from mingwu.identity.secondlevel import outbox, schema
from mingwu.identity.secondlevel.escrowrecords import Found, is_state, records_to_deposit
from mingwu.identity.secondlevel.model import beijing_day, iso
from mingwu.identity.secondlevel.prefixes import ACTIVE
from mingwu.identity.secondlevel.settings import SecondLevelSettings
from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.clock import Clock
from mingwu.kernel.errors import InvalidInput
from mingwu.store.engine import reading, writing
from mingwu.trust import sm2

FULL, DIFF = "FULL", "DIFF"
CHANNEL = "escrow"
# The one place for names of the profile "modelled on RFC 8909". Deposits of version 1 held what
# was registered (objects of kind identifier), not the records.
NAMESPACE = "urn:mingwu:escrow:2"
_READ = {NAMESPACE, "urn:mingwu:escrow:1"}
PREFIX, RECORD, IDENTIFIER = "prefix", "record", "identifier"
_KEY_BYTES, _NONCE_BYTES, _TAG_BYTES = 16, 12, 16
_CHUNK = 1 << 20
_SCRATCH = "making-"
_STATE = ".state"
_MOST_XML_BYTES = 64 * 2**30
_NOT_IN_XML = {"\ufffe": "\\ufffe", "\uffff": "\\uffff"}  # JSON has another way to write them
_P, _C, _E, _D = schema.prefix, schema.change, schema.enterprise, schema.deposit


class Piece(msgspec.Struct, frozen=True):
    """One file of a deposit."""

    name: str
    size: int
    sm3: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a deposit is; ``key`` is the SM4 key, encrypted with SM2, in hex."""

    id: str
    number: int
    prefix: str
    kind: str
    watermark: str
    from_sequence: int
    to_sequence: int
    objects: int
    key: str
    nonce: str
    tag: str
    pieces: tuple[Piece, ...]


class EscrowObject(msgspec.Struct, frozen=True, kw_only=True):
    """One object read back: ``kind`` prefix or record (of version 1: identifier); ``deleted``
    takes it away.
    """

    kind: str
    name: str
    prefix: str = ""
    deleted: bool = False
    content: dict[str, object] = {}


class _Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What a deposit is to be, as the rows stood at one moment; ``prefixes``: lines of prefixes."""

    id: str
    number: int
    kind: str
    previous: str
    watermark: str
    start: int
    upto: int
    prefixes: dict[str, str]


class Escrow:
    """Makes deposits. Synchronous, for use in threads."""

    def __init__(
        self,
        engine: Engine,
        records: RecordStore,
        settings: SecondLevelSettings,
        clock: Clock,
        scalar: bytes,
    ) -> None:
        self._engine = engine
        self._records = records
        self._settings = settings
        self._clock = clock
        self._scalar = scalar
        self._directory = Path(settings.escrow_directory)

    def due(self) -> str:
        """FULL or DIFF when today's deposit is to be made, else empty."""
        now = self._clock.time_ns() // 1_000_000
        hour = (now // 3_600_000 + 8) % 24
        with reading(self._engine) as connection:
            last = connection.execute(select(_D).order_by(_D.c.number.desc())).first()
            full = select(func.max(_D.c.made_at_ms)).where(_D.c.kind == FULL)
            full_at = connection.execute(full).scalar() or 0
            restored = outbox.restored_at(connection)
        if last is None or last.number < restored:
            return FULL
        if hour < self._settings.escrow_hour or beijing_day(last.made_at_ms) == beijing_day(now):
            return ""
        day_ms = 86_400_000
        age_ms = now - full_at + day_ms // 2
        return FULL if age_ms >= self._settings.escrow_full_days * day_ms else DIFF

    def make(self, kind: str, receiver: bytes) -> Manifest:
        """Make a deposit sealed for ``receiver`` (SM2 point) and put it into the outbox.

        A DIFF becomes a FULL one when nothing tells what the deposit before it held.
        """
        self._directory.mkdir(parents=True, exist_ok=True)
        with writing(self._engine) as connection:
            # what is stamped later stands in the next DIFF, what was stamped before is seen below
            now = outbox.stamp(connection, self._clock)
        self._clear()
        plan = self._plan(kind, now)
        with tempfile.TemporaryDirectory(prefix=_SCRATCH, dir=self._directory) as scratch:
            packed, state = Path(scratch) / "deposit.zip", Path(scratch) / _STATE
            objects = self._write(plan, packed, state)
            sealed = _seal(
                packed, Path(scratch), plan.id, receiver, self._settings.escrow_piece_bytes
            )
            manifest = Manifest(
                id=plan.id, number=plan.number, prefix=self._settings.prefix, kind=plan.kind,
                watermark=plan.watermark, from_sequence=plan.start, to_sequence=plan.upto,
                objects=objects, **sealed,
            )  # fmt: skip
            for piece in manifest.pieces:
                (Path(scratch) / piece.name).replace(self._directory / piece.name)
            state.replace(self._state(plan.id))
        body = msgspec.json.encode(manifest)
        _write_whole(self._directory / f"{plan.id}.json", body)
        _write_whole(self._directory / f"{plan.id}.sig", sm2.sign(self._scalar, body))
        with writing(self._engine) as connection:
            connection.execute(
                insert(_D).values(
                    id=plan.id, number=plan.number, kind=plan.kind, made_at_ms=now,
                    from_sequence=plan.start, to_sequence=plan.upto, objects=objects, state="made",
                    files=msgspec.json.encode([p.name for p in manifest.pieces]).decode(),
                )
            )  # fmt: skip
            outbox.put(connection, CHANNEL, plan.id, {"id": plan.id}, now)
        self._state(plan.previous).unlink(missing_ok=True)
        return manifest

    def _plan(self, kind: str, now: int) -> _Plan:
        with reading(self._engine) as connection:
            last = connection.execute(select(_D).order_by(_D.c.number.desc())).first()
            if last is None or not is_state(self._state(last.id)):
                kind = FULL
            number = max(last.number if last else 0, outbox.restored_at(connection)) + 1
            start, since = (last.to_sequence, last.made_at_ms) if last and kind == DIFF else (0, 0)
            return _Plan(
                id=f"{self._settings.prefix}_{kind}_{beijing_day(now)}_{number}",
                number=number,
                kind=kind,
                previous=last.id if last else "",
                watermark=iso(now),
                start=start,
                upto=connection.execute(select(func.max(_C.c.sequence))).scalar() or 0,
                prefixes=_prefixes(connection, since),
            )

    def _write(self, plan: _Plan, packed: Path, state: Path) -> int:
        """Write document and state; returns how many objects."""
        head = _head(plan.id, plan.kind, plan.previous, plan.watermark)
        with state.open("wb") as file:
            found = records_to_deposit(
                self._records,
                self._settings.prefix,
                before=self._state(plan.previous) if plan.kind == DIFF else None,
                state=file,
                always={f"{PREFIX_HOME}/{prefix}" for prefix in plan.prefixes},
            )
            objects = _write_zip(packed, head, chain(plan.prefixes.values(), map(_record, found)))
            file.flush()
            os.fsync(file.fileno())
        return objects

    def _state(self, id_: str) -> Path:
        return self._directory / f"{id_}{_STATE}"

    def _clear(self) -> None:
        """Remove what a killed process left: unsealed drafts, pieces of a deposit never made."""
        with reading(self._engine) as connection:
            last = connection.execute(select(func.max(_D.c.number))).scalar() or 0
            last = max(last, outbox.restored_at(connection))
        for left in self._directory.glob(_SCRATCH + "*"):
            shutil.rmtree(left)
        for left in self._directory.glob(f"{self._settings.prefix}_*_{last + 1}.*"):
            left.unlink()

    def prune(self, keep_days: int) -> int:
        """Remove files of deposits older than ``keep_days`` that a later FULL makes needless.

        Deposits that the top node has not acknowledged stay. Returns how many went.
        """
        before = self._clock.time_ns() // 1_000_000 - keep_days * 86_400_000
        waiting = select(schema.outbox.c.subject).where(
            schema.outbox.c.channel == CHANNEL, schema.outbox.c.state != outbox.SENT
        )
        with writing(self._engine) as connection:
            full = select(func.max(_D.c.number)).where(_D.c.kind == FULL)
            last = connection.execute(full).scalar() or 0
            old = select(_D).where(
                _D.c.number < last, _D.c.made_at_ms < before, _D.c.state == "made",
                _D.c.id.not_in(waiting),
            )  # fmt: skip
            rows = connection.execute(old).all()
            for row in rows:
                _forget(self._directory, row.id, msgspec.json.decode(row.files))
            gone = [row.id for row in rows]
            connection.execute(update(_D).where(_D.c.id.in_(gone)).values(state="pruned"))
        return len(rows)


def _forget(directory: Path, id_: str, pieces: list[str]) -> None:
    for name in (*pieces, f"{id_}{_STATE}", f"{id_}.sig", f"{id_}.json"):
        (directory / name).unlink(missing_ok=True)


def read_manifest(directory: Path, id_: str, signer: bytes) -> Manifest:
    """A deposit's manifest, if ``signer`` (SM2 point) signed it.

    Raises InvalidInput ``secondlevel.escrow-bad``.
    """
    try:
        body = (directory / f"{id_}.json").read_bytes()
        signature = (directory / f"{id_}.sig").read_bytes()
    except OSError as error:
        raise _bad(Phrase(f"missing file: {error}", f"缺少文件：{error}")) from error
    if not sm2.verify(signer, body, signature):
        raise _bad(Phrase("the signature of the manifest is wrong", "清单签名错误"))
    try:
        return msgspec.json.decode(body, type=Manifest)
    except msgspec.DecodeError as error:
        raise _bad(Phrase(f"manifest: {error}", f"清单：{error}")) from error


def read_objects(directory: Path, manifest: Manifest, scalar: bytes) -> Iterator[EscrowObject]:
    """The objects of a deposit in order; ``scalar`` is the receiver's SM2 key.

    All of it is decrypted (to a temporary file) and verified before the first is yielded; raises
    InvalidInput ``secondlevel.escrow-bad``.
    """
    try:
        key = sm2.decrypt(scalar, bytes.fromhex(manifest.key))
    except ValueError as error:
        raise _bad(
            Phrase(f"cannot open the envelope: {error}", f"无法打开数字信封：{error}")
        ) from error
    yield from _read_zip(_open_sealed(directory, manifest, key))


def _prefixes(connection: Connection, changed_since: int) -> dict[str, str]:
    """Lines about prefixes and their holders, by prefix; those that changed since then."""
    query = select(_P, _E.c.profile).join(_E, _E.c.uscc == _P.c.uscc).order_by(_P.c.prefix)
    lines = {}
    for row in connection.execute(query.where(_P.c.changed_at_ms >= changed_since)):
        content = {"uscc": row.uscc, "mode": row.mode, "site": row.site, "profile": row.profile}
        gone = row.state != ACTIVE
        told = None if gone else msgspec.json.encode(content)
        lines[row.prefix] = _line(PREFIX, row.prefix, row.prefix, told)
    return lines


def _record(found: Found) -> str:
    content = None if found.values is None else b'{"values":' + found.values + b"}"
    return _line(RECORD, found.name, found.prefix, content)


def _head(id_: str, kind: str, previous: str, watermark: str) -> str:
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<deposit xmlns="{NAMESPACE}" type="{kind}" id={quoteattr(id_)} '
        f"prevId={quoteattr(previous)}>\n<watermark>{watermark}</watermark>\n<contents>\n"
    )


def _line(kind: str, name: str, prefix: str, content: bytes | None) -> str:
    """An object with its JSON, or what takes it away (without ``content``)."""
    element = "delete" if content is None else "object"
    text = escape((content or b"{}").decode())
    for char, written in _NOT_IN_XML.items():
        text = text.replace(char, written)
    return (
        f"<{element} kind={quoteattr(kind)} name={quoteattr(name)} "
        f"prefix={quoteattr(prefix)}>{text}</{element}>\n"
    )


def _write_zip(path: Path, head: str, lines: Iterable[str]) -> int:
    count = 0
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("deposit.xml", "w", force_zip64=True) as file,
    ):
        file.write(head.encode())
        for line in lines:
            file.write(line.encode())
            count += 1
        file.write(b"</contents>\n</deposit>\n")
    return count


def _sm3() -> hashes.Hash:
    return hashes.Hash(hashes.SM3())


def _seal(
    packed: Path, directory: Path, id_: str, receiver: bytes, piece_bytes: int
) -> dict[str, Any]:
    """Encrypt into pieces; returns the manifest's key, nonce, tag and pieces."""
    key, nonce = secrets.token_bytes(_KEY_BYTES), secrets.token_bytes(_NONCE_BYTES)
    encryptor = Cipher(algorithms.SM4(key), modes.GCM(nonce)).encryptor()
    pieces: list[Piece] = []
    with packed.open("rb") as plain:
        ended = False
        while not ended:
            name = f"{id_}.{len(pieces) + 1}.sealed"
            size, digest = 0, _sm3()
            with (directory / name).open("wb") as out:
                while size < piece_bytes:
                    chunk = plain.read(min(_CHUNK, piece_bytes - size))
                    if not chunk:
                        ended = True
                        break
                    sealed = encryptor.update(chunk)
                    out.write(sealed)
                    digest.update(sealed)
                    size += len(sealed)
                out.flush()
                os.fsync(out.fileno())
            if size or not pieces:
                pieces.append(Piece(name, size, digest.finalize().hex()))
    encryptor.finalize()
    return {
        "key": sm2.encrypt(receiver, key).hex(),
        "nonce": nonce.hex(),
        "tag": encryptor.tag.hex(),
        "pieces": tuple(pieces),
    }


def _open_sealed(directory: Path, manifest: Manifest, key: bytes) -> IO[bytes]:
    mode = modes.GCM(bytes.fromhex(manifest.nonce), bytes.fromhex(manifest.tag))
    decryptor = Cipher(algorithms.SM4(key), mode).decryptor()
    plain = tempfile.TemporaryFile(dir=directory)  # noqa: SIM115 - handed to the reader
    try:
        for piece in manifest.pieces:
            if Path(piece.name).name != piece.name:
                raise _bad(Phrase("a piece lies outside the deposit", "分片不在托管目录内"))  # noqa: TRY301
            digest = _sm3()
            with (directory / piece.name).open("rb") as file:
                while chunk := file.read(_CHUNK):
                    digest.update(chunk)
                    plain.write(decryptor.update(chunk))
            if digest.finalize().hex() != piece.sm3:
                raise _bad(Phrase(f"piece {piece.name} was changed", f"分片 {piece.name} 被改动"))  # noqa: TRY301
        plain.write(decryptor.finalize())
    except (OSError, InvalidTag, InvalidInput) as error:
        plain.close()
        if isinstance(error, InvalidInput):
            raise
        raise _bad(Phrase(f"cannot decrypt: {error!r}", f"无法解密：{error!r}")) from error
    plain.seek(0)
    return plain


def _read_zip(packed: IO[bytes]) -> Iterator[EscrowObject]:
    with packed, zipfile.ZipFile(packed) as archive:
        if archive.getinfo("deposit.xml").file_size > _MOST_XML_BYTES:
            raise _bad(Phrase("the document is too large", "文档过大"))
        _refuse_dtd(archive)
        with archive.open("deposit.xml") as file:
            parsing = ET.iterparse(file, ("start", "end"))  # noqa: S314 - signed, without DTD
            _, document = next(parsing)
            contents = document
            namespace = document.tag.partition("}")[0].removeprefix("{")
            if namespace not in _READ:
                raise _bad(Phrase(f"form {namespace} is not known", f"未知格式 {namespace}"))
            for event, element in parsing:
                tag = element.tag.rpartition("}")[2]
                if event == "start" and tag == "contents":
                    contents = element
                elif event == "end" and tag in {"object", "delete"}:
                    yield EscrowObject(
                        kind=element.get("kind", ""), name=element.get("name", ""),
                        prefix=element.get("prefix", ""), deleted=tag == "delete",
                        content=msgspec.json.decode(element.text or "{}"),
                    )  # fmt: skip
                    contents.clear()


def _refuse_dtd(archive: zipfile.ZipFile) -> None:
    with archive.open("deposit.xml") as file:
        if b"<!" in file.read(4096):
            raise _bad(Phrase("a DTD is not allowed", "不允许 DTD"))


def _write_whole(path: Path, data: bytes) -> None:
    draft = path.with_name(path.name + ".new")
    with draft.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def _bad(fault: str) -> InvalidInput:
    return InvalidInput("secondlevel.escrow-bad", fault=fault)
