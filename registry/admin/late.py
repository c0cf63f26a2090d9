"""An application that is made when it is first asked for: whoever is never asked pays nothing for it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from registry.admin.services import InThread

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]


class Late:
    """ASGI application; `make` runs once, in a thread, as its imports take longer than others should wait."""

    def __init__(self, make: Callable[[], ASGIApp], in_thread: InThread) -> None:
        self._make = make
        self._in_thread = in_thread
        self._turn = asyncio.Lock()
        self._made: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, the first one a little later."""
        application = self._made or await self._application()
        await application(scope, receive, send)

    async def _application(self) -> ASGIApp:
        async with self._turn:
            if self._made is None:
                self._made = await self._in_thread(self._make)
            return self._made
