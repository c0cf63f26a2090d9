"""Pushing, deleting, restoring, collecting, time that passes and power that fails, in any order, beside a model.

After each step the rows of links, manifests and tags are those of `reference`, to the hour; what is visible can be read
whole; every project is charged what it holds. At the end everything is let go of, and nothing is left that is not held.
A power cut leaves what was there before the act, or what is there after it, and nothing between.

`EXAMPLES=300` plays more of them than the few that every run has time for.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack
from copy import deepcopy
from typing import Final

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from registry.oci.digest import Digest
from registry.oci.names import RepositoryName, Tag
from tests.contracts.test_collecting import APP, AWAY, CONFIG, LARGE, LAYER, OTHER, image, index
from tests.properties.premises import GROUNDS, Premises
from tests.properties.reference import Document, Reference, Refusal
from tests.support.fuse import PowerCut

EXAMPLES: Final = int(os.environ.get("EXAMPLES", "10"))
pytestmark = pytest.mark.timeout(30 * EXAMPLES)

NAMES: Final = APP, OTHER, AWAY
BLOBS: Final = {Digest.of(each): each for each in (CONFIG, LAYER, LARGE)}
SMALLEST: Final = image()
ABOUT: Final = image(subject=Digest.of(SMALLEST), subject_size=len(SMALLEST))
IMAGES: Final = SMALLEST, image(LAYER), image(LARGE), ABOUT
INDEXES: Final = index(SMALLEST), index(image(LAYER), image(LARGE))
MANIFESTS: Final = {Digest.of(each): each for each in (*IMAGES, *INDEXES)}
DOCUMENTS: Final = {digest: Document.of(each) for digest, each in MANIFESTS.items()}

# Some come more often than others, so that much happens to the same ones.
names = st.sampled_from([APP, APP, APP, OTHER, AWAY])
tags = st.sampled_from([Tag("latest"), Tag("latest"), Tag("stable")])
blobs = st.sampled_from([Digest.of(each) for each in (CONFIG, CONFIG, LARGE, LAYER)])
images = st.sampled_from([Digest.of(each) for each in (SMALLEST, SMALLEST, *IMAGES)])
manifests = images | st.sampled_from([Digest.of(each) for each in INDEXES])
# Mostly the power lasts; where it does not, it fails at any step of what is done then.
fuses = st.none() | st.none() | st.integers(0, 60)
# A lease is over after one of the second, an undo window after one of the third.
spans = st.sampled_from([7, 25, 192])


class Lifecycle(RuleBasedStateMachine):
    """Three repositories of two projects, and whoever may do anything there."""

    ground = "sqlite"

    def __init__(self) -> None:
        super().__init__()
        self.open = ExitStack()
        self.premises: Premises = self.open.enter_context(GROUNDS[self.ground]())
        self.model = Reference(DOCUMENTS)
        self.was_cut = False

    def teardown(self) -> None:
        with self.open:
            self.premises.come_to_rest()

    # Pushing

    @rule(name=names, digest=blobs, fuse=fuses)
    def push_blob(self, name: RepositoryName, digest: Digest, fuse: int | None) -> None:
        content, registry = BLOBS[digest], self.premises.registry
        self._do(lambda model: model.put_blob(name, digest), lambda: registry.push_blob(content, name), fuse)

    @rule(name=names, digest=images, tag=st.none() | tags)
    def push_image(self, name: RepositoryName, digest: Digest, tag: Tag | None) -> None:
        for each in sorted(DOCUMENTS[digest].blobs):
            self.push_blob(name, each, None)
        self.push_manifest(name, digest, tag, None)

    @rule(name=names, digest=manifests, tag=st.none() | tags, fuse=fuses)
    def push_manifest(self, name: RepositoryName, digest: Digest, tag: Tag | None, fuse: int | None) -> None:
        content, registry = MANIFESTS[digest], self.premises.registry
        self._do(lambda model: model.put_manifest(name, digest, tag), lambda: registry.push(content, tag, name), fuse)

    @rule(name=names, digest=blobs, source=names, fuse=fuses)
    def mount(self, name: RepositoryName, digest: Digest, source: RepositoryName, fuse: int | None) -> None:
        registry = self.premises.registry
        self._do(
            lambda model: model.mount(name, digest, source),
            lambda: registry.blobs.mount(name, digest, source, registry.admin),
            fuse,
        )

    @rule(name=names, digest=blobs, fuse=fuses)
    def ask_for_blob(self, name: RepositoryName, digest: Digest, fuse: int | None) -> None:
        """By a client that is told that it is there, and is going to rely on it."""
        registry = self.premises.registry
        self._do(lambda model: model.renew(name, digest), lambda: registry.blobs.renew(name, digest), fuse)

    # Deleting

    @rule(name=names, digest=blobs, fuse=fuses)
    def delete_blob(self, name: RepositoryName, digest: Digest, fuse: int | None) -> None:
        registry = self.premises.registry
        self._do(
            lambda model: model.delete_blob(name, digest),
            lambda: registry.blobs.delete(name, digest, registry.admin),
            fuse,
        )

    @rule(name=names, digest=manifests, fuse=fuses)
    def delete_manifest(self, name: RepositoryName, digest: Digest, fuse: int | None) -> None:
        registry = self.premises.registry
        self._do(
            lambda model: model.delete_manifest(name, digest),
            lambda: registry.manifests.delete(name, digest, registry.admin),
            fuse,
        )

    @rule(name=names, tag=tags, fuse=fuses)
    def delete_tag(self, name: RepositoryName, tag: Tag, fuse: int | None) -> None:
        registry = self.premises.registry
        self._do(
            lambda model: model.delete_tag(name, tag),
            lambda: registry.manifests.delete_tag(name, tag, registry.admin),
            fuse,
        )

    @rule(name=names, fuse=fuses)
    def delete_repository(self, name: RepositoryName, fuse: int | None) -> None:
        if not self.model.holds_anything(name):
            # It may have gone by itself.
            return
        premises = self.premises
        self._do(
            lambda model: model.delete_repository(name),
            lambda: premises.repositories.delete(name, premises.registry.admin),
            fuse,
        )

    # Restoring

    @rule(name=names, digest=manifests, fuse=fuses)
    def restore_manifest(self, name: RepositoryName, digest: Digest, fuse: int | None) -> None:
        premises = self.premises
        self._do(
            lambda model: model.restore_manifest(name, digest),
            lambda: premises.undo.restore_manifest(name, digest, premises.registry.admin),
            fuse,
        )

    @rule(name=names, tag=tags, fuse=fuses)
    def restore_tag(self, name: RepositoryName, tag: Tag, fuse: int | None) -> None:
        premises = self.premises
        self._do(
            lambda model: model.restore_tag(name, tag),
            lambda: premises.undo.restore_tag(name, tag, premises.registry.admin),
            fuse,
        )

    @precondition(lambda self: self.model.gone)
    @rule(pick=st.integers(0, 9), name=st.sampled_from([APP, OTHER]), fuse=fuses)
    def restore_repository(self, pick: int, name: RepositoryName, fuse: int | None) -> None:
        shelf, premises = self.model.gone[pick % len(self.model.gone)], self.premises
        where = AWAY if shelf.name == AWAY else name
        is_taken = premises.has(where)
        self._do(
            lambda model: model.restore_repository(shelf.uuid, where, is_taken=is_taken),
            lambda: premises.repositories.restore(shelf.uuid, premises.registry.admin, where),
            fuse,
        )

    # What happens by itself

    @rule(hours=spans)
    def time_passes(self, hours: int) -> None:
        self.premises.pass_time(hours)
        self.model.now += hours

    @rule(fuse=fuses)
    def collect(self, fuse: int | None) -> None:
        self._cut_off(self.premises.collect, fuse)
        self.premises.collect()
        self.model.collect()

    @rule(fuse=fuses)
    def sweep(self, fuse: int | None) -> None:
        self._cut_off(self.premises.sweeper.run, fuse)
        self.premises.sweeper.run()

    # What always holds

    @invariant()
    def the_tables_are_what_the_model_says(self) -> None:
        assert self.premises.state() == self.model.state()
        self.premises.check()

    @invariant()
    def what_is_visible_can_be_pulled_whole(self) -> None:
        for name, shelf in self.model.shelves.items():
            for document in shelf.visible():
                assert self.premises.reads_manifest(name, document.digest) == MANIFESTS[document.digest]
                for each in document.blobs:
                    assert self.premises.reads(name, each) == BLOBS[each]

    @invariant()
    def what_is_not_visible_cannot_be_pulled(self) -> None:
        for name in NAMES:
            for each in BLOBS:
                assert (self.premises.reads(name, each) is not None) is self.model.serves(name, each)

    def _do(self, foresee: Callable[[Reference], Refusal], act: Callable[[], object], fuse: int | None) -> None:
        """The act comes to what the model foresees, or is cut off and has happened or not."""
        before = deepcopy(self.model)
        refusal = foresee(self.model)
        if self._cut_off(lambda: self._refused(act, refusal), fuse) and self.premises.state() == before.state():
            self.model = before
        self._name_what_is_gone()

    def _refused(self, act: Callable[[], object], refusal: Refusal) -> None:
        if refusal is None:
            act()
        else:
            with pytest.raises(refusal):
                act()

    def _cut_off(self, act: Callable[[], object], fuse: int | None) -> bool:
        """Whether the power failed before it was done; everything stands again by then."""
        self.premises.fuse.left, self.was_cut = fuse, False
        try:
            act()
        except PowerCut:
            self.was_cut = True
            self.premises.restart()
        finally:
            self.premises.fuse.left = None
        return self.was_cut

    def _name_what_is_gone(self) -> None:
        known = {each.uuid for each in self.model.gone}
        [*new] = set(self.premises.deleted_uuids()) - known
        for shelf in self.model.gone:
            if not shelf.uuid and new:
                shelf.uuid = new.pop()


class LifecycleOnFiles(Lifecycle):
    ground = "sqlite and files"


class LifecycleOnPostgresql(Lifecycle):
    ground = "postgresql"


TestLifecycle = Lifecycle.TestCase
TestLifecycle.settings = settings(max_examples=EXAMPLES)
TestLifecycleOnFiles = LifecycleOnFiles.TestCase
TestLifecycleOnFiles.settings = settings(max_examples=EXAMPLES // 2)
TestLifecycleOnPostgresql = LifecycleOnPostgresql.TestCase
TestLifecycleOnPostgresql.settings = settings(max_examples=EXAMPLES // 2)
