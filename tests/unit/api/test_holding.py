"""How long an answer says that it holds: until anybody commits, and no longer than what it rests on besides."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from registry.api import app, blobs
from registry.api.messages import Answer
from registry.auth.scopes import Scope
from registry.auth.tokens import Claims, Tokens
from registry.metadata.reader import SqliteReader
from registry.oci.digest import Digest
from tests.unit.api.conftest import PASSWORD, Counting, basic
from tests.unit.api.front import (
    IMAGE,
    LARGE,
    OBJECT,
    SMALL,
    Front,
    Sent,
    blob_path,
    manifest_path,
    opened,
    prompt,
    scope_of,
    sent_by,
)
from tests.unit.core.house import APP, AWAY, House

LASTING = {
    "manifest by tag": (manifest_path("v1"), "GET"),
    "manifest by digest": (manifest_path(Digest.of(IMAGE)), "GET"),
    "facts of a manifest": (manifest_path("v1"), "HEAD"),
    "blob in a row": (blob_path(SMALL), "GET"),
    "blob in an object": (blob_path(OBJECT), "GET"),
    "that a small blob is there": (blob_path(SMALL), "HEAD"),
    "that a blob is there": (blob_path(LARGE), "HEAD"),
}
COMMITS: dict[str, Callable[[House], object]] = {
    "to what was asked for": lambda house: house.push_image("v1", APP, b"another layer"),
    "elsewhere": lambda house: house.push_blob(b"elsewhere", AWAY),
    "by another process": lambda house: house.rows("UPDATE repository SET pushed_at = pushed_at"),
}


@pytest.fixture(params=["open", "anonymous pull", "closed"])
def front(request: pytest.FixtureRequest, passwords: Counting, secret: str, tokens: Tokens) -> Iterator[Front]:
    who = {"is_open": request.param == "open", "anonymous_pull": request.param == "anonymous pull"}
    with opened(passwords, secret, tokens, **who) as front:
        yield front


@pytest.fixture
def public(passwords: Counting, secret: str, tokens: Tokens) -> Iterator[Front]:
    """Whoever asks may do everything."""
    with opened(passwords, secret, tokens, is_open=True) as front:
        yield front


@pytest.fixture
def closed(passwords: Counting, secret: str, tokens: Tokens) -> Iterator[Front]:
    """Nobody may do anything without an account."""
    with opened(passwords, secret, tokens) as front:
        yield front


@pytest.fixture
def pulled(passwords: Counting, secret: str, tokens: Tokens) -> Iterator[Front]:
    """Whoever asks may pull."""
    with opened(passwords, secret, tokens, anonymous_pull=True) as front:
        yield front


def holds(answer: Answer) -> bool:
    assert answer.holds is not None
    return answer.holds()


@pytest.mark.parametrize("commit", COMMITS)
@pytest.mark.parametrize("asked", LASTING)
def test_an_answer_holds_until_anybody_commits_anything(public: Front, asked: str, commit: str) -> None:
    answer = public.at_once(*LASTING[asked])
    for _ in range(3):
        assert holds(answer)
        assert public.at_once(*LASTING[asked])[:3] == answer[:3]
    COMMITS[commit](public.house)
    assert not holds(answer)
    assert not holds(answer)
    assert holds(public.at_once(*LASTING[asked]))


def test_what_was_read_before_a_commit_does_not_hold_after_it(public: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    find = public.reader.manifest

    async def find_and_be_overtaken(*where: Any) -> Any:
        found = await find(*where)
        public.house.push_image("v1", APP, b"another layer")
        return found

    monkeypatch.setattr(SqliteReader, "manifest", lambda _, *where: find_and_be_overtaken(*where))
    answer = public.at_once(manifest_path("v1"))
    assert answer.body == IMAGE
    assert not holds(answer)


def test_nothing_holds_where_nobody_can_tell_of_commits(public: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(public.reader, "version", lambda: None)
    for path, method in LASTING.values():
        assert public.at_once(path, method).holds is None


@pytest.mark.parametrize("loss", ["removed", "cut"])
@pytest.mark.parametrize(("content", "method"), [(OBJECT, "HEAD"), (OBJECT, "GET"), (LARGE, "HEAD")])
def test_what_rests_on_an_object_holds_while_the_object_is_whole(
    public: Front, content: bytes, method: str, loss: str
) -> None:
    answer = public.at_once(blob_path(content), method)
    assert holds(answer)
    public.lose(content, loss)
    assert not holds(answer)


def test_a_part_of_an_object_holds_while_the_object_is_whole(public: Front) -> None:
    answer = public.at_once(blob_path(LARGE), range="bytes=0-9")
    assert (answer.status, answer.body) == (206, LARGE[:10])
    assert holds(answer)
    public.lose(LARGE, "cut")
    assert not holds(answer)


@pytest.mark.parametrize("content", [SMALL, LARGE])
def test_that_a_blob_is_there_holds_until_its_lease_is_due(
    public: Front, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    due = public.lease_of(content) - public.house.lease / 2
    answer = public.at_once(blob_path(content), "HEAD")
    assert holds(answer)
    at(due - timedelta(seconds=1), monkeypatch)
    assert holds(answer)
    at(due + timedelta(seconds=1), monkeypatch)
    assert not holds(answer)


def test_who_may_not_push_needs_no_lease(pulled: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = pulled.at_once(blob_path(LARGE), "HEAD")
    at(pulled.lease_of(LARGE) + timedelta(days=1000), monkeypatch)
    assert holds(answer)


def test_what_is_pulled_needs_no_lease(public: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = public.at_once(blob_path(OBJECT))
    at(public.lease_of(OBJECT) + timedelta(days=1000), monkeypatch)
    assert holds(answer)


def at(instant: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blobs, "time", SimpleNamespace(time=instant.timestamp))


def test_a_lease_that_is_due_is_renewed_before_the_answer(public: Front) -> None:
    public.house.rows("UPDATE link SET lease_until = lease_until - ?", timedelta(hours=13) // timedelta(microseconds=1))
    before = public.lease_of(LARGE)

    async def scenario() -> Sent:
        scope = scope_of(blob_path(LARGE), "HEAD")
        rest = public.api.at_once(scope, asked_again=True)
        assert not isinstance(rest, Answer)
        return await sent_by(rest, scope)

    assert asyncio.run(scenario()).status == 200
    assert public.lease_of(LARGE) > before + timedelta(hours=12)
    assert holds(public.at_once(blob_path(LARGE), "HEAD"))


@pytest.mark.parametrize("asked", LASTING)
def test_an_answer_to_who_has_not_proved_who_it_is_promises_nothing(closed: Front, asked: str) -> None:
    path, method = LASTING[asked]

    async def scenario() -> None:
        for caller in (basic("admin", "wrong"), basic("nobody", PASSWORD), "Bearer nonsense", ""):
            await prompt(closed, scope_of(path, method, authorization=caller), again=True)

    asyncio.run(scenario())
    assert closed.at_once(path, method, authorization="Bearer nonsense").holds is None


ENDS: dict[str, Callable[[House], object]] = {
    "a password that was changed": lambda house: house.rows("UPDATE credential SET version = version + 1"),
    "a credential that was revoked": lambda house: house.rows("UPDATE credential SET revoked_at = 1"),
    "a principal that was disabled": lambda house: house.rows("UPDATE principal SET disabled_at = 1"),
    "a grant": lambda house: house.rows("INSERT INTO generation (name, value) VALUES ('grants', 1)"),
} | COMMITS


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("asked", LASTING)
def test_an_answer_to_who_shows_a_credential_holds_until_anybody_commits(closed: Front, asked: str, end: str) -> None:
    path, method = LASTING[asked]
    answer = signed_in(closed, path, method)
    assert holds(answer)
    ENDS[end](closed.house)
    assert not holds(answer)


def test_a_credential_is_looked_at_again_within_a_minute(closed: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = signed_in(closed, *LASTING["manifest by tag"])
    assert holds(answer)
    monkeypatch.setattr(app, "time", SimpleNamespace(time=lambda: time.time() + 61))
    assert not holds(answer)


def test_an_answer_holds_no_longer_than_the_credential(closed: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    closed.house.rows("UPDATE credential SET expires_at = ?", int((time.time() + 20) * 1_000_000))
    answer = signed_in(closed, *LASTING["manifest by tag"])
    assert holds(answer)
    monkeypatch.setattr(app, "time", SimpleNamespace(time=lambda: time.time() + 21))
    assert not holds(answer)


def test_an_answer_holds_no_longer_than_the_token(closed: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    now = datetime.now(UTC)
    [credential] = closed.house.rows("SELECT id, principal_id FROM credential ORDER BY id LIMIT 1")
    scopes = (Scope("repository", str(APP), ("pull",)),)
    claims = Claims.grant(str(credential[1]), credential[0], scopes, now, timedelta(seconds=20))
    token = f"Bearer {closed.gate.tokens.issue(claims, now)}"
    answer = closed.at_once(manifest_path("v1"), authorization=token)
    assert holds(answer)
    monkeypatch.setattr(app, "time", SimpleNamespace(time=lambda: time.time() + 21))
    assert not holds(answer)


def signed_in(front: Front, path: str, method: str) -> Answer:
    """The answer to an administrator whose password was verified a moment ago, as every later one is."""
    caller = basic("admin", PASSWORD)
    asyncio.run(prompt(front, scope_of(path, method, authorization=caller), again=True))
    return front.at_once(path, method, authorization=caller)


def test_a_challenge_promises_nothing(closed: Front) -> None:
    for path, method in LASTING.values():
        answer = closed.at_once(path, method)
        assert (answer.status, answer.holds) == (401, None)


def test_a_failure_is_a_500_that_promises_nothing(public: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: object) -> None:
        raise LookupError("s3cret")

    monkeypatch.setattr(SqliteReader, "manifest", fail)
    answer = public.at_once(manifest_path("v1"))
    assert (answer.status, answer.holds) == (500, None)
    assert isinstance(answer.body, bytes)
    assert b"s3cret" not in answer.body
