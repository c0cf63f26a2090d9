"""distribution-spec, Mounting a blob from another repository (end-11)."""

import pytest

from tests.conformance.claims import is_refused, is_relative
from tests.support.client import RegistryClient
from tests.support.images import Blob, digest_of, random_bytes


@pytest.fixture
def blob(registry: RegistryClient, other_repository: str) -> Blob:
    """A blob that only `other_repository` holds."""
    made = Blob(random_bytes(other_repository, 5000))
    registry.push_blob(other_repository, made)
    return made


class TestMounting:
    """end-11."""

    def test_a_mounted_blob_is_201_and_can_be_pulled(
        self, registry: RegistryClient, repository: str, other_repository: str, blob: Blob
    ) -> None:
        """The response to a successful mount MUST be 201 Created, and MUST contain the Location of the blob."""
        answer = registry.mount(repository, blob.digest, other_repository)
        assert answer.status_code == 201
        assert is_relative(answer.headers["location"])
        assert registry.request("GET", answer.headers["location"]).content == blob.data
        assert registry.blob(repository, blob.digest).content == blob.data

    @pytest.mark.parametrize("data", [b"", b"{}"])
    @pytest.mark.parametrize("is_named", [True, False])
    def test_the_smallest_blobs_are_mounted_too(
        self, registry: RegistryClient, repository: str, other_repository: str, data: bytes, *, is_named: bool
    ) -> None:
        """Field-notes, section 2: zero-byte blob through every path, `{}` blob."""
        registry.push_blob(other_repository, Blob(data))
        answer = registry.mount(repository, digest_of(data), other_repository if is_named else None)
        assert answer.status_code == 201
        assert registry.blob(repository, digest_of(data)).content == data

    def test_a_mount_names_the_digest(
        self, registry: RegistryClient, repository: str, other_repository: str, blob: Blob
    ) -> None:
        """The Docker-Content-Digest header returns the digest of the uploaded blob."""
        answer = registry.mount(repository, blob.digest, other_repository)
        assert answer.headers["docker-content-digest"] == blob.digest

    def test_a_mount_without_from_is_201_when_the_caller_may_pull_it_somewhere(
        self, registry: RegistryClient, repository: str, blob: Blob
    ) -> None:
        """Field-notes, section 2: anonymous mount → 201 when the caller may pull a repository that holds the blob."""
        assert registry.mount(repository, blob.digest).status_code == 201
        assert registry.blob(repository, blob.digest).content == blob.data

    def test_a_mount_into_the_repository_that_holds_it_is_201(
        self, registry: RegistryClient, other_repository: str, blob: Blob
    ) -> None:
        """A necessary blob exists already; nothing says that the other repository must be another."""
        assert registry.mount(other_repository, blob.digest, other_repository).status_code == 201
        assert registry.blob(other_repository, blob.digest).content == blob.data

    @pytest.mark.parametrize("source", ["there", "absent", None])
    def test_a_blob_that_cannot_be_found_is_202_with_a_session_that_works(
        self, registry: RegistryClient, repository: str, other_repository: str, source: str | None
    ) -> None:
        """If a registry is unable to mount the requested blob, it SHOULD return a 202: the upload session has begun."""
        registry.push_blob(other_repository, Blob(b"something else"))
        named = {"there": other_repository, "absent": f"{repository}-absent", None: None}[source]
        data = f"pushed after a mount to {repository}".encode()
        answer = registry.mount(repository, digest_of(data), named)
        assert answer.status_code == 202
        assert answer.headers["range"] == "0-0"
        assert registry.close_upload(answer.headers["location"], digest_of(data), data).status_code == 201
        assert registry.blob(repository, digest_of(data)).content == data

    def test_a_mount_from_a_repository_that_lacks_the_blob_takes_it_elsewhere_or_answers_202(
        self, registry: RegistryClient, repository: str, blob: Blob
    ) -> None:
        """The registry MAY treat `from` as optional, and it MAY cross-mount the blob if it can be found."""
        registry.push_blob(f"{repository}-without", Blob(b"something else"))
        answer = registry.mount(repository, blob.digest, f"{repository}-without")
        assert answer.status_code in {201, 202}
        assert registry.blob(repository, blob.digest).status_code == (200 if answer.status_code == 201 else 404)

    @pytest.mark.parametrize("digest", ["sha256:baddigeststring", "nothing", "md5:d41d8cd98f00b204e9800998ecf8427e"])
    def test_a_mount_of_a_malformed_digest_is_202_or_400(
        self, registry: RegistryClient, repository: str, other_repository: str, digest: str
    ) -> None:
        """Field-notes, sections 1 and 2: what cannot be mounted answers 202; a wrong digest is 400."""
        answer = registry.mount(repository, digest, other_repository)
        assert answer.status_code == 202 or is_refused(answer, 400, "DIGEST_INVALID")

    @pytest.mark.parametrize("source", ["", "UPPER/case", "../other", "a//b"])
    def test_a_mount_from_a_name_that_is_none_is_never_more_than_a_session(
        self, registry: RegistryClient, repository: str, source: str
    ) -> None:
        """Field-notes, section 1: a mount that cannot be done answers 202 with a session."""
        answer = registry.mount(repository, digest_of(repository.encode()), source)
        assert answer.status_code == 202 or is_refused(answer, 400, "NAME_INVALID")

    def test_a_mounted_blob_stays_when_its_source_goes(
        self, registry: RegistryClient, repository: str, other_repository: str, blob: Blob
    ) -> None:
        """A blob of a repository is deleted from that repository (end-10)."""
        registry.mount(repository, blob.digest, other_repository)
        assert registry.delete_blob(other_repository, blob.digest).status_code == 202
        assert registry.blob(repository, blob.digest).content == blob.data

    @pytest.mark.parametrize("is_named", [True, False])
    def test_a_deleted_blob_cannot_be_mounted(
        self, registry: RegistryClient, repository: str, other_repository: str, blob: Blob, *, is_named: bool
    ) -> None:
        """Field-notes, section 4: a blob deleted from a repository is unreadable there, whatever caches say."""
        assert registry.delete_blob(other_repository, blob.digest).status_code == 202
        answer = registry.mount(repository, blob.digest, other_repository if is_named else None)
        assert answer.status_code == 202
        assert registry.blob(repository, blob.digest).status_code == 404

    def test_an_unfinished_upload_cannot_be_mounted(
        self, registry: RegistryClient, repository: str, other_repository: str
    ) -> None:
        """It exists in another repository once its session is closed."""
        data = f"never closed in {repository}".encode()
        registry.patch(registry.start_upload(other_repository).headers["location"], data)
        assert registry.mount(repository, digest_of(data), other_repository).status_code == 202
        assert registry.mount(repository, digest_of(data)).status_code == 202

    def test_a_manifest_is_not_mounted_as_a_blob(
        self, registry: RegistryClient, repository: str, other_repository: str
    ) -> None:
        """A blob is what was pushed as a blob."""
        manifest = b'{"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": []}'
        answer = registry.push_manifest(
            other_repository, digest_of(manifest), manifest, "application/vnd.oci.image.index.v1+json"
        )
        assert answer.status_code == 201
        assert registry.mount(repository, digest_of(manifest), other_repository).status_code == 202
