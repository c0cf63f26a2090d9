"""Content named by sha512: blobs, manifests, tags and referrers (field-notes, section 2; end-4c)."""

import pytest

from tests.conformance.claims import is_refused
from tests.support.client import RegistryClient
from tests.support.images import Blob, TinyImage, artifact, digest_of, index, random_bytes, tiny_image


@pytest.fixture(params=[0, 2, 4096, 300_000])
def blob(request: pytest.FixtureRequest, repository: str) -> Blob:
    """Content named by sha512, not pushed yet."""
    return Blob(random_bytes(repository, request.param), algorithm="sha512")


class TestBlobs:
    """sha512 works for blobs, on every path."""

    def test_an_announced_algorithm_is_used(self, registry: RegistryClient, repository: str, blob: Blob) -> None:
        """`<digest-algorithm>` is the algorithm the registry should use for the blob."""
        answer = registry.start_upload(repository, digest_algorithm="sha512")
        assert answer.status_code == 202
        chunk = registry.patch(answer.headers["location"], blob.data)
        closed = registry.close_upload(chunk.headers["location"], blob.digest)
        assert (closed.status_code, closed.headers["docker-content-digest"]) == (201, blob.digest)
        assert registry.blob(repository, blob.digest).content == blob.data

    def test_an_algorithm_known_only_at_the_put_is_used(
        self, registry: RegistryClient, repository: str, blob: Blob
    ) -> None:
        """Field-notes: the suite does not send `digest-algorithm`, so the algorithm may be known only at PUT."""
        location = registry.start_upload(repository).headers["location"]
        location = registry.patch(location, blob.data).headers["location"]
        assert registry.close_upload(location, blob.digest).status_code == 201
        assert registry.blob(repository, blob.digest).content == blob.data

    def test_an_announced_algorithm_may_give_way_to_the_puts(
        self, registry: RegistryClient, repository: str, blob: Blob
    ) -> None:
        """The closing PUT names the digest, and the POST only SHOULD have said its algorithm."""
        location = registry.start_upload(repository, digest_algorithm="sha512").headers["location"]
        location = registry.patch(location, blob.data).headers["location"]
        assert registry.close_upload(location, digest_of(blob.data)).status_code == 201
        assert registry.blob(repository, digest_of(blob.data)).content == blob.data

    def test_a_put_of_the_whole_blob(self, registry: RegistryClient, repository: str, blob: Blob) -> None:
        """end-6."""
        location = registry.start_upload(repository).headers["location"]
        answer = registry.close_upload(location, blob.digest, blob.data)
        assert (answer.status_code, answer.headers["docker-content-digest"]) == (201, blob.digest)
        assert registry.blob(repository, blob.digest).content == blob.data

    def test_a_single_post(self, registry: RegistryClient, repository: str, blob: Blob) -> None:
        """end-4b."""
        assert registry.push_at_once(repository, blob.digest, blob.data).status_code == 201
        assert registry.blob(repository, blob.digest).content == blob.data

    def test_a_head_names_it(self, registry: RegistryClient, repository: str, blob: Blob) -> None:
        """A successful response MUST contain the digest of the uploaded blob."""
        registry.push_blob(repository, blob)
        assert registry.blob(repository, blob.digest, "HEAD").headers["docker-content-digest"] == blob.digest

    def test_a_mount(self, registry: RegistryClient, repository: str, other_repository: str, blob: Blob) -> None:
        """end-11."""
        registry.push_blob(other_repository, blob)
        assert registry.mount(repository, blob.digest, other_repository).status_code == 201
        assert registry.blob(repository, blob.digest).content == blob.data

    def test_a_deletion(self, registry: RegistryClient, repository: str, blob: Blob) -> None:
        """end-10."""
        registry.push_blob(repository, blob)
        assert registry.delete_blob(repository, blob.digest).status_code == 202
        assert registry.blob(repository, blob.digest).status_code == 404

    def test_a_digest_that_is_not_of_the_content_is_refused(
        self, registry: RegistryClient, repository: str, blob: Blob
    ) -> None:
        """Field-notes, section 2: a wrong digest on any blob path → 400."""
        wrong = digest_of(b"other", "sha512")
        assert is_refused(registry.push_at_once(repository, wrong, blob.data), 400, "DIGEST_INVALID")
        location = registry.start_upload(repository, digest_algorithm="sha512").headers["location"]
        assert is_refused(registry.close_upload(location, wrong, blob.data), 400, "DIGEST_INVALID")

    def test_the_same_bytes_may_have_two_names(self, registry: RegistryClient, repository: str, blob: Blob) -> None:
        """Design, section 4: sha256 and sha512 of the same bytes are two."""
        registry.push_blob(repository, Blob(blob.data))
        assert registry.blob(repository, blob.digest).status_code == 404
        registry.push_blob(repository, blob)
        assert registry.delete_blob(repository, digest_of(blob.data)).status_code == 202
        assert registry.blob(repository, blob.digest).content == blob.data


