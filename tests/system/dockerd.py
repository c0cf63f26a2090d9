"""A docker daemon of the tests' own: nothing it does is seen by another daemon of this machine, nothing stays.

It runs in a mount namespace where /etc/docker is a folder of ours, so certificates can be trusted without touching the
host's. Its bridge is its own too: a second daemon with no bridge at all deletes the first one's.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.system.command import Command, bare_environment

NETWORKS = "198.18.0.0/16"
READY_WITHIN = 30.0
GONE_WITHIN = 20.0
ENTER = 'mount --bind "$1" /etc/docker && shift && exec "$@"'


class DaemonDidNotStart(Exception):
    """dockerd left, or did not answer in time; the message is the end of its log."""


@dataclass(frozen=True)
class Dockerd:
    """A running daemon: its socket, the folder it takes for /etc/docker, an address of this host outside loopback.

    Docker trusts anything in 127.0.0.0/8 unseen, so certificates are only checked for a registry at `bridge_address`.
    """

    socket: Path
    etc: Path
    bridge_address: str

    def client(self, config: Path) -> Command:
        """The docker command of a user whose configuration lies in `config`; logins stay there."""
        environment = {
            "DOCKER_HOST": f"unix://{self.socket}",
            "DOCKER_CONFIG": str(config),
            "DOCKER_BUILDKIT": "0",
            "HOME": str(config),
        }
        return Command(("docker",), environment)

    def trust(self, registry: str, authority: Path) -> None:
        """Have `registry` (host:port) accepted when its certificate is signed by `authority`."""
        folder = self.etc / "certs.d" / registry
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(authority, folder / "ca.crt")


@contextlib.contextmanager
def private_dockerd() -> Iterator[Dockerd]:
    """Raises: DaemonDidNotStart."""
    # A unix socket's path may have 107 bytes: a test's own folder is often deeper than that allows.
    root = Path(tempfile.mkdtemp(prefix="dockerd-"))
    try:
        with _bridge(f"reg{os.getpid()}", f"198.19.{os.getpid() % 250}.1") as (bridge, address):
            daemon = Dockerd(root / "sock", root / "etc", address)
            daemon.etc.mkdir()
            with _passage(NETWORKS), _running(root, daemon, bridge):
                yield daemon
    finally:
        shutil.rmtree(root, ignore_errors=True)


@contextlib.contextmanager
def _bridge(name: str, address: str) -> Iterator[tuple[str, str]]:
    """A bridge in the range that RFC 2544 keeps for tests."""
    _ip("link", "add", "name", name, "type", "bridge")
    try:
        _ip("address", "add", f"{address}/24", "dev", name)
        _ip("link", "set", name, "up")
        yield name, address
    finally:
        _ip("link", "delete", name)


@contextlib.contextmanager
def _passage(networks: str) -> Iterator[None]:
    """Containers reach each other, also where another daemon's rules let nothing pass that is not its own."""
    rule = ("FORWARD", "--source", networks, "--destination", networks, "--jump", "ACCEPT")
    _do("iptables", "--wait", "--insert", *rule)
    try:
        yield
    finally:
        _do("iptables", "--wait", "--delete", *rule)


def _ip(*arguments: str) -> None:
    _do("ip", *arguments)


def _do(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise DaemonDidNotStart(f"{' '.join(command)}: {done.stderr.strip()}")


@contextlib.contextmanager
def _running(root: Path, daemon: Dockerd, bridge: str) -> Iterator[None]:
    log = root / "log"
    argv = ["dockerd", "--data-root", str(root / "data"), "--exec-root", str(root / "exec")]
    argv += ["--pidfile", str(root / "pid"), "--host", f"unix://{daemon.socket}", "--bridge", bridge]
    argv += ["--iptables=false", "--ip6tables=false", "--ip-forward=false", "--ip-masq=false"]
    # Without rules in the kernel it is a process that publishes a port; networks lie in the range of the bridge's.
    argv += ["--userland-proxy=true", "--default-address-pool", f"base={NETWORKS},size=24"]
    enter = ["unshare", "--mount", "--propagation", "private", "sh", "-c", ENTER, "sh", str(daemon.etc)]
    Path("/etc/docker").mkdir(exist_ok=True)
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*enter, *argv], stdout=output, stderr=output, stdin=subprocess.DEVNULL, env=bare_environment({})
        )
    try:
        _wait_until_ready(process, daemon, log)
        yield
    finally:
        _stop(process, root)


def _wait_until_ready(process: subprocess.Popen[bytes], daemon: Dockerd, log: Path) -> None:
    client = daemon.client(daemon.etc)
    deadline = time.monotonic() + READY_WITHIN
    while client.run("version").code:
        if process.poll() is not None or time.monotonic() > deadline:
            raise DaemonDidNotStart(" | ".join(log.read_text(errors="replace").splitlines()[-3:]))
        time.sleep(0.1)


def _stop(process: subprocess.Popen[bytes], root: Path) -> None:
    """End the daemon, and the containerd it started if the daemon had no time to do that."""
    process.terminate()
    try:
        process.wait(GONE_WITHIN)
    except subprocess.TimeoutExpired:
        containerd = root / "exec" / "containerd" / "containerd.pid"
        process.kill()
        process.wait()
        with contextlib.suppress(OSError, ValueError):
            os.kill(int(containerd.read_text()), signal.SIGKILL)
