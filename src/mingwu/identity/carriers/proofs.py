"""What is kept of a refused message: the proof of an attack, for whoever will check it.

Only messages with a good signature prove anything: a greeting under the certificate it brought
(the copy's own key, when somebody copied a serial number), a report under the certificate of the
carrier's last accepted one. One message per event, of bounded size; they stand among the signed
reports, with the counter 0 where they have none.
"""

from sqlalchemy import Connection, insert, select

from mingwu.identity.carriers import schema
from mingwu.identity.carriers.certificates import read as read_certificate
from mingwu.identity.carriers.frames import Frame, Hello, Report, digest_of
from mingwu.identity.carriers.rows import base64_of, evidence_of
from mingwu.kernel.errors import MingwuError

_R = schema.report
MOST_BYTES = 16 * 1024


def certificate_of(connection: Connection, frame: Frame, data: bytes, serial: str) -> bytes:
    """The certificate under which a refused frame's signature is good; empty when none is known."""
    if len(data) > MOST_BYTES:
        return b""
    body = frame.body
    certificate = b""
    if isinstance(body, Hello):
        certificate = body.certificate
    elif isinstance(body, Report):
        newest = select(_R).where(_R.c.serial == serial).order_by(_R.c.counter.desc()).limit(1)
        row = connection.execute(newest).first()
        certificate = evidence_of(row).certificate if row is not None else b""
    try:
        good = bool(certificate) and frame.is_signed_by(read_certificate(certificate).key)
    except MingwuError:
        return b""
    return certificate if good else b""


def keep(
    connection: Connection, frame: Frame, data: bytes, certificate: bytes, serial: str, now_ms: int
) -> None:
    """Keep a refused frame (inside the caller's transaction), once."""
    digest = digest_of(frame.signed).hex()
    if connection.execute(select(_R.c.digest).where(_R.c.digest == digest)).first():
        return  # a report sent again: it is kept already
    body = frame.body
    connection.execute(
        insert(_R).values(
            digest=digest, serial=serial, at_ms=now_ms, frame=base64_of(data),
            counter=body.counter if isinstance(body, Report) else 0,
            certificate=base64_of(certificate),
        )
    )  # fmt: skip
