"""distribution-spec, Pushing a blob in chunks (end-4a, end-5, end-6)."""

from collections.abc import Iterator

import pytest

from tests.conformance.claims import is_refused, is_relative
from tests.support.client import RegistryClient
from tests.support.images import Blob, digest_of, random_bytes

MIB = 2**20


@pytest.fixture
def location(registry: RegistryClient, repository: str) -> str:
    """An upload session without a byte."""
    answer = registry.request("POST", f"/v2/{repository}/blobs/uploads/", headers={"Content-Length": "0"})
    assert answer.status_code == 202
    return answer.headers["location"]


def pieces(data: bytes, size: int) -> Iterator[bytes]:
    """`data` cut into chunks of `size`, the last shorter."""
    return (data[start : start + size] for start in range(0, len(data), size))


class TestChunks:
    """end-5: PATCH."""

    def test_a_chunk_is_accepted_and_tells_where_it_ends(self, registry: RegistryClient, location: str) -> None:
        """The response MUST be 202 Accepted, and MUST have the headers Location and `Range: 0-<end-of-range>`."""
        answer = registry.patch(location, b"0123456789", at=0)
        assert answer.status_code == 202
        assert is_relative(answer.headers["location"])
        assert answer.headers["range"] == "0-9"

    def test_a_chunk_is_answered_with_the_session_for_docker(self, registry: RegistryClient, location: str) -> None:
        """Field-notes, section 1: docker reads Range, Location and Docker-Upload-UUID of the PATCH answer."""
        answer = registry.patch(location, b"0123456789", at=0)
        assert answer.headers["docker-upload-uuid"] in answer.headers["location"]

    @pytest.mark.parametrize(("size", "said"), [(0, "0-0"), (1, "0-0"), (2, "0-1"), (70_000, "0-69999")])
    def test_the_range_is_exact_and_without_a_unit(
        self, registry: RegistryClient, location: str, size: int, said: str
    ) -> None:
        """Field-notes, section 2: `0-0` means empty as well as one byte, the exact N otherwise, never `bytes=0-N`."""
        assert registry.patch(location, b"x" * size).headers["range"] == said

    @pytest.mark.parametrize("size", [1, 7, 50])
    def test_chunks_in_order_make_the_blob(
        self, registry: RegistryClient, repository: str, location: str, size: int
    ) -> None:
        """Chunks MUST be uploaded in order, with the first byte of a chunk being the last `<end-of-range>` plus one."""
        blob, sent, at = Blob(random_bytes(repository, 50)), location, 0
        for piece in pieces(blob.data, size):
            answer = registry.patch(sent, piece, at=at)
            assert answer.status_code == 202
            sent, at = answer.headers["location"], at + len(piece)
            assert answer.headers["range"] == f"0-{at - 1}"
        assert registry.close_upload(sent, blob.digest).status_code == 201
        assert registry.blob(repository, blob.digest).content == blob.data

    @pytest.mark.parametrize("size", [MIB - 1, MIB, MIB + 1, 3 * MIB + 5])
    def test_chunks_of_any_size_are_kept_whole(
        self, registry: RegistryClient, repository: str, location: str, size: int
    ) -> None:
        """Sizes on either side of what a registry gathers before it writes."""
        blob = Blob(random_bytes(repository, 2 * size + 3))
        registry.patch(location, blob.data[:size], at=0)
        registry.patch(location, blob.data[size : 2 * size], at=size)
        answer = registry.close_upload(location, blob.digest, blob.data[2 * size :], at=2 * size)
        assert answer.status_code == 201
        assert registry.blob(repository, blob.digest).content == blob.data

    def test_a_chunk_without_a_content_range_appends(
        self, registry: RegistryClient, repository: str, location: str
    ) -> None:
        """Field-notes, section 1: crane, ko and kaniko send PATCH without Content-Range; it appends."""
        assert registry.patch(location, b"first ").headers["range"] == "0-5"
        assert registry.patch(location, b"second").headers["range"] == "0-11"
        assert registry.close_upload(location, digest_of(b"first second")).status_code == 201
        assert registry.blob(repository, digest_of(b"first second")).content == b"first second"

    def test_a_streamed_chunk_of_unknown_length_is_kept_whole(
        self, registry: RegistryClient, repository: str, location: str
    ) -> None:
        """Field-notes, section 1: docker sends one PATCH, chunked transfer, size unknown."""
        blob = Blob(random_bytes(repository, 3 * MIB + 17))
        answer = registry.patch(location, pieces(blob.data, 60_000))
        assert answer.status_code == 202
        assert answer.headers["range"] == f"0-{blob.size - 1}"
        assert registry.close_upload(location, blob.digest).status_code == 201
        assert registry.blob(repository, blob.digest).content == blob.data

    def test_a_streamed_chunk_byte_by_byte_is_kept_whole(
        self, registry: RegistryClient, repository: str, location: str
    ) -> None:
        """The same with the smallest pieces there are."""
        data = random_bytes(repository, 300)
        assert registry.patch(location, pieces(data, 1)).headers["range"] == "0-299"
        assert registry.close_upload(location, digest_of(data)).status_code == 201
        assert registry.blob(repository, digest_of(data)).content == data

    def test_an_empty_chunk_changes_nothing(self, registry: RegistryClient, repository: str, location: str) -> None:
        """Field-notes, section 2: zero-byte blob through every path."""
        assert registry.patch(location, b"").status_code == 202
        assert registry.close_upload(location, digest_of(b"")).status_code == 201
        assert registry.blob(repository, digest_of(b"")).content == b""

    def test_the_first_chunk_begins_at_zero(self, registry: RegistryClient, location: str) -> None:
        """The first chunk's range MUST begin with 0."""
        assert is_refused(registry.patch(location, b"late", at=5), 416, "BLOB_UPLOAD_INVALID", "SIZE_INVALID")

    @pytest.mark.parametrize("content_range", ["", "x-y", "5", "-5", "5-", "9-0", "0-9-", "0--9", "bytes", "½-9"])
    def test_a_content_range_outside_the_grammar_is_refused(
        self, registry: RegistryClient, location: str, content_range: str
    ) -> None:
        """It MUST match the regular expression `^[0-9]+-[0-9]+$`."""
        headers = {"Content-Range": content_range.encode()}
        answer = registry.request("PATCH", location, content=b"0123456789", headers=headers)
        assert is_refused(answer, {400, 416}, "BLOB_UPLOAD_INVALID", "SIZE_INVALID")
        assert registry.upload_status(location).headers["range"] == "0-0"

    @pytest.mark.parametrize("content_range", ["0-4", "0-10", "0-99999999999999999999"])
    def test_a_content_range_of_another_length_than_the_chunk_is_refused(
        self, registry: RegistryClient, repository: str, location: str, content_range: str
    ) -> None:
        """The range MUST be inclusive on both ends, and `<length>` is the content-length of the current chunk."""
        answer = registry.patch(location, b"0123456789", at=content_range)
        assert is_refused(answer, {400, 416}, "BLOB_UPLOAD_INVALID", "SIZE_INVALID")
        assert registry.upload_status(location).status_code == 204


