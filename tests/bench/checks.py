"""One answer of a case, held against what was pushed, down to its bytes; before anything is timed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from tests.bench.material import Material
from tests.bench.target import OURS, Answer, Target, WrongAnswer, ask

PIECE = 1 << 20
NONE: Mapping[str, str] = MappingProxyType({})


def same_facts(target: Target, path: str, digest: str, length: int, headers: Mapping[str, str] = NONE) -> None:
    """HEAD answers 200 with that digest and length."""
    answer = ask(target, target.connect(), "HEAD", path, headers).expect(200, f"{target.label}: HEAD {path}")
    _facts(answer, f"{target.label}: HEAD {path}", digest, length)


def same_bytes(target: Target, path: str, digest: str, length: int, headers: Mapping[str, str] = NONE) -> None:
    """GET answers 200 with bytes of that digest; long ones are not held in memory."""
    what, connection, hasher = f"{target.label}: GET {path}", target.connect(), hashlib.sha256()
    connection.request("GET", path, headers=target.headers | dict(headers))
    response = connection.getresponse()
    head = "".join(f"\r\n{name}: {value}" for name, value in response.getheaders())
    while piece := response.read(PIECE):
        hasher.update(piece)
    _facts(Answer(response.status, head.encode("latin-1")).expect(200, what), what, digest, length)
    _equal(what, "digest of the body", "sha256:" + hasher.hexdigest(), digest)


def same_ranges(target: Target, path: str, material: Material, size: int, length: int) -> None:
    """The first, the last and a middle range answer 206 with their very bytes."""
    connection = target.connect()
    for first in (0, size // 2 + 1, size - length):
        wanted = {"Range": f"bytes={first}-{first + length - 1}"}
        answer = ask(target, connection, "GET", path, wanted).expect(206, f"{target.label}: range of {path}")
        what = f"{target.label}: {wanted['Range']} of {path}"
        _equal(what, "content-range", answer.header("Content-Range"), f"bytes {first}-{first + length - 1}/{size}")
        if answer.body != material.bytes[first : first + length]:
            raise WrongAnswer(what + ": wrong bytes")


def same_page(target: Target, path: str, names: Sequence[str], every: Sequence[str]) -> tuple[int, bool]:
    """The page lists the tags `names`; how many bytes its body has, and whether it is a page.

    The distribution registry 2 knows no pages of tags and lists `every`, in any order; a peer may do so.
    """
    answer = ask(target, target.connect(), "GET", path).expect(200, f"{target.label}: GET {path}")
    tags = json.loads(answer.body)["tags"]
    if target.label != OURS and sorted(tags) == list(every):
        return len(answer.body), False
    _equal(f"{target.label}: GET {path}", "tags", tags, list(names))
    return len(answer.body), True


def _facts(answer: Answer, what: str, digest: str, length: int) -> None:
    _equal(what, "content-length", answer.header("Content-Length"), str(length))
    _equal(what, "docker-content-digest", answer.header("Docker-Content-Digest"), digest)


def _equal(what: str, which: str, answered: object, expected: object) -> None:
    if answered != expected:
        raise WrongAnswer(f"{what}: {which} is {answered!s:.300}, not {expected!s:.300}")
