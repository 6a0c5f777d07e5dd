"""Real tokens for tests: SoftHSM2, and a TPM 2.0 (swtpm) behind tpm2-pkcs11."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pkcs11
import pytest

from mingwu.identity.carriers import tokens

LABEL, PIN, SO_PIN = "mwc", "user-pin-1234", "so-pin-12345678"
SOFTHSM = ("/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so")
TPM2 = tuple(
    f"/usr/lib/{machine}-linux-gnu/libtpm2_pkcs11.so.1" for machine in ("x86_64", "aarch64")
)


def find(paths: tuple[str, ...], package: str, *programs: str) -> str:
    """The library, or a skip that says what to install."""
    missing = [program for program in programs if shutil.which(program) is None]
    for path in paths:
        if Path(path).exists() and not missing:
            return path
    pytest.skip(f"Debian's {package} is not installed ({', '.join(missing) or paths[0]} missing)")


def free_pair() -> int:
    """A free port whose neighbour is free too: swtpm's control channel is at the next one."""
    for _ in range(50):
        with socket.socket() as one, socket.socket() as other:
            one.bind(("127.0.0.1", 0))
            port = one.getsockname()[1]
            with suppress(OSError, OverflowError):
                other.bind(("127.0.0.1", port + 1))
                return port
    raise RuntimeError("no two free ports")


@dataclass
class Rig:
    """A token with a user PIN; ``env`` is what its library reads."""

    module: str
    env: dict[str, str]
    pin_file: Path
    protection: str
    label: str = LABEL
    pin: str = PIN

    def power_cycle(self) -> None:
        """Nobody is logged in; a TPM's leftovers are flushed, as a resource manager would."""
        for module in tokens._modules.values():
            module.reset()
        if self.protection == "tpm":
            for what in ("--transient-object", "--loaded-session", "--saved-session"):
                command = ["tpm2_flushcontext", what]
                subprocess.run(command, env=os.environ | self.env, check=True, timeout=60)

    def initialise(self) -> None:
        """Make the token with Debian's tool; PINs travel by environment, never as arguments."""
        env = os.environ | self.env | {"SO": SO_PIN, "NEW": PIN}
        tool = ["pkcs11-tool", "--module", self.module, "--so-pin", "env:SO"]
        for more in (
            ["--init-token", "--slot-index", "0", "--label", LABEL],
            ["--init-pin", "--login", "--token-label", LABEL, "--new-pin", "env:NEW"],
        ):
            done = subprocess.run(
                [*tool, *more], check=False, env=env, capture_output=True, text=True, timeout=60
            )
            assert done.returncode == 0, done.stdout + done.stderr
        self.pin_file.touch(mode=0o600)
        self.pin_file.write_text(PIN + "\n")


def softhsm(base: Path) -> Rig:
    module = find(SOFTHSM, "softhsm2 or opensc", "pkcs11-tool")
    (base / "tokens").mkdir()
    conf = base / "softhsm2.conf"
    conf.write_text(f"directories.tokendir = {base}/tokens\nlog.level = ERROR\n")
    rig = Rig(module, {"SOFTHSM2_CONF": str(conf)}, base / "token.pin", "pkcs11")
    rig.initialise()
    return rig


class Tpm:
    """A software TPM with its state in a folder; ``start`` again is a power cycle."""

    def __init__(self, base: Path):
        self.module = find(TPM2, "libtpm2-pkcs11-1, swtpm, tpm2-tools or opensc",
                           "swtpm", "pkcs11-tool", "tpm2_flushcontext")  # fmt: skip
        self.state, self.port = base / "tpm", free_pair()
        self.state.mkdir()
        (base / "store").mkdir()
        tcti = f"swtpm:host=127.0.0.1,port={self.port}"
        env = {
            "TPM2_PKCS11_STORE": str(base / "store"), "TPM2_PKCS11_TCTI": tcti,
            "TPM2TOOLS_TCTI": tcti, "TSS2_LOG": "all+none",
        }  # fmt: skip
        self.rig = Rig(self.module, env, base / "token.pin", "tpm")
        self.process: subprocess.Popen | None = None

    def start(self) -> None:
        arguments = [
            "swtpm", "socket", "--tpm2", "--tpmstate", f"dir={self.state}",
            "--server", f"type=tcp,port={self.port},bindaddr=127.0.0.1",
            "--ctrl", f"type=tcp,port={self.port + 1},bindaddr=127.0.0.1",
            "--flags", "not-need-init,startup-clear",
        ]  # fmt: skip
        self.process = subprocess.Popen(arguments)
        until = time.monotonic() + 60
        while time.monotonic() < until:
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port + 1), 1):
                return
            time.sleep(0.05)
        raise RuntimeError("swtpm does not listen")

    def stop(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(20)
            self.process = None

    def make(self) -> Rig:
        self.start()
        self.rig.initialise()
        self.stop()  # there is no resource manager: what the tool left loaded goes with the power
        self.start()
        return self.rig


@contextmanager
def used(rig: Rig) -> Iterator[Rig]:
    """The library of this process finds the token, and knows nothing of it afterwards."""
    before = {name: os.environ.get(name) for name in rig.env}
    os.environ.update(rig.env)
    yield rig
    pkcs11.unload(rig.module)
    for name, value in before.items():
        if value is None:
            del os.environ[name]
        else:
            os.environ[name] = value


@pytest.fixture(scope="module", params=["softhsm", "tpm"])
def made_rig(request, tmp_path_factory):
    base = tmp_path_factory.mktemp(request.param)
    if request.param == "softhsm":
        with used(softhsm(base)) as made:
            yield made
        return
    tpm = Tpm(base)
    try:
        with used(tpm.make()) as made:
            yield made
    finally:
        tpm.stop()


@pytest.fixture
def rig(made_rig):
    """The token as after a power cycle."""
    made_rig.power_cycle()
    yield made_rig
    for module in tokens._modules.values():
        module.reset()
    tokens._modules.clear()


@pytest.fixture
def tpm(tmp_path):
    made = Tpm(tmp_path)
    try:
        made.make()
        yield made
    finally:
        made.stop()
