"""distribution-spec, Pulling blobs (end-2), and RFC 9110, section 14, for their ranges."""

import os

import pytest

from tests.conformance.claims import is_refused
from tests.support.client import RegistryClient
from tests.support.images import Blob, digest_of, random_bytes

# On either side of what a registry may keep in a row, send in one write, or hand to the kernel.
SIZES = {"a row": 3000, "a write": 40_000, "a file": 300_000}

# Every form of range that has an answer, of 3000 bytes: first byte, and byte after the last.
SATISFIABLE = {
    "bytes=500-1499": (500, 1500),
    "bytes=500-": (500, None),
    "bytes=-500": (-500, None),
    "bytes=0-0": (0, 1),
    "bytes=0-": (0, None),
    "bytes=-1": (-1, None),
}


@pytest.fixture(scope="module")
def repository() -> str:
    """A repository of blobs that tests only read."""
    return f"conformance/blobs-p{os.getpid()}"


@pytest.fixture(scope="module", params=SIZES)
def blob(request: pytest.FixtureRequest, registry: RegistryClient, repository: str) -> Blob:
    """A pushed blob of each size."""
    made = Blob(random_bytes(repository, SIZES[request.param]))
    registry.push_blob(repository, made)
    return made


@pytest.fixture(scope="module")
def empty(registry: RegistryClient, repository: str) -> Blob:
    """A pushed blob of no byte."""
    registry.push_blob(repository, Blob(b""))
    return Blob(b"")


class TestPullingBlobs:
    """end-2."""

    def test_a_blob_is_pulled(self, registry: RegistryClient, repository: str, blob: Blob) -> None:
        """A GET request to an existing blob URL MUST provide the expected blob, with 200 OK."""
        answer = registry.blob(repository, blob.digest)
        assert answer.status_code == 200
        assert answer.content == blob.data
        assert answer.headers["content-length"] == str(blob.size)

    def test_the_answer_names_the_digest_of_its_body(
        self, registry: RegistryClient, repository: str, blob: Blob
    ) -> None:
        """A successful response MUST contain the digest in Docker-Content-Digest, and it MUST match the body."""
        answer = registry.blob(repository, blob.digest)
        assert answer.headers["docker-content-digest"] == digest_of(answer.content)

    def test_an_empty_blob_is_pulled(self, registry: RegistryClient, repository: str, empty: Blob) -> None:
        """Field-notes, section 2: zero-byte blob through every path."""
        answer = registry.blob(repository, empty.digest)
        assert (answer.status_code, answer.content, answer.headers["content-length"]) == (200, b"", "0")

    @pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
    def test_an_unknown_blob_is_404(
        self, registry: RegistryClient, repository: str, empty: Blob, algorithm: str
    ) -> None:
        """If the blob is not found in the repository, the response code MUST be 404 Not Found."""
        assert registry.blob(repository, empty.digest).status_code == 200
        answer = registry.blob(repository, digest_of(b"never pushed", algorithm))
        assert is_refused(answer, 404, "BLOB_UNKNOWN")

    def test_a_blob_of_an_unknown_repository_is_404(self, registry: RegistryClient, repository: str) -> None:
        """An attempt to pull a nonexistent repository MUST return response code 404 Not Found."""
        answer = registry.blob(f"{repository}-absent", digest_of(b"never pushed"))
        assert is_refused(answer, 404, "NAME_UNKNOWN", "BLOB_UNKNOWN")

    def test_a_blob_is_not_pulled_from_another_repository(
        self, registry: RegistryClient, repository: str, blob: Blob
    ) -> None:
        """Field-notes, section 4: no cross-repository read through dedupe."""
        registry.push_blob(f"{repository}-other", Blob(b"something else"))
        assert registry.blob(repository, blob.digest).status_code == 200
        assert is_refused(registry.blob(f"{repository}-other", blob.digest), 404, "BLOB_UNKNOWN")

    def test_a_malformed_digest_is_400_or_404(self, registry: RegistryClient, repository: str) -> None:
        """Field-notes, section 2: `sha256:baddigeststring` → GET 400 or 404."""
        answer = registry.blob(repository, "sha256:baddigeststring")
        assert is_refused(answer, {400, 404}, "DIGEST_INVALID", "BLOB_UNKNOWN", "NAME_UNKNOWN")

    @pytest.mark.parametrize("encodings", ["gzip", "zstd, gzip", "br;q=1.0, *;q=0.1"])
    def test_a_blob_is_never_encoded(self, registry: RegistryClient, repository: str, encodings: str) -> None:
        """Field-notes, section 1: containerd offers `Accept-Encoding: zstd, gzip` for blobs too; never encode one."""
        text = Blob(b"compressible " * 10_000, "text/plain")
        registry.push_blob(repository, text)
        answer = registry.blob(repository, text.digest, headers={"Accept-Encoding": encodings})
        assert "content-encoding" not in answer.headers
        assert answer.content == text.data


