"""`auth.sign_in.provider` with a real provider of OpenID Connect, over real HTTP; a test is the browser."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from registry.auth.sign_in.identity import Membership
from registry.auth.sign_in.provider import Provider
from registry.auth.sign_in.refusals import SignInRefused, SourceUnavailable
from tests.support.oidc_provider import Client, OidcProvider
from tests.unit.auth.sign_in.providers import CALLBACK, provider_of, source_of


@pytest.fixture(scope="module")
def theirs() -> Iterator[OidcProvider]:
    with OidcProvider() as provider:
        provider.know("7", preferred_username="Alice", groups=["/Team A", "admins"], email="alice@example.org")
        yield provider


@pytest.fixture(scope="module")
def client(theirs: OidcProvider) -> Client:
    return theirs.register(CALLBACK)


@pytest.fixture
def ours(theirs: OidcProvider, client: Client) -> Iterator[Provider]:
    membership = Membership(admin=frozenset({"admins"}))
    with provider_of(source_of(theirs.url, client.id, client.secret, membership=membership)) as provider:
        yield provider


def test_who_signs_in_there_is_known_here(theirs: OidcProvider, ours: Provider) -> None:
    url, flow = ours.begin(CALLBACK)
    found = ours.finish(flow, theirs.sign_in(url, "7"))
    assert (found.source, found.subject, found.name) == ("company", "7", "alice")
    assert found.groups == {"@team-a", "@admins"}
    assert found.is_admin


def test_groups_are_those_of_this_sign_in_and_not_of_the_last(theirs: OidcProvider, ours: Provider) -> None:
    theirs.know("8", preferred_username="bob", groups=["admins", "devs"])
    url, flow = ours.begin(CALLBACK)
    assert ours.finish(flow, theirs.sign_in(url, "8")).groups == {"@admins", "@devs"}
    theirs.know("8", preferred_username="robert", groups=[])
    url, flow = ours.begin(CALLBACK)
    found = ours.finish(flow, theirs.sign_in(url, "8"))
    assert (found.subject, found.name, found.groups, found.is_admin) == ("8", "robert", frozenset(), False)


def test_a_code_is_good_for_once(theirs: OidcProvider, ours: Provider) -> None:
    url, flow = ours.begin(CALLBACK)
    query = theirs.sign_in(url, "7")
    ours.finish(flow, query)
    with pytest.raises(SignInRefused) as refused:
        ours.finish(flow, query)
    assert "does not take the code" in refused.value.reason


def test_what_another_browser_brings_is_refused(theirs: OidcProvider, ours: Provider) -> None:
    """Session fixation: a stranger's code, brought to somebody who had begun as well."""
    _, victim = ours.begin(CALLBACK)
    url, _ = ours.begin(CALLBACK)
    with pytest.raises(SignInRefused) as refused:
        ours.finish(victim, theirs.sign_in(url, "7"))
    assert "the state is not that of this browser" in refused.value.reason


def test_who_denies_is_not_let_in(theirs: OidcProvider, ours: Provider) -> None:
    url, flow = ours.begin(CALLBACK)
    with pytest.raises(SignInRefused):
        ours.finish(flow, theirs.deny(url))


def test_an_address_is_no_name(theirs: OidcProvider, client: Client) -> None:
    source = source_of(theirs.url, client.id, client.secret, username_claim="email")
    with provider_of(source) as ours:
        url, flow = ours.begin(CALLBACK)
        with pytest.raises(SignInRefused) as refused:
            ours.finish(flow, theirs.sign_in(url, "7"))
    assert "'alice@example.org' cannot be the name of a user; another claim" in refused.value.reason


def test_a_secret_that_is_wrong_is_the_operators_trouble(theirs: OidcProvider, client: Client) -> None:
    with provider_of(source_of(theirs.url, client.id, "outdated secret")) as ours:
        url, flow = ours.begin(CALLBACK)
        with pytest.raises(SourceUnavailable, match="the token endpoint answers 401 invalid_client") as told:
            ours.finish(flow, theirs.sign_in(url, "7"))
    assert "outdated" not in str(told.value)


def test_a_provider_that_is_down_is_said_to_be() -> None:
    with OidcProvider() as theirs:
        client = theirs.register(CALLBACK)
        with provider_of(source_of(theirs.url, client.id, client.secret)) as ours:
            url, flow = ours.begin(CALLBACK)
            query = theirs.sign_in(url, "7")
            theirs.stop()
            with pytest.raises(SourceUnavailable, match="does not answer"):
                ours.finish(flow, query)
        with provider_of(source_of(theirs.url)) as ours, pytest.raises(SourceUnavailable, match="does not answer"):
            ours.begin(CALLBACK)
