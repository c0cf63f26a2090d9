"""The scene `people`: one registry asked with and without credentials, beside a peer that knows an htpasswd file.

ours         by bearer token, fetched once      anonymous    the same server, without any
basic        the same server, by password       the peer     by password, as bcrypt of cost 10
"""

from __future__ import annotations

import base64
import json
import shlex
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import bcrypt

from tests.bench.flows import Differing, Flow, Same
from tests.bench.image import ACCEPTED, IMAGE, held_image
from tests.bench.load import Sample, drive
from tests.bench.logins import logging_in
from tests.bench.material import Material
from tests.bench.pacing import paced
from tests.bench.scenes import BARE
from tests.bench.servers import CLOSED, PEER_CONFIGURATION, PEER_SETTINGS, Served, running
from tests.bench.target import OURS, Target, ask
from tests.bench.work import Prepared

ANONYMOUS, BASIC = "anonymous", "basic"
NAME, PASSWORD = "admin", "correct-horse-battery"
COST: Final = 10
LOGINS: Final = 50
"""Of other people, each second."""
_OURS: Final[Mapping[str, str]] = {
    "REGISTRY_ACCESS_LOG": "false",
    "REGISTRY_ADMIN_PASSWORD": PASSWORD,
    "REGISTRY_ANONYMOUS_PULL": "true",
    "REGISTRY_TOKEN_LIFETIME": "1d",
    # Everybody here comes from one address, and most fail.
    "REGISTRY_LOGIN_ATTEMPTS": "10000",
    "REGISTRY_LOGIN_ATTEMPTS_SOURCE": "100000",
}
_PEER_AUTH: Final = "auth: {{{{htpasswd: {{{{realm: bench, path: {path}}}}}}}}}\n"


@contextmanager
def our_callers(folder: Path, workers: int | None) -> Iterator[list[Target]]:
    """One registry of this tree's, as three callers see it."""
    words = (*CLOSED, *(("--workers", str(workers)) if workers else ()))
    with running(Served(OURS, words, _OURS, authorization=basic(NAME, PASSWORD)), folder) as known:
        anonymous = replace(known, label=ANONYMOUS, authorization=None, author=known.authorization)
        bearer = f"Bearer {_token(known)}"
        yield [replace(known, authorization=bearer, author=known.authorization), anonymous, replace(known, label=BASIC)]


@contextmanager
def peer_with_passwords(command: str, folder: Path) -> Iterator[Target]:
    """The distribution registry, as its documentation has passwords kept."""
    folder.mkdir(parents=True)
    passwords = folder / "htpasswd"
    passwords.write_bytes(NAME.encode() + b":" + bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(COST)) + b"\n")
    words = shlex.split(command)
    configured = PEER_CONFIGURATION.replace("STORAGE", BARE.peer()) + _PEER_AUTH.format(path=passwords)
    served = Served(Path(words[0]).name, words, PEER_SETTINGS, configured, authorization=basic(NAME, PASSWORD))
    with running(served, folder) as target:
        yield target


@dataclass(frozen=True, slots=True)
class Pulling:
    """GET of a manifest, the same each time or each time another request."""

    flow: Callable[[str, int, Mapping[str, str]], Flow]
    connections: int
    unit: str = "req/s"

    def prepare(self, target: Target, material: Material) -> Prepared:
        """As any work."""
        path, length = held_image(target, material)
        flow = self.flow(path, length, ACCEPTED)
        return Prepared(lambda seconds: drive(target, flow, self.connections, seconds))


@dataclass(frozen=True, slots=True)
class PullingMeanwhile:
    """The 99th percentile of an unhurried GET, ours while others log in; as a rate, so that more is better."""

    connections: int
    unit: str = "1/p99 in s"

    def prepare(self, target: Target, material: Material) -> Prepared:
        """As any work."""
        path, length = held_image(target, material)
        flow = Differing(path, length, ACCEPTED)

        def run(seconds: int) -> Sample:
            if target.label != OURS:
                return paced(target, flow, self.connections, seconds)
            with logging_in(target, LOGINS):
                return paced(target, flow, self.connections, seconds)

        return Prepared(run)


def same(path: str, length: int, headers: Mapping[str, str]) -> Flow:
    """The very same request."""
    return Same("GET", path, length, headers)


def differing(path: str, length: int, headers: Mapping[str, str]) -> Flow:
    """Never the same request."""
    return Differing(path, length, headers)


def basic(name: str, password: str) -> str:
    """As `Authorization` has it."""
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


def _token(target: Target) -> str:
    path = f"/token?service=entrepot&scope=repository:{IMAGE}:pull"
    answer = ask(target, target.connect(), "GET", path).expect(200, "a bearer token")
    token: str = json.loads(answer.body)["token"]
    return token
