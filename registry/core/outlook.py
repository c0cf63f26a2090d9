"""What goes by itself when its time has come: idle upload sessions, and the bytes of what nobody names."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from registry.core.ports import Metadata

_PAGE: Final = 500


@dataclass(frozen=True, slots=True)
class Ending:
    """Something, its name, the repository if it has one, when it goes and why; its bytes as far as they are known."""

    what: str
    name: str
    repository: str
    reason: str
    when: datetime
    bytes: int


def endings(metadata: Metadata, delete_delay: timedelta) -> Iterator[Ending]:
    """All of them, sessions first; a page as of one moment."""
    yield from _sessions(metadata)
    yield from _objects(metadata, delete_delay)


def _sessions(metadata: Metadata) -> Iterator[Ending]:
    last = 0
    while page := metadata.observe(partial(lambda after, tx: tx.outlook.session_page(after, _PAGE), last)):
        for each in page:
            yield Ending("upload", each.uuid, each.repository, "it is idle, and expires", each.expires, each.bytes)
        last = page[-1].id


def _objects(metadata: Metadata, delete_delay: timedelta) -> Iterator[Ending]:
    last = 0
    while page := metadata.observe(partial(lambda after, tx: tx.outlook.object_page(after, _PAGE), last)):
        for each in page:
            goes = each.since + delete_delay
            yield Ending("object", each.key, "", "nobody names it, and it is deleted", goes, each.bytes)
        last = page[-1].id
