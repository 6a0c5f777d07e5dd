"""Where a carrier's key lives, as text: a sealed file's name, or a PKCS#11 URI (RFC 7512).

Of the URI's attributes ``token``, ``object`` and the queries ``module-path`` and ``pin-source``
(a file, §2.4) are used; ``pin-value`` is refused, because a profile must not hold a PIN. Unknown
attributes are refused too: a key that is chosen by half of a description may be the wrong one.
"""

from pathlib import Path
from urllib.parse import quote, unquote

import msgspec

from mingwu.identity.carriers import errors as _texts  # noqa: F401 — registers the texts
from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.errors import ConfigError

SCHEME = "pkcs11:"
_PATH, _QUERY = {"token", "object", "type"}, {"module-path", "pin-source"}
_SAFE_PATH, _SAFE_QUERY = ":[]@!$'()*+,=&", ":[]@!$'()*+,=/?|"  # RFC 7512 §2.3, less reserved ones


class KeyUri(msgspec.Struct, frozen=True, kw_only=True):
    """A key pair in a token: label of the token, label of the key, library, file with the PIN."""

    token: str
    key: str
    module: str
    pin_file: str

    def __str__(self) -> str:
        token, key = quote(self.token, _SAFE_PATH), quote(self.key, _SAFE_PATH)
        module, pin = quote(self.module, _SAFE_QUERY), quote(self.pin_file, _SAFE_QUERY)
        path = f"token={token};object={key};type=private"
        return f"{SCHEME}{path}?module-path={module}&pin-source=file:{pin}"

    def pin_path(self, base: Path) -> Path:
        """The PIN's file; a relative one stands beside the profile in ``base``."""
        return base / self.pin_file


def parse(text: str) -> KeyUri:
    """Read a URI; raises ConfigError ``carriers.bad-key-handle``."""
    path, _, query = text.removeprefix(SCHEME).partition("?")
    found = _attributes(text, path.split(";"), _PATH)
    found |= _attributes(text, query.split("&"), _QUERY)
    missing = sorted({"token", "object", "module-path", "pin-source"} - found.keys())
    if missing:
        raise _bad(text, Phrase(f"{', '.join(missing)} missing", f"缺少 {', '.join(missing)}"))
    if found.get("type", "private") != "private":
        raise _bad(text, Phrase("type must be private", "type 须为 private"))
    source = found["pin-source"]
    if not source.startswith("file:"):
        raise _bad(text, Phrase("pin-source must be a file", "pin-source 须为文件"))
    return KeyUri(
        token=found["token"],
        key=found["object"],
        module=found["module-path"],
        pin_file=source.removeprefix("file:"),
    )


def _attributes(text: str, parts: list[str], known: set[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in filter(None, parts):
        name, _, value = part.partition("=")
        if name not in known or name in found or not value:
            raise _bad(
                text,
                Phrase(
                    f"attribute {name[:40]} is unknown, empty or there twice",
                    f"属性 {name[:40]} 未知、为空或重复",
                ),
            )
        try:
            found[name] = unquote(value, errors="strict")
        except UnicodeDecodeError as error:
            raise _bad(
                text, Phrase(f"attribute {name} is not UTF-8", f"属性 {name} 不是 UTF-8")
            ) from error
    return found


def _bad(text: str, fault: str) -> ConfigError:
    shown = text.partition("?")[0][
        :200
    ]  # the query may hold what somebody took for a place of PINs
    return ConfigError("carriers.bad-key-handle", handle=shown, fault=fault)
