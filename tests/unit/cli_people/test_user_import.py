"""`entrepot user import`: an htpasswd file makes users."""

from __future__ import annotations

import json
from pathlib import Path

import bcrypt
import pytest

from registry.auth.passwords import Passwords
from tests.unit.cli_people.desk import Desk


def bcrypt_of(password: str) -> str:
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "htpasswd"


def test_an_imported_user_signs_in_with_the_password_it_had(desk: Desk, file: Path) -> None:
    hashes = {name: bcrypt_of(f"password of {name}") for name in ("alice", "bob")}
    file.write_text("# made long ago\n\n" + "".join(f"{name}:{hashed}\r\n" for name, hashed in hashes.items()))
    assert desk.does(f"user import {file}") == ["users: 2 added, 0 refused"]
    for name in hashes:
        known = desk.password_of(name)
        assert known is not None
        verdict = Passwords().verify(f"password of {name}", known.secret)
        # It is hashed anew as soon as it is known.
        assert verdict.ok
        assert verdict.replacement


def test_each_line_that_is_refused_is_told_with_its_reason_and_makes_no_user(desk: Desk, file: Path) -> None:
    good, secret = bcrypt_of("good"), "$apr1$salt$hash"
    lines = [
        f"alice:{good}",
        f"Bob:{good}",
        f"carol:{secret}",
        "dave",
        f"admin:{good}",
        f"alice:{good}",
        "erin:$2y$05$",
    ]
    file.write_text("\n".join(lines))
    result = desk(f"user import {file} --json")
    assert (result.exit_code, result.stderr) == (3, "")
    told = json.loads(result.stdout)
    assert told["added"] == ["alice"]
    assert [(each["line"], each["name"]) for each in told["refused"]] == [
        (2, "Bob"), (3, "carol"), (4, ""), (5, "admin"), (6, "alice"), (7, "erin"),
    ]  # fmt: skip
    reasons = [each["reason"] for each in told["refused"]]
    assert "lower-case" in reasons[0]
    assert reasons[1:5] == ["not a bcrypt hash", "not a bcrypt hash", "the name is taken", "the name is taken"]
    assert good not in result.stdout
    assert secret not in result.stdout
    assert [each["name"] for each in desk.json("user list")] == ["admin", "alice"]


def test_people_read_the_refused_lines_first_and_the_sum_last(desk: Desk, file: Path) -> None:
    file.write_text("carol:plain\ncolonless\n")
    result = desk(f"user import {file}")
    assert result.exit_code == 3
    assert result.stdout.splitlines() == [
        "refused: line 1, carol: not a bcrypt hash",
        "refused: line 2: not a bcrypt hash",
        "users: 0 added, 2 refused",
    ]


def test_bytes_that_are_no_text_are_refused_and_never_reach_the_terminal_raw(desk: Desk, file: Path) -> None:
    file.write_bytes(b"\xff\x1b[31m:" + bcrypt_of("x").encode())
    result = desk(f"user import {file}")
    assert (result.exit_code, "\x1b" in result.stdout) == (3, False)


def test_a_file_that_is_not_there_or_is_none_is_refused(desk: Desk, file: Path) -> None:
    assert desk(f"user import {file}").exit_code == 2
    with file.open("wb") as huge:
        huge.truncate(17 * 1024 * 1024)
    assert desk.refused(f"user import {file}") == (1, f"{file}: larger than any htpasswd file")
