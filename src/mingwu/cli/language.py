"""The language of the terminal."""

import os


def language() -> str:
    """``zh`` where the terminal speaks Chinese, else ``en``."""
    spoken = os.environ.get("LC_ALL") or os.environ.get("LC_MESSAGES") or os.environ.get("LANG", "")
    return "zh" if spoken.startswith("zh") else "en"


def either(en: str, zh: str) -> str:
    """The one of two sentences that the terminal's reader understands."""
    return zh if language() == "zh" else en
