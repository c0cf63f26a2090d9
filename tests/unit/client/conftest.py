"""A registry elsewhere, and a client of it that is in a hurry."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from registry.client.login import Credentials
from registry.client.origin import Origin
from registry.client.registry import Registry
from registry.client.transport import Patience
from tests.support.elsewhere import Elsewhere

HURRIED = Patience(connect=5.0, read=5.0, attempts=3, first_pause=0.001, longest_pause=0.01)


@pytest.fixture
def elsewhere() -> Iterator[Elsewhere]:
    with Elsewhere() as registry:
        yield registry


@pytest.fixture
def client(elsewhere: Elsewhere) -> Iterator[Callable[..., Registry]]:
    with ExitStack() as stack:

        def made(credentials: Credentials | None = None) -> Registry:
            registry = Registry.at(Origin.of(elsewhere.url), credentials, patience=HURRIED)
            return stack.enter_context(registry)

        yield made
