"""distribution-spec, Content Management: Deleting tags, Deleting Manifests (end-9), Deleting Blobs (end-10)."""

import pytest

from tests.conformance.claims import is_refused
from tests.support.client import RegistryClient
from tests.support.images import Blob, TinyImage, artifact, digest_of, index, tiny_image


class TestDeletingTags:
    """end-9, by tag."""

    @pytest.mark.usefixtures("image")
    def test_a_deleted_tag_is_202_and_gone_at_once(self, registry: RegistryClient, repository: str) -> None:
        """The registry MUST respond with 202 Accepted; once deleted, a GET will return a 404."""
        assert registry.delete_manifest(repository, "v1").status_code == 202
        assert is_refused(registry.manifest(repository, "v1"), 404, "MANIFEST_UNKNOWN")
        assert registry.manifest(repository, "v1", "HEAD").status_code == 404
        assert registry.tags(repository).json()["tags"] == []

    def test_deleting_a_tag_keeps_its_manifest(
        self, registry: RegistryClient, repository: str, image: TinyImage
    ) -> None:
        """Field-notes, section 2: deleting by tag removes the tag only."""
        registry.delete_manifest(repository, "v1")
        assert registry.manifest(repository, image.digest).content == image.manifest
        assert registry.blob(repository, image.config.digest).content == image.config.data

    def test_deleting_a_tag_keeps_the_manifests_other_tags(
        self, registry: RegistryClient, repository: str, image: TinyImage
    ) -> None:
        """Field-notes, section 2: deleting by tag removes the tag only."""
        registry.tag(repository, "v2", image)
        registry.delete_manifest(repository, "v1")
        assert registry.tags(repository).json()["tags"] == ["v2"]
        assert registry.manifest(repository, "v2").content == image.manifest

    @pytest.mark.usefixtures("image")
    def test_a_tag_that_is_not_there_is_404(self, registry: RegistryClient, repository: str) -> None:
        """end-9: failure 404."""
        assert is_refused(registry.delete_manifest(repository, "v2"), 404, "MANIFEST_UNKNOWN")
        registry.delete_manifest(repository, "v1")
        assert is_refused(registry.delete_manifest(repository, "v1"), 404, "MANIFEST_UNKNOWN")

    def test_a_deleted_tag_can_be_pushed_again(
        self, registry: RegistryClient, repository: str, image: TinyImage
    ) -> None:
        """A tag is a custom, human-readable pointer to a manifest."""
        registry.delete_manifest(repository, "v1")
        registry.tag(repository, "v1", image)
        assert registry.manifest(repository, "v1").content == image.manifest
        assert registry.tags(repository).json()["tags"] == ["v1"]


