"""What can be checked about a signed message, one fact at a time, without store and network."""

from mingwu.identity.carriers.certificates import Anchors
from mingwu.identity.carriers.certificates import read as read_certificate
from mingwu.identity.carriers.frames import Hello, Report, digest_of
from mingwu.identity.carriers.frames import read as read_frame
from mingwu.identity.carriers.model import Evidence
from mingwu.kernel.errors import MingwuError

CHECKS = ("kind", "serial", "digest", "period", "authority", "signature")


def checks(evidence: Evidence, anchors: Anchors) -> dict[str, bool]:
    """Each of :data:`CHECKS`; bytes that cannot be read fail them all.

    kind: a report, or a greeting that was refused · serial: message, certificate and record name
    the same carrier · digest: it is the message the event points to · period: the certificate was
    valid then · authority: a known one issued it · signature: good under that certificate.
    """
    try:
        frame = read_frame(evidence.frame)
        certificate = read_certificate(evidence.certificate)
    except MingwuError:
        return dict.fromkeys(CHECKS, False)
    body = frame.body
    serial = body.serial if isinstance(body, Report | Hello) else ""
    return {
        "kind": isinstance(body, Report | Hello),
        "serial": serial == evidence.serial == certificate.serial,
        "digest": digest_of(frame.signed).hex() == evidence.digest,
        "period": certificate.is_valid_at(evidence.at_ms / 1000),
        "authority": anchors.issued(certificate),
        "signature": frame.is_signed_by(certificate.key),
    }
