"""`registry.auth.giving`: the secret is told, its hash is kept, and whoever shows the one is known by the other."""

from __future__ import annotations

from contextlib import closing
from datetime import timedelta

import pytest

from registry.auth.giving import give_new, made
from registry.auth.opaque import Opaque
from registry.core.credentials import CredentialService
from registry.core.facts import CredentialKind
from tests.unit.core.house import House
from tests.unit.metadata.databases import quick_folder


@pytest.mark.parametrize("kind", [CredentialKind.TOKEN, CredentialKind.REFRESH, CredentialKind.SESSION])
def test_what_is_told_is_of_its_kind_and_kept_as_its_hash(kind: CredentialKind) -> None:
    with quick_folder() as folder, closing(House(folder)) as house:
        credentials = CredentialService(house.metadata)
        day = timedelta(days=1)
        text, secret = give_new(
            credentials, house.admin.principal, house.admin, kind=kind, label="of mine", lifetime=day
        )
        opaque = Opaque.parse(text)
        assert opaque is not None
        assert (opaque.kind, secret.kind, secret.label) == (kind, kind, "of mine")
        assert (secret.hint, secret.expires) == (opaque.hint, secret.created + day)
        assert house.rows("SELECT secret FROM credential WHERE uuid = ?", secret.uuid) == [(opaque.hashed,)]


def test_no_two_are_the_same() -> None:
    (one, kept), (other, kept_too) = made(CredentialKind.TOKEN), made(CredentialKind.TOKEN)
    assert one != other
    assert kept != kept_too
    assert one not in repr(kept)
