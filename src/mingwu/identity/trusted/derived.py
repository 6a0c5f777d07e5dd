"""Names of derived prefixes, signed by the node that hosts them.

The key of a prefix may issue certificates for prefixes derived from it, but not sign names under
those itself (permission ``derivedPrefixes``). So a second-level node that hosts 88.101.1016 puts a
certificate for its key into ``0.NA/88.101.1016``, issued by ``0.NA/88.101``, and signs names there
as that prefix. An enterprise that leaves with its prefix takes no signature of the node's along.
"""

from mingwu.identity.lookup import PREFIX_HOME
from mingwu.identity.records import Record, RecordStore
from mingwu.identity.trusted import jws
from mingwu.identity.trusted.jws import BadToken
from mingwu.identity.trusted.setup import CERTIFICATE_INDEX
from mingwu.identity.trusted.signing import (
    CERTIFICATE,
    RENEWED_BEFORE_S,
    RecordSigner,
    prefix_perms,
    with_value,
)
from mingwu.kernel.names import fold
from mingwu.wire.handle.values import Reference


def signer_under(store: RecordStore, signer: RecordSigner, prefix: str) -> RecordSigner:
    """Who signs names of ``prefix``: ``signer``, or its key in the name of a derived prefix.

    Issues the derived prefix's certificate where it is missing, of another key, or ending.
    """
    home = f"{PREFIX_HOME}/{prefix}"
    if not fold(home).startswith(fold(signer.issuer.handle) + "."):
        return signer
    record = store.get(home)
    if record is None:
        return signer
    subject = Reference(home, signer.issuer.index)
    if not _is_certified(record, signer, subject):
        perms = prefix_perms(prefix)
        made = signer.certify(subject, signer.key.public(), perms, CERTIFICATE_INDEX)
        store.change(home, lambda current: with_value(current, made))
    chain = (f"{CERTIFICATE_INDEX}:{home}", *signer.chain) if signer.chain else ()
    return RecordSigner(subject, signer.key, chain, signer.lifetime_s, signer.now)


def _is_certified(record: Record, signer: RecordSigner, subject: Reference) -> bool:
    for value in record.values:
        if value.index != CERTIFICATE_INDEX or fold(value.type) != CERTIFICATE:
            continue
        try:
            claims = jws.parse(value.data).claims
        except BadToken:
            return False
        lasts = (claims.exp or 0) > signer.now() + RENEWED_BEFORE_S
        ours = (claims.iss, claims.sub) == (str(signer.issuer), str(subject))
        return ours and lasts and claims.public_key == jws.key_to_jwk(signer.key.public())
    return False
