"""Sparse content as a setting: a registry MAY reject manifests whose parts are not there (distribution-spec, Push).

What happens when it is off is told in test_pushing_manifests.
"""

import pytest

from tests.conformance.claims import is_refused
from tests.support.client import RegistryClient
from tests.support.images import index, tiny_image


class TestSparseOn:
    """Manifests are accepted before their parts."""

    def test_an_image_is_accepted_before_its_blobs(self, sparse_registry: RegistryClient, repository: str) -> None:
        """Field-notes, section 2: sparse images and indexes (parts not pushed yet) are a setting."""
        made = tiny_image(repository, layers=2)
        sparse_registry.tag(repository, "v1", made)
        assert sparse_registry.manifest(repository, "v1").content == made.manifest

    def test_an_index_is_accepted_before_its_manifests(self, sparse_registry: RegistryClient, repository: str) -> None:
        """Field-notes, section 2: sparse images and indexes (parts not pushed yet) are a setting."""
        made = index(tiny_image("one"), tiny_image("two"))
        sparse_registry.tag(repository, "v1", made)
        assert sparse_registry.manifest(repository, "v1").content == made.manifest
        assert sparse_registry.manifest(repository, made.children[0].digest).status_code == 404

    def test_a_missing_part_is_404_until_it_is_pushed(self, sparse_registry: RegistryClient, repository: str) -> None:
        """A manifest that names a blob does not make it."""
        made = tiny_image(repository)
        sparse_registry.tag(repository, "v1", made)
        assert is_refused(sparse_registry.blob(repository, made.config.digest), 404, "BLOB_UNKNOWN")
        sparse_registry.push_blob(repository, made.config)
        assert sparse_registry.blob(repository, made.config.digest).content == made.config.data

    def test_a_missing_part_that_another_repository_holds_is_404_here(
        self, sparse_registry: RegistryClient, repository: str, other_repository: str
    ) -> None:
        """Field-notes, section 4: no cross-repository read through dedupe, nor by naming a digest in a manifest."""
        made = tiny_image(repository)
        sparse_registry.push_image(other_repository, made, "v1")
        sparse_registry.tag(repository, "v1", made)
        assert sparse_registry.blob(repository, made.layers[0].digest).status_code == 404

    def test_a_child_pushed_after_its_index_is_pulled(self, sparse_registry: RegistryClient, repository: str) -> None:
        """The parts may come in any order."""
        child = tiny_image("late")
        sparse_registry.tag(repository, "all", index(child))
        sparse_registry.push_image(repository, child)
        assert sparse_registry.manifest(repository, child.digest).content == child.manifest

    @pytest.mark.parametrize("which", ["blob", "child"])
    def test_a_part_of_a_live_manifest_may_be_deleted(
        self, sparse_registry: RegistryClient, repository: str, which: str
    ) -> None:
        """Design, section 3: 405 otherwise, allowed when sparse."""
        child = tiny_image(repository)
        sparse_registry.push_image(repository, index(child), "all")
        if which == "blob":
            answer = sparse_registry.delete_blob(repository, child.config.digest)
            assert sparse_registry.blob(repository, child.config.digest).status_code == 404
        else:
            answer = sparse_registry.delete_manifest(repository, child.digest)
            assert sparse_registry.manifest(repository, child.digest).status_code == 404
        assert answer.status_code == 202
        assert sparse_registry.manifest(repository, "all").status_code == 200

    def test_what_is_malformed_is_refused_all_the_same(self, sparse_registry: RegistryClient, repository: str) -> None:
        """The setting is about absent parts."""
        made = tiny_image(repository)
        answer = sparse_registry.push_manifest(repository, "v1", made.manifest[:-5], made.media_type)
        assert is_refused(answer, 400, "MANIFEST_INVALID")
