"""The audit log is only ever added to: no statement touches an event again but those of the seals."""

from __future__ import annotations

import pkgutil
from collections import Counter
from collections.abc import Iterator
from importlib import import_module

import sqlalchemy as sa

import registry.metadata
from registry.metadata import journal, seals
from registry.metadata.schema import event, seal
from tests.architecture.tree import python_files


def statements() -> Iterator[tuple[str, sa.Update | sa.Delete | sa.Insert]]:
    """Every one that writes, in whatever module of the room, alone or in a collection."""
    for module in pkgutil.iter_modules(registry.metadata.__path__):
        for found in vars(import_module(f"registry.metadata.{module.name}")).values():
            for each in found if isinstance(found, list | tuple | set) else [found]:
                if isinstance(each, sa.Update | sa.Delete | sa.Insert):
                    yield module.name, each


def test_only_the_journal_adds_events_and_only_the_seals_touch_them_again() -> None:
    touching = [(module, type(each)) for module, each in statements() if each.table is event]
    assert Counter(touching) == Counter([("journal", sa.Insert), ("seals", sa.Update), ("seals", sa.Delete)])
    assert {module for module, each in statements() if each.table is seal} == {"seals"}


def test_what_the_seals_change_of_an_event_is_which_seal_it_has_and_only_once() -> None:
    named = str(seals._NAME_SEAL)
    assert named == "UPDATE event SET seal_id=:seal WHERE event.id = :which AND event.seal_id IS NULL"
    assert str(seals._REMOVE).startswith("DELETE FROM event WHERE event.seal_id = :seal")
    assert journal._EVENT.table is event


def test_no_text_of_ours_writes_to_events_behind_the_statements() -> None:
    forbidden = ("UPDATE event ", "DELETE FROM event", "INSERT INTO event", "UPDATE seal ", "DELETE FROM seal")
    assert not [
        path for path in python_files("registry") if any(each in path.read_text(encoding="utf-8") for each in forbidden)
    ]
