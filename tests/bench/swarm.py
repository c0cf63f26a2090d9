"""Many conversations at once over bare sockets in one process: what `wrk` cannot say, and its stand-in.

`wrk` waits for the body that the Content-Length of a HEAD announces, cannot follow a `Location`, and drops the requests
that are under way when its time is up. A conversation is a generator that yields requests and is sent their answers.
"""

from __future__ import annotations

import re
import select
import socket
import time
from collections.abc import Generator, Iterable
from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import TypeAlias

from tests.bench.target import PATIENCE, Answer, Target, WrongAnswer

Conversation: TypeAlias = Generator[bytes, Answer, None]

WINDOW = 1 << 20  # bytes taken from a socket at once
KEPT = 1 << 16  # a longer body is counted and thrown away
LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)", re.IGNORECASE)
CHUNKED = re.compile(rb"\r\ntransfer-encoding:[ \t]*chunked", re.IGNORECASE)
CLOSING = re.compile(rb"\r\nconnection:[ \t]*close", re.IGNORECASE)
BODILESS = frozenset({204, 304})


@dataclass(frozen=True, slots=True)
class Tally:
    """What came back between two instants of the monotonic clock; `received` counts bytes of bodies not kept."""

    answers: int
    received: int
    began: float
    ended: float


def converse(target: Target, conversations: Iterable[Conversation], seconds: float, *, cut: bool = False) -> Tally:
    """Hold them all, each on its own connection, until they end or the time is up.

    Then each finishes the request it is in, and the tally ends with the last answer; or, with `cut`, none does.
    Raises: WrongAnswer.
    """
    with ExitStack() as stack:
        poll = stack.enter_context(select.epoll())
        lines = [stack.enter_context(closing(_Line(target, conversation))) for conversation in conversations]
        answers, began, ended = _pump(poll, {line.socket.fileno(): line for line in lines}, seconds, cut=cut)
        return Tally(answers, sum(line.received for line in lines), began, ended)


def _pump(poll: select.epoll, lines: dict[int, _Line], seconds: float, *, cut: bool) -> tuple[int, float, float]:
    """Serve whichever line has something, until none is left; the answers, and when it began and ended."""
    window, answers = memoryview(bytearray(WINDOW)), 0
    began = ended = time.monotonic()
    for number, line in lines.items():
        line.say(next(line.conversation))
        poll.register(number, select.EPOLLIN)
    while lines:
        for number in _ready(poll):
            line = lines[number]
            done = line.receive(window)
            answers += done
            ended = time.monotonic()
            late = ended - began >= seconds
            following = line.tell() if done else None
            if following and not late:
                line.say(following)
            elif done or (late and cut):
                poll.unregister(number)
                del lines[number]
    return answers, began, ended


def _ready(poll: select.epoll) -> list[int]:
    if ready := poll.poll(PATIENCE):
        return [number for number, _ in ready]
    raise WrongAnswer(f"no answer in {PATIENCE:g} seconds")


class _Line:
    """One connection and the conversation held over it."""

    __slots__ = ("answer", "bodiless", "conversation", "missing", "partial", "received", "socket", "target")

    def __init__(self, target: Target, conversation: Conversation) -> None:
        self.target, self.conversation = target, conversation
        self.socket = socket.create_connection((target.host, target.port), PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.partial, self.missing, self.received, self.bodiless = b"", 0, 0, False
        self.answer = Answer(0, b"")

    def close(self) -> None:
        self.socket.close()

    def tell(self) -> bytes | None:
        """Tell the conversation its whole answer; what it says next, if anything. Raises: WrongAnswer, if it minds."""
        try:
            return self.conversation.send(self.answer)
        except StopIteration:
            return None

    def say(self, request: bytes) -> None:
        """Send it, and expect its answer."""
        self.bodiless = request.startswith(b"HEAD ")
        try:
            self.socket.sendall(request)
        except OSError as broken:
            raise self._wrong(repr(broken)) from broken

    def receive(self, window: memoryview) -> bool:
        """Take what has come; whether an answer is now whole."""
        # Of a body that is only counted, the kernel drops the bytes itself (tcp(7), MSG_TRUNC): to copy them here would
        # cost as much as sending them, on the same cores, and the more the faster the registry is.
        flags, most = (socket.MSG_TRUNC, min(self.missing, WINDOW)) if self.missing else (0, WINDOW)
        try:
            count = self.socket.recv_into(window, most, flags)
        except OSError as broken:
            raise self._wrong(repr(broken)) from broken
        if not count:
            raise self._wrong("closed in the middle of an answer")
        if self.missing:
            return self._skip(count)
        self.partial = self.partial + window[:count] if self.partial else bytes(window[:count])
        return self._parse()

    def _parse(self) -> bool:
        end = self.partial.find(b"\r\n\r\n")
        if end < 0:
            return False
        head, start = self.partial[:end], end + 4
        status = int(head[9:12])
        length = 0 if self.bodiless or status in BODILESS else self._length(head, start)
        if length is None or (length <= KEPT and len(self.partial) < start + length):
            return False
        if CLOSING.search(head):
            raise self._wrong("closes its connections; a registry must keep them to be measured")
        if length <= KEPT:
            self.answer = Answer(status, head, self.partial[start:], length)
        else:
            self.answer, self.missing = Answer(status, head, length=length), length
        early, self.partial = len(self.partial) - start, b""
        return self._skip(early) if self.missing else True

    def _length(self, head: bytes, start: int) -> int | None:
        """How long the body is; None while nobody can know."""
        if found := LENGTH.search(head):
            return int(found[1])
        if not CHUNKED.search(head):
            raise self._wrong("an answer of unknown length")
        return len(self.partial) - start if self.partial.endswith(b"\r\n0\r\n\r\n") else None

    def _skip(self, count: int) -> bool:
        self.missing -= count
        self.received += count
        if self.missing < 0:
            raise self._wrong("more bytes than announced")
        return not self.missing

    def _wrong(self, what: str) -> WrongAnswer:
        return WrongAnswer(f"{self.target.label}: {what}")
