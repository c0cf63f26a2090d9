"""What the registry answers at once is what it answers anyhow, whoever asks, byte for byte."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from registry.api.messages import Answer
from registry.auth.tokens import Claims, Tokens
from registry.oci.digest import Digest
from tests.unit.api.conftest import LIFETIME, PASSWORD, Counting, basic
from tests.unit.api.front import (
    ABSENT,
    IMAGE,
    LARGE,
    OBJECT,
    SMALL,
    Front,
    Sent,
    blob_path,
    manifest_path,
    opened,
    ordinary,
    prompt,
    scope_of,
    sent_by,
)
from tests.unit.core.house import APP, AWAY

TARGETS: dict[str, tuple[str, dict[str, str]]] = {
    "base": ("/v2/", {}),
    "no such endpoint": ("/v2/nowhere", {}),
    "manifest by tag": (manifest_path("v1"), {}),
    "manifest by digest": (manifest_path(Digest.of(IMAGE)), {}),
    "manifest that is known": (manifest_path("v1"), {"if_none_match": f'"{Digest.of(IMAGE)}"'}),
    "manifest that is not known": (manifest_path("v1"), {"if_none_match": f'"{ABSENT}"'}),
    "no such tag": (manifest_path("v2"), {}),
    "no such manifest": (manifest_path(ABSENT), {}),
    "no such repository": (f"/v2/{AWAY}/manifests/v1", {}),
    "no reference": (manifest_path("sha256:1234"), {}),
    "bad name": ("/v2/Not_A_Name/manifests/v1", {}),
    "blob in a row": (blob_path(SMALL), {}),
    "blob in an object": (blob_path(OBJECT), {}),
    "large blob": (blob_path(LARGE), {}),
    "part of a blob in a row": (blob_path(SMALL), {"range": "bytes=2-5"}),
    "part of a blob": (blob_path(OBJECT), {"range": "bytes=100-199"}),
    "small part of a large blob": (blob_path(LARGE), {"range": "bytes=-10"}),
    "large part of a large blob": (blob_path(LARGE), {"range": "bytes=7-190000"}),
    "part of another blob": (blob_path(OBJECT), {"range": "bytes=100-199", "if_range": f'"{ABSENT}"'}),
    "no part of it": (blob_path(OBJECT), {"range": "bytes=9000-"}),
    "blob that is known": (blob_path(LARGE), {"if_none_match": f'"{Digest.of(LARGE)}"'}),
    "no such blob": (f"/v2/{APP}/blobs/{ABSENT}", {}),
    "bad digest": (f"/v2/{APP}/blobs/sha256:1234", {}),
    "unknown algorithm": (f"/v2/{APP}/blobs/md5:d41d8cd98f00b204e9800998ecf8427e", {}),
    "tags": (f"/v2/{APP}/tags/list", {}),
    "page of tags": (f"/v2/{APP}/tags/list?n=0", {}),
    "bad page of tags": (f"/v2/{APP}/tags/list?n=x", {}),
    "tags of no repository": (f"/v2/{AWAY}/tags/list", {}),
    "catalog": ("/v2/_catalog", {}),
    "referrers": (f"/v2/{APP}/referrers/{Digest.of(IMAGE)}", {}),
    "referrers of a type": (f"/v2/{APP}/referrers/{Digest.of(IMAGE)}?artifactType=none", {}),
    "referrers of a bad digest": (f"/v2/{APP}/referrers/x", {}),
    "upload that there is not": (f"/v2/{APP}/blobs/uploads/1234", {}),
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


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("target", TARGETS)
def test_an_answer_at_once_is_the_one_that_is_given_anyhow(front: Front, method: str, target: str) -> None:
    path, headers = TARGETS[target]
    callers: list[dict[str, str]] = [
        {},
        {"authorization": basic("admin", PASSWORD)},
        {"authorization": basic("bob", PASSWORD)},
        {"authorization": "Bearer nonsense"},
        {"authorization": "Basic nonsense"},
        {"authorization": bearer(front)},
    ]

    async def scenario() -> None:
        for caller in callers:
            for again in (False, True):
                # The first with a password is verified in a thread, the second remembered: at once both ways.
                was_prompt = await prompt(front, scope_of(path, method, **headers, **caller), again=again)
                assert was_prompt == await ordinary(front, scope_of(path, method, **headers, **caller))
                if method == "HEAD":
                    assert was_prompt.body == b""

    asyncio.run(scenario())


def bearer(front: Front) -> str:
    """What was issued to somebody without an account, for something else."""
    now = datetime.now(UTC)
    return "Bearer " + front.gate.tokens.issue(Claims.grant("", None, (), now, LIFETIME), now)


@pytest.mark.parametrize("again", [False, True])
@pytest.mark.parametrize("name", ["admin", "nobody"])
def test_a_wrong_password_is_refused_the_same_way(closed: Front, name: str, again: bool) -> None:
    wrong = {"authorization": basic(name, "wrong")}

    async def scenario() -> None:
        was_prompt = await prompt(closed, scope_of(manifest_path("v1"), **wrong), again=again)
        assert was_prompt == await ordinary(closed, scope_of(manifest_path("v1"), **wrong))
        assert was_prompt.status == 401

    asyncio.run(scenario())
    assert closed.gate.passwords.verified >= 2


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("content", [OBJECT, LARGE])
@pytest.mark.parametrize("loss", ["removed", "cut"])
def test_a_lost_object_is_found_no_more_and_marked(public: Front, method: str, content: bytes, loss: str) -> None:
    public.lose(content, loss)

    async def scenario() -> tuple[Sent, Sent]:
        first = await prompt(public, scope_of(blob_path(content), method), again=True)
        return first, await ordinary(public, scope_of(blob_path(content), method))

    first, later = asyncio.run(scenario())
    assert first.status == later.status == 404
    assert first == later
    assert public.house.serves(Digest.of(content)) is None


def test_what_is_in_memory_is_answered_without_an_event_loop(public: Front) -> None:
    for path, headers in TARGETS.values():
        if path != blob_path(LARGE) or headers.get("range") == "bytes=-10":
            answer = public.at_once(path, **headers)
            assert (b"docker-distribution-api-version", b"registry/2.0") in answer.headers
        public.at_once(path, "HEAD", **headers)


def test_a_file_that_was_opened_is_closed_once_it_is_sent(public: Front) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    rest = public.api.at_once(scope_of(blob_path(LARGE)), asked_again=True)
    assert not isinstance(rest, Answer)
    assert len(list(Path("/proc/self/fd").iterdir())) == before + 1
    assert asyncio.run(sent_by(rest, scope_of(blob_path(LARGE)))).body == LARGE
    assert len(list(Path("/proc/self/fd").iterdir())) == before