class TestRanges:
    """A registry SHOULD support the Range request header in accordance with RFC 9110, section 14."""

    @pytest.mark.parametrize("wanted", SATISFIABLE)
    def test_a_satisfiable_range_is_206_with_exactly_its_bytes(
        self, registry: RegistryClient, repository: str, blob: Blob, wanted: str
    ) -> None:
        """Field-notes, section 2: `500-1499`, `500-`, `-500` → 206 with exact lengths."""
        start, end = SATISFIABLE[wanted]
        part = blob.data[start:end]
        answer = registry.blob(repository, blob.digest, headers={"Range": wanted})
        assert answer.status_code == 206
        assert answer.content == part
        assert answer.headers["content-length"] == str(len(part))
        first = start if start >= 0 else blob.size + start
        assert answer.headers["content-range"] == f"bytes {first}-{first + len(part) - 1}/{blob.size}"

    def test_a_range_that_reaches_beyond_the_end_is_clipped(
        self, registry: RegistryClient, repository: str, blob: Blob
    ) -> None:
        """Field-notes, section 2: `2000-5000` (clipped) → 206."""
        start, last = blob.size - 1000, blob.size + 2000
        answer = registry.blob(repository, blob.digest, headers={"Range": f"bytes={start}-{last}"})
        assert answer.status_code == 206
        assert answer.content == blob.data[start:]
        assert answer.headers["content-length"] == "1000"
        assert answer.headers["content-range"] == f"bytes {start}-{blob.size - 1}/{blob.size}"

    def test_a_suffix_longer_than_the_blob_is_the_whole_blob(
        self, registry: RegistryClient, repository: str, blob: Blob
    ) -> None:
        """RFC 9110, section 14.1.2: if shorter than the suffix length, the entire representation is used."""
        answer = registry.blob(repository, blob.digest, headers={"Range": f"bytes=-{blob.size * 2}"})
        assert answer.status_code in {200, 206}
        assert answer.content == blob.data

    def test_the_last_byte_alone_is_a_range(self, registry: RegistryClient, repository: str, blob: Blob) -> None:
        """RFC 9110, section 14.1.2: byte offsets start at zero and ends are inclusive."""
        last = blob.size - 1
        answer = registry.blob(repository, blob.digest, headers={"Range": f"bytes={last}-{last}"})
        assert (answer.status_code, answer.content) == (206, blob.data[-1:])

    @pytest.mark.parametrize(
        "wanted", ["bytes=500-0", "bytes=-0", "bytes={size}-", "bytes={size}-{size}", "bytes=9999999999999-"]
    )
    def test_an_unsatisfiable_range_is_416_and_tells_the_size(
        self, registry: RegistryClient, repository: str, blob: Blob, wanted: str
    ) -> None:
        """Field-notes, section 2: `500-0` and beyond the end → 416."""
        answer = registry.blob(repository, blob.digest, headers={"Range": wanted.format(size=blob.size)})
        assert is_refused(answer, 416, "SIZE_INVALID", "UNSUPPORTED", "BLOB_UNKNOWN", "BLOB_UPLOAD_INVALID")
        assert answer.headers["content-range"] == f"bytes */{blob.size}"

    def test_a_range_of_an_empty_blob_cannot_be_satisfied(
        self, registry: RegistryClient, repository: str, empty: Blob
    ) -> None:
        """RFC 9110, section 14.1.2: a first position is satisfiable only below the length."""
        answer = registry.blob(repository, empty.digest, headers={"Range": "bytes=0-0"})
        assert answer.status_code == 416
        assert answer.headers["content-range"] == "bytes */0"

    @pytest.mark.parametrize("wanted", ["bytes=0-0,5-9", "bytes=5-9, 0-3, -1"])
    def test_several_ranges_never_yield_wrong_bytes(
        self, registry: RegistryClient, repository: str, blob: Blob, wanted: str
    ) -> None:
        """RFC 9110, section 14.2: a server MAY ignore the field; field-notes: some frameworks merge ranges wrongly."""
        answer = registry.blob(repository, blob.digest, headers={"Range": wanted})
        is_multipart = answer.headers.get("content-type", "").startswith("multipart/byteranges")
        assert is_multipart or (answer.status_code, answer.content) == (200, blob.data)

    @pytest.mark.parametrize(
        "wanted", ["bytes", "bytes=", "bytes=x-y", "bytes=5", "bytes=--5", "items=0-5", "bytes=0x0-0x5", "0-5"]
    )
    def test_a_malformed_range_is_ignored_or_refused(
        self, registry: RegistryClient, repository: str, blob: Blob, wanted: str
    ) -> None:
        """RFC 9110, section 14.2: an unknown unit is ignored, an invalid one MAY be ignored or rejected."""
        answer = registry.blob(repository, blob.digest, headers={"Range": wanted})
        assert answer.status_code in {200, 400, 416}
        assert answer.status_code != 200 or answer.content == blob.data

    def test_a_head_ignores_the_range(self, registry: RegistryClient, repository: str, blob: Blob) -> None:
        """RFC 9110, section 14.2: a server MUST ignore Range when the method defines none; only GET does."""
        answer = registry.blob(repository, blob.digest, "HEAD", headers={"Range": "bytes=0-0"})
        assert answer.status_code == 200
        assert answer.headers["content-length"] == str(blob.size)

    def test_ranges_are_announced(self, registry: RegistryClient, repository: str, blob: Blob) -> None:
        """RFC 9110, section 14.3: Accept-Ranges tells that range requests are supported."""
        assert registry.blob(repository, blob.digest, "HEAD").headers["accept-ranges"] == "bytes"

    def test_a_range_goes_with_its_etag_and_not_with_another(
        self, registry: RegistryClient, repository: str, blob: Blob
    ) -> None:
        """RFC 9110, section 13.1.5: when the If-Range validator does not match, the Range MUST be ignored."""
        etag = registry.blob(repository, blob.digest).headers["etag"]
        same = registry.blob(repository, blob.digest, headers={"Range": "bytes=0-9", "If-Range": etag})
        assert (same.status_code, same.content) == (206, blob.data[:10])
        other = registry.blob(repository, blob.digest, headers={"Range": "bytes=0-9", "If-Range": '"another"'})
        assert (other.status_code, other.content) == (200, blob.data)

    def test_a_blob_put_together_from_ranges_is_the_blob(
        self, registry: RegistryClient, repository: str, blob: Blob
    ) -> None:
        """distribution-spec, Resumable Pull: the client keeps the partial data and asks for the rest."""
        step = blob.size // 7
        parts = [
            registry.blob(repository, blob.digest, headers={"Range": f"bytes={start}-{start + step - 1}"}).content
            for start in range(0, blob.size, step)
        ]
        assert b"".join(parts) == blob.data
