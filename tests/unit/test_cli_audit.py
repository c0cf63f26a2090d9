"""`entrepot audit`: what an operator reads of what happened, and what a program checks."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from registry.cli_audit import BROKEN, CANNOT_RUN
from registry.core.audit_chain import links_of, walk
from registry.core.facts import Action, Outcome, Repository
from registry.core.sealing import Sealer
from registry.core.tenure import Tenure
from registry.oci.digest import Digest
from registry.oci.names import RepositoryName
from tests.unit.cli_people.conftest import desk, started
from tests.unit.cli_people.desk import Desk

__all__ = ["desk", "started"]
DIGEST = Digest.of(b"manifest")


def sql(desk: Desk, statement: str, *values: object) -> None:
    with closing(sqlite3.connect(desk.data / "registry.db")) as database, database:
        database.execute(statement, values)


@pytest.fixture
def log(desk: Desk) -> Desk:
    """A tag, two users, and a stranger who would be root; the last two events are not sealed."""
    with desk.facts() as facts:
        (admin, nobody) = facts.observe(lambda tx: [tx.accounts.find(name) for name in ("admin", "(anonymous)")])
        assert admin is not None
        assert nobody is not None
        repository = Repository(1, RepositoryName("team/app"), 1)
        facts.transact(lambda tx: tx.journal.event(Action.SET_TAG, repository, admin, DIGEST, "latest"))
        desk.does("user add alice --generate")
        sql(desk, "UPDATE event SET at = at - 60000000")
        Sealer(facts, Tenure(facts, "seal", "test"), timedelta(0)).run()
        desk.does("user add bob --generate")
        facts.transact(
            lambda tx: tx.journal.note(
                Action.SIGN_IN, nobody, target="eve\r\n\x1b[2Jroot", outcome=Outcome.FAILED, detail="\u202etxt"
            )
        )
    return desk


def targets(desk: Desk, *more: str) -> list[str]:
    return [each["target"] or each["repository"] for each in desk.json("audit list", *more)["events"]]


def test_events_are_listed_newest_first_in_a_line_each(log: Desk) -> None:
    heads, *lines = log.does("audit list")
    assert heads.split() == ["AT", "WHO", "FROM", "ACTION", "OUTCOME", "WHAT", "DETAIL"]
    assert "tag.set" in lines[-1]
    assert f"team/app:latest@{str(DIGEST)[:19]}…" in lines[-1]
    assert "sign-in" in lines[0]
    assert "failed" in lines[0]


def test_no_terminal_obeys_what_a_stranger_wrote(log: Desk) -> None:
    for verb in ("audit list", "audit list --json", "audit export"):
        told = log(verb).stdout
        assert "eve" in told
        assert not {"\r", "\x1b", "\u202e"} & set(told)


def test_a_list_can_be_narrowed(log: Desk) -> None:
    hour_ago = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    assert targets(log, "--repository", "team/*") == ["team/app"]
    assert targets(log, "--action", "principal.add", "--who", "admin") == ["bob", "alice"]
    assert targets(log, "--outcome", "failed") == [r"eve\r\n\x1b[2Jroot"]
    assert targets(log, "--since", "30s", "--action", "principal.add") == ["bob"]
    assert targets(log, "--until", "30s", "--action", "principal.add") == ["alice"]
    assert targets(log, "--until", hour_ago) == []
    assert targets(log, "--since", "2999-01-01") == []
    assert log.does("audit list --who nobody") == ["none"]


def test_pages_follow_each_other(log: Desk) -> None:
    whole, after = targets(log), list[str]()
    seen = list[str]()
    while page := log.json("audit list --limit 2", *after):
        seen += [each["target"] or each["repository"] for each in page["events"]]
        if page["next"] is None:
            break
        after = ["--after", page["next"]]
    assert seen == whole


@pytest.mark.parametrize(
    ("option", "value"),
    [("--since", "soon"), ("--since", "999999999999d"), ("--after", "x"), ("--repository", "**/x"), ("--limit", "0")],
)
def test_what_cannot_be_is_refused(desk: Desk, option: str, value: str) -> None:
    assert desk("audit list", option, value).exit_code == 2


def test_a_log_that_holds_tells_the_hash_to_be_noted(log: Desk) -> None:
    first, waiting, last = log.does("audit verify")
    assert first.startswith("looked at 1 seal over ")
    assert waiting.endswith("events without a seal yet")
    told, _, noted = last.rpartition(" ")
    assert told == "the last hash, to be noted elsewhere:"
    assert log.json("audit verify --head", noted)["holds"]
    assert log("audit verify --head", noted[:-1]).exit_code == CANNOT_RUN
    other = log("audit verify --head", "0" * 63 + "1")
    assert other.exit_code == BROKEN
    assert other.stdout.splitlines()[-1].startswith("the hash that was noted is not in the chain")


def test_a_log_that_was_tampered_with_ends_with_1(log: Desk) -> None:
    sql(log, "DELETE FROM event WHERE id = 1")
    result = log("audit verify")
    assert result.exit_code == BROKEN == 1
    assert "broken at seal 1: it sealed" in result.stdout
    document = json.loads(log("audit verify --json").stdout)
    assert (document["holds"], document["flaw"]["seal"]) == (False, 1)


def test_an_export_is_checked_where_no_registry_is(log: Desk, tmp_path: Path) -> None:
    exported = log("audit export").stdout
    assert walk(links_of(line + b"\n" for line in exported.encode().splitlines()), keep_since=None).holds
    elsewhere = Desk(tmp_path / "nowhere")
    assert elsewhere("audit verify --export -", stdin=exported).exit_code == 0
    file = tmp_path / "export.jsonl"
    file.write_text(exported.replace("alice", "malice"))
    assert elsewhere("audit verify", "--export", str(file)).exit_code == BROKEN
    file.write_text(exported.partition("\n")[2])
    assert elsewhere("audit verify", "--export", str(file)).exit_code == BROKEN


def test_a_folder_without_a_registry_is_no_empty_log(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "nowhere")
    assert desk("audit verify").exit_code == CANNOT_RUN
    assert desk("audit list").exit_code == 1
    assert not desk.data.exists()
