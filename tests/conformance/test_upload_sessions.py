"""distribution-spec, the status of an upload (end-13), its end (end-6) and Cancel a blob upload (end-14)."""

import uuid

import pytest

from tests.conformance.claims import is_refused, is_relative
from tests.support.client import RegistryClient
from tests.support.images import Blob, digest_of


@pytest.fixture
def location(registry: RegistryClient, repository: str) -> str:
    """An upload session that holds `0123456789`."""
    answer = registry.patch(registry.start_upload(repository).headers["location"], b"0123456789")
    assert answer.status_code == 202
    return answer.headers["location"]


WHOLE = digest_of(b"0123456789")


class TestStatus:
    """end-13."""

    def test_an_active_upload_answers_204_with_location_and_range(
        self, registry: RegistryClient, location: str
    ) -> None:
        """The response to an active upload MUST be 204 No Content, and MUST have Location and Range."""
        answer = registry.upload_status(location)
        assert (answer.status_code, answer.content) == (204, b"")
        assert is_relative(answer.headers["location"])
        assert answer.headers["range"] == "0-9"
        assert answer.headers["docker-upload-uuid"] in answer.headers["location"]

    def test_an_upload_without_a_byte_answers_204_with_range_0_0(
        self, registry: RegistryClient, repository: str
    ) -> None:
        """Field-notes, section 2: `Range: 0-0` means empty as well as one byte; GET upload → 204."""
        location = registry.start_upload(repository).headers["location"]
        answer = registry.upload_status(location)
        assert (answer.status_code, answer.headers["range"]) == (204, "0-0")

    def test_an_upload_continues_where_its_status_says(
        self, registry: RegistryClient, repository: str, location: str
    ) -> None:
        """The following chunk upload SHOULD use the location provided in the response."""
        status = registry.upload_status(location)
        at = int(status.headers["range"].removeprefix("0-")) + 1
        assert registry.patch(status.headers["location"], b"abc", at=at).status_code == 202
        assert registry.close_upload(location, digest_of(b"0123456789abc")).status_code == 201

    def test_asking_changes_nothing(self, registry: RegistryClient, location: str) -> None:
        """RFC 9110, section 9.2.1: GET is safe."""
        said = [registry.upload_status(location).headers["range"] for _ in range(3)]
        assert said == ["0-9"] * 3
        assert registry.close_upload(location, WHOLE).status_code == 201

    @pytest.mark.parametrize("name", [str(uuid.UUID(int=7, version=4)), "nobody", "1", "..", "%2e%2e"])
    @pytest.mark.parametrize("method", ["GET", "PATCH", "PUT", "DELETE"])
    def test_an_unknown_session_is_404(
        self, registry: RegistryClient, repository: str, location: str, method: str, name: str
    ) -> None:
        """end-5, end-6, end-13, end-14: failure 404."""
        query = f"?digest={WHOLE}" if method == "PUT" else ""
        target = f"/v2/{repository}/blobs/uploads/{name}{query}"
        answer = registry.request(method, "/", extensions={"target": target.encode()})
        assert is_refused(answer, 404, "BLOB_UPLOAD_UNKNOWN")
        assert registry.upload_status(location).status_code == 204


class TestBoundToItsRepository:
    """Field-notes, section 4: an upload session is bound to its repository (IDOR by UUID: CVE-2026-32589)."""

    @pytest.mark.parametrize("method", ["GET", "PATCH", "PUT", "DELETE"])
    def test_another_repositorys_url_is_404(
        self, registry: RegistryClient, repository: str, other_repository: str, location: str, method: str
    ) -> None:
        """The session's UUID under another name is nobody's session, and does it no harm."""
        registry.push_blob(other_repository, Blob(b"the other repository exists"))
        elsewhere = location.replace(f"/v2/{repository}/", f"/v2/{other_repository}/")
        query = {"digest": WHOLE} if method == "PUT" else None
        assert is_refused(registry.request(method, elsewhere, query), 404, "BLOB_UPLOAD_UNKNOWN")
        assert registry.upload_status(location).headers["range"] == "0-9"
        assert registry.blob(other_repository, WHOLE).status_code == 404


