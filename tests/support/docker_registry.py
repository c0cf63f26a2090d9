"""Debian's docker-registry as somebody else's registry: open, or behind TLS and a password file.

with docker_registry(folder, tls=certificate, user=("reader", "secret")) as peer:
    httpx.get(f"{peer.url}/v2/", auth=peer.user)
"""

import os
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import bcrypt
import httpx

from tests.support.server import HOST, free_port
from tests.support.tls import Certificate

READY_WITHIN = 30.0


@dataclass(frozen=True)
class DockerRegistry:
    """One that runs; `data` is what it keeps."""

    port: int
    data: Path
    tls: Certificate | None
    user: tuple[str, str] | None

    @property
    def host(self) -> str:
        return f"{HOST}:{self.port}"

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://{self.host}"

    def http(self) -> httpx.Client:
        """Somebody who may push."""
        trust = self.tls.trust() if self.tls else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        return httpx.Client(base_url=self.url, auth=self.user, verify=trust, trust_env=False, timeout=30)


@contextmanager
def docker_registry(
    folder: Path, *, tls: Certificate | None = None, user: tuple[str, str] | None = None
) -> Iterator[DockerRegistry]:
    """A process, a folder and a port of its own, until the block ends."""
    peer = DockerRegistry(free_port(), folder / "data", tls, user)
    peer.data.mkdir(parents=True)
    (folder / "config.yml").write_text(
        f"version: 0.1\nlog: {{level: error, accesslog: {{disabled: true}}}}\n"
        f"storage: {{filesystem: {{rootdirectory: {peer.data}}}}}\nhttp: {{addr: '{peer.host}'}}\n"
    )
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("REGISTRY_")}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            ["docker-registry", "serve", str(folder / "config.yml")],
            env=inherited | _settings(folder, tls, user),
            stdout=log,
            stderr=log,
        )
    try:
        _wait(peer, process, folder / "log")
        yield peer
    finally:
        process.kill()
        process.wait()


def _settings(folder: Path, tls: Certificate | None, user: tuple[str, str] | None) -> dict[str, str]:
    settings: dict[str, str] = {}
    if tls:
        settings |= {"REGISTRY_HTTP_TLS_CERTIFICATE": str(tls.certificate), "REGISTRY_HTTP_TLS_KEY": str(tls.key)}
    if user:
        name, password = user
        (folder / "htpasswd").write_text(f"{name}:{bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()}\n")
        settings |= {"REGISTRY_AUTH_HTPASSWD_REALM": "old", "REGISTRY_AUTH_HTPASSWD_PATH": str(folder / "htpasswd")}
    return settings


def _wait(peer: DockerRegistry, process: "subprocess.Popen[bytes]", log: Path) -> None:
    until = time.monotonic() + READY_WITHIN
    with peer.http() as http:
        while time.monotonic() < until and process.poll() is None:
            try:
                if http.get("/v2/").status_code == httpx.codes.OK:
                    return
            except httpx.TransportError:
                time.sleep(0.05)
    message = f"docker-registry does not serve: {log.read_text(errors='replace')[-2000:]}"
    raise RuntimeError(message)
