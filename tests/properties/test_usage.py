"""Pushing, mounting, tagging, deleting in any order: what is charged is what is held, and no manifest lacks a part."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from registry.oci.digest import Digest
from registry.oci.errors import BlobUnknown, ManifestPartsUnknown, ManifestUnknown, NotAllowed, RegistryError
from registry.oci.names import RepositoryName, Tag
from tests.unit.core.house import APP, AWAY, CONFIG, OTHER, House, image, index
from tests.unit.metadata.databases import quick_folder

NAMES = APP, OTHER, AWAY, RepositoryName("bare"), RepositoryName("library/bare")
LAYERS = b"a", b"bb", bytes(5000)
IMAGES = {image(*parts): (CONFIG, *parts) for parts in [(), LAYERS[:1], LAYERS[:2], LAYERS[2:]]}
INDEXES = {index(*parts): parts for parts in [tuple(IMAGES)[:1], tuple(IMAGES)[1:3]]}

names, tags = st.sampled_from(NAMES), st.sampled_from([Tag("latest"), Tag("stable")])
contents = st.sampled_from([CONFIG, *LAYERS])
images, indexes = st.sampled_from(sorted(IMAGES)), st.sampled_from(sorted(INDEXES))
manifests = images | indexes


class Usage(RuleBasedStateMachine):
    """Several repositories of several projects; the model is three sets."""

    def __init__(self) -> None:
        super().__init__()
        self.open_folder = ExitStack()
        folder = self.open_folder.enter_context(quick_folder())
        self.house = House(folder)
        self.blobs: set[tuple[RepositoryName, bytes]] = set()
        self.manifests: set[tuple[RepositoryName, bytes]] = set()
        self.tags: dict[tuple[RepositoryName, Tag], bytes] = {}

    def teardown(self) -> None:
        self.house.close()
        self.open_folder.close()

    @rule(name=names, content=contents, large=st.booleans())
    def push_blob(self, name: RepositoryName, content: bytes, large: bool) -> None:
        self.house.push_blob(content, name, large=large)
        self.blobs.add((name, content))

    @rule(name=names, tag=tags, manifest=images)
    def push_image(self, name: RepositoryName, tag: Tag, manifest: bytes) -> None:
        for each in IMAGES[manifest]:
            self.push_blob(name, each, large=False)
        self.push_manifest(name, tag, manifest)

    @rule(name=names, tag=st.none() | tags, manifest=manifests)
    def push_manifest(self, name: RepositoryName, tag: Tag | None, manifest: bytes) -> None:
        if manifest in IMAGES:
            is_whole = all((name, each) in self.blobs for each in IMAGES[manifest])
        else:
            is_whole = all((name, each) in self.manifests for each in INDEXES[manifest])
        reference = tag.text if tag else None
        refusal = None if is_whole else ManifestPartsUnknown
        if not self._succeeds(lambda: self.house.push_manifest(manifest, reference, name), refusal):
            return
        self.manifests.add((name, manifest))
        if tag:
            self.tags[name, tag] = manifest

    @rule(name=names, content=contents, source=st.none() | names)
    def mount(self, name: RepositoryName, content: bytes, source: RepositoryName | None) -> None:
        sources = NAMES if source is None else (source,)
        expected = any((each, content) in self.blobs for each in sources)
        assert self.house.mount(Digest.of(content), source, name, self.house.admin) is expected
        if expected:
            self.blobs.add((name, content))

    @rule(name=names, content=contents)
    def delete_blob(self, name: RepositoryName, content: bytes) -> None:
        refusal: type[RegistryError] | None = None
        if (name, content) not in self.blobs:
            refusal = BlobUnknown
        elif any(where == name and content in IMAGES.get(each, ()) for where, each in self.manifests):
            refusal = NotAllowed
        if self._succeeds(lambda: self.house.blobs.delete(name, Digest.of(content), self.house.admin), refusal):
            self.blobs.remove((name, content))

    @rule(name=names, manifest=manifests)
    def delete_manifest(self, name: RepositoryName, manifest: bytes) -> None:
        refusal: type[RegistryError] | None = None
        if (name, manifest) not in self.manifests:
            refusal = ManifestUnknown
        elif any(where == name and manifest in INDEXES.get(each, ()) for where, each in self.manifests):
            refusal = NotAllowed
        if self._succeeds(lambda: self.house.manifests.delete(name, Digest.of(manifest), self.house.admin), refusal):
            self.manifests.remove((name, manifest))
            self.tags = {key: each for key, each in self.tags.items() if (key[0], each) != (name, manifest)}

    @rule(name=names, tag=tags)
    def delete_tag(self, name: RepositoryName, tag: Tag) -> None:
        refusal = None if (name, tag) in self.tags else ManifestUnknown
        if self._succeeds(lambda: self.house.manifests.delete_tag(name, tag, self.house.admin), refusal):
            del self.tags[name, tag]

    @precondition(lambda self: self.blobs)
    @rule(pick=st.integers(0, 20))
    def lose_an_object_and_push_it_again(self, pick: int) -> None:
        name, content = sorted(self.blobs)[pick % len(self.blobs)]
        blob = self.house.serves(Digest.of(content), name)
        assert blob is not None
        if blob.key is not None:
            self.house.blobs.mark_damaged(name, blob.digest, blob.key, self.house.admin)
            assert self.house.serves(blob.digest, name) is None
        self.house.push_blob(content, name, large=True)

    @rule()
    def crash_and_sweep(self) -> None:
        self.house.crash()
        self.house.sweeper.run()

    def _succeeds(self, work: Callable[[], object], refusal: type[RegistryError] | None) -> bool:
        if refusal is None:
            work()
            return True
        with pytest.raises(refusal):
            work()
        return False

    @invariant()
    def every_project_is_charged_what_it_holds(self) -> None:
        assert self.house.used() == self.house.owed()

    @invariant()
    def every_content_of_a_project_counts_its_links(self) -> None:
        counted = self.house.rows("SELECT project_id, kind, digest, links FROM project_content")
        held = self.house.rows(
            "SELECT project_id, 'blob', digest, count(*) FROM link JOIN repository ON id = repository_id"
            " GROUP BY project_id, digest UNION ALL SELECT project_id, 'manifest', digest, count(*)"
            " FROM manifest JOIN repository ON repository.id = repository_id GROUP BY project_id, digest"
        )
        assert sorted(counted) == sorted(held)

    @invariant()
    def what_is_served_is_what_was_pushed_and_not_deleted(self) -> None:
        for name in NAMES:
            for content in (CONFIG, *LAYERS):
                expected = content if (name, content) in self.blobs else None
                assert self.house.content(Digest.of(content), name) == expected
            for manifest in (*IMAGES, *INDEXES):
                assert (self.house.resolve(Digest.of(manifest), name) is not None) == (
                    (name, manifest) in self.manifests
                )

    @invariant()
    def every_tag_points_where_it_was_last_set(self) -> None:
        for name in NAMES:
            for tag in (Tag("latest"), Tag("stable")):
                manifest = self.tags.get((name, tag))
                assert self.house.resolve(tag, name) == (manifest and Digest.of(manifest))

    @invariant()
    def no_visible_manifest_lacks_a_visible_healthy_blob(self) -> None:
        # Kinds 1 and 2 are configs and layers.
        lacking = self.house.rows(
            "SELECT manifest.id FROM manifest JOIN reference ON manifest_id = manifest.id AND kind IN (1, 2)"
            " LEFT JOIN link ON link.repository_id = manifest.repository_id AND link.digest = reference.digest"
            " LEFT JOIN blob ON blob.id = blob_id WHERE manifest.deleted_at IS NULL"
            " AND (blob.id IS NULL OR link.deleted_at IS NOT NULL OR damaged_at IS NOT NULL)"
        )
        assert lacking == []


TestUsage = Usage.TestCase
TestUsage.settings = settings(max_examples=20, stateful_step_count=25)
