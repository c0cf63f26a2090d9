"""A registry that starts on what a power cut left: what it has, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

from registry import app
from registry.application import Facts
from registry.config import Settings
from registry.core.collect import Collector
from registry.core.fsck import Allowed
from registry.core.fsck_run import Fsck
from registry.core.ports import Metadata, ObjectStore, Transaction
from registry.core.sweep import Sweeper
from registry.oci.digest import Digest
from registry.oci.names import RepositoryName, Tag
from registry.storage.hashing import hashes
from tests.power_cut.disk import Tree
from tests.power_cut.story import REPOSITORY, State, Thing
from tests.system.waiting import eventually

A = TypeVar("A")
B = TypeVar("B")

_AT_ONCE: Final = timedelta(0)


@dataclass(frozen=True, slots=True)
class Recovered:
    """What is there of the things that were asked for, and every complaint, before and after a collection."""

    state: State
    complaints: tuple[str, ...]


def recover(tree: Tree, folder: Path, things: Sequence[Thing]) -> Recovered:
    """Open what is written to `folder`, which is empty: look at each thing, compare all, collect, sweep, and again."""
    write(tree, folder)
    settings = settings_of(folder)
    with app.opened_facts(settings) as metadata:
        app.match_instance(settings, metadata.observe(lambda tx: tx.settings.find("instance") or ""))
    with app.opened(settings) as (metadata, store):
        state = _look(metadata, store, things)
        complaints = _fsck(settings, metadata, store)
        _collect(metadata, store)
        complaints += _fsck(settings, metadata, store)
        after = _look(metadata, store, things)
    lost = [thing for thing in things if thing.kind != "blob" and state[thing] != after[thing]]
    return Recovered(state, (*complaints, *(f"{each.kind} {each.reference} went with the collection" for each in lost)))


def settings_of(folder: Path) -> Settings:
    """Those that matter without clients."""
    return Settings.load(environ={"REGISTRY_DATA": str(folder), "REGISTRY_OPEN": "true"})


def write(tree: Tree, folder: Path) -> None:
    """As it was left; folders come before what is in them."""
    for path, content in tree.items():
        if content is None:
            (folder / path).mkdir(0o700)
        else:
            (folder / path).touch(0o600)
            (folder / path).write_bytes(content)


def _look(metadata: Facts, store: ObjectStore, things: Sequence[Thing]) -> State:
    return {thing: metadata.observe(partial(_find, store=store, thing=thing)) for thing in things}


def _find(tx: Transaction, store: ObjectStore, thing: Thing) -> bytes | None:
    repository = tx.repositories.find(RepositoryName(REPOSITORY))
    if repository is None:
        return None
    if thing.kind == "blob":
        blob = tx.links.find(repository, Digest.parse(thing.reference))
        if blob is None:
            return None
        if blob.key is None:
            return blob.content
        with store.open(blob.key) as file:
            return file.read()
    reference = Tag(thing.reference) if thing.kind == "tag" else Digest.parse(thing.reference)
    digest = tx.manifests.find(repository, reference)
    return tx.inventory.content(digest) if digest else None


def _collect(metadata: Facts, store: ObjectStore) -> None:
    """At once, as soon as the lease of the process that died has ended."""
    Collector(metadata, _AT_ONCE).run()
    sweeping = app.sweep_tenure(metadata)
    eventually("the lease of the sweeper that died is over", lambda: sweeping.take() is not None)
    Sweeper(metadata, store, sweeping, _AT_ONCE).run()


def _fsck(settings: Settings, metadata: Metadata, store: ObjectStore) -> list[str]:
    """Everything read, and nothing too young to be a stray."""
    allowed = Allowed(read=True, grace=_AT_ONCE)
    report = Fsck(metadata, store, app.inventory(settings), hashes(), allowed, _each, _Nobody()).run()
    return [f"{finding.what} {finding.name}: {finding.reason}" for finding, _ in report.found]


def _each(work: Callable[[A], B], each: Iterable[A], /) -> Iterator[B]:
    return map(work, each)


class _Nobody:
    """`Watcher`."""

    def begins(self, task: str, length: int) -> None:
        pass

    def advances(self, steps: int) -> None:
        pass