class TestOutOfOrder:
    """Field-notes, section 2: out-of-order PATCH → 416, out-of-order closing PUT → 416, the session survives both."""

    @pytest.mark.parametrize("at", [0, 5, 9, 11, 100])
    def test_a_chunk_out_of_order_is_416(self, registry: RegistryClient, location: str, at: int) -> None:
        """If a chunk is uploaded out of order, the registry MUST respond with 416 Requested Range Not Satisfiable."""
        registry.patch(location, b"0123456789", at=0)
        assert is_refused(registry.patch(location, b"abcde", at=at), 416, "BLOB_UPLOAD_INVALID", "SIZE_INVALID")

    def test_a_416_says_where_to_continue(self, registry: RegistryClient, location: str) -> None:
        """Field-notes, section 1: every 416 carries `Location` and `Range`."""
        registry.patch(location, b"0123456789", at=0)
        answer = registry.patch(location, b"abcde", at=20)
        assert is_relative(answer.headers["location"])
        assert answer.headers["range"] == "0-9"

    def test_the_session_survives_a_chunk_out_of_order(
        self, registry: RegistryClient, repository: str, location: str
    ) -> None:
        """A GET request may be used to retrieve the current valid offset and upload location."""
        registry.patch(location, b"0123456789", at=0)
        refused = registry.patch(location, b"abcde", at=0)
        answer = registry.patch(refused.headers["location"], b"abcde", at=10)
        assert (answer.status_code, answer.headers["range"]) == (202, "0-14")
        assert registry.close_upload(location, digest_of(b"0123456789abcde")).status_code == 201
        assert registry.blob(repository, digest_of(b"0123456789abcde")).content == b"0123456789abcde"

    @pytest.mark.parametrize("at", [0, 9, 11])
    def test_a_final_chunk_out_of_order_is_416(self, registry: RegistryClient, location: str, at: int) -> None:
        """If the final chunk is uploaded out of order, the registry MUST respond with 416."""
        registry.patch(location, b"0123456789", at=0)
        answer = registry.close_upload(location, digest_of(b"0123456789abcde"), b"abcde", at=at)
        assert is_refused(answer, 416, "BLOB_UPLOAD_INVALID", "SIZE_INVALID")
        assert is_relative(answer.headers["location"])
        assert answer.headers["range"] == "0-9"

    def test_the_session_survives_a_final_chunk_out_of_order(
        self, registry: RegistryClient, repository: str, location: str
    ) -> None:
        """Field-notes, section 2: and the session survives both."""
        whole = digest_of(b"0123456789abcde")
        registry.patch(location, b"0123456789", at=0)
        refused = registry.close_upload(location, whole, b"abcde", at=3)
        assert refused.status_code == 416
        assert registry.close_upload(refused.headers["location"], whole, b"abcde", at=10).status_code == 201
        assert registry.blob(repository, whole).content == b"0123456789abcde"


