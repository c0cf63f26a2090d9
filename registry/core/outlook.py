"""What goes by itself in its time: deleted repositories, idle upload sessions, and the bytes of what nobody names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

from registry.core.facts import DeletedRepository
from registry.core.ports import Metadata, Transaction

_PAGE: Final = 500
_BEFORE_ALL: Final = datetime(1969, 1, 1, tzinfo=UTC)
"""Earlier than any deletion, and than what is purged says that it was deleted."""


@dataclass(frozen=True, slots=True)
class Ending:
    """Something, its name, the repository if it has one, when it goes and why; its bytes as far as they are known."""

    what: str
    name: str
    repository: str
    reason: str
    when: datetime
    bytes: int


def endings(metadata: Metadata, delete_delay: timedelta, undo_window: timedelta) -> Iterator[Ending]:
    """All of them, repositories first; a page as of one moment."""
    yield from _repositories(metadata, undo_window)
    yield from _sessions(metadata)
    yield from _objects(metadata, delete_delay)


def _repositories(metadata: Metadata, undo_window: timedelta) -> Iterator[Ending]:
    last = "", ""
    while found := metadata.observe(partial(_deleted, last)):
        for each, own, now in found:
            goes = max(each.deleted + undo_window, now)
            yield Ending("repository", each.uuid, str(each.repository.name), "it is deleted, and goes", goes, own)
        last = str(each.repository.name), each.uuid


def _deleted(last: tuple[str, str], tx: Transaction) -> Sequence[tuple[DeletedRepository, int, datetime]]:
    page = tx.deletions.page(_BEFORE_ALL, last, _PAGE)
    return [(each, tx.holdings.of(each.repository).own, tx.now) for each in page]


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