class TestFailedPut:
    """Field-notes, section 1: a failed PUT leaves the session usable."""

    def test_after_a_wrong_digest_the_right_one_completes_the_blob(
        self, registry: RegistryClient, repository: str, location: str
    ) -> None:
        """A client such as regclient goes on with the same session."""
        assert is_refused(registry.close_upload(location, digest_of(b"wrong")), 400, "DIGEST_INVALID")
        assert registry.upload_status(location).status_code == 204
        assert registry.close_upload(location, WHOLE).status_code == 201
        assert registry.blob(repository, WHOLE).content == b"0123456789"

    def test_after_a_malformed_digest_the_right_one_completes_the_blob(
        self, registry: RegistryClient, location: str
    ) -> None:
        """Field-notes, section 2: `sha256:baddigeststring` → PUT 400."""
        assert is_refused(registry.close_upload(location, "sha256:baddigeststring"), 400, "DIGEST_INVALID")
        assert registry.close_upload(location, WHOLE).status_code == 201

    def test_a_whole_put_that_failed_continues_in_chunks_where_the_status_says(
        self, registry: RegistryClient, repository: str
    ) -> None:
        """What regclient does: full PUT → on failure the same session, chunked, from where `Range` says."""
        data, location = b"0123456789abcde", registry.start_upload(repository).headers["location"]
        assert registry.close_upload(location, digest_of(b"wrong"), data).status_code == 400
        # Whether a refused PUT's bytes are kept is the registry's choice; 0-0 says that they are not.
        held = int(registry.upload_status(location).headers["range"].removeprefix("0-"))
        rest = data[held + 1 :] if held else data
        answer = registry.close_upload(location, digest_of(data), rest)
        assert answer.status_code == 201
        assert registry.blob(repository, digest_of(data)).content == data


class TestClosedSession:
    """What remains of a session after its 201."""

    def test_the_closing_put_repeated_is_201_again(
        self, registry: RegistryClient, repository: str, location: str
    ) -> None:
        """Design, section 5: a finished session stays an hour, and the same closing PUT answers 201 again."""
        first, again = registry.close_upload(location, WHOLE), registry.close_upload(location, WHOLE)
        assert [first.status_code, again.status_code] == [201, 201]
        assert first.headers["location"] == again.headers["location"]
        assert registry.blob(repository, WHOLE).content == b"0123456789"

    def test_the_closing_put_repeated_with_its_body_is_201_again(
        self, registry: RegistryClient, repository: str
    ) -> None:
        """The client that lost the 201 of a monolithic push sends the whole blob again."""
        location = registry.start_upload(repository).headers["location"]
        answers = [registry.close_upload(location, WHOLE, b"0123456789") for _ in range(2)]
        assert [answer.status_code for answer in answers] == [201, 201]

    def test_a_closing_put_with_another_digest_does_not_make_another_blob(
        self, registry: RegistryClient, repository: str, location: str
    ) -> None:
        """Only the same PUT is the same PUT."""
        other = digest_of(b"another")
        assert registry.close_upload(location, WHOLE).status_code == 201
        answer = registry.close_upload(location, other, b"another")
        assert is_refused(answer, {400, 404}, "BLOB_UPLOAD_UNKNOWN", "BLOB_UPLOAD_INVALID", "DIGEST_INVALID")
        assert registry.blob(repository, other).status_code == 404

    def test_a_closed_session_takes_no_more_chunks(self, registry: RegistryClient, location: str) -> None:
        """The session is closed with a PUT request."""
        assert registry.close_upload(location, WHOLE).status_code == 201
        assert is_refused(registry.patch(location, b"more"), 404, "BLOB_UPLOAD_UNKNOWN")

    def test_a_closed_session_is_no_longer_an_active_upload(self, registry: RegistryClient, location: str) -> None:
        """end-13: 204 is the answer to an active upload."""
        assert registry.close_upload(location, WHOLE).status_code == 201
        assert is_refused(registry.upload_status(location), 404, "BLOB_UPLOAD_UNKNOWN")


class TestCancel:
    """end-14."""

    def test_a_canceled_upload_answers_204(self, registry: RegistryClient, location: str) -> None:
        """If successful, the response SHOULD be a 204 No Content response code."""
        answer = registry.cancel_upload(location)
        assert (answer.status_code, answer.content) == (204, b"")

    def test_a_canceled_upload_is_gone(self, registry: RegistryClient, repository: str, location: str) -> None:
        """During a blob upload, the session may be canceled with a DELETE request."""
        registry.cancel_upload(location)
        assert is_refused(registry.upload_status(location), 404, "BLOB_UPLOAD_UNKNOWN")
        assert is_refused(registry.patch(location, b"more"), 404, "BLOB_UPLOAD_UNKNOWN")
        assert is_refused(registry.close_upload(location, WHOLE), 404, "BLOB_UPLOAD_UNKNOWN")
        assert is_refused(registry.cancel_upload(location), 404, "BLOB_UPLOAD_UNKNOWN")
        assert registry.blob(repository, WHOLE).status_code == 404

    def test_other_uploads_go_on(self, registry: RegistryClient, repository: str, location: str) -> None:
        """A session is one upload."""
        other = registry.start_upload(repository).headers["location"]
        registry.cancel_upload(other)
        assert registry.close_upload(location, WHOLE).status_code == 201
