"""A registry in this process: the ASGI application itself, without server or socket, for a client that does not await.

test's thread                          one event loop in a thread of its own
httpx.Client ─ InProcessTransport ──▶ httpx.ASGITransport ──▶ the application (between lifespan startup and shutdown)
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any
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


def _aimed(application: Application, target: bytes) -> Application:
    """The same application, asked for `target` whatever the URL says."""
    path, _, query = target.partition(b"?")
    where = {"path": unquote(path.decode("latin-1")), "raw_path": path, "query_string": query}

    async def asked(scope: Message, receive: Receive, send: Send) -> None:
        await application({**scope, **where}, receive, send)

    return asked
