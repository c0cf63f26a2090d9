"""distribution-spec, Pushing a blob monolithically (end-4a, end-4b, end-6)."""

import re

import httpx
import pytest

from tests.conformance.claims import is_refused, is_relative
from tests.support.client import RegistryClient
from tests.support.images import Blob, digest_of, random_bytes

UUID = re.compile(r"[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}")
# Nothing, the empty JSON object, and sizes around those at which a registry may change its way of keeping bytes.
CONTENTS = {
    "zero bytes": b"",
    "an empty object": b"{}",
    "one byte": b"x",
    "4 KiB": random_bytes("4 KiB", 4096),
    "4 KiB and a byte": random_bytes("4 KiB and a byte", 4097),
    "64 KiB": random_bytes("64 KiB", 65536),
    "over 1 MiB": random_bytes("over 1 MiB", 2**20 + 1),
}
BAD_DIGESTS = [
    "sha256:baddigeststring",
    "sha256:",
    "sha256",
    "",
    ":",
    "a" * 64,
    "md5:d41d8cd98f00b204e9800998ecf8427e",
    f"sha256:{'A' * 64}",
    f"sha256:{'a' * 63}",
    f"sha256:{'a' * 65}",
    f"sha512:{'a' * 64}",
    f"SHA256:{'a' * 64}",
    f"unknown+alg:{'a' * 64}",
]


@pytest.fixture(params=CONTENTS)
def blob(request: pytest.FixtureRequest) -> Blob:
    """Content of each kind, not pushed yet."""
    return Blob(CONTENTS[request.param])


def post_then_put(registry: RegistryClient, repository: str, blob: Blob) -> httpx.Response:
    """The answer to the PUT."""
    location = registry.start_upload(repository).headers["location"]
    return registry.close_upload(location, blob.digest, blob.data)


