"""Requests whose bytes are wrong: lengths that lie, and shapes that two servers would cut differently (RFC 9112).

They need a socket. What is refused here may be refused by the HTTP server, below the registry, in any format.
"""

import socket

import pytest

from tests.conformance.deployments import SOCKET, Deployment, Deployments
from tests.support.client import RegistryClient
from tests.support.images import digest_of
from tests.support.wire import Answer, converse, exchange

SMUGGLED = b"GET /v2/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
AMBIGUOUS = {
    "two lengths": b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n12345",
    "a list of two lengths": b"Content-Length: 5, 6\r\n\r\n12345",
    "a negative length": b"Content-Length: -1\r\n\r\n",
    "a signed length": b"Content-Length: +5\r\n\r\n12345",
    "a length in hex": b"Content-Length: 0x5\r\n\r\n12345",
    "a length with a space": b"Content-Length: 1 5\r\n\r\n12345",
    "a length of 100 digits": b"Content-Length: " + b"9" * 100 + b"\r\n\r\n12345",
    "a space before the colon": b"Content-Length : 5\r\n\r\n12345",
    "an unknown coding": b"Transfer-Encoding: cow\r\n\r\n0\r\n\r\n",
    "a coding after chunked": b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
    "a chunk size that is none": b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n12345\r\n0\r\n\r\n",
    "a negative chunk size": b"Transfer-Encoding: chunked\r\n\r\n-5\r\n12345\r\n0\r\n\r\n",
    "an enormous chunk size": b"Transfer-Encoding: chunked\r\n\r\n" + b"f" * 40 + b"\r\n12345",
    "a chunk longer than it says": b"Transfer-Encoding: chunked\r\n\r\n3\r\n12345\r\n0\r\n\r\n",
    "a folded header": b"X-Folded: a\r\n b\r\nContent-Length: 0\r\n\r\n",
    "a NUL in a header": b"X-Odd: a\x00b\r\nContent-Length: 0\r\n\r\n",
    "a header without a colon": b"Nonsense\r\nContent-Length: 0\r\n\r\n",
}
NO_REQUESTS = {
    "HTTP/0.9": b"GET /v2/\r\n\r\n",
    "garbage": b"GARBAGE\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 50,
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "HTTP/9.9": b"GET /v2/ HTTP/9.9\r\nHost: x\r\n\r\n",
    "NUL": b"GET /v2/\x00 HTTP/1.1\r\nHost: x\r\n\r\n",
    "not ASCII": b"GET /v2/\xff/tags/list HTTP/1.1\r\nHost: x\r\n\r\n",
}


@pytest.fixture(scope="module")
def served(deployments: Deployments) -> Deployment:
    """An open registry on a socket."""
    return deployments.get(SOCKET, open=True)


@pytest.fixture(scope="module")
def guarded_socket(deployments: Deployments) -> Deployment:
    """One with authentication."""
    return deployments.get(SOCKET)


@pytest.fixture(scope="module")
def registry(served: Deployment) -> RegistryClient:
    """A well-behaved client of the same."""
    return served.client()


