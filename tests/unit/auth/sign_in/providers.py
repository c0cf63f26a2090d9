"""A provider of ours for a provider of theirs, and the clock that both live by."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest

from registry.auth.sign_in.identity import Membership
from registry.auth.sign_in.provider import Provider
from registry.auth.sign_in.refusals import PUBLIC, SignInRefused
from registry.auth.sign_in.sources import OidcSource, Secret
from registry.client.transport import Patience
from registry.core.facts import ExternalIdentity
from tests.support.scripted_provider import CLIENT_ID, CLIENT_SECRET, ScriptedProvider

CALLBACK = "https://registry.example.org/sign-in/company/callback"
HURRIED = Patience(connect=2.0, read=1.0, attempts=2, first_pause=0.001, longest_pause=0.01)


@dataclass
class Clock:
    """Ours, which a test moves; the provider's is the machine's."""

    passed: float = 0.0

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self.passed)

    def monotonic(self) -> float:
        return self.passed


def source_of(issuer: str, client_id: str = CLIENT_ID, secret: str = CLIENT_SECRET, **changes: object) -> OidcSource:
    """A source with everything as is usual."""
    source = OidcSource(
        name="company",
        title="Company",
        issuer=issuer,
        client_id=client_id,
        client_secret=Secret(secret),
        scopes=("openid", "profile", "email"),
        username_claim="preferred_username",
        groups_claim="groups",
        membership=Membership(),
        ca=None,
    )
    return replace(source, **changes)  # type: ignore[arg-type]  # fields by name


@contextmanager
def provider_of(source: OidcSource, clock: Clock | None = None) -> Iterator[Provider]:
    """Ours, for as long as it is needed."""
    clock = clock or Clock()
    provider = Provider(source, patience=HURRIED, now=clock.now, clock=clock.monotonic)
    try:
        yield provider
    finally:
        provider.close()


def signed_in(ours: Provider, theirs: ScriptedProvider) -> ExternalIdentity:
    """From beginning to end."""
    url, flow = ours.begin(CALLBACK)
    return ours.finish(flow, theirs.consent(url))


def refusal(ours: Provider, theirs: ScriptedProvider) -> str:
    """Why nobody is let in; to the person all refusals read alike."""
    with pytest.raises(SignInRefused) as refused:
        signed_in(ours, theirs)
    assert str(refused.value) == PUBLIC
    return refused.value.reason
