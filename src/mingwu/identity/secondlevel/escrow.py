"""Daily escrow: everything needed to resolve in our place, sealed for the disaster node.

A deposit is an XML document (shape modelled on RFC 8909: deposit, watermark, contents, deletes),
zipped, encrypted with SM4-GCM under a key that SM2 encrypts for the receiver, cut into pieces, and
described by a manifest that lists the pieces' SM3 digests and is signed with the node's SM2 key.
FULL holds all prefixes and identifiers, DIFF what changed since the deposit before. Files appear
whole or not at all; :func:`read_manifest` and
:func:`read_objects` check signature, digests and tag before anything is believed.
"""

import os
import secrets
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any
from xml.etree import ElementTree as ET  # noqa: S405 - documents with a DTD are refused
from xml.sax.saxutils import escape, quoteattr

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from sqlalchemy import Connection, Engine, func, insert, select, update

from mingwu.identity.secondlevel import outbox, schema
from mingwu.identity.secondlevel.model import beijing_day, iso
from mingwu.identity.secondlevel.prefixes import served
from mingwu.identity.secondlevel.settings import SecondLevelSettings
from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.clock import Clock
from mingwu.kernel.errors import InvalidInput
from mingwu.store.engine import reading, writing
from mingwu.trust import sm2

FULL, DIFF = "FULL", "DIFF"
CHANNEL = "escrow"
# The one place for names of the profile "modelled on RFC 8909".
NAMESPACE = "urn:mingwu:escrow:1"
_KEY_BYTES, _NONCE_BYTES, _TAG_BYTES = 16, 12, 16
_CHUNK = 1 << 20
_DELETED = 2
_SCRATCH = "making-"
_MOST_XML_BYTES = 64 * 2**30
_I, _P, _C, _E, _D = (
    schema.identifier,
    schema.prefix,
    schema.change,
    schema.enterprise,
    schema.deposit,
)


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
    """One object read back: ``kind`` prefix or identifier; ``deleted`` takes it away."""

    kind: str
    name: str
    prefix: str = ""
    deleted: bool = False
    content: dict[str, object] = {}


class Escrow:
    """Makes deposits. Synchronous, for use in threads."""

    def __init__(
        self, engine: Engine, settings: SecondLevelSettings, clock: Clock, scalar: bytes
    ) -> None:
        self._engine = engine
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
        if last is None:
            return FULL
        if hour < self._settings.escrow_hour or beijing_day(last.made_at_ms) == beijing_day(now):
            return ""
        day_ms = 86_400_000
        age_ms = now - full_at + day_ms // 2
        return FULL if age_ms >= self._settings.escrow_full_days * day_ms else DIFF

    def make(self, kind: str, receiver: bytes) -> Manifest:
        """Make a deposit sealed for ``receiver`` (SM2 point) and put it into the outbox."""
        self._directory.mkdir(parents=True, exist_ok=True)
        with writing(self._engine) as connection:
            # what is stamped later stands in the next DIFF, what was stamped before is seen below
            now = outbox.stamp(connection, self._clock)
        self._clear()
        with tempfile.TemporaryDirectory(prefix=_SCRATCH, dir=self._directory) as scratch:
            packed = Path(scratch) / "deposit.zip"
            with reading(self._engine) as connection:
                last = connection.execute(select(_D).order_by(_D.c.number.desc())).first()
                number = (last.number if last else 0) + 1
                start = last.to_sequence if last and kind == DIFF else 0
                changed_since = last.made_at_ms if last and kind == DIFF else 0
                upto = connection.execute(select(func.max(_C.c.sequence))).scalar() or 0
                id_ = f"{self._settings.prefix}_{kind}_{beijing_day(now)}_{number}"
                head = _head(id_, kind, last.id if last else "", iso(now))
                lines = _objects(connection, kind, start, upto, changed_since)
                objects = _write_zip(packed, head, lines)
            sealed = _seal(packed, Path(scratch), id_, receiver, self._settings.escrow_piece_bytes)
            manifest = Manifest(
                id=id_, number=number, prefix=self._settings.prefix, kind=kind,
                watermark=iso(now), from_sequence=start, to_sequence=upto, objects=objects,
                **sealed,
            )  # fmt: skip
            for piece in manifest.pieces:
                (Path(scratch) / piece.name).replace(self._directory / piece.name)
        body = msgspec.json.encode(manifest)
        _write_whole(self._directory / f"{id_}.json", body)
        _write_whole(self._directory / f"{id_}.sig", sm2.sign(self._scalar, body))
        with writing(self._engine) as connection:
            connection.execute(
                insert(_D).values(
                    id=id_, number=number, kind=kind, made_at_ms=now, from_sequence=start,
                    to_sequence=upto, objects=objects, state="made",
                    files=msgspec.json.encode([p.name for p in manifest.pieces]).decode(),
                )
            )  # fmt: skip
            outbox.put(connection, CHANNEL, id_, {"id": id_}, now)
        return manifest

    def _clear(self) -> None:
        """Remove what a killed process left: unsealed drafts, pieces of a deposit never made."""
        with reading(self._engine) as connection:
            last = connection.execute(select(func.max(_D.c.number))).scalar() or 0
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
    for name in (*pieces, f"{id_}.sig", f"{id_}.json"):
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


