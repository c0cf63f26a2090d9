"""A flow of small requests, told twice: to `wrk` in Lua, and to our own client as a conversation."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Protocol

from tests.bench.material import MANIFEST_TYPE
from tests.bench.swarm import Conversation
from tests.bench.target import Target, WrongAnswer


class Flow(Protocol):
    """Requests that never end; `status` and `length` (of the body) are what each must be answered."""

    @property
    def method(self) -> str: ...
    @property
    def path(self) -> str: ...
    @property
    def status(self) -> int: ...
    @property
    def length(self) -> int: ...

    def lua(self) -> str:
        """What follows the headers in a script for `wrk`."""
        ...

    def requests(self, target: Target) -> Iterator[bytes]:
        """The same as bytes; may be asked once for each connection."""
        ...


@dataclass(frozen=True, slots=True)
class Same:
    """One request over and over."""

    method: str
    path: str
    length: int
    headers: Mapping[str, str] = field(default_factory=dict)
    status: int = 200

    def lua(self) -> str:
        return f"wrk.method = {json.dumps(self.method)}\n" + _lua_headers(self.headers)

    def requests(self, target: Target) -> Iterator[bytes]:
        request = target.render(self.method, self.path, self.headers)
        while True:
            yield request


@dataclass(frozen=True, slots=True)
class Ranges:
    """GET of `length` bytes from anywhere in a blob of `size`."""

    path: str
    size: int
    length: int
    method: str = "GET"
    status: int = 206

    def lua(self) -> str:
        return (
            f"request = function()\n  local first = math.random(0, {self.size - self.length})\n"
            f'  wrk.headers["Range"] = string.format("bytes=%d-%d", first, first + {self.length - 1})\n'
            "  return wrk.format()\nend\n"
        )

    def requests(self, target: Target) -> Iterator[bytes]:
        dice = random.Random(self.path)  # noqa: S311 - any numbers will do
        while True:
            first = dice.randrange(self.size - self.length + 1)
            yield target.render("GET", self.path, {"Range": f"bytes={first}-{first + self.length - 1}"})


@dataclass(frozen=True, slots=True)
class Differing:
    """GET of one thing by requests of which no two are the same: each carries a number that nobody asks about."""

    path: str
    length: int
    headers: Mapping[str, str] = field(default_factory=dict)
    method: str = "GET"
    status: int = 200

    def lua(self) -> str:
        return _lua_headers(self.headers) + (
            f"local number, path = math.random(0, 1000000000) * 1000, {json.dumps(self.path)}\n"
            'request = function()\n  number = number + 1\n  return wrk.format("GET", path .. "?n=" .. number)\nend\n'
        )

    def requests(self, target: Target) -> Iterator[bytes]:
        first = random.randrange(10**9) * 1000  # noqa: S311 - any numbers will do
        for number in count(first):
            yield target.render("GET", f"{self.path}?n={number}", self.headers)


@dataclass(frozen=True, slots=True)
class NewTags:
    """PUT of manifests that differ in the number between `before` and `after`, each under a new tag ending in it."""

    path: str
    before: str
    after: str
    numbers: Iterator[int] = field(default_factory=count)
    method: str = "PUT"
    status: int = 201
    length: int = 0

    def lua(self) -> str:
        return _lua_headers({"Content-Type": MANIFEST_TYPE}) + (
            f"local number = 0\nlocal path, before, after = {json.dumps(self.path)}, [==[{self.before}]==], "
            f"[==[{self.after}]==]\nrequest = function()\n  number = number + 1\n"
            '  return wrk.format("PUT", path .. number, nil, before .. number .. after)\nend\n'
        )

    def requests(self, target: Target) -> Iterator[bytes]:
        for number in self.numbers:
            body = f"{self.before}{number}{self.after}".encode()
            yield target.render("PUT", f"{self.path}{number}", {"Content-Type": MANIFEST_TYPE}, body)


def conversation(flow: Flow, target: Target) -> Conversation:
    """Ask on and on, look at every answer. Raises: WrongAnswer."""
    shortest = 0 if flow.method == "HEAD" else flow.length
    for request in flow.requests(target):
        answer = yield request
        if answer.status != flow.status:
            answer.expect(flow.status, f"{target.label}: {flow.method} {flow.path}")
        if answer.length < shortest:
            raise WrongAnswer(f"{target.label}: {flow.path}: {answer.length} bytes where {shortest} were due")


def _lua_headers(headers: Mapping[str, str]) -> str:
    return "".join(f"wrk.headers[{json.dumps(name)}] = {json.dumps(value)}\n" for name, value in headers.items())