class TestDeletingManifests:
    """end-9, by digest."""

    def test_a_deleted_manifest_is_202_and_gone_at_once(
        self, registry: RegistryClient, repository: str, image: TinyImage
    ) -> None:
        """Field-notes, section 2: DELETE then HEAD is 404 at once."""
        assert registry.delete_manifest(repository, image.digest).status_code == 202
        assert registry.manifest(repository, image.digest, "HEAD").status_code == 404
        assert is_refused(registry.manifest(repository, image.digest), 404, "MANIFEST_UNKNOWN")

    def test_its_tags_go_with_it(self, registry: RegistryClient, repository: str, image: TinyImage) -> None:
        """A GET to the manifest and any tag pointing to that digest will return a 404."""
        other = tiny_image("other")
        registry.push_image(repository, other, "kept")
        registry.tag(repository, "v2", image)
        registry.delete_manifest(repository, image.digest)
        assert registry.manifest(repository, "v1").status_code == 404
        assert registry.manifest(repository, "v2").status_code == 404
        assert registry.tags(repository).json()["tags"] == ["kept"]

    def test_its_blobs_stay_for_the_next_push(
        self, registry: RegistryClient, repository: str, image: TinyImage
    ) -> None:
        """Design, section 3: DELETE of a manifest leases everything it referenced."""
        registry.delete_manifest(repository, image.digest)
        assert registry.blob(repository, image.config.digest, "HEAD").status_code == 200
        registry.tag(repository, "again", image)
        assert registry.manifest(repository, image.digest).content == image.manifest
        assert registry.tags(repository).json()["tags"] == ["again"]

    def test_a_manifest_that_is_not_there_is_404(
        self, registry: RegistryClient, repository: str, image: TinyImage
    ) -> None:
        """end-9: failure 404."""
        absent = digest_of(b"never pushed")
        assert is_refused(registry.delete_manifest(repository, absent), 404, "MANIFEST_UNKNOWN")
        registry.delete_manifest(repository, image.digest)
        assert is_refused(registry.delete_manifest(repository, image.digest), 404, "MANIFEST_UNKNOWN")

    @pytest.mark.parametrize("reference", ["v1", digest_of(b"never pushed")])
    def test_a_repository_that_does_not_exist_is_404(
        self, registry: RegistryClient, repository: str, reference: str
    ) -> None:
        """If the repository does not exist, the response MUST return 404 Not Found."""
        answer = registry.delete_manifest(repository, reference)
        assert is_refused(answer, 404, "NAME_UNKNOWN", "MANIFEST_UNKNOWN")

    def test_the_same_manifest_elsewhere_stays(
        self, registry: RegistryClient, repository: str, other_repository: str, image: TinyImage
    ) -> None:
        """`<name>` is the namespace of the repository."""
        registry.push_image(other_repository, image, "v1")
        registry.delete_manifest(repository, image.digest)
        assert registry.manifest(other_repository, "v1").content == image.manifest

    def test_a_child_of_a_live_index_is_405(self, registry: RegistryClient, repository: str, image: TinyImage) -> None:
        """Design, section 3: DELETE of a child of a live index is 405 UNSUPPORTED naming it."""
        parent = index(image)
        registry.push_image(repository, parent, "all")
        answer = registry.delete_manifest(repository, image.digest)
        assert is_refused(answer, 405, "UNSUPPORTED")
        assert parent.digest in answer.text
        assert registry.manifest(repository, image.digest).content == image.manifest
        assert registry.manifest(repository, "v1").content == image.manifest

    def test_a_child_can_be_deleted_after_its_index(
        self, registry: RegistryClient, repository: str, image: TinyImage
    ) -> None:
        """A live index is what protects it, nothing else."""
        parent = index(image)
        registry.push_image(repository, parent, "all")
        assert registry.delete_manifest(repository, parent.digest).status_code == 202
        assert registry.delete_manifest(repository, image.digest).status_code == 202

    def test_a_tag_of_a_child_can_be_deleted(self, registry: RegistryClient, repository: str, image: TinyImage) -> None:
        """The child stays, so that its index stays whole."""
        registry.push_image(repository, index(image), "all")
        assert registry.delete_manifest(repository, "v1").status_code == 202
        assert registry.manifest(repository, image.digest).status_code == 200

    def test_a_subject_can_be_deleted_and_its_referrers_stay(
        self, registry: RegistryClient, repository: str, image: TinyImage
    ) -> None:
        """A registry MUST accept a `subject` that does not exist, before as well as after."""
        sbom = artifact("application/vnd.example.sbom.v1", subject=image)
        registry.push_image(repository, sbom)
        assert registry.delete_manifest(repository, image.digest).status_code == 202
        assert registry.manifest(repository, sbom.digest).content == sbom.manifest
        found = registry.referrers(repository, image.digest).json()["manifests"]
        assert [entry["digest"] for entry in found] == [sbom.digest]

    @pytest.mark.parametrize("reference", ["sha256:baddigeststring", "a" * 129, "md5:d41d8cd98f00b204e9800998ecf8427e"])
    @pytest.mark.usefixtures("image")
    def test_a_malformed_reference_is_400_or_404(
        self, registry: RegistryClient, repository: str, reference: str
    ) -> None:
        """end-9: failure 404 or 400."""
        answer = registry.delete_manifest(repository, reference)
        assert is_refused(answer, {400, 404}, "DIGEST_INVALID", "MANIFEST_INVALID", "MANIFEST_UNKNOWN")