def _objects(
    connection: Connection, kind: str, start: int, upto: int, changed_since: int
) -> Iterator[str]:
    prefixes = select(_P, _E.c.profile).join(_E, _E.c.uscc == _P.c.uscc).order_by(_P.c.prefix)
    if kind == DIFF:
        prefixes = prefixes.where(_P.c.changed_at_ms >= changed_since)
    for row in connection.execute(prefixes):
        content = {"uscc": row.uscc, "mode": row.mode, "site": row.site, "profile": row.profile}
        gone = row.state != "active"
        yield _line("prefix", row.prefix, row.prefix, {} if gone else content, deleted=gone)
    if kind == FULL:
        query = select(_I).where(~_I.c.deleted, _I.c.prefix.in_(served())).order_by(_I.c.key)
        for row in connection.execution_options(yield_per=5000).execute(query):
            content = {"template": row.template, "values": row.content}
            yield _line("identifier", row.name, row.prefix, content)
        return
    changes = select(_C).where(_C.c.sequence > start, _C.c.sequence <= upto)
    for row in connection.execute(changes.order_by(_C.c.sequence)):
        gone = row.operation == _DELETED
        content = {"template": row.template, "values": row.content}
        yield _line("identifier", row.name, row.prefix, {} if gone else content, deleted=gone)


def _head(id_: str, kind: str, previous: str, watermark: str) -> str:
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<deposit xmlns="{NAMESPACE}" type="{kind}" id={quoteattr(id_)} '
        f"prevId={quoteattr(previous)}>\n<watermark>{watermark}</watermark>\n<contents>\n"
    )


def _line(
    kind: str, name: str, prefix: str, content: dict[str, object], *, deleted: bool = False
) -> str:
    element = "delete" if deleted else "object"
    text = escape(msgspec.json.encode(content).decode())
    return (
        f"<{element} kind={quoteattr(kind)} name={quoteattr(name)} "
        f"prefix={quoteattr(prefix)}>{text}</{element}>\n"
    )


def _write_zip(path: Path, head: str, lines: Iterator[str]) -> int:
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
            for _, element in ET.iterparse(file):  # noqa: S314 - signed, and without DTD
                tag = element.tag.rpartition("}")[2]
                if tag in {"object", "delete"}:
                    yield EscrowObject(
                        kind=element.get("kind", ""), name=element.get("name", ""),
                        prefix=element.get("prefix", ""), deleted=tag == "delete",
                        content=msgspec.json.decode(element.text or "{}"),
                    )  # fmt: skip
                    element.clear()


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
