"""The accounts that every registry has: made once, whoever is first."""

from __future__ import annotations

from pathlib import Path

import pytest

from registry.core.accounts import ADMIN, ANONYMOUS, OPEN, settle
from tests.unit.metadata.databases import at_once, new_database, opened, rows


def test_a_first_start_makes_the_accounts_and_a_second_finds_them(tmp_path: Path) -> None:
    with opened(new_database(tmp_path)) as metadata:
        residents, is_new = settle(metadata, lambda: "hash")
        assert is_new
        assert settle(metadata, lambda: pytest.fail("no password is asked for twice")) == (residents, False)
    assert (residents.admin.name, residents.admin.is_admin, residents.admin.is_anonymous) == (ADMIN, True, False)
    assert (residents.anonymous.is_admin, residents.anonymous.is_anonymous) == (False, True)
    assert residents.open.is_admin
    names = rows(tmp_path / "registry.db", "SELECT name, kind FROM principal ORDER BY name")
    assert names == sorted([(ADMIN, "user"), (ANONYMOUS, "anonymous"), (OPEN, "open")])


def test_processes_that_start_at_once_make_one_admin_with_one_password(tmp_path: Path) -> None:
    database = new_database(tmp_path)

    def start(number: int) -> tuple[bool, int]:
        with opened(database) as metadata:
            residents, is_new = settle(metadata, lambda: f"hash {number}")
            return is_new, residents.admin.principal

    answers = at_once(start, processes=3)
    assert len({admin for _, admin in answers}) == 1
    winner = [is_new for is_new, _ in answers].index(True)
    assert rows(database, "SELECT secret FROM credential") == [(f"hash {winner}",)]
    assert rows(database, "SELECT count(*) FROM principal") == [(3,)]


def test_a_start_that_lost_the_race_keeps_nothing_of_its_own(tmp_path: Path) -> None:
    database = new_database(tmp_path)
    with opened(database) as metadata, opened(database) as other:

        def meanwhile() -> str:
            settle(other, lambda: "the first one's")
            return "the late one's"

        assert settle(metadata, meanwhile)[1] is False
    assert rows(database, "SELECT secret FROM credential") == [("the first one's",)]


def test_a_disabled_admin_is_not_made_anew_and_does_not_stop_a_start(tmp_path: Path) -> None:
    database = new_database(tmp_path)
    with opened(database) as metadata:
        settle(metadata, lambda: "hash")
        metadata._writer.execute("UPDATE principal SET disabled_at = 1 WHERE is_admin")
        assert settle(metadata, lambda: "another")[1] is False
    assert rows(database, "SELECT secret FROM credential") == [("hash",)]
