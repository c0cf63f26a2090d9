"""The pull path's lookups on PostgreSQL: prepared statements on the event loop's own connections (design §6).

asyncpg waits on the loop itself, where the other driver would cost a hop into a thread. A connection that is lost while
it is asked costs the asker nothing but a moment: a lookup changes nothing, so it is made again on another one.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import asyncpg

from registry.metadata.outage import Outage
from registry.metadata.reader import Lookups
from registry.metadata.statements import Book, Prepared, Row, Statement, prepare_for_observing
from registry.oci.errors import Unavailable

_BOOK: Final = Book(prepare_for_observing)
_CONNECTING_SECONDS: Final = 5.0
# What psycopg's library understands in a URL, and asyncpg would pass on to the server, which does not.
_OF_THE_OTHER_DRIVER: Final = frozenset(
    {
        "connect_timeout", "client_encoding", "keepalives", "keepalives_idle", "keepalives_interval",
        "keepalives_count", "tcp_user_timeout", "gssencmode", "channel_binding", "sslcrldir", "sslcompression",
        "load_balance_hosts", "requirepeer", "require_auth",
    }
)  # fmt: skip
# Each statement finds its rows by the same indexes whatever its parameters are: to plan it anew costs more than to run
# it. Not behind a pooler, which knows nothing of such settings, and where nothing is planned ahead.
_PLANNED_ONCE: Final = {
    "application_name": "entrepot",
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "jit": "off",
}
# The connection, or the server, is gone or going; nothing is wrong with what was asked.
_LOST: Final = (
    OSError,
    asyncio.TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.InternalClientError,
)


class PostgresReader(Lookups):
    """`ports.Reader` and `ports.Recognition` on PostgreSQL. Raises: Unavailable, when patience has ended."""

    is_prompt: Final = False

    def __init__(
        self, url: str, pool_size: int = 8, *, prepared_statements: bool = True, patience: float = 10.0
    ) -> None:
        """The same as `PostgresMetadata`'s; connections are opened on the loop that first asks."""
        self._url = _without_the_other_drivers(url)
        self._pool_size = pool_size
        self._prepared_statements = prepared_statements
        self._patience = patience
        self._outage = Outage(patience)
        self._loop: asyncio.AbstractEventLoop | None = None
        # Of connections that may be in use at once; those that are not lie in the other, the last one used on top.
        self._places = asyncio.Semaphore(pool_size)
        self._idle: list[Any] = []

    def version(self) -> None:
        """Whether something was committed cannot be had without waiting."""
        return

    async def open(self) -> None:
        """Connect now, and not when first asked. Raises: Unavailable."""
        await self._insist(None, ())

    async def close(self) -> None:
        """On the loop that asked, when nothing is asked any more."""
        while self._idle:
            connection = self._idle.pop()
            try:
                await connection.close()
            except _LOST:
                # Gone before we could say so.
                connection.terminate()

    async def _run(self, statement: Statement, /, **values: object) -> list[Row]:
        prepared = _BOOK[statement]
        parameters = prepared.parameters(values)
        if not all(_can_be_said(each) for each in parameters):
            # Nothing there is equal to it, and the server refuses to compare.
            return []
        return await self._insist(prepared, parameters)

    async def _insist(self, prepared: Prepared | None, parameters: tuple[object, ...]) -> list[Row]:
        if asyncio.current_task() is None:
            # Begun without a task (api/eager), in which nothing may wait for a limited time; carried on in one.
            await asyncio.sleep(0)
        ends = self._outage.ends()
        for pause in _pauses():
            try:
                rows = await self._ask(prepared, parameters, ends)
            except _LOST as error:
                self._outage.goes_on()
                if time.monotonic() + pause > ends:
                    raise Unavailable from error
            else:
                self._outage.is_over()
                return rows
            await asyncio.sleep(pause)
        raise AssertionError("the pauses never end")

    async def _ask(self, prepared: Prepared | None, parameters: tuple[object, ...], ends: float) -> list[Row]:
        places = self._places_here()
        if places.locked():
            await asyncio.wait_for(places.acquire(), max(ends - time.monotonic(), 0.001))
        else:
            await places.acquire()
        try:
            return await self._ask_on(await self._connected(), prepared, parameters)
        finally:
            places.release()

    async def _ask_on(self, connection: Any, prepared: Prepared | None, parameters: tuple[object, ...]) -> list[Row]:  # noqa: ANN401  asyncpg ships no types
        rows: list[Row] = []
        try:
            if prepared is not None and self._prepared_statements:
                rows = await connection.fetch(prepared.text, *parameters)
            elif prepared is not None:
                # A statement is parsed in one message and executed in the next: a pooler must not part them.
                async with connection.transaction(readonly=True):
                    rows = await connection.fetch(prepared.text, *parameters)
        except BaseException:
            # Lost, or given up in the middle of an answer: of no use to the next lookup.
            connection.terminate()
            raise
        self._idle.append(connection)
        return rows

    def _places_here(self) -> asyncio.Semaphore:
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            # Another loop's connections died with it.
            self._loop, self._places, self._idle = loop, asyncio.Semaphore(self._pool_size), []
        return self._places

    async def _connected(self) -> Any:  # noqa: ANN401  asyncpg ships no types
        while self._idle:
            connection = self._idle.pop()
            if not connection.is_closed():
                return connection
        return await asyncpg.connect(
            self._url,
            timeout=_CONNECTING_SECONDS,
            command_timeout=self._patience,
            statement_cache_size=512 if self._prepared_statements else 0,
            max_cached_statement_lifetime=0,
            server_settings=_PLANNED_ONCE if self._prepared_statements else {},
        )


def _can_be_said(value: object) -> bool:
    """Text there is UTF-8 without NUL."""
    return not isinstance(value, str) or ("\0" not in value and (value.isascii() or value.isprintable()))


def _without_the_other_drivers(url: str) -> str:
    parts = urlsplit(url)
    query = [(name, value) for name, value in parse_qsl(parts.query) if name not in _OF_THE_OTHER_DRIVER]
    return urlunsplit(parts._replace(query=urlencode(query)))


def _pauses() -> Iterator[float]:
    longest = 0.005
    while True:
        yield longest * random.uniform(0.5, 1)  # noqa: S311  no secret
        longest = min(2 * longest, 0.5)
