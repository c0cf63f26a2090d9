"""Load runs in forked processes: none waits for another's interpreter, and their processor time is ours to know."""

from __future__ import annotations

import multiprocessing
import resource
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from threading import BrokenBarrierError
from typing import TypeAlias, TypeVar

from tests.bench.target import WrongAnswer

T = TypeVar("T")
Ready: TypeAlias = Callable[[], object]  # returns when every child has called its own
FORK = multiprocessing.get_context("fork")


def in_children(works: Sequence[Callable[[Ready], T]]) -> list[T]:
    """Run each in its own process. Raises: WrongAnswer, with what the first that failed by itself said."""
    gate, pairs = FORK.Barrier(len(works)), [FORK.Pipe(duplex=False) for _ in works]
    children = [
        FORK.Process(target=_tell, args=(sender, work, gate)) for work, (_, sender) in zip(works, pairs, strict=True)
    ]
    for child in children:
        child.start()
    for _, sender in pairs:
        sender.close()
    heard = [_hear(receiver) for receiver, _ in pairs]
    for child in children:
        child.join()
    if failures := [failure for _, failure in heard if failure is not None]:
        raise WrongAnswer(max(failures))  # the empty ones only stopped because another did
    return [result for results, _ in heard for result in results]


def in_child(work: Callable[[], T]) -> T:
    """Run it in a process of its own. Raises: WrongAnswer."""
    return in_children([lambda _: work()])[0]


def client_seconds() -> float:
    """The processor time of every child that has been waited for: the load's, while the servers still run."""
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


def _tell(sender: Connection, work: Callable[[Ready], T], gate: Barrier) -> None:
    try:
        sender.send(([work(gate.wait)], None))
    except BrokenBarrierError:
        sender.send(([], ""))
    except Exception as failure:  # whatever it was, the parent raises it
        gate.abort()
        sender.send(([], str(failure) if isinstance(failure, WrongAnswer) else repr(failure)))


def _hear(receiver: Connection[object, tuple[list[T], str | None]]) -> tuple[list[T], str | None]:
    try:
        return receiver.recv()
    except EOFError:
        return [], "a load process died"