class TestDeletingBlobs:
    """end-10."""

    @pytest.fixture
    def blob(self, registry: RegistryClient, repository: str) -> Blob:
        """A blob that no manifest names."""
        made = Blob(repository.encode() * 500)
        registry.push_blob(repository, made)
        return made

    def test_a_deleted_blob_is_202_and_gone_at_once(
        self, registry: RegistryClient, repository: str, blob: Blob
    ) -> None:
        """Upon success, the registry MUST respond with code 202 Accepted; DELETE then HEAD is 404 at once."""
        assert registry.blob(repository, blob.digest).status_code == 200
        assert registry.delete_blob(repository, blob.digest).status_code == 202
        assert registry.blob(repository, blob.digest, "HEAD").status_code == 404
        assert is_refused(registry.blob(repository, blob.digest), 404, "BLOB_UNKNOWN")
        assert registry.blob(repository, blob.digest, headers={"Range": "bytes=0-1"}).status_code == 404

    def test_a_blob_that_is_not_there_is_404(self, registry: RegistryClient, repository: str, blob: Blob) -> None:
        """If the blob is not found, a 404 Not Found code MUST be returned."""
        assert is_refused(registry.delete_blob(repository, digest_of(b"never pushed")), 404, "BLOB_UNKNOWN")
        registry.delete_blob(repository, blob.digest)
        assert is_refused(registry.delete_blob(repository, blob.digest), 404, "BLOB_UNKNOWN")

    def test_a_blob_of_an_unknown_repository_is_404(
        self, registry: RegistryClient, other_repository: str, blob: Blob
    ) -> None:
        """If the blob is not found, a 404 Not Found code MUST be returned."""
        answer = registry.delete_blob(other_repository, blob.digest)
        assert is_refused(answer, 404, "BLOB_UNKNOWN", "NAME_UNKNOWN")

    def test_the_same_blob_elsewhere_stays(
        self, registry: RegistryClient, repository: str, other_repository: str, blob: Blob
    ) -> None:
        """`<name>` is the namespace of the repository."""
        registry.push_blob(other_repository, blob)
        registry.delete_blob(repository, blob.digest)
        assert registry.blob(other_repository, blob.digest).content == blob.data
        assert registry.blob(repository, blob.digest).status_code == 404

    def test_a_deleted_blob_can_be_pushed_again(self, registry: RegistryClient, repository: str, blob: Blob) -> None:
        """Pushing again is the way to have it again."""
        registry.delete_blob(repository, blob.digest)
        registry.push_blob(repository, blob)
        assert registry.blob(repository, blob.digest).content == blob.data

    @pytest.mark.parametrize("which", ["config", "layer"])
    def test_a_blob_of_a_live_manifest_is_405(
        self, registry: RegistryClient, repository: str, image: TinyImage, which: str
    ) -> None:
        """Design, section 3: DELETE of a blob a live manifest references is 405 UNSUPPORTED naming it."""
        blob = image.config if which == "config" else image.layers[0]
        answer = registry.delete_blob(repository, blob.digest)
        assert is_refused(answer, 405, "UNSUPPORTED")
        assert image.digest in answer.text
        assert registry.blob(repository, blob.digest).content == blob.data

    def test_a_blob_can_be_deleted_after_its_manifest(
        self, registry: RegistryClient, repository: str, image: TinyImage
    ) -> None:
        """A live manifest is what protects it, nothing else."""
        registry.delete_manifest(repository, image.digest)
        for blob in image.blobs:
            assert registry.delete_blob(repository, blob.digest).status_code == 202
            assert registry.blob(repository, blob.digest).status_code == 404

    def test_a_manifest_of_a_deleted_blob_is_refused(self, registry: RegistryClient, repository: str) -> None:
        """MANIFEST_BLOB_UNKNOWN: a deleted blob is not there."""
        made = tiny_image(repository)
        for blob in made.blobs:
            registry.push_blob(repository, blob)
        registry.delete_blob(repository, made.config.digest)
        answer = registry.push_manifest(repository, "v1", made.manifest, made.media_type)
        assert is_refused(answer, {400, 404}, "MANIFEST_BLOB_UNKNOWN")

    @pytest.mark.parametrize("digest", ["sha256:baddigeststring", "latest"])
    @pytest.mark.usefixtures("blob")
    def test_a_malformed_digest_is_400_or_404(self, registry: RegistryClient, repository: str, digest: str) -> None:
        """end-10: failure 404 or 400."""
        answer = registry.delete_blob(repository, digest)
        assert is_refused(answer, {400, 404}, "DIGEST_INVALID", "BLOB_UNKNOWN")
