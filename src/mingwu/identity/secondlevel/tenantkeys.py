"""Keys of enterprises: a program that shows one works here in the name of its enterprise.

A key is ``mwt-`` and 256 random bits, told once when it is made; only its SHA-256 is kept. It
is replaced by making a second one, changing the program, and removing the first. What it may do is
what its enterprise's permission group may; no key sees or touches another enterprise's data.
"""

import hashlib
import secrets
import threading

import msgspec
from sqlalchemy import Engine, delete, func, insert, select, update

from mingwu.identity.secondlevel import schema
from mingwu.kernel.clock import Clock
from mingwu.kernel.errors import Conflict, NotAuthenticated, NotFound
from mingwu.store.engine import lock, reading, writing

_K, _E = schema.key, schema.enterprise
START = "mwt-"
MOST_KEYS = 20
_NOTED_EVERY_MS = 60_000


class TenantKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key as it may be shown; ``used_at_ms`` (to the minute) and ``calls`` tell of its use."""

    id: str
    uscc: str
    label: str
    made_by: str
    made_at_ms: int
    used_at_ms: int
    calls: int


class TenantKeys:
    """Makes, knows and removes keys. Synchronous, for use in threads."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine, self._clock = engine, clock
        self._guard = threading.Lock()
        self._calls: dict[str, int] = {}
        self._noted_ms = 0

    def make(self, uscc: str, label: str, by: str) -> tuple[TenantKey, str]:
        """A new key of an enterprise and its secret, which nobody can learn again.

        Raises NotFound ``secondlevel.tenant-unknown``, Conflict ``secondlevel.many-keys``.
        """
        secret = START + secrets.token_urlsafe(32)
        made = TenantKey(
            id=secrets.token_hex(6), uscc=uscc, label=label, made_by=by, made_at_ms=self._now(),
            used_at_ms=0, calls=0,
        )  # fmt: skip
        with writing(self._engine) as connection:
            lock(connection, "secondlevel.key")
            if not connection.execute(select(_E.c.uscc).where(_E.c.uscc == uscc)).first():
                raise NotFound("secondlevel.tenant-unknown", uscc=uscc)
            held = select(func.count()).where(_K.c.uscc == uscc)
            if connection.execute(held).scalar_one() >= MOST_KEYS:
                raise Conflict("secondlevel.many-keys", uscc=uscc, limit=MOST_KEYS)
            row = msgspec.structs.asdict(made) | {"digest": _digest(secret)}
            connection.execute(insert(_K).values(row))
        return made, secret

    def of(self, uscc: str) -> list[TenantKey]:
        """An enterprise's keys, the oldest first."""
        self.flush()
        shown = [_K.c[name] for name in TenantKey.__struct_fields__]
        query = select(*shown).where(_K.c.uscc == uscc).order_by(_K.c.made_at_ms, _K.c.id)
        with reading(self._engine) as connection:
            return [TenantKey(**row) for row in connection.execute(query).mappings()]

    def remove(self, uscc: str, id_: str) -> None:
        """End a key at once; raises NotFound ``secondlevel.key-unknown``."""
        with writing(self._engine) as connection:
            gone = delete(_K).where(_K.c.uscc == uscc, _K.c.id == id_)
            if not connection.execute(gone).rowcount:
                raise NotFound("secondlevel.key-unknown", id=id_)

    def holder(self, secret: str) -> TenantKey:
        """Whose key this is; raises NotAuthenticated ``secondlevel.key-wrong``."""
        shown = [_K.c[name] for name in TenantKey.__struct_fields__]
        with reading(self._engine) as connection:
            query = select(*shown).where(_K.c.digest == _digest(secret))
            row = connection.execute(query).mappings().first() if secret else None
        if row is None:
            raise NotAuthenticated("secondlevel.key-wrong")
        found = TenantKey(**row)
        with self._guard:
            self._calls[found.id] = self._calls.get(found.id, 0) + 1
            is_due = self._now() - self._noted_ms >= _NOTED_EVERY_MS
        if is_due:
            self.flush()
        return found

    def flush(self) -> None:
        """Write down which keys were used."""
        with self._guard:
            calls, self._calls = self._calls, {}
            now = self._noted_ms = self._now()
        if not calls:
            return
        with writing(self._engine) as connection:
            for id_, count in calls.items():
                more = {"calls": _K.c.calls + count, "used_at_ms": now}
                connection.execute(update(_K).where(_K.c.id == id_).values(more))

    def _now(self) -> int:
        return self._clock.time_ns() // 1_000_000


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode(errors="surrogatepass")).hexdigest()