def is_refused_once(answers: list[Answer]) -> bool:
    """Whether the only answer is a refusal, so that nothing behind it was taken for a request."""
    assert [answer.status // 100 for answer in answers] in ([4], []), answers
    return True


class TestAmbiguousRequests:
    """Field-notes: request smuggling shapes; the connection ends with the refusal."""

    @pytest.mark.parametrize("shape", AMBIGUOUS)
    def test_an_ambiguous_body_is_refused_and_nothing_behind_it_is_heard(
        self, served: Deployment, registry: RegistryClient, repository: str, shape: str
    ) -> None:
        """RFC 9112, section 6.3: an unrecoverable error; respond 400 and close."""
        location = registry.start_upload(repository).headers["location"]
        head = b"PATCH %s HTTP/1.1\r\nHost: x\r\n" % location.encode()
        assert is_refused_once(converse(served.address, head + AMBIGUOUS[shape] + SMUGGLED, hang_up=True))

    @pytest.mark.parametrize("coding", [b"chunked", b"Chunked", b"chunked\r\nTransfer-Encoding: chunked"])
    def test_a_length_and_a_coding_together_never_yield_two_requests(
        self, served: Deployment, registry: RegistryClient, repository: str, coding: bytes
    ) -> None:
        """RFC 9112, section 6.1: might be an attempt at smuggling; the server must close the connection."""
        location = registry.start_upload(repository).headers["location"]
        head = b"PATCH %s HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n" % location.encode()
        answers = converse(served.address, head + b"Transfer-Encoding: " + coding + b"\r\n\r\n0\r\n\r\n" + SMUGGLED)
        assert len(answers) == 1

    @pytest.mark.parametrize("hosts", [b"", b"Host: a\r\nHost: b\r\n", b"Host: a b\r\n", b"Host: a/b\r\n"])
    def test_a_request_without_one_host_is_400(self, served: Deployment, hosts: bytes) -> None:
        """RFC 9112, section 3.2: a server MUST respond 400 to any HTTP/1.1 request without, or with more than one."""
        answers = converse(served.address, b"GET /v2/ HTTP/1.1\r\n" + hosts + b"Connection: close\r\n\r\n")
        assert [answer.status for answer in answers] == [400]

    @pytest.mark.parametrize("kind", NO_REQUESTS)
    def test_what_is_no_request_is_refused(self, served: Deployment, kind: str) -> None:
        """RFC 9112, section 3: respond 400; or end the connection."""
        answers = converse(served.address, NO_REQUESTS[kind], hang_up=True)
        assert [answer.status // 100 for answer in answers] in ([4], [5], [])
        assert [answer.status for answer in answers if answer.status == 500] == []

    def test_a_head_without_end_is_refused(self, served: Deployment) -> None:
        """RFC 6585, section 5: 431, or 400; bounded in any case."""
        sent = b"GET /v2/ HTTP/1.1\r\nHost: x\r\n" + b"X-Long: " + b"a" * 2_000_000 + b"\r\n\r\n"
        try:
            answers = converse(served.address, sent)
        except (BrokenPipeError, ConnectionResetError):
            answers = []
        assert [answer.status // 100 for answer in answers] in ([4], [])

    def test_a_target_without_end_is_refused(self, served: Deployment) -> None:
        """RFC 9110, section 15.5.15: 414."""
        sent = b"GET /v2/" + b"a" * 1_000_000 + b"/tags/list HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        try:
            answers = converse(served.address, sent)
        except (BrokenPipeError, ConnectionResetError):
            answers = []
        assert [answer.status // 100 for answer in answers] in ([4], [])


class TestAnswersBeforeTheBody:
    """A refusal that needs no body comes before it."""

    # Around the megabyte that a server may read past to save a connection, and far beyond.
    @pytest.mark.parametrize("length", [100, 2**20 - 10, 2**20 + 10, 2**20 + 100_000, 2**24])
    def test_the_connection_ends_only_where_the_answer_says_so(self, guarded_socket: Deployment, length: int) -> None:
        """RFC 9112, section 9.6: a server that does not want to go on SHOULD send `Connection: close`.

        Who reads no such word sends its next request, a POST among them, on a connection that is about to go.
        """
        digest = digest_of(bytes(length)).encode()
        line = b"POST /v2/a/b/blobs/uploads/?digest=%s HTTP/1.1\r\n" % digest
        head = line + b"Host: x\r\nContent-Length: %d\r\n\r\n" % length
        with socket.create_connection(guarded_socket.address) as connection:
            refused = exchange(connection, head + bytes(50))
            assert refused is not None
            assert refused.status == 401
            if refused.headers.get("connection") != "close":
                following = exchange(connection, bytes(length - 50) + b"GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n")
                assert following is not None
                assert following.status == 401


class TestLyingLengths:
    """Bodies that end before their Content-Length."""

    def test_a_blob_cut_short_is_never_complete(
        self, served: Deployment, registry: RegistryClient, repository: str
    ) -> None:
        """The Content-Length header MUST match the blob's actual content length."""
        digest = digest_of(b"01234")
        location = registry.start_upload(repository).headers["location"]
        for line in (b"PUT %s" % location.encode(), b"POST /v2/%s/blobs/uploads/" % repository.encode()):
            head = line + b"?digest=%s HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n" % digest.encode()
            answers = converse(served.address, head + b"01234", hang_up=True)
            assert [answer.status // 100 for answer in answers] in ([4], [])
            assert registry.blob(repository, digest).status_code == 404

    def test_a_manifest_cut_short_is_never_stored(
        self, served: Deployment, registry: RegistryClient, repository: str
    ) -> None:
        """A prefix of a document may be a document."""
        index = b'{"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": []}'
        head = b"PUT /v2/%s/manifests/v1 HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"
        sent = head % (repository.encode(), len(index) + 1) + index
        answers = converse(served.address, sent, hang_up=True)
        assert [answer.status // 100 for answer in answers] in ([4], [])
        assert registry.manifest(repository, "v1").status_code == 404

    @pytest.mark.parametrize("framing", [b"Content-Length: 100", b"Transfer-Encoding: chunked"])
    def test_an_upload_continues_after_a_connection_that_was_lost(
        self, served: Deployment, registry: RegistryClient, repository: str, framing: bytes
    ) -> None:
        """distribution-spec, Resumable Push: only the remaining data is sent, from where the status says."""
        data = bytes(range(200))
        location = registry.start_upload(repository).headers["location"]
        begun = data[:50] if framing.startswith(b"C") else b"32\r\n" + data[:50] + b"\r\n"
        head = b"PATCH %s HTTP/1.1\r\nHost: x\r\n%s\r\n\r\n" % (location.encode(), framing)
        converse(served.address, head + begun, hang_up=True)
        status = registry.upload_status(location)
        assert status.status_code == 204
        said = int(status.headers["range"].removeprefix("0-"))
        held = said + 1 if said else 0
        assert held <= 50
        assert registry.patch(location, data[held:], at=held).status_code == 202
        assert registry.close_upload(location, digest_of(data)).status_code == 201
        assert registry.blob(repository, digest_of(data)).content == data
