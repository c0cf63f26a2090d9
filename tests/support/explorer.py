"""What several actors come to on one PostgreSQL, in every order of their statements within a bound.

    scene.prepare ─▶ actors side by side, one step at a time, in an order of `Schedules` ─▶ scene.check ─▶ wiped, again

A violation tells its schedule, by which it can be had again: `replay(scene, stage, "0001110")`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, Final, Protocol

import psycopg
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql.base import PGDialect

from registry.metadata.postgres import PostgresMetadata
from registry.metadata.schema import metadata as schema
from tests.support.schedules import Schedules
from tests.support.stepping import Actor, Standing, stepping

# What outlives a scene: people, and what the instance is.
_LASTING: Final = {
    "principal", "credential", "membership", "grant", "signing_key", "generation", "setting", "throttle", "seal",
}  # fmt: skip
_WIPE: Final = "; ".join(
    str(sa.delete(table).compile(dialect=PGDialect()))  # type: ignore[no-untyped-call] # SQLAlchemy has no types for it
    for table in reversed(schema.sorted_tables)
    if table.name not in _LASTING
)
_IS_WAITING: Final = "SELECT cardinality(pg_blocking_pids(%s)) > 0"
# Where it makes no difference who goes on: what these write nobody reads, and what they read nobody changes, or it is
# read before anything else is done.
_INDIFFERENT: Final = frozenset(
    {
        "dissolving._DUE", "dissolving._UNUSED", "journal._EVENT", "reviews._COUNT",
        "settings._FIND", "settings._PUT", "tags._REMEMBER",
    }
)  # fmt: skip
_MOST_STEPS: Final = 500


class Violation(AssertionError):
    """A schedule in which something was not as the scene demands."""


class Scene(Protocol):
    """What is there, who acts, and what must have come of it."""

    @property
    def actors(self) -> Mapping[str, Callable[[PostgresMetadata], Callable[[], object]]]:
        """By name, in the order of their numbers in a schedule: over a connection, what each does."""
        ...

    def may_turn(self, step: str) -> bool:
        """Whether to preempt who stands before this step is worth a schedule."""
        ...

    def prepare(self, stage: Stage) -> None:
        """What is there before."""
        ...

    def check(self, stage: Stage, run: Run) -> None:
        """What must be there afterwards, and what each may have come to. Raises: AssertionError."""
        ...


class Stage:
    """A database, a connection for each actor, and one to look on."""

    def __init__(self, url: str, most_actors: int = 3) -> None:
        self.url = url
        with ExitStack() as stack:
            self.prompter = PostgresMetadata(url, pool_size=1)
            stack.callback(self.prompter.close)
            self.wings = [PostgresMetadata(url, pool_size=1) for _ in range(most_actors)]
            for each in self.wings:
                stack.callback(each.close)
            self._eyes = stack.enter_context(psycopg.connect(url, autocommit=True))
            self.close = stack.pop_all().close

    def is_waiting(self, backend: int) -> bool:
        """Whether somebody holds what this backend wants."""
        return bool(self._eyes.execute(_IS_WAITING, [backend]).fetchall()[0][0])

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        """What the tables say, asked by nobody's code but the test's."""
        return self._eyes.execute(query).fetchall()

    def wipe(self) -> None:
        """As it was before anybody came."""
        self._eyes.execute(_WIPE)


@dataclass
class Run:
    """One schedule as it was played."""

    names: Sequence[str]
    turns: list[int] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)
    waited: list[tuple[str, str]] = field(default_factory=list)
    """Who waited in which step."""
    outcomes: dict[str, object] = field(default_factory=dict)
    """What each returned or raised."""

    @property
    def schedule(self) -> str:
        return "".join(map(str, self.turns))

    def __str__(self) -> str:
        """Whose steps came one after the other."""
        played = zip(self.turns, self.steps, strict=True)
        lines = [
            f"  {self.names[turn]}: {', '.join(step for _, step in steps)}"
            for turn, steps in groupby(played, key=lambda each: each[0])
        ]
        return "\n".join([f"schedule {self.schedule}", *lines])


def explore(scene: Scene, stage: Stage, preemptions: int = 2) -> int:
    """Play every schedule; how many there were. Raises: Violation."""
    schedules, played = Schedules(preemptions, _twins(scene)), 0

    def choose(ready: Sequence[int], step: str) -> int:
        return schedules.turn(ready, may_matter=step not in _INDIFFERENT and scene.may_turn(step))

    with stepping():
        while schedules.has_another():
            _play(scene, stage, choose)
            played += 1
    return played


def _twins(scene: Scene) -> dict[int, int]:
    """Who does the same as somebody before, and as whom."""
    acts = list(scene.actors.values())
    return {number: acts.index(act) for number, act in enumerate(acts) if act in acts[:number]}


def replay(scene: Scene, stage: Stage, schedule: str) -> None:
    """Play the schedule that a violation told. Raises: Violation."""
    turns = iter(map(int, schedule))
    with stepping():
        _play(scene, stage, lambda ready, _: next(turns, ready[0]))


def _play(scene: Scene, stage: Stage, choose: Callable[[Sequence[int], str], int]) -> None:
    stage.wipe()
    scene.prepare(stage)
    with _on(stage, scene) as actors:
        run = Run([each.name for each in actors])
        try:
            _run_to_the_end(actors, choose, run)
            run.outcomes = {each.name: each.outcome for each in actors}
            scene.check(stage, run)
        except AssertionError as error:
            raise Violation(f"{error}\n{run}") from error


def _run_to_the_end(actors: Sequence[Actor], choose: Callable[[Sequence[int], str], int], run: Run) -> None:
    while any(each.standing is not Standing.DONE for each in actors):
        ready = [number for number, each in enumerate(actors) if each.standing is Standing.READY]
        assert ready, f"they wait for each other: {', '.join(f'{each.name} in {each.step}' for each in actors)}"
        turn = choose(ready, actors[run.turns[-1]].step if run.turns else "")
        actor = actors[turn]
        run.turns.append(turn)
        run.steps.append(actor.step)
        assert len(run.turns) < _MOST_STEPS, "they come to no end"
        actor.advance()
        if actor.standing is Standing.WAITING:
            run.waited.append((actor.name, actor.step))
        for each in actors:
            if each is not actor and each.standing is Standing.WAITING:
                each.settle()


@contextmanager
def _on(stage: Stage, scene: Scene) -> Iterator[list[Actor]]:
    actors: list[Actor] = []
    try:
        for (name, act), metadata in zip(scene.actors.items(), stage.wings, strict=False):
            actors.append(Actor(name, act(metadata), stage.is_waiting))
        yield actors
    finally:
        # All, before any is waited for: they may wait for each other.
        for each in actors:
            each.let_go()
        for each in actors:
            each.join()
