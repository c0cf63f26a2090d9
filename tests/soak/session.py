"""An upload session as a client has it: piece by piece, and after a lost answer from where the registry says."""

from __future__ import annotations

import time
from collections.abc import Callable

import httpx

from tests.soak.patience import Lost, Patience
from tests.support.client import RegistryClient
from tests.support.images import Blob


class Forgotten(Exception):
    """The session is unknown by now: it was idle for too long while we waited for our turn."""


class Session:
    """One blob on its way to where `begun` says; `may_end` whether somebody may have ended the session by now."""

    def __init__(
        self,
        registry: RegistryClient,
        patience: Patience,
        begun: httpx.Response,
        blob: Blob,
        pieces: int,
        may_end: Callable[[], bool],
    ) -> None:
        self._registry = registry
        self._patience = patience
        self._may_end = may_end
        self._location = begun.headers["location"]
        self._blob = blob
        # A range of one byte cannot be told from one of none.
        self._piece = max(blob.size // pieces + 1, 2)
        self._acknowledged = 0
        self._closing: float | None = None

    def send(self) -> float:
        """All of it; when it was first asked to be closed. Raises: Forgotten, GaveUp."""
        while True:
            try:
                while len(self._rest) > self._piece:
                    self._send_piece()
                return self._close()
            except Lost:
                if self._closing is not None and self._is_closed():
                    return self._closing
                self._acknowledged = self._offset()

    @property
    def _rest(self) -> bytes:
        return self._blob.data[self._acknowledged :]

    def _send_piece(self) -> None:
        """Raises: Lost, Forgotten."""
        piece, start = self._rest[: self._piece], self._acknowledged
        answer = self._patience.once(lambda: self._registry.patch(self._location, piece, at=start))
        self._demand(answer, 202)
        self._location, self._acknowledged = answer.headers["location"], start + len(piece)

    def _close(self) -> float:
        """Raises: Lost, Forgotten."""
        if self._closing is None:
            self._closing = time.monotonic()
        rest = self._rest
        self._demand(
            self._patience.once(lambda: self._registry.close_upload(self._location, self._blob.digest, rest)), 201
        )
        return self._closing

    def _is_closed(self) -> bool:
        """Whether the closing request whose answer was lost had been heard: a finished session says so again."""
        status = self._patience.ask(lambda: self._registry.upload_status(self._location))
        if status.status_code == httpx.codes.NO_CONTENT:
            return False
        self._demand(self._patience.ask(lambda: self._registry.close_upload(self._location, self._blob.digest)), 201)
        return True

    def _offset(self) -> int:
        """Where to go on. Raises: Forgotten, GaveUp."""
        status = self._patience.ask(lambda: self._registry.upload_status(self._location))
        self._demand(status, 204)
        last = int(status.headers["range"].removeprefix("0-"))
        offset = last + 1 if last else 0
        if offset < self._acknowledged:
            self._patience.minutes.complain(f"{self._location}: {offset} bytes of {self._acknowledged} acknowledged")
        return offset

    def _demand(self, answer: httpx.Response, status: int) -> None:
        # In the middle of a request, an end by somebody else looks like being taken over.
        also = (404, 409) if self._may_end() else (404,)
        if not self._patience.expect(answer, status, *also) or answer.status_code != status:
            raise Forgotten
