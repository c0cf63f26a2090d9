"""Several workers behind one address: what one has acknowledged, every other knows (design, section 6).

Each request is a connection of its own here, so that any worker may get it; each claim is made several times over.
"""

from collections.abc import Iterator

import httpx
import pytest

from tests.conformance.claims import keeps_every_promise
from tests.conformance.deployments import SOCKET, Deployment, Deployments
from tests.support.client import RegistryClient
from tests.support.images import Blob, artifact, digest_of, index, random_bytes, tiny_image

OFTEN = 8


@pytest.fixture(scope="module")
def served(deployments: Deployments) -> Deployment:
    """An open registry of two workers."""
    return deployments.get(SOCKET, open=True, workers=2)


@pytest.fixture
def registry(served: Deployment) -> Iterator[RegistryClient]:
    """A client that never uses a connection twice."""
    hooks = {"response": [keeps_every_promise]}
    once = httpx.Limits(max_keepalive_connections=0)
    with httpx.Client(base_url=served.url, event_hooks=hooks, limits=once, trust_env=False, timeout=30) as http:
        yield RegistryClient(http)


class TestSeveralWorkers:
    """No answer from a cache that can be stale."""

    def test_a_tag_that_moved_has_moved_everywhere(self, registry: RegistryClient, repository: str) -> None:
        """A GET to an existing manifest URL MUST provide the expected manifest."""
        for turn in range(OFTEN):
            made = index(annotations={"turn": str(turn)})
            registry.push_image(repository, made, "v1")
            assert {registry.manifest(repository, "v1").content for _ in range(OFTEN)} == {made.manifest}

    def test_a_deleted_manifest_is_gone_everywhere_at_once(self, registry: RegistryClient, repository: str) -> None:
        """Field-notes, section 2: DELETE then HEAD is 404 at once."""
        for _ in range(OFTEN):
            made = index()
            registry.push_image(repository, made, "v1")
            assert registry.manifest(repository, "v1", "HEAD").status_code == 200
            assert registry.delete_manifest(repository, made.digest).status_code == 202
            answers = [registry.manifest(repository, name, "HEAD") for name in ("v1", made.digest) * OFTEN]
            assert {answer.status_code for answer in answers} == {404}

    @pytest.mark.parametrize("size", [100, 100_000])
    def test_a_deleted_blob_is_gone_everywhere_at_once(
        self, registry: RegistryClient, repository: str, size: int
    ) -> None:
        """Field-notes, section 4: a blob deleted from a repository is unreadable there, whatever caches say."""
        blob = Blob(random_bytes(repository, size))
        registry.push_blob(repository, blob)
        assert {registry.blob(repository, blob.digest).content for _ in range(OFTEN)} == {blob.data}
        assert registry.delete_blob(repository, blob.digest).status_code == 202
        assert {registry.blob(repository, blob.digest).status_code for _ in range(OFTEN)} == {404}

    def test_lists_are_the_same_everywhere(self, registry: RegistryClient, repository: str) -> None:
        """Content discovery right after the push."""
        subject = tiny_image(repository)
        registry.push_image(repository, subject, "v1")
        for number in range(OFTEN):
            sbom = artifact("application/vnd.example.sbom.v1", subject=subject, annotations={"n": str(number)})
            registry.push_image(repository, sbom, f"sbom-{number}")
            assert len(registry.tags(repository).json()["tags"]) == number + 2
            assert len(registry.referrers(repository, subject.digest).json()["manifests"]) == number + 1

    @pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
    def test_any_worker_continues_any_upload_session(
        self, registry: RegistryClient, repository: str, algorithm: str
    ) -> None:
        """Issue: several workers serve one data folder and can each continue any upload session."""
        data, step = random_bytes(repository, 16 * 1000), 1000
        location = registry.start_upload(repository, digest_algorithm=algorithm).headers["location"]
        for at in range(0, len(data), step):
            answer = registry.patch(location, data[at : at + step], at=at)
            assert (answer.status_code, answer.headers["range"]) == (202, f"0-{at + step - 1}")
            assert registry.upload_status(location).headers["range"] == f"0-{at + step - 1}"
        digest = digest_of(data, algorithm)
        assert [registry.close_upload(location, digest).status_code for _ in range(OFTEN)] == [201] * OFTEN
        assert registry.blob(repository, digest).content == data

    def test_a_canceled_upload_is_gone_everywhere(self, registry: RegistryClient, repository: str) -> None:
        """end-14."""
        location = registry.start_upload(repository).headers["location"]
        assert registry.patch(location, b"begun").status_code == 202
        assert registry.cancel_upload(location).status_code == 204
        assert {registry.upload_status(location).status_code for _ in range(OFTEN)} == {404}
