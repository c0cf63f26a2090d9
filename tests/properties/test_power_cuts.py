"""The power fails before every step of each act, one after the other: then the act has taken place, or it has not.

Where `test_lifecycle` lets it fail anywhere in long stories, here no step is left out: each statement, each call of the
store, each commit and each answer. What was cut off is done again, and comes to what it would have come to.

SQLite takes them one by one. PostgreSQL, which is slower to ask, takes every seventh, and so does a registry that keeps
files, but for acts that touch these; with `EXAMPLES=300` everybody takes all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from typing import Final

import pytest

from registry.oci.digest import Digest
from registry.oci.names import RepositoryName, Tag
from tests.contracts.test_collecting import CONFIG, LARGE, LAYER, image
from tests.properties.test_lifecycle import EXAMPLES, Lifecycle, LifecycleOnFiles, LifecycleOnPostgresql

SMALL_BLOB, LARGE_BLOB, IMAGE = Digest.of(CONFIG), Digest.of(LARGE), Digest.of(image(LAYER))
LATEST: Final = Tag("latest")
SOURCE: Final = RepositoryName("team/source")
Step = Callable[[Lifecycle, RepositoryName, int | None], object]


def _nothing(machine: Lifecycle, name: RepositoryName) -> None:
    """What is there already is what was done before."""


def _image(machine: Lifecycle, name: RepositoryName) -> None:
    machine.push_image(name, IMAGE, LATEST)


def _parts(machine: Lifecycle, name: RepositoryName) -> None:
    for each in (SMALL_BLOB, Digest.of(LAYER)):
        machine.push_blob(name, each, None)


def _source(machine: Lifecycle, name: RepositoryName) -> None:
    machine.push_blob(SOURCE, LARGE_BLOB, None)


def _deleted(machine: Lifecycle, name: RepositoryName) -> None:
    _image(machine, name)
    machine.delete_manifest(name, IMAGE, None)


def _over(machine: Lifecycle, name: RepositoryName) -> None:
    """A manifest and a repository, neither of which comes back."""
    _deleted(machine, name)
    machine.push_blob(name, LARGE_BLOB, None)
    _image(machine, RepositoryName(f"{name}/whole"))
    machine.delete_repository(RepositoryName(f"{name}/whole"), None)
    machine.time_passes(192)


def _collected(machine: Lifecycle, name: RepositoryName) -> None:
    _over(machine, name)
    machine.collect(None)


ACTS: Final[Mapping[str, tuple[Callable[[Lifecycle, RepositoryName], None], Step]]] = {
    "a small blob is pushed": (_nothing, lambda machine, name, fuse: machine.push_blob(name, SMALL_BLOB, fuse)),
    "a large blob is pushed": (_nothing, lambda machine, name, fuse: machine.push_blob(name, LARGE_BLOB, fuse)),
    "a blob is mounted": (_source, lambda machine, name, fuse: machine.mount(name, LARGE_BLOB, SOURCE, fuse)),
    "an image is pushed": (_parts, lambda machine, name, fuse: machine.push_manifest(name, IMAGE, LATEST, fuse)),
    "a manifest is deleted": (_image, lambda machine, name, fuse: machine.delete_manifest(name, IMAGE, fuse)),
    "a tag is restored": (_deleted, lambda machine, name, fuse: machine.restore_tag(name, LATEST, fuse)),
    "a repository is deleted": (_image, lambda machine, name, fuse: machine.delete_repository(name, fuse)),
    "what is over is collected": (_over, lambda machine, _, fuse: machine.collect(fuse)),
    "what is doomed is swept": (_collected, lambda machine, _, fuse: machine.sweep(fuse)),
}


# What the store has a part in.
STORED: Final = {"a large blob is pushed", "what is doomed is swept"}


def stride(where: type[Lifecycle], act: str) -> int:
    """How many steps further each cut is than the last one."""
    takes_all = where is Lifecycle or (where is LifecycleOnFiles and act in STORED) or EXAMPLES >= 100
    return 1 if takes_all else 7


@contextmanager
def opened(where: type[Lifecycle]) -> Iterator[Lifecycle]:
    """At the end everything comes to rest; not after a failure, which would be told in its place."""
    machine = where()
    with machine.open:
        yield machine
        machine.premises.come_to_rest()


def check(machine: Lifecycle) -> None:
    machine.the_tables_are_what_the_model_says()
    machine.what_is_visible_can_be_pulled_whole()
    machine.what_is_not_visible_cannot_be_pulled()


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("where", [Lifecycle, LifecycleOnFiles, LifecycleOnPostgresql])
def test_an_act_has_taken_place_or_has_not(where: type[Lifecycle], act: str) -> None:
    before, do = ACTS[act]
    with opened(where) as machine:
        for fuse in count(step=stride(where, act)):
            # Another repository each time, so that nothing of the last time helps.
            name = RepositoryName(f"team/app{fuse}")
            before(machine, name)
            do(machine, name, fuse)
            check(machine)
            if not machine.was_cut:
                break
            do(machine, name, None)
            check(machine)
        assert fuse > 1
