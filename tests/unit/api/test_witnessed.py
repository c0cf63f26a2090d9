"""What the audit log is told of although nothing came of it: refused writes, failed logins, and who signed in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import httpx
import pytest

from registry import application
from registry.api.recorder import Recorder
from registry.app import create_app
from registry.auth.opaque import Opaque
from registry.auth.passwords import Passwords
from registry.config import Settings
from registry.core.facts import CredentialKind
from tests.support.inprocess import URL, in_process
from tests.unit.metadata.databases import opened, rows

ADMIN, BOB = ("admin", "correct horse"), ("bob", "correct horse")
DIGEST = "sha256:" + 64 * "0"
Ask = Callable[[httpx.Client], object]


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A registry with an account that may do nothing; its witness is in no hurry to write."""
    monkeypatch.setattr(application, "Recorder", partial(Recorder, pause=60))
    with served(tmp_path):
        pass
    secret = Passwords().hash(BOB[1])
    with opened(tmp_path / "registry.db") as metadata:
        metadata.transact(lambda tx: tx.accounts.add_password(tx.accounts.add("bob", "user"), secret))
    return tmp_path


@contextmanager
def served(data: Path) -> Iterator[httpx.Client]:
    with (
        in_process(create_app(Settings(data=data, admin_password=ADMIN[1], background=False))) as transport,
        httpx.Client(transport=transport, base_url=URL) as client,
    ):
        yield client


def told(data: Path, *asks: Ask) -> list[tuple[str, ...]]:
    """What the log has of some requests, when the worker has stopped."""
    with served(data) as client:
        for ask in asks:
            ask(client)
    return rows(data / "registry.db", "SELECT action, outcome, who, repository, reference, target, detail FROM event")


@pytest.mark.parametrize(
    ("method", "path", "action", "reference"),
    [
        ("POST", "blobs/uploads/", "blob.push", ""),
        ("PUT", "manifests/latest", "manifest.push", "latest"),
        ("DELETE", "manifests/latest", "manifest.delete", "latest"),
        ("DELETE", f"blobs/{DIGEST}", "blob.delete", DIGEST),
    ],
)
def test_a_write_that_is_refused_is_told_of(data: Path, method: str, path: str, action: str, reference: str) -> None:
    def ask(client: httpx.Client) -> None:
        assert client.request(method, f"/v2/team/app/{path}", auth=BOB).status_code == 403

    assert told(data, ask) == [(action, "denied", "bob", "team/app", reference, "", "")]
    assert rows(data / "registry.db", "SELECT count(*) FROM event WHERE credential_id IS NOT NULL") == [(1,)]


def test_reading_that_is_refused_and_a_challenge_are_not_told_of(data: Path) -> None:
    def ask(client: httpx.Client) -> None:
        for path in ("manifests/latest", f"blobs/{DIGEST}", "tags/list"):
            assert client.get(f"/v2/team/app/{path}", auth=BOB).status_code == 403
        assert client.get("/v2/").status_code == 401
        assert client.post("/v2/team/app/blobs/uploads/").status_code == 401
        assert client.get("/v2/", headers={"authorization": "Bearer nonsense"}).status_code == 401

    assert told(data, ask) == []


def test_a_failed_login_tells_the_name_and_never_the_secret(data: Path) -> None:
    token = Opaque.generate(CredentialKind.TOKEN)

    def ask(client: httpx.Client) -> None:
        for auth in (("bob", "wrong"), ("nobody", "wrong"), (token.text, "wrong"), ("bob", token.text)):
            assert client.get("/v2/", auth=auth).status_code == 401
            assert client.get("/token", auth=auth).status_code == 401
        client.post("/token", data={"grant_type": "password", "username": "eve", "password": "wrong"})
        client.post("/token", data={"grant_type": "refresh_token", "refresh_token": token.text})

    assert told(data, ask) == [
        ("sign-in", "failed", "(anonymous)", "", "", "bob", "4 times"),
        ("sign-in", "failed", "(anonymous)", "", "", "nobody", "2 times"),
        ("sign-in", "failed", "(anonymous)", "", "", token.hint, "2 times"),
        ("sign-in", "failed", "(anonymous)", "", "", "eve", ""),
        ("sign-in", "failed", "(anonymous)", "", "", "", ""),
    ]


def test_who_is_not_even_asked_any_more_is_told_of_as_well(data: Path) -> None:
    def ask(client: httpx.Client) -> None:
        assert [client.get("/token", auth=("bob", str(each))).status_code for each in range(12)][-2:] == [429, 429]

    assert told(data, ask) == [
        ("sign-in", "failed", "(anonymous)", "", "", "bob", "10 times"),
        ("sign-in", "denied", "(anonymous)", "", "", "bob", "too many failed logins, 2 times"),
    ]


def test_whoever_fetches_tokens_is_told_of_once(data: Path) -> None:
    def ask(client: httpx.Client) -> None:
        for _ in range(3):
            assert client.get("/token", auth=BOB).status_code == 200
        assert client.get("/token").status_code == 200

    assert told(data, ask) == [("sign-in", "done", "bob", "", "", "", "")]
