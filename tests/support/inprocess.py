"""A registry in this process: the ASGI application itself, without server or socket, for a client that does not await.

test's thread                          one event loop in a thread of its own
httpx.Client ─ InProcessTransport ──▶ httpx.ASGITransport ──▶ the application (between lifespan startup and shutdown)
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, MutableMapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple
from urllib.parse import unquote

import httpx
from anyio.from_thread import BlockingPortal, start_blocking_portal

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]

URL = "http://registry.test"


class LifespanFailed(RuntimeError):
    """The application refused to start or to stop; the message is its own."""


@contextmanager
def in_process(application: Application) -> Iterator["InProcessTransport"]:
    """Run the application's lifespan around the block. Raises: LifespanFailed."""
    with start_blocking_portal() as portal:
        lifespan = Lifespan(application)
        portal.call(lifespan.startup)
        try:
            yield InProcessTransport(portal, application)
        finally:
            portal.call(lifespan.shutdown)


class Lifespan:
    """The server's side of the ASGI lifespan protocol."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self._told: asyncio.Queue[Message] = asyncio.Queue()
        self._heard: asyncio.Queue[Message] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None

    async def startup(self) -> None:
        """Returns once the application is ready."""
        self._task = asyncio.create_task(self._run())
        await self._ask("startup")

    async def shutdown(self) -> None:
        """Returns once the application has cleaned up and its task has ended."""
        await self._ask("shutdown")
        if self._task:
            await self._task

    async def _run(self) -> None:
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": {}}
        try:
            await self._application(scope, self._told.get, self._heard.put)
        except Exception as error:  # whatever the application throws is its answer
            await self._heard.put({"type": "lifespan.failed", "message": repr(error)})
            raise

    async def _ask(self, phase: str) -> None:
        await self._told.put({"type": f"lifespan.{phase}"})
        answer = await self._heard.get()
        if answer["type"] != f"lifespan.{phase}.complete":
            raise LifespanFailed(answer.get("message", ""))


class Asked(NamedTuple):
    """A request as bytes know it; `target` is path and query."""

    method: str
    target: str
    authorization: str | None = None
    content: bytes = b""
    content_type: str | None = None


class Told(NamedTuple):
    """An answer as bytes know it, its headers in their order."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str | None:
        """The first of this name."""
        return next((value for key, value in self.headers if key == name), None)


class InProcessTransport(httpx.BaseTransport):
    """Gives a synchronous client's requests to the application; the answer's body is complete.

    The request extension `target` replaces path and query as it does on a socket, unchecked and unnormalised.
    """

    def __init__(self, portal: BlockingPortal, application: Application) -> None:
        self._portal = portal
        self._application = application

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """An exception that leaves the application is raised here: in a server it would be a 500."""
        return self._portal.call(self._handle, request)

    def ask(self, requests: Sequence[Asked]) -> list[Told]:
        """Many requests, one after the other, without the cost of a client and of a thread's hop for each."""
        return self._portal.call(self._ask, requests)

    async def _ask(self, requests: Sequence[Asked]) -> list[Told]:
        return [await _told(self._application, each) for each in requests]

    async def _handle(self, request: httpx.Request) -> httpx.Response:
        target = request.extensions.get("target")
        application = _aimed(self._application, target) if target is not None else self._application
        asked = httpx.Request(
            request.method, request.url, headers=request.headers, stream=_Pieces(request), extensions=request.extensions
        )
        answer = await httpx.ASGITransport(application).handle_async_request(asked)
        headers, body = answer.headers, await answer.aread()
        return httpx.Response(answer.status_code, headers=headers.raw, stream=httpx.ByteStream(body))


class _Pieces(httpx.AsyncByteStream):
    """The body of a synchronous request, piece by piece."""

    def __init__(self, request: httpx.Request) -> None:
        self._stream = request.stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if isinstance(self._stream, httpx.SyncByteStream):
            for piece in self._stream:
                yield piece


async def _told(application: Application, asked: Asked) -> Told:
    path, _, query = asked.target.partition("?")
    named = {"host": httpx.URL(URL).host, "authorization": asked.authorization, "content-type": asked.content_type}
    named |= {"content-length": str(len(asked.content))} if asked.content else {}
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "scheme": "http", "method": asked.method,
        "path": path, "raw_path": path.encode(), "query_string": query.encode(), "root_path": "",
        "headers": [(key.encode(), value.encode()) for key, value in named.items() if value is not None],
        "server": (httpx.URL(URL).host, 80), "client": ("198.51.100.7", 1), "state": {},
    }  # fmt: skip
    heard: list[Message] = []
    body: list[Message] = [{"type": "http.request", "body": asked.content, "more_body": False}]

    async def receive() -> Message:
        return body.pop() if body else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        heard.append(message)

    await application(scope, receive, send)
    headers = tuple((key.decode("latin-1"), value.decode("latin-1")) for key, value in heard[0]["headers"])
    return Told(heard[0]["status"], headers, b"".join(each.get("body", b"") for each in heard[1:]))


def _aimed(application: Application, target: bytes) -> Application:
    """The same application, asked for `target` whatever the URL says."""
    path, _, query = target.partition(b"?")
    where = {"path": unquote(path.decode("latin-1")), "raw_path": path, "query_string": query}

    async def asked(scope: Message, receive: Receive, send: Send) -> None:
        await application({**scope, **where}, receive, send)

    return asked