class TestAnnouncedAlgorithm:
    """end-4c."""

    @pytest.mark.parametrize("algorithm", ["md5", "SHA512", "sha512 ", "blake3", "x" * 1000])
    def test_an_algorithm_that_is_unsupported_is_refused(
        self, registry: RegistryClient, repository: str, algorithm: str
    ) -> None:
        """If the digest uses an unsupported algorithm, the registry SHOULD respond 400 Bad Request."""
        answer = registry.start_upload(repository, digest_algorithm=algorithm)
        assert is_refused(answer, 400, "DIGEST_INVALID", "UNSUPPORTED")

    def test_the_default_can_be_announced(self, registry: RegistryClient, repository: str) -> None:
        """A digest algorithm other than sha256 SHOULD be announced; this one may."""
        location = registry.start_upload(repository, digest_algorithm="sha256").headers["location"]
        assert registry.close_upload(location, digest_of(b"plain"), b"plain").status_code == 201


class TestManifests:
    """sha512 works for manifests and tags."""

    @pytest.fixture
    def made(self, registry: RegistryClient, repository: str) -> TinyImage:
        """An image whose every descriptor is sha512, pushed by its sha512 digest."""
        made = tiny_image(repository, algorithm="sha512")
        registry.push_image(repository, made)
        return made

    def test_a_manifest_is_pulled_by_its_sha512(
        self, registry: RegistryClient, repository: str, made: TinyImage
    ) -> None:
        """The answer names the digest by which it was asked and pushed."""
        answer = registry.manifest(repository, made.digest)
        assert answer.content == made.manifest
        assert answer.headers["docker-content-digest"] == made.digest

    def test_a_tag_pushed_with_a_sha512_answers_the_sha512(
        self, registry: RegistryClient, repository: str, made: TinyImage
    ) -> None:
        """Field-notes, section 2: a sha512 push with tags makes the tag answer the sha512 digest."""
        answer = registry.push_manifest(repository, made.digest, made.manifest, made.media_type, tags=["a", "b"])
        assert (answer.status_code, answer.headers["docker-content-digest"]) == (201, made.digest)
        for tag in ("a", "b"):
            for method in ("GET", "HEAD"):
                assert registry.manifest(repository, tag, method).headers["docker-content-digest"] == made.digest

    def test_an_image_of_sha512_descriptors_is_pushed_by_a_tag(
        self, registry: RegistryClient, repository: str, made: TinyImage
    ) -> None:
        """A tag has no algorithm: the registry chooses the digest, which must be that of the bytes."""
        registry.tag(repository, "plain", made)
        answer = registry.manifest(repository, "plain")
        assert answer.content == made.manifest
        assert answer.headers["docker-content-digest"] in {made.digest, digest_of(made.manifest)}

    def test_an_index_names_its_children_by_sha512(
        self, registry: RegistryClient, repository: str, made: TinyImage
    ) -> None:
        """image-spec, Descriptors: any registered algorithm."""
        both = index(made, algorithm="sha512")
        registry.push_image(repository, both)
        assert registry.manifest(repository, both.digest).content == both.manifest

    def test_a_referrer_of_sha512(self, registry: RegistryClient, repository: str, made: TinyImage) -> None:
        """Descriptors of the list name it by the digest it was pushed by."""
        sbom = artifact("application/vnd.example.sbom.v1", subject=made, algorithm="sha512")
        assert registry.push_image(repository, sbom).headers["oci-subject"] == made.digest
        found = registry.referrers(repository, made.digest).json()["manifests"]
        assert [entry["digest"] for entry in found] == [sbom.digest]

    def test_a_deleted_manifest_of_sha512_is_gone_with_its_tags(
        self, registry: RegistryClient, repository: str, made: TinyImage
    ) -> None:
        """end-9."""
        registry.push_manifest(repository, made.digest, made.manifest, made.media_type, tags=["a"])
        assert registry.delete_manifest(repository, made.digest).status_code == 202
        assert registry.manifest(repository, made.digest).status_code == 404
        assert registry.manifest(repository, "a").status_code == 404
