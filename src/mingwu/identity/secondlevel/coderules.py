"""Code rules per industry: how the part behind the slash of a hosted identifier is written.

Keyed by GB/T 4754 code, a division (C38) or a group in it (C382): the longest match holds, and an
industry without a rule of its own follows the general one. The battery rule has the shape of GB/T
34014-2017 (24 characters without I, O); its field meanings are not checked here. Rules are data: an
operator may pass others.
"""

import re
from dataclasses import dataclass

from mingwu.kernel.catalogue import Phrase


@dataclass(frozen=True, slots=True)
class CodeRule:
    """One rule: ``pattern`` must match the whole suffix."""

    industry: str
    pattern: str
    example: str
    zh: str
    en: str

    def fault(self, suffix: str) -> str:
        """What is wrong with ``suffix``, empty when nothing is."""
        if re.fullmatch(self.pattern, suffix):
            return ""
        return Phrase(f"{self.en} ({self.example})", f"{self.zh}（{self.example}）")


GENERAL = CodeRule(
    "",
    r"[^\s\x00-\x1f]{1,200}",
    "PART0001",
    "1 至 200 个非空白字符",
    "1 to 200 characters without blanks",
)
RULES = (
    GENERAL,
    CodeRule(
        "C38",
        r"(BAT|MOD|CEL)\.[0-9A-HJ-NP-Z]{24}",
        "BAT.001PE0A1B2C3D4E5F6G7H8J9",
        "BAT./MOD./CEL. 加 24 位编码（GB/T 34014 形式，不含 I、O）",
        "BAT., MOD. or CEL. and 24 characters shaped as GB/T 34014 (no I, O)",
    ),
    CodeRule(
        "C382",
        r"(CHG|PCU)\.[0-9A-Z.-]{4,64}",
        "CHG.2026-000123",
        "CHG./PCU. 加 4 至 64 位字母、数字、点或短横",
        "CHG. or PCU. and 4 to 64 letters, digits, dots or dashes",
    ),
    CodeRule(
        "C36",
        r"(VEH|EDU|PRT)\.[0-9A-Z.-]{4,64}",
        "EDU.2026-000123",
        "VEH./EDU./PRT. 加 4 至 64 位字母、数字、点或短横",
        "VEH., EDU. or PRT. and 4 to 64 letters, digits, dots or dashes",
    ),
)


def rule_for(industry: str, rules: tuple[CodeRule, ...] = RULES) -> CodeRule:
    """The rule of the longest matching industry code."""
    fitting = [rule for rule in rules if industry.startswith(rule.industry)]
    return max(fitting, key=lambda rule: len(rule.industry), default=GENERAL)
