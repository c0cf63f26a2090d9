"""A registry elsewhere, over a real socket: it serves what was put into it, and misbehaves where it is told to.

with Elsewhere() as registry:
    registry.push("team/app", tiny_image("a"), "1")
    registry.instead["/v2/team/app/tags/list"] = [Reply(429, headers={"Retry-After": "1"})]   # once, then the truth

What a real registry does is tested with real ones (tests/system); this one does what those never would.
"""

import json
import re
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, parse_qsl, urlsplit

from tests.support.images import Pushable, TinyImage
from tests.support.tls import Certificate

EVERYTHING = 1_000_000
_REFERENCED = re.compile(r"/v2/(.+)/(manifests|blobs|referrers|tags)/([^/]+)")
_PART = re.compile(r"bytes=(\d+)-")


@dataclass(frozen=True)
class Seen:
    """One request."""

    target: str
    headers: Mapping[str, str]
    connection: int = 0
    method: str = "GET"
    body: bytes = b""

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def form(self) -> dict[str, str]:
        """The body, where it is one that a form makes."""
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True))

    @property
    def parameters(self) -> dict[str, list[str]]:
        return parse_qs(urlsplit(self.target).query)


@dataclass(frozen=True)
class Reply:
    """One answer; `sent` is how much of the body is sent before the connection is cut."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    sent: int | None = None


Answering = Callable[[Seen], Reply]


def json_reply(document: object, **headers: str) -> Reply:
    return Reply(200, json.dumps(document).encode(), {"Content-Type": "application/json", **headers})


class Elsewhere:
    """`instead` holds, by path, replies to be given before the truth; `before` may answer, or let others."""

    def __init__(self, tls: Certificate | None = None, *, has_referrers: bool = True, catalog: bool = True) -> None:
        self.instead: dict[str, list[Reply]] = {}
        self.always: dict[str, Reply] = {}
        self.before: Callable[[Seen], Reply | None] = lambda _: None
        self.seen: list[Seen] = []
        self.manifests: dict[tuple[str, str], tuple[bytes, str]] = {}
        self.blobs: dict[tuple[str, str], bytes] = {}
        self.tags: dict[str, dict[str, str]] = {}
        self.has_referrers = has_referrers
        self.catalog = catalog
        self._scheme = "https" if tls else "http"
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(tls.certificate, tls.key)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    @property
    def port(self) -> int:
        port: int = self._server.server_address[1]
        return port

    @property
    def url(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self.port}"

    def push(self, name: str, image: Pushable, *tags: str) -> None:
        """Everything in it, and each tag."""
        self.tags.setdefault(name, {})
        if isinstance(image, TinyImage):
            self.blobs |= {(name, blob.digest): blob.data for blob in image.blobs}
        else:
            for child in image.children:
                self.push(name, child)
        self.manifests[name, image.digest] = image.manifest, image.media_type
        self.tags[name] |= dict.fromkeys(tags, image.digest)

    def paths(self) -> list[str]:
        """Of all requests, in order."""
        return [each.path for each in self.seen]

    def authorizations(self) -> list[str | None]:
        """Of all requests, in order."""
        return [each.headers.get("Authorization") for each in self.seen]

    def reply(self, seen: Seen) -> Reply:
        self.seen.append(seen)
        if planned := self.instead.get(seen.path):
            return planned.pop(0)
        return self.always.get(seen.path) or self.before(seen) or self._truth(seen)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Nobody listens any more; a second time nothing happens."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()

    def _truth(self, seen: Seen) -> Reply:
        if seen.path == "/v2/":
            return json_reply({})
        if seen.path == "/v2/_catalog" and self.catalog:
            return json_reply({"repositories": sorted(self.tags)})
        found = _REFERENCED.fullmatch(seen.path)
        answering: dict[str, Callable[[str, str, Seen], Reply]] = {
            "tags": self._tags,
            "manifests": self._manifest,
            "blobs": self._blob,
            "referrers": self._referrers,
        }
        return answering[found[2]](found[1], found[3], seen) if found else _unknown("UNSUPPORTED")

    def _tags(self, name: str, _: str, seen: Seen) -> Reply:
        if name not in self.tags:
            return _unknown("NAME_UNKNOWN")
        return json_reply({"name": name, "tags": sorted(self.tags[name]) or None})

    def _manifest(self, name: str, reference: str, seen: Seen) -> Reply:
        digest = self.tags.get(name, {}).get(reference, reference)
        if (name, digest) not in self.manifests:
            return _unknown("MANIFEST_UNKNOWN")
        content, media_type = self.manifests[name, digest]
        return Reply(200, content, {"Content-Type": media_type, "Docker-Content-Digest": digest})

    def _blob(self, name: str, digest: str, seen: Seen) -> Reply:
        data = self.blobs.get((name, digest))
        if data is None:
            return _unknown("BLOB_UNKNOWN")
        part = _PART.fullmatch(seen.headers.get("Range", ""))
        if part is None:
            return Reply(200, data)
        start = int(part[1])
        return Reply(206, data[start:], {"Content-Range": f"bytes {start}-{len(data) - 1}/{len(data)}"})

    def _referrers(self, name: str, digest: str, seen: Seen) -> Reply:
        if not self.has_referrers:
            return Reply(404, b"404 page not found")
        about = [
            {"mediaType": media_type, "digest": each, "size": len(content)}
            for (at, each), (content, media_type) in self.manifests.items()
            if at == name and (json.loads(content).get("subject") or {}).get("digest") == digest
        ]
        return json_reply({"schemaVersion": 2, "manifests": about})


@contextmanager
def several(number: int) -> Iterator[Sequence[Elsewhere]]:
    """So many hosts, or what counts as such: ports of one."""
    made = [Elsewhere() for _ in range(number)]
    try:
        yield [each.__enter__() for each in made]
    finally:
        for each in made:
            each.stop()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away before it was told everything may do so."""


def _unknown(code: str) -> Reply:
    body = json.dumps({"errors": [{"code": code, "message": f"{code.lower()} here"}]}).encode()
    return Reply(404, body, {"Content-Type": "application/json"})


def _handler(registry: Elsewhere) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            seen = Seen(self.path, dict(self.headers), self.client_address[1], self.command, body)
            reply = registry.reply(seen)
            self.send_response(reply.status)
            length = {} if "Transfer-Encoding" in reply.headers else {"Content-Length": str(len(reply.body))}
            for name, value in {**length, **reply.headers}.items():
                for line in value.split("\n"):
                    self.send_header(name, line)
            self.end_headers()
            self.wfile.write(reply.body[: reply.sent])
            if reply.sent is not None:
                self.close_connection = True

        do_POST = do_GET  # noqa: N815  the library calls it so

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the library's name
            """What was asked is in `seen`."""

    return Handler
