"""`auth.sign_in.provider` with one that breaks the rules: nobody is let in by mistake, and nobody waits for ever."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from threading import Barrier, Thread
from typing import Any

import pytest

from registry.auth.sign_in.identity import Membership
from registry.auth.sign_in.provider import Provider
from registry.auth.sign_in.refusals import SignInRefused, SourceUnavailable
from registry.auth.sign_in.sources import Secret
from tests.support.elsewhere import Elsewhere, Reply
from tests.support.scripted_provider import ACCESS_TOKEN, CLIENT_SECRET, SUBJECT, ScriptedProvider, public_jwk
from tests.unit.auth.sign_in.providers import CALLBACK, Clock, provider_of, refusal, signed_in, source_of

DISCOVERY = "/.well-known/openid-configuration"


def asked(theirs: ScriptedProvider, path: str) -> int:
    return theirs.elsewhere.paths().count(path)


@pytest.mark.parametrize("algorithm", ["RS256", "PS256", "ES256", "EdDSA"])
@pytest.mark.parametrize("kid", ["first", None])
def test_a_token_is_believed_by_each_algorithm_of_ours(
    ours: Provider, theirs: ScriptedProvider, algorithm: str, kid: str | None
) -> None:
    theirs.algorithm, theirs.kid = algorithm, kid
    found = signed_in(ours, theirs)
    assert (found.subject, found.name, found.groups) == (SUBJECT, "alice", frozenset({"@devs"}))


def test_a_client_that_is_to_tell_its_secret_in_the_form_does(ours: Provider, theirs: ScriptedProvider) -> None:
    theirs.metadata["token_endpoint_auth_methods_supported"] = ["client_secret_post"]
    assert signed_in(ours, theirs).name == "alice"
    (seen,) = (each for each in theirs.elsewhere.seen if each.path == "/token")
    assert "Authorization" not in seen.headers


def test_neither_code_nor_secret_is_in_any_address(ours: Provider, theirs: ScriptedProvider) -> None:
    url, flow = ours.begin(CALLBACK)
    query = theirs.consent(url)
    ours.finish(flow, query)
    told = url + "".join(each.target for each in theirs.elsewhere.seen)
    assert not [secret for secret in (CLIENT_SECRET, flow.verifier, "code-0", ACCESS_TOKEN) if secret in told]


def test_a_name_that_nobody_here_can_have_is_said_to_its_owner(ours: Provider, theirs: ScriptedProvider) -> None:
    theirs.claims["preferred_username"] = "alice@example.org"
    with pytest.raises(SignInRefused, match="a name that no user of this registry can have") as refused:
        signed_in(ours, theirs)
    assert "another claim or attribute can be made the name" in refused.value.reason


def test_who_is_in_no_required_group_is_not_let_in(theirs: ScriptedProvider) -> None:
    source = source_of(theirs.issuer, membership=Membership(required=frozenset({"Devs"})))
    with provider_of(source) as ours, pytest.raises(SignInRefused, match="none of the groups that may use"):
        signed_in(ours, theirs)


def test_claims_that_the_token_lacks_are_asked_for(ours: Provider, theirs: ScriptedProvider) -> None:
    theirs.claims |= {"groups": None, "preferred_username": None}
    theirs.userinfo = {"groups": ["admins"], "preferred_username": "alice", "iss": "of no account"}
    assert signed_in(ours, theirs).groups == {"@admins"}


def test_what_the_token_says_is_not_said_otherwise_elsewhere(ours: Provider, theirs: ScriptedProvider) -> None:
    theirs.claims["groups"] = None
    theirs.userinfo = {"groups": ["admins"], "preferred_username": "mallory"}
    assert signed_in(ours, theirs).name == "alice"


def test_claims_of_somebody_else_are_not_taken(ours: Provider, theirs: ScriptedProvider) -> None:
    theirs.claims["groups"] = None
    theirs.userinfo = {"sub": "somebody", "groups": ["admins"]}
    assert "UserInfo tells of somebody else" in refusal(ours, theirs)


def test_a_sign_in_that_takes_too_long_is_begun_again(ours: Provider, theirs: ScriptedProvider, clock: Clock) -> None:
    url, flow = ours.begin(CALLBACK)
    clock.passed += 601
    with pytest.raises(SignInRefused) as refused:
        ours.finish(flow, theirs.consent(url))
    assert "took too long" in refused.value.reason
    assert asked(theirs, "/token") == 0


def test_a_sign_in_ends_where_it_was_begun(theirs: ScriptedProvider, ours: Provider) -> None:
    url, flow = ours.begin(CALLBACK)
    with provider_of(source_of(theirs.issuer, name="another")) as another, pytest.raises(SignInRefused) as refused:
        another.finish(flow, theirs.consent(url))
    assert refused.value.reason == "another: the flow was begun with company"


def test_a_code_without_what_its_challenge_was_made_of_is_of_no_use(ours: Provider, theirs: ScriptedProvider) -> None:
    url, flow = ours.begin(CALLBACK)
    query = theirs.consent(url)
    with pytest.raises(SignInRefused) as refused:
        ours.finish(replace(flow, verifier="v" * 64), query)
    assert "does not take the code" in refused.value.reason


def test_documents_are_asked_for_once_an_hour(ours: Provider, theirs: ScriptedProvider, clock: Clock) -> None:
    for _ in range(3):
        signed_in(ours, theirs)
    assert (asked(theirs, DISCOVERY), asked(theirs, "/keys")) == (1, 1)
    clock.passed += 3601
    theirs.claims |= {"iat": int(time.time()) + 3600, "exp": int(time.time()) + 3900}
    signed_in(ours, theirs)
    assert (asked(theirs, DISCOVERY), asked(theirs, "/keys")) == (2, 2)


def test_an_unknown_key_is_asked_for_once_a_minute(ours: Provider, theirs: ScriptedProvider, clock: Clock) -> None:
    signed_in(ours, theirs)
    theirs.kid = "second"
    for _ in range(3):
        theirs.keys = lambda: [public_jwk("ES256", "first")]
        assert "no key of the provider is 'second'" in refusal(ours, theirs)
    assert asked(theirs, "/keys") == 1
    clock.passed += 61
    theirs.claims |= {"iat": int(time.time()) + 61, "exp": int(time.time()) + 300}
    refusal(ours, theirs)
    refusal(ours, theirs)
    assert asked(theirs, "/keys") == 2


def test_a_key_that_took_over_is_found(ours: Provider, theirs: ScriptedProvider, clock: Clock) -> None:
    signed_in(ours, theirs)
    clock.passed += 61
    theirs.kid = "second"
    assert signed_in(ours, theirs).name == "alice"


@pytest.mark.parametrize(
    ("metadata", "reason"),
    [
        ({"issuer": "https://evil.example"}, "is of 'https://evil.example', not of"),
        ({"issuer": None}, "is of 'None', not of"),
        ({"token_endpoint": None}, "no usable token_endpoint"),
        ({"token_endpoint": "ftp://127.0.0.1/"}, "no usable token_endpoint"),
        ({"authorization_endpoint": "javascript:alert(1)"}, "no usable authorization_endpoint"),
        ({"authorization_endpoint": "https://a.example/\r\nX: y"}, "no usable authorization_endpoint"),
        ({"jwks_uri": ["https://a.example"]}, "no usable jwks_uri"),
        ({"token_endpoint_auth_methods_supported": ["private_key_jwt"]}, "no way to tell the client's secret"),
        ({"token_endpoint_auth_methods_supported": 7}, "no way to tell the client's secret"),
    ],
)
def test_a_discovery_document_that_cannot_be_used_is_told_in_words(
    ours: Provider, theirs: ScriptedProvider, metadata: dict[str, Any], reason: str
) -> None:
    theirs.metadata |= metadata
    with pytest.raises(SourceUnavailable, match="company: ") as told:
        ours.begin(CALLBACK)
    assert reason in told.value.reason


@pytest.mark.parametrize("path", [DISCOVERY, "/keys", "/token", "/userinfo"])
@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (Reply(200, b"{" + b'"a":[' * 50_000), "is no object in JSON"),
        (Reply(200, b"[]"), "is no object in JSON"),
        (Reply(200, b"<html>"), "is no object in JSON"),
        (Reply(200, b"\xff\xfe"), "is no object in JSON"),
        (Reply(200, b" " * 300_000), "more than 262144 bytes"),
        (Reply(500, b"<html>"), "answers 500"),
        (Reply(503), "answers 503"),
        (Reply(302, headers={"Location": "http://169.254.169.254/latest/meta-data/"}), "169.254.169.254"),
        (Reply(200, b"{}", sent=1), "broke off"),
    ],
)
def test_an_answer_that_cannot_be_used_is_told_in_words(
    ours: Provider, theirs: ScriptedProvider, path: str, reply: Reply, reason: str
) -> None:
    theirs.claims["groups"] = None
    theirs.userinfo = {}
    theirs.elsewhere.always[path] = reply
    with pytest.raises(SourceUnavailable) as told:
        signed_in(ours, theirs)
    # What is posted follows nobody: there, the redirect is the answer.
    assert reason in told.value.reason or (path == "/token" and "answers 302" in told.value.reason)
    assert told.value.reason.isprintable()


def test_many_keys_are_no_key_set(ours: Provider, theirs: ScriptedProvider) -> None:
    theirs.keys = lambda: [public_jwk("ES256", f"k{number}") for number in range(65)]
    with pytest.raises(SourceUnavailable, match="no list of at most 64 keys"):
        signed_in(ours, theirs)


def test_nobody_waits_for_ever_for_a_token_endpoint_that_says_nothing(ours: Provider, theirs: ScriptedProvider) -> None:
    url, flow = ours.begin(CALLBACK)
    query = theirs.consent(url)
    before, stop = theirs.elsewhere.before, Barrier(2)

    def hang(seen: Any) -> Reply | None:
        if seen.path == "/token":
            stop.wait(20)
        return before(seen)

    theirs.elsewhere.before = hang
    began = time.monotonic()
    with pytest.raises(SourceUnavailable, match="it takes too long"):
        ours.finish(flow, query)
    assert time.monotonic() - began < 5
    stop.wait(20)


def test_a_provider_that_is_down_costs_many_threads_one_wait() -> None:
    with Elsewhere() as nobody:
        nobody.always[DISCOVERY] = Reply(500)
        with provider_of(source_of(nobody.url)) as ours:
            failed: list[str] = []

            def begin() -> None:
                with pytest.raises(SourceUnavailable) as told:
                    ours.begin(CALLBACK)
                failed.append(told.value.reason)

            threads = [Thread(target=begin) for _ in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert len(set(failed)) == 1
        assert len(failed) == 8
        assert nobody.paths() == [DISCOVERY]


def test_a_provider_that_is_up_again_is_asked_again(ours: Provider, theirs: ScriptedProvider, clock: Clock) -> None:
    theirs.elsewhere.instead[DISCOVERY] = [Reply(500)]
    for _ in range(2):
        with pytest.raises(SourceUnavailable):
            ours.begin(CALLBACK)
    clock.passed += 6
    assert signed_in(ours, theirs).name == "alice"


def test_a_secret_in_a_file_is_read_each_time(theirs: ScriptedProvider, tmp_path: Path) -> None:
    file = tmp_path / "secret"
    with provider_of(source_of(theirs.issuer, client_secret=Secret(file=file))) as ours:
        with pytest.raises(SourceUnavailable, match="secret cannot be read"):
            signed_in(ours, theirs)
        file.write_text(f"{CLIENT_SECRET}\n")
        assert signed_in(ours, theirs).name == "alice"
