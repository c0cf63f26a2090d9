"""A proxy in front of a real S3 server, for the failures that it will not produce on demand.

with FaultyProxy(s3_server) as proxy:
    proxy.fail("UploadPart", Fault.SLOW_DOWN, times=2)
    store = S3Store(s3_server.settings(endpoint=proxy.url))
"""

from __future__ import annotations

import socket
import ssl
from collections import deque
from contextlib import closing, suppress
from enum import Enum, auto
from http.client import HTTPConnection, HTTPResponse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Lock, Thread
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import parse_qs, urlsplit

from tests.support.s3 import HOST, S3Server
from tests.support.tls import Certificate


class Fault(Enum):
    """What becomes of a request, or of its answer."""

    NONE = auto()
    """This one passes, so that a later one fails."""
    SLOW_DOWN = auto()
    INTERNAL_ERROR = auto()
    NO_SUCH_UPLOAD = auto()
    NO_SUCH_BUCKET = auto()
    NOT_IMPLEMENTED = auto()
    NOT_FOUND = auto()
    """As any proxy says it, in other words than the store's."""
    CUT_REQUEST = auto()
    """The connection ends in the middle of the request's body; the server sees nothing of it."""
    CUT_ANSWER = auto()
    """It ends in the middle of the answer's body."""
    LOSE_ANSWER = auto()
    """The server does what it is asked, and the client never hears of it."""
    LIE_ABOUT_ETAG = auto()
    HOLD = auto()
    """It waits until the proxy lets go, as on a slow network."""


_ANSWERS: Final = {
    Fault.SLOW_DOWN: (503, "SlowDown"),
    Fault.INTERNAL_ERROR: (500, "InternalError"),
    Fault.NO_SUCH_UPLOAD: (404, "NoSuchUpload"),
    Fault.NO_SUCH_BUCKET: (404, "NoSuchBucket"),
    Fault.NOT_IMPLEMENTED: (501, "NotImplemented"),
    Fault.NOT_FOUND: (404, ""),
}


class FaultyProxy:
    """Passes on what comes, but for the requests that are to fail; notes the operations in their order."""

    def __init__(self, server: S3Server, certificate: Certificate | None = None) -> None:
        self.seen: list[str] = []
        self.held = Event()
        self.let_go = Event()
        self.direct = server.url
        self._faults: dict[str, deque[Fault]] = {}
        self._everything: Fault | None = None
        self._lock = Lock()
        self._httpd = _Listener(self, server.port)
        self._scheme = "https" if certificate else "http"
        if certificate:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(certificate.certificate, certificate.key)
            self._httpd.socket = context.wrap_socket(self._httpd.socket, server_side=True)
        self._thread = Thread(target=self._httpd.serve_forever, args=(0.05,), daemon=True)

    @property
    def url(self) -> str:
        return f"{self._scheme}://{HOST}:{self._httpd.server_address[1]}"

    def fail(self, operation: str, fault: Fault, times: int = 1) -> None:
        """The next `times` requests for this operation, behind those that were already to fail."""
        with self._lock:
            self._faults.setdefault(operation, deque()).extend([fault] * times)

    def fail_everything(self, fault: Fault) -> None:
        """Every request, whatever it asks, until it is healed."""
        with self._lock:
            self._everything = fault

    def heal(self) -> None:
        with self._lock:
            self._faults.clear()
            self._everything = None

    def next_fault(self, operation: str) -> Fault | None:
        with self._lock:
            self.seen.append(operation)
            faults = self._faults.get(operation)
            return faults.popleft() if faults else self._everything

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.let_go.set()
        self._httpd.shutdown()
        self._httpd.server_close()


class _Listener(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, proxy: FaultyProxy, port: int) -> None:
        super().__init__((HOST, 0), _Handler)
        self.proxy = proxy
        self.port = port

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is what these tests are about."""


def operation_of(method: str, target: str) -> str:
    """The operation's name, as S3 calls it."""
    url = urlsplit(target)
    query = parse_qs(url.query, keep_blank_values=True)
    has_key = "/" in url.path.strip("/")
    table = [
        (method == "PUT" and "partNumber" in query, "UploadPart"),
        (method == "PUT" and has_key, "PutObject"),
        (method == "POST" and "uploads" in query, "CreateMultipartUpload"),
        (method == "POST" and "uploadId" in query, "CompleteMultipartUpload"),
        (method == "POST" and "delete" in query, "DeleteObjects"),
        (method == "DELETE" and "uploadId" in query, "AbortMultipartUpload"),
        (method == "GET" and "uploads" in query, "ListMultipartUploads"),
        (method == "GET" and "uploadId" in query, "ListParts"),
        (method == "GET" and "list-type" in query, "ListObjectsV2"),
        (method == "GET" and has_key, "GetObject"),
        (method == "HEAD" and has_key, "HeadObject"),
        (method == "HEAD", "HeadBucket"),
    ]
    return next((name for holds, name in table if holds), f"{method} {url.path}")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Listener

    def handle_one_request(self) -> None:
        self.raw_requestline = self.rfile.readline(65537)
        if not self.raw_requestline or not self.parse_request():
            self.close_connection = True
            return
        self._pass_on(self.server.proxy.next_fault(operation_of(self.command, self.path)))

    def _pass_on(self, fault: Fault | None) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        if fault is Fault.CUT_REQUEST:
            self.rfile.read(length // 2)
            self._hang_up()
            return
        body = self.rfile.read(length)
        if fault in _ANSWERS:
            self._refuse(*_ANSWERS[fault])
            return
        if fault is Fault.HOLD:
            self.server.proxy.held.set()
            self.server.proxy.let_go.wait()
        with closing(HTTPConnection(HOST, self.server.port)) as connection:
            connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                if name.lower() != "expect":
                    connection.putheader(name, value)
            connection.endheaders(body or None)
            answer = connection.getresponse()
            if fault is Fault.LOSE_ANSWER:
                answer.read()
                self._hang_up()
            else:
                self._give_back(answer, fault)

    def _give_back(self, answer: HTTPResponse, fault: Fault | None) -> None:
        self.send_response_only(answer.status)
        is_counted = answer.getheader("Content-Length") is not None
        for name, value in answer.getheaders():
            if name.lower() == "etag" and fault is Fault.LIE_ABOUT_ETAG:
                self.send_header(name, f'"{"0" * 32}"')
            elif name.lower() not in {"connection", "transfer-encoding"}:
                self.send_header(name, value)
        content = b"" if is_counted else answer.read()
        if not is_counted and self.command != "HEAD" and answer.status not in {204, 304}:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
        left = int(answer.getheader("Content-Length") or 0) // (2 if fault is Fault.CUT_ANSWER else 1)
        while is_counted and left and (data := answer.read(min(left, 1 << 16))):
            self.wfile.write(data)
            left -= len(data)
        if fault is Fault.CUT_ANSWER:
            self._hang_up()

    def _refuse(self, status: int, code: str) -> None:
        content = f"<Error><Code>{code}</Code><Message>not now</Message></Error>".encode() if code else b""
        self.send_response_only(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def _hang_up(self) -> None:
        self.close_connection = True
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)
