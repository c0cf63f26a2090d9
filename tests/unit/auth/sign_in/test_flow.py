"""`auth.sign_in.flow`: what the browser takes along, and what it may bring back."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from registry.auth.sign_in.flow import Flow, authorization_url, code_in
from registry.auth.sign_in.refusals import PUBLIC, SignInRefused

NOW = datetime(2026, 7, 1, 12, 0, 0, tzinfo=UTC)
ISSUER = "https://accounts.example.org"


@pytest.fixture
def flow() -> Flow:
    return Flow.begin("company", "https://registry.example.org/callback?x=1", NOW)


def reason(query: str, flow: Flow, now: datetime = NOW) -> str:
    with pytest.raises(SignInRefused) as refused:
        code_in(query, flow, ISSUER, now)
    assert str(refused.value) == PUBLIC
    assert refused.value.reason.isprintable()
    return refused.value.reason


def test_a_flow_comes_back_from_its_bytes(flow: Flow) -> None:
    assert Flow.from_bytes(flow.to_bytes()) == flow


def test_no_two_flows_share_a_secret(flow: Flow) -> None:
    another = Flow.begin("company", flow.redirect_uri, NOW)
    assert len({flow.state, flow.nonce, flow.verifier, another.state, another.nonce, another.verifier}) == 6
    assert min(map(len, (flow.state, flow.nonce, flow.verifier))) >= 43


def test_a_flow_shows_none_of_its_secrets(flow: Flow) -> None:
    assert not [secret for secret in (flow.state, flow.nonce, flow.verifier) if secret in repr(flow)]


@pytest.mark.parametrize(
    "data",
    [
        b"", b"[]", b"{}", b"null", b"\xff", b"[" * 100_000, json.dumps(["a", "b", 1, "c", "d"]).encode(),
        json.dumps(["a", "b", "1", "c", "d", "e"]).encode(), json.dumps(["a", "b", 1, "c", "d", None]).encode(),
        json.dumps(["a", "b", 1, "", "d", "e"]).encode(), json.dumps(["a", "b", 1e300, "c", "d", "e"]).encode(),
    ],
)  # fmt: skip
def test_other_bytes_are_no_flow(data: bytes) -> None:
    with pytest.raises(ValueError, match="these bytes are no flow"):
        Flow.from_bytes(data)


@pytest.mark.parametrize("endpoint", ["https://a.example/authorize", "http://127.0.0.1:1/authorize?tenant=7"])
def test_the_browser_is_sent_with_a_challenge_and_without_its_solution(flow: Flow, endpoint: str) -> None:
    url = authorization_url(endpoint, flow, "entrepot", ("openid", "email"))
    assert url.startswith(endpoint)
    asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
    asked.pop("tenant", None)
    assert len(asked.pop("code_challenge")) == 43
    assert asked == {
        "response_type": "code", "client_id": "entrepot", "redirect_uri": flow.redirect_uri, "scope": "openid email",
        "state": flow.state, "nonce": flow.nonce, "code_challenge_method": "S256",
    }  # fmt: skip
    assert flow.verifier not in url


def test_a_code_is_taken_from_who_has_the_state(flow: Flow) -> None:
    query = urlencode({"code": "a+b/ c", "state": flow.state, "session_state": "x", "iss": ISSUER})
    assert code_in(query, flow, ISSUER, NOW) == "a+b/ c"
    assert code_in(query, flow, ISSUER, NOW + timedelta(minutes=10)) == "a+b/ c"


def test_a_query_that_is_not_as_it_should_be_is_refused(flow: Flow) -> None:
    good = urlencode({"code": "c", "state": flow.state})
    for query in (
        "", "code=c", "code=c&state=", f"state={flow.state}", f"code=&state={flow.state}", f"{good}&code=d",
        f"{good}&state={flow.state}", f"{good}&{'x' * 9000}", f"{good}{''.join(f'&x{n}' for n in range(40))}",
        f"{good}&é=1", f"code=c&state={flow.state}x", f"code=c&state={flow.nonce}",
    ):  # fmt: skip
        assert reason(query, flow).startswith("company: ")


def test_a_code_of_another_issuer_is_refused(flow: Flow) -> None:
    """A mix-up of two providers (RFC 9207)."""
    query = urlencode({"code": "c", "state": flow.state, "iss": "https://evil.example"})
    assert "another issuer answers, https://evil.example" in reason(query, flow)


def test_what_the_provider_refuses_is_told_to_the_log_and_harmless_there(flow: Flow) -> None:
    query = urlencode({"error": "access_denied", "error_description": "no\x1b[2J\nway", "state": flow.state})
    assert reason(query, flow) == "company: the provider says access_denied: no?[2J?way"


@pytest.mark.parametrize("later", [timedelta(minutes=10, seconds=1), -timedelta(seconds=31)])
def test_a_flow_is_good_for_ten_minutes(flow: Flow, later: timedelta) -> None:
    query = urlencode({"code": "c", "state": flow.state})
    assert "took too long" in reason(query, flow, NOW + later)


def test_a_state_of_another_browser_is_refused(flow: Flow) -> None:
    other = replace(flow, state="s" * 43)
    assert "not that of this browser" in reason(urlencode({"code": "c", "state": flow.state}), other)
