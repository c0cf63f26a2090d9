"""What every request passes: made late, guarded, and told of."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, MutableMapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from registry.admin.callers import Callers
from registry.admin.gate import Gate
from registry.admin.late import Late
from registry.core.facts import Caller
from registry.core.witness import NOBODY
from tests.unit.admin.site import Person, Site, new_name, site


def uncounted(_caller: Caller) -> None:
    """Where everybody may ask as often as it likes."""


def test_nothing_of_it_is_imported_before_it_is_asked_for() -> None:
    code = (
        "import sys, registry.app; sys.exit(bool({'fastapi', 'pydantic', 'registry.admin.app'} & sys.modules.keys()))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_application_is_made_once_however_many_ask_at_once() -> None:
    made, answered = [], []

    async def application(scope: MutableMapping[str, Any], _receive: object, _send: object) -> None:
        answered.append(scope["path"])

    def make() -> Any:
        time.sleep(0.01)
        made.append(application)
        return application

    async def in_thread(work: Callable[..., Any], /, *arguments: object) -> Any:
        return await asyncio.to_thread(work, *arguments)

    async def ask() -> None:
        late = Late(make, in_thread)
        await asyncio.gather(*(late({"path": str(each)}, None, None) for each in range(5)))  # type: ignore[arg-type]  # neither is asked

    asyncio.run(ask())
    assert (len(made), sorted(answered)) == (1, ["0", "1", "2", "3", "4"])


def test_what_nobody_expected_is_told_to_the_log_and_not_to_the_client() -> None:
    class Alice:
        caller = Caller(1, "alice", credential=1)

        async def recognise(self, _authorization: str | None, _address: str = "") -> Any:
            return self

    async def broken(_scope: object, _receive: object, _send: object) -> None:
        raise RuntimeError("the words of a secret")

    sent: list[MutableMapping[str, Any]] = []

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request"}

    scope = {"type": "http", "method": "GET", "path": "/api/v1/me", "headers": [], "query_string": b""}
    gate = Gate(broken, Callers(Alice(), uncounted), NOBODY, frozenset())  # type: ignore[arg-type]  # asked for no more
    logging.disable(logging.CRITICAL)
    try:
        asyncio.run(gate(scope, receive, send))
    finally:
        logging.disable(logging.NOTSET)
    assert sent[0]["status"] == 500
    assert b"urn:entrepot:problem:internal" in sent[1]["body"]
    assert b"secret" not in sent[1]["body"]


def test_a_change_that_was_refused_is_an_event(tmp_path: Path) -> None:
    with site(tmp_path / "data") as registry:
        alice = registry.user()
        alice.put("/users/eve", {"is_admin": True})
        alice.get("/users")
    with closing(sqlite3.connect(tmp_path / "data" / "registry.db")) as facts:
        asked = "SELECT target, detail FROM event WHERE action = 'administration' AND outcome = 'denied'"
        assert facts.execute(asked).fetchall() == [("/api/v1/users/eve", "PUT")]


def test_what_is_done_is_an_event_of_whoever_did_it(tmp_path: Path) -> None:
    with site(tmp_path / "data") as registry:
        alice = registry.user(is_admin=True)
        name = new_name()
        alice.put(f"/users/{name}", {"description": "new"})
        alice.delete(f"/users/{name}")
    with closing(sqlite3.connect(tmp_path / "data" / "registry.db")) as facts:
        asked = (
            "SELECT action FROM event JOIN principal ON principal.id = principal_id"
            " WHERE principal.name = ? AND target = ? ORDER BY event.id"
        )
        assert [row[0] for row in facts.execute(asked, (alice.name, name))] == ["principal.add", "principal.remove"]


@pytest.mark.parametrize("authorization", ["Bearer", "Bearer ", "Bearer x", "Basic", "Digest x", "Basic !", "\xff"])
def test_what_proves_nothing_is_refused(registry: Site, authorization: str) -> None:
    shown = {b"authorization": authorization.encode("latin-1")}
    answer = registry.client().get("/api/v1/me", headers=shown)
    assert answer.status_code == 401


def test_a_session_lets_in_whoever_shows_one(admin: Person) -> None:
    class NobodyElse:
        caller = Caller(2, "(anonymous)", is_anonymous=True)

        async def recognise(self, _authorization: str | None, _address: str = "") -> Any:
            return self

    async def by_session(scope: MutableMapping[str, Any]) -> Caller | None:
        return Caller(1, "alice", credential=1) if (b"cookie", b"hers") in scope["headers"] else None

    callers = Callers(NobodyElse(), uncounted, by_session)  # type: ignore[arg-type]  # asked for no more
    shown = asyncio.run(callers.of({"method": "GET", "headers": [(b"cookie", b"hers")]}))
    assert shown.name == "alice"
    assert admin.get("/me").status_code == 200


def test_who_asks_too_often_hears_when_to_come_again(tmp_path: Path) -> None:
    with site(tmp_path / "data", requests_per_caller=2, requests_anonymous=1) as registry:
        answers = [registry.admin.get("/me") for _ in range(3)]
        assert [each.status_code for each in answers] == [200, 200, 429]
        assert int(answers[2].headers["retry-after"]) >= 1
        # The same allowance as for pulls.
        assert registry.admin.http.get("/v2/").status_code == 429
        assert [registry.client().get("/api/v1/me").status_code for _ in range(2)] == [401, 429]
