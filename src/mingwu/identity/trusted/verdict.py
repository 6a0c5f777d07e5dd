"""What a verification says: the verdict, the reason in two languages, and the evidence.

A verdict is about the values that were shown. ``trusted`` means that every stored value among them
stands under a signature whose chain ends at a configured anchor. Live values (``MW.LIVE.*``) are
computed when somebody asks, so no record signature covers them; they are listed apart and marked
"live, not signed", or "signed with the answer" where the answer itself was certified (op flag CERT)
by a server key that the reader checked.
"""

from enum import StrEnum

import msgspec


class Verdict(StrEnum):
    """The answer in a word."""

    TRUSTED = "trusted"
    UNSIGNED = "unsigned"
    UNTRUSTED = "untrusted"
    EXPIRED = "expired"
    TAMPERED = "tampered"
    UNKNOWN_ANCHOR = "unknown-anchor"
    WRONG_PERMISSION = "wrong-permission"


class Reason(StrEnum):
    """Why."""

    ALL_COVERED = "all-covered"
    NO_SIGNATURE = "no-signature"
    ONLY_LIVE = "only-live"
    NOT_COVERED = "values-not-covered"
    UNREADABLE = "signature-unreadable"
    OTHER_SUBJECT = "signature-of-another-name"
    NO_CERTIFICATE = "no-certificate"
    CHAIN_TOO_LONG = "chain-too-long"
    WEAK_DIGEST = "digest-not-accepted"
    PAST = "past-its-time"
    NOT_YET = "not-yet-valid"
    CHANGED = "value-changed"
    BAD_SIGNATURE = "signature-does-not-match"
    ANCHOR_UNKNOWN = "anchor-not-configured"
    ANCHOR_KEY_DIFFERS = "anchor-key-differs"
    NOT_ALLOWED = "signer-not-allowed"


_VERDICTS = {
    Verdict.TRUSTED: ("可信", "trusted"),
    Verdict.UNSIGNED: ("未签名", "unsigned"),
    Verdict.UNTRUSTED: ("不可信", "untrusted"),
    Verdict.EXPIRED: ("已过期", "expired"),
    Verdict.TAMPERED: ("被篡改", "tampered"),
    Verdict.UNKNOWN_ANCHOR: ("信任根未知", "unknown anchor"),
    Verdict.WRONG_PERMISSION: ("签名者越权", "wrong permission"),
}

_REASONS = {
    Reason.ALL_COVERED: (
        "全部存储值均有有效签名，证书链终止于已配置的信任根",
        "every stored value is signed and the chain ends at a configured anchor",
    ),
    Reason.NO_SIGNATURE: ("记录中没有签名", "the record carries no signature"),
    Reason.ONLY_LIVE: (
        "只有实时值，记录签名不覆盖实时值",
        "only live values, which no record signature covers",
    ),
    Reason.NOT_COVERED: ("有值未被签名覆盖", "some values are not under the signature"),
    Reason.UNREADABLE: ("签名无法读取", "the signature cannot be read"),
    Reason.OTHER_SUBJECT: ("签名属于另一个标识", "the signature is of another name"),
    Reason.NO_CERTIFICATE: ("找不到签名者的证书", "no certificate of the signer was found"),
    Reason.CHAIN_TOO_LONG: ("证书链过长或成环", "the chain is too long or runs in a circle"),
    Reason.WEAK_DIGEST: ("摘要算法不被接受", "the digest algorithm is not accepted"),
    Reason.PAST: ("签名或证书已过有效期", "the signature or a certificate is past its time"),
    Reason.NOT_YET: ("签名或证书尚未生效", "the signature or a certificate is not yet valid"),
    Reason.CHANGED: ("值在签名之后被更改", "values were changed after signing"),
    Reason.BAD_SIGNATURE: ("签名与签名者的密钥不符", "the signature does not fit the signer's key"),
    Reason.ANCHOR_UNKNOWN: (
        "证书链终止于未配置的信任根",
        "the chain ends at an anchor that is not configured",
    ),
    Reason.ANCHOR_KEY_DIFFERS: (
        "信任根的密钥与配置不同",
        "the anchor's key differs from the configured one",
    ),
    Reason.NOT_ALLOWED: (
        "签名者的证书不允许为该标识签名",
        "the signer's certificate does not allow signing this name",
    ),
}


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """One step of the chain: ``issuer`` vouches for ``subject`` until ``valid_until`` (epoch s)."""

    subject: str
    issuer: str
    algorithm: str
    valid_until: int = 0


class TrustReport(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome for one record as shown. Index lists name values.

    ``covered``: under a good signature; ``uncovered``: stored but under none; ``changed``: differ
    from what was signed; ``absent``: signed, but not among the values shown; ``live``: computed.
    ``valid_until`` and ``checked_at`` in epoch seconds (``valid_until`` 0: none stated).
    """

    handle: str
    verdict: Verdict
    reason: Reason
    detail: str = ""
    covered: tuple[int, ...] = ()
    uncovered: tuple[int, ...] = ()
    changed: tuple[int, ...] = ()
    absent: tuple[int, ...] = ()
    live: tuple[int, ...] = ()
    live_signed: bool = False
    chain: tuple[Link, ...] = ()
    checked_at: int = 0
    valid_until: int = 0

    @property
    def is_trusted(self) -> bool:
        """Whether the stored values may be relied on."""
        return self.verdict is Verdict.TRUSTED


def verdict_text(verdict: Verdict, lang: str = "en") -> str:
    """The verdict in words."""
    zh, en = _VERDICTS[verdict]
    return zh if lang == "zh" else en


def reason_text(reason: Reason, lang: str = "en") -> str:
    """The reason in words."""
    zh, en = _REASONS[reason]
    return zh if lang == "zh" else en


_LABELS = {
    "covered": ("已签名的值", "signed values"),
    "uncovered": ("未签名的值", "values not signed"),
    "changed": ("被更改的值", "changed values"),
    "absent": ("已签名但未返回的值", "signed, not in this answer"),
}
_LIVE = ("实时值，未签名", "live, not signed")
_LIVE_SIGNED = ("实时值，随应答签名", "live, signed with the answer")


def format_report(report: TrustReport, lang: str = "en") -> str:
    """The report for a terminal, several lines."""
    side = 0 if lang == "zh" else 1
    colon, comma = ("：", "，") if lang == "zh" else (": ", ", ")
    head = verdict_text(report.verdict, lang) + colon + reason_text(report.reason, lang)
    if report.detail:
        # A stranger wrote this text; what is no letter must not reach the terminal.
        head += " (" + "".join(c if c.isprintable() else "�" for c in report.detail) + ")"
    lines = [head]
    for name, label in _LABELS.items():
        indexes: tuple[int, ...] = getattr(report, name)
        if indexes:
            lines.append(f"  {label[side]}{colon}{comma.join(map(str, indexes))}")
    if report.live:
        label = _LIVE_SIGNED if report.live_signed else _LIVE
        lines.append(f"  {label[side]}{colon}{comma.join(map(str, report.live))}")
    lines += [f"  {link.subject} ← {link.issuer}  {link.algorithm}" for link in report.chain]
    return "\n".join("".join(c if c.isprintable() else "�" for c in line) for line in lines)
