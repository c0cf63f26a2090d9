"""Pulls are counted, whichever way a manifest is answered, and written down by whoever has nothing else to do."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from registry.api.pulls import Pulls
from registry.auth.tokens import Tokens
from registry.core.pulling import PullService
from registry.metadata.instants import from_micros
from registry.oci.digest import Digest
from tests.unit.api.conftest import Counting
from tests.unit.api.front import IMAGE, REFERRER, Front, manifest_path, opened, ordinary, prompt, scope_of
from tests.unit.core.house import APP, AWAY

MINUTE = timedelta(minutes=1)
BY_DIGEST = manifest_path(Digest.of(IMAGE))


@pytest.fixture
def front(passwords: Counting, secret: str, tokens: Tokens) -> Iterator[Front]:
    with opened(passwords, secret, tokens, is_open=True) as front:
        yield front


def pulls_of(front: Front, content: bytes = IMAGE) -> int:
    """By what is written down once all of it is."""
    front.pulls.write()
    ((pulls,),) = front.house.rows("SELECT pulls FROM manifest WHERE digest = ?", Digest.of(content).packed)
    return int(pulls)


def ask(front: Front, path: str, method: str = "GET", **headers: str) -> int:
    return asyncio.run(ordinary(front, scope_of(path, method, **headers))).status


@pytest.mark.parametrize("path", [manifest_path("v1"), BY_DIGEST])
def test_a_manifest_that_is_got_was_pulled_at_that_time(front: Front, path: str) -> None:
    ask(front, path)
    assert pulls_of(front) == 1
    ((at,),) = front.house.rows("SELECT pulled_at FROM manifest WHERE digest = ?", Digest.of(IMAGE).packed)
    assert abs(datetime.now(UTC) - from_micros(at)) < MINUTE
    assert pulls_of(front, REFERRER) == 0


def test_one_that_is_answered_at_once_was_pulled(front: Front) -> None:
    asyncio.run(prompt(front, scope_of(manifest_path("v1")), again=False))
    assert pulls_of(front) == 1


def test_one_that_is_answered_by_the_same_bytes_again_was_pulled_each_time(front: Front) -> None:
    answer = front.at_once(manifest_path("v1"))
    assert answer.holds is not None
    assert all([answer.holds(), answer.holds()])
    assert pulls_of(front) == 3
    # What does not hold is not sent: whoever answers instead counts it.
    front.house.push_blob(b"a commit")
    assert not answer.holds()
    assert pulls_of(front) == 3


def test_one_that_the_client_has_was_pulled(front: Front) -> None:
    assert ask(front, manifest_path("v1"), if_none_match=f'"{Digest.of(IMAGE)}"') == 304
    assert pulls_of(front) == 1


def test_who_only_looks_has_pulled_nothing(front: Front) -> None:
    ask(front, manifest_path("v1"), "HEAD")
    answer = front.at_once(manifest_path("v1"), "HEAD")
    assert answer.holds is not None
    assert answer.holds()
    assert ask(front, manifest_path("v2")) == 404
    assert pulls_of(front) == 0


def test_pulls_add_up_and_the_last_one_counts(front: Front) -> None:
    service = PullService(front.house.metadata)
    pulls = [Pulls(service), Pulls(service)]
    for number, worker in enumerate(pulls):
        for _ in range(number + 1):
            worker.note(APP, Digest.of(IMAGE))
    earlier, later = datetime(2030, 1, 1, tzinfo=UTC), datetime(2031, 1, 1, tzinfo=UTC)
    this = APP.text, "sha256", Digest.of(IMAGE).hex
    pulls[0].add(this, (1, later.timestamp()))
    pulls[1].add(this, (1, earlier.timestamp()))
    for worker in pulls:
        worker.close()
    ((count, at),) = front.house.rows("SELECT pulls, pulled_at FROM manifest WHERE digest = ?", Digest.of(IMAGE).packed)
    assert (count, from_micros(at)) == (5, later)


def test_of_what_is_gone_nothing_is_known(front: Front) -> None:
    for name, content in ((AWAY, IMAGE), (APP, b"never pushed")):
        front.pulls.note(name, Digest.of(content))
    front.house.manifests.delete(APP, Digest.of(REFERRER), front.house.admin)
    front.pulls.note(APP, Digest.of(REFERRER))
    assert pulls_of(front) == 0
    assert pulls_of(front, REFERRER) == 0


def test_what_could_not_be_written_adds_to_what_came_since(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    front.pulls.note(APP, Digest.of(IMAGE))
    with monkeypatch.context() as patch:
        patch.setattr(PullService, "note", _refuse)
        with pytest.raises(OSError, match="no database"):
            front.pulls.write()
    front.pulls.note(APP, Digest.of(IMAGE))
    assert pulls_of(front) == 2


def _refuse(*_: object) -> None:
    raise OSError("no database")
