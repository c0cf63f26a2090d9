"""distribution-spec, Checking if content exists in the registry."""

import httpx
import pytest

from tests.conformance.deployments import Standing
from tests.support.client import RegistryClient
from tests.support.images import Blob, digest_of, random_bytes

# They differ between any two answers, or belong to one connection.
OF_THE_MOMENT = {"date", "connection", "keep-alive", "server", "x-request-id"}


class TestCheckingExistence:
    """HEAD of end-2 and end-3."""

    @pytest.mark.parametrize("reference", ["v1", None])
    def test_an_existing_manifest_is_200(
        self, registry: RegistryClient, standing: Standing, reference: str | None
    ) -> None:
        """A HEAD request to an existing blob or manifest URL MUST return 200 OK."""
        answer = registry.manifest(standing.repository, reference or standing.image.digest, "HEAD")
        assert answer.status_code == 200
        assert answer.content == b""

    @pytest.mark.parametrize("reference", ["v1", None])
    def test_the_answer_for_a_manifest_tells_digest_and_size(
        self, registry: RegistryClient, standing: Standing, reference: str | None
    ) -> None:
        """A successful response MUST contain Docker-Content-Digest and the size in Content-Length."""
        answer = registry.manifest(standing.repository, reference or standing.image.digest, "HEAD")
        assert answer.headers["docker-content-digest"] == standing.image.digest
        assert answer.headers["content-length"] == str(len(standing.image.manifest))

    @pytest.mark.parametrize("size", [0, 2, 4096, 4097, 300_000])
    def test_an_existing_blob_is_200_and_tells_digest_and_size(
        self, registry: RegistryClient, repository: str, size: int
    ) -> None:
        """A successful response MUST contain Docker-Content-Digest and the size in Content-Length."""
        blob = Blob(random_bytes(repository, size))
        registry.push_blob(repository, blob)
        answer = registry.blob(repository, blob.digest, "HEAD")
        assert (answer.status_code, answer.content) == (200, b"")
        assert answer.headers["docker-content-digest"] == blob.digest
        assert answer.headers["content-length"] == str(size)

    def test_what_is_not_there_is_404(self, registry: RegistryClient, standing: Standing) -> None:
        """If the blob or manifest is not found in the repository, the response code MUST be 404 Not Found."""
        absent = digest_of(b"never pushed")
        answers = [
            registry.manifest(standing.repository, "v2", "HEAD"),
            registry.manifest(standing.repository, absent, "HEAD"),
            registry.blob(standing.repository, absent, "HEAD"),
            registry.blob(f"{standing.repository}-absent", standing.image.config.digest, "HEAD"),
            registry.manifest(f"{standing.repository}-absent", "v1", "HEAD"),
        ]
        assert [answer.status_code for answer in answers] == [404] * 5
        assert [answer.content for answer in answers] == [b""] * 5


class TestHeadEqualsGet:
    """Field-notes, section 2: HEAD and GET carry identical headers."""

    @pytest.mark.parametrize("reference", ["v1", None])
    def test_of_a_manifest(self, registry: RegistryClient, standing: Standing, reference: str | None) -> None:
        """RFC 9110, section 9.3.2: the server SHOULD send the same header fields as for a GET."""
        url = f"/v2/{standing.repository}/manifests/{reference or standing.image.digest}"
        assert _lasting(registry.request("HEAD", url)) == _lasting(registry.request("GET", url))

    @pytest.mark.parametrize("size", [0, 2, 300_000])
    def test_of_a_blob(self, registry: RegistryClient, repository: str, size: int) -> None:
        """RFC 9110, section 9.3.2: the server SHOULD send the same header fields as for a GET."""
        blob = Blob(random_bytes(repository, size))
        registry.push_blob(repository, blob)
        head, get = registry.blob(repository, blob.digest, "HEAD"), registry.blob(repository, blob.digest)
        assert _lasting(head) == _lasting(get)

    @pytest.mark.parametrize(
        "endpoint", ["", "{name}/tags/list", "{name}/tags/list?n=1", "{name}/referrers/{digest}", "_catalog?n=1"]
    )
    def test_of_every_list(self, registry: RegistryClient, standing: Standing, endpoint: str) -> None:
        """RFC 9110, section 9.3.2: the server SHOULD send the same header fields as for a GET."""
        url = "/v2/" + endpoint.format(name=standing.repository, digest=standing.image.digest)
        head, get = registry.request("HEAD", url), registry.request("GET", url)
        assert (head.status_code, head.content) == (200, b"")
        assert _lasting(head) == _lasting(get)

    @pytest.mark.parametrize("absent", ["manifests/v2", f"manifests/{digest_of(b'-')}", f"blobs/{digest_of(b'-')}"])
    def test_of_what_is_not_there(self, registry: RegistryClient, standing: Standing, absent: str) -> None:
        """RFC 9110, section 9.3.2: the server SHOULD send the same header fields as for a GET."""
        head = registry.request("HEAD", f"/v2/{standing.repository}/{absent}")
        get = registry.request("GET", f"/v2/{standing.repository}/{absent}")
        assert head.status_code == get.status_code == 404
        assert _lasting(head) == _lasting(get)


def _lasting(answer: httpx.Response) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name not in OF_THE_MOMENT}