class TestClosing:
    """end-6: PUT."""

    def test_the_final_chunk_may_come_with_the_put(
        self, registry: RegistryClient, repository: str, location: str
    ) -> None:
        """The final chunk MAY be uploaded using a PATCH request or it MAY be uploaded in the closing PUT request."""
        registry.patch(location, b"0123456789", at=0)
        answer = registry.close_upload(location, digest_of(b"0123456789abcde"), b"abcde", at=10)
        assert answer.status_code == 201
        assert registry.request("GET", answer.headers["location"]).content == b"0123456789abcde"

    def test_the_final_chunk_may_come_with_the_put_without_a_range(
        self, registry: RegistryClient, repository: str, location: str
    ) -> None:
        """Content-Range is `<range of chunk, if present>`."""
        registry.patch(location, b"0123456789")
        assert registry.close_upload(location, digest_of(b"0123456789abcde"), b"abcde").status_code == 201
        assert registry.blob(repository, digest_of(b"0123456789abcde")).content == b"0123456789abcde"

    def test_the_location_of_the_closed_session_can_be_pulled(self, registry: RegistryClient, location: str) -> None:
        """The response MUST be 201 Created and MUST contain a Location, `<blob-location>` being pullable."""
        registry.patch(location, b"chunk", at=0)
        answer = registry.close_upload(location, digest_of(b"chunk"))
        assert answer.status_code == 201
        assert registry.request("GET", answer.headers["location"]).content == b"chunk"

    def test_the_digest_is_that_of_the_whole_blob(self, registry: RegistryClient, location: str) -> None:
        """The closing PUT request MUST include the digest of the whole blob (not the final chunk)."""
        registry.patch(location, b"0123456789", at=0)
        answer = registry.close_upload(location, digest_of(b"abcde"), b"abcde", at=10)
        assert is_refused(answer, 400, "DIGEST_INVALID")

    def test_a_blob_is_not_there_before_the_put(self, registry: RegistryClient, repository: str, location: str) -> None:
        """The session MUST be closed with a PUT request."""
        registry.patch(location, b"not yet", at=0)
        assert registry.blob(repository, digest_of(b"not yet")).status_code == 404
        assert registry.blob(repository, digest_of(b"not yet"), "HEAD").status_code == 404
