"""What holds for every verb of people: `registry.cli_people.operator`."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import click
import pytest

from registry.cli import main
from registry.cli_people.answer import table
from registry.cli_people.operator import every
from tests.unit.cli_people.desk import Desk

GROUPS = ("user", "group", "robot", "token", "grant")


def verbs() -> Iterator[tuple[str, click.Command]]:
    for name in GROUPS:
        group = main.commands[name]
        assert isinstance(group, click.Group)
        yield from ((f"{name} {word}", verb) for word, verb in group.commands.items())


@pytest.mark.parametrize(("name", "verb"), [*verbs()])
def test_every_verb_can_answer_in_json_and_be_told_where_the_registry_is(name: str, verb: click.Command) -> None:
    options = {option for parameter in verb.params for option in parameter.opts}
    assert options >= {"--json", "--data", "--config"}
    assert verb.help


@pytest.mark.parametrize(("name", "verb"), [*verbs()])
def test_no_verb_takes_a_secret_as_an_argument_that_others_can_see(name: str, verb: click.Command) -> None:
    for parameter in verb.params:
        if any(word in (parameter.name or "") for word in ("password", "secret", "hash", "stdin")):
            assert isinstance(parameter, click.Option)
            assert parameter.is_flag


def test_where_there_is_no_registry_none_is_made(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "mistyped")
    told = f"{desk.data}: there is no registry: its database is absent or empty"
    assert desk.refused("user list") == (1, told)
    assert not desk.data.exists()


def test_a_registry_that_was_never_started_has_nobody_to_act_for(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    assert desk("migrate").exit_code == 0
    assert desk.refused("user list") == (1, "the registry was never started: start it once")


def test_a_database_of_another_program_is_left_alone(desk: Desk) -> None:
    with closing(sqlite3.connect(desk.data / "registry.db")) as database, database:
        database.execute("UPDATE alembic_version SET version_num = '0001'")
    status, told = desk.refused("user add alice --no-password")
    assert status == 1
    assert "the database is at revision 0001" in told


def test_a_registry_that_is_half_restored_is_no_registry(desk: Desk) -> None:
    with closing(sqlite3.connect(desk.data / "registry.db")) as database, database:
        database.execute("INSERT INTO setting (name, value) VALUES ('restoring', 'sha256:00')")
    assert desk.refused("user list")[0] == 1


def test_settings_that_cannot_be_used_end_with_2(desk: Desk) -> None:
    result = desk("user list", REGISTRY_PORT="x")
    assert (result.exit_code, result.stdout) == (2, "")


def test_what_is_done_is_told_of_in_the_name_of_admin(desk: Desk) -> None:
    desk.does("user add alice --no-password")
    desk.does("group add devs")
    desk.does("group join devs alice")
    desk.does("grant add @devs reader team/**")
    assert desk.events() == [
        ("principal.add", "admin", "alice"),
        ("principal.add", "admin", "@devs"),
        ("group.join", "admin", "@devs"),
        ("grant.put", "admin", "@devs"),
    ]


def test_the_first_account_acts_even_when_nobody_may_sign_in_as_it(desk: Desk) -> None:
    desk.does("user add alice --admin --generate")
    desk.does("user disable admin")
    desk.does("user add bob --no-password")
    assert desk.does("user enable admin") == ["user admin is enabled"]


def test_a_terminal_obeys_nothing_that_somebody_else_wrote(desk: Desk) -> None:
    desk.does("user add alice --no-password --description", "red\x1b[31m")
    told = "\n".join([*desk.does("user list"), *desk.does("user show alice")])
    assert "\x1b" not in told
    assert r"red\x1b[31m" in told
    status, told = desk.refused("user show", "\x1b[31m")
    assert (status, "\x1b" in told) == (1, False)


def test_columns_are_as_wide_as_what_is_in_them() -> None:
    assert table(("A", "B"), [("long", "x"), ("", "y")]) == ["A     B", "long  x", "      y"]
    assert table(("A",), []) == ["none"]


def test_pages_are_asked_for_until_one_is_empty() -> None:
    names = ["a", "b", "c"]
    assert list(every(lambda last: [each for each in names if each > last][:2], str)) == names