class TestPostThenPut:
    """end-4a, then end-6."""

    def test_a_post_opens_a_session_at_a_location(self, registry: RegistryClient, repository: str) -> None:
        """Upon success, the response MUST have a code of 202 Accepted, and MUST include the Location header."""
        answer = registry.start_upload(repository)
        assert answer.status_code == 202
        assert answer.headers["location"]

    def test_the_location_contains_a_unique_uuid(self, registry: RegistryClient, repository: str) -> None:
        """The location MUST contain a UUID representing a unique session ID for the upload to follow."""
        found = [UUID.search(registry.start_upload(repository).headers["location"]) for _ in range(3)]
        assert None not in found
        assert len({match[0] for match in found if match}) == 3

    def test_the_location_is_relative(self, registry: RegistryClient, repository: str) -> None:
        """Field-notes, section 1: `Location` is relative, which ends the http/https/port class of bugs."""
        assert is_relative(registry.start_upload(repository).headers["location"])

    def test_the_answer_names_the_session_for_docker(self, registry: RegistryClient, repository: str) -> None:
        """Field-notes, section 1: docker reads `Docker-Upload-UUID`."""
        answer = registry.start_upload(repository)
        assert answer.headers["docker-upload-uuid"] in answer.headers["location"]

    def test_a_new_session_holds_nothing(self, registry: RegistryClient, repository: str) -> None:
        """Field-notes, section 2: `Range: 0-0` means empty as well as one byte; the `0-` prefix always."""
        assert registry.start_upload(repository).headers["range"] == "0-0"

    def test_a_put_of_the_whole_blob_completes_it(self, registry: RegistryClient, repository: str, blob: Blob) -> None:
        """Upon successful completion of the request, the response MUST have code 201 Created."""
        assert post_then_put(registry, repository, blob).status_code == 201
        assert registry.blob(repository, blob.digest).content == blob.data

    def test_the_location_of_a_completed_blob_can_be_pulled(
        self, registry: RegistryClient, repository: str, blob: Blob
    ) -> None:
        """The response MUST have a Location, with `<blob-location>` being a pullable blob URL."""
        answer = post_then_put(registry, repository, blob)
        assert is_relative(answer.headers["location"])
        assert registry.request("GET", answer.headers["location"]).content == blob.data
        assert answer.headers["docker-content-digest"] == blob.digest

    def test_a_put_of_unannounced_length_completes_the_blob(
        self, registry: RegistryClient, repository: str, blob: Blob
    ) -> None:
        """RFC 9112, section 6.1: a recipient MUST be able to parse the chunked transfer coding."""
        location = registry.start_upload(repository).headers["location"]
        answer = registry.close_upload(location, blob.digest, [blob.data[:100], blob.data[100:]])
        assert answer.status_code == 201
        assert registry.blob(repository, blob.digest).content == blob.data

    def test_the_first_push_makes_the_repository(self, registry: RegistryClient, repository: str) -> None:
        """A repository is a scope for API calls, not something made beforehand (Definitions)."""
        assert registry.tags(repository).status_code == 404
        assert post_then_put(registry, repository, Blob(b"first")).status_code == 201
        assert registry.blob(repository, digest_of(b"first")).status_code == 200

    def test_pushing_a_blob_twice_succeeds_twice(self, registry: RegistryClient, repository: str, blob: Blob) -> None:
        """distribution-spec, Layer Upload De-duplication: even in the case where both uploads are accepted."""
        answers = [post_then_put(registry, repository, blob) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [201, 201]
        assert registry.blob(repository, blob.digest).content == blob.data

    def test_a_digest_that_is_not_of_the_content_is_refused(
        self, registry: RegistryClient, repository: str, blob: Blob
    ) -> None:
        """Field-notes, section 2: a wrong digest on any blob path → 400."""
        location = registry.start_upload(repository).headers["location"]
        wrong = digest_of(repository.encode())
        assert is_refused(registry.close_upload(location, wrong, blob.data), 400, "DIGEST_INVALID")
        assert registry.blob(repository, wrong).status_code == 404

    @pytest.mark.parametrize("digest", BAD_DIGESTS)
    def test_an_invalid_digest_or_unsupported_algorithm_is_refused(
        self, registry: RegistryClient, repository: str, digest: str
    ) -> None:
        """If the digest is invalid or uses an unsupported algorithm, the registry SHOULD respond 400 Bad Request."""
        location = registry.start_upload(repository).headers["location"]
        assert is_refused(registry.close_upload(location, digest, b"content"), 400, "DIGEST_INVALID")

    def test_a_put_without_a_digest_is_refused(self, registry: RegistryClient, repository: str) -> None:
        """The closing PUT request MUST include the digest of the whole blob as a query parameter."""
        location = registry.start_upload(repository).headers["location"]
        assert is_refused(registry.request("PUT", location, content=b"content"), 400, "DIGEST_INVALID")


class TestSinglePost:
    """end-4b."""

    def test_one_post_completes_the_blob(self, registry: RegistryClient, repository: str, blob: Blob) -> None:
        """Field-notes, section 2: single POST `?digest=` → 201 (a 202 counts as unsupported)."""
        answer = registry.push_at_once(repository, blob.digest, blob.data)
        assert answer.status_code == 201
        assert registry.blob(repository, blob.digest).content == blob.data

    def test_its_location_can_be_pulled(self, registry: RegistryClient, repository: str, blob: Blob) -> None:
        """Successful completion MUST return 201 Created and MUST include the Location header."""
        answer = registry.push_at_once(repository, blob.digest, blob.data)
        assert is_relative(answer.headers["location"])
        assert registry.request("GET", answer.headers["location"]).content == blob.data
        assert answer.headers["docker-content-digest"] == blob.digest

    def test_a_digest_that_is_not_of_the_content_is_refused(
        self, registry: RegistryClient, repository: str, blob: Blob
    ) -> None:
        """The `<digest>` MUST match the blob's digest."""
        wrong = digest_of(repository.encode())
        assert is_refused(registry.push_at_once(repository, wrong, blob.data), 400, "DIGEST_INVALID")
        assert registry.blob(repository, wrong).status_code == 404
        assert registry.blob(repository, blob.digest).status_code == 404

    @pytest.mark.parametrize("digest", [digest for digest in BAD_DIGESTS if digest])
    def test_an_invalid_digest_or_unsupported_algorithm_is_refused(
        self, registry: RegistryClient, repository: str, digest: str
    ) -> None:
        """If the digest is invalid or uses an unsupported algorithm, the registry SHOULD respond 400 Bad Request."""
        assert is_refused(registry.push_at_once(repository, digest, b"content"), 400, "DIGEST_INVALID")
