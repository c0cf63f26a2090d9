"""Who asks: recognised anew with each request, so that what was taken away is gone with the next."""

from __future__ import annotations

import asyncio
import os
import threading
from base64 import b64encode
from contextlib import closing
from datetime import UTC, datetime

import pytest

from registry.api.authenticate import BadCredentials, BadToken, Challenges
from registry.api.messages import Identity
from registry.api.services import Threads
from registry.auth.passwords import Verdict
from registry.auth.scopes import Scope
from registry.auth.tokens import Claims
from registry.core.access import Demand
from registry.core.facts import Caller
from registry.core.rights import Right
from registry.oci.errors import Busy, Unauthorized
from registry.oci.names import RepositoryName
from tests.unit.api.conftest import LIFETIME, PASSWORD, Gate, basic, request

ALICE = basic("admin", PASSWORD)
SCOPE = Scope("repository", "team/app", ("pull",))
TAKEN_AWAY = {
    "revoked": "UPDATE credential SET revoked_at = 1",
    "expired": "UPDATE credential SET expires_at = 1",
    "disabled": "UPDATE principal SET disabled_at = 1",
    "deleted": "DELETE FROM credential",
}


def token(gate: Gate, caller: Caller, credential: int | None) -> str:
    now = datetime.now(UTC)
    return "Bearer " + gate.tokens.issue(Claims.grant(str(caller.principal), credential, (SCOPE,), now, LIFETIME), now)


# Passwords


def test_a_name_and_its_password_are_a_caller(gate: Gate) -> None:
    identity = gate.recognise(ALICE)
    assert (identity.caller.name, identity.caller.is_admin, identity.scopes) == ("admin", True, None)
    assert not gate.recognise(basic("bob", PASSWORD)).caller.is_admin


@pytest.mark.parametrize(
    ("username", "password"),
    [
        *(("admin", "wrong"), ("admin", ""), ("", ""), ("nobody", PASSWORD), ("Admin", PASSWORD), ("(open)", PASSWORD)),
        *(("(anonymous)", ""), ("admin", PASSWORD + " "), ("admin' OR '1'='1", PASSWORD)),
    ],
)
def test_whatever_does_not_go_together_is_refused_alike(gate: Gate, username: str, password: str) -> None:
    with pytest.raises(BadCredentials) as refusal:
        gate.recognise(basic(username, password))
    assert refusal.value.detail == {}
    # Also for a name that nobody has: the time must not tell.
    assert gate.passwords.verified == 1


@pytest.mark.parametrize(
    "header", ["", "Basic", "Basic x", "Digest x", "Basic " + b64encode(b"no colon").decode(), "Bearer", "Bearer x.y.z"]
)
def test_a_claim_that_is_not_proved_is_never_taken_for_no_claim(gate: Gate, header: str) -> None:
    with pytest.raises(Unauthorized):
        gate.recognise(header)


def test_a_password_is_verified_once_a_minute_and_a_wrong_one_each_time(gate: Gate) -> None:
    for _ in range(3):
        gate.recognise(ALICE)
    assert gate.passwords.verified == 1
    for _ in range(2):
        with pytest.raises(BadCredentials):
            gate.recognise(basic("admin", "wrong"))
    assert gate.passwords.verified == 3


@pytest.mark.parametrize("statement", TAKEN_AWAY.values(), ids=TAKEN_AWAY)
def test_a_password_that_was_taken_away_is_gone_with_the_next_request(gate: Gate, statement: str) -> None:
    gate.recognise(ALICE)
    gate.sql(statement)
    with pytest.raises(BadCredentials):
        gate.recognise(ALICE)


def test_a_password_that_was_changed_is_asked_for_anew(gate: Gate) -> None:
    gate.recognise(ALICE)
    changed = gate.passwords.hash("another")
    gate.sql("UPDATE credential SET secret = ?, version = version + 1", changed)
    with pytest.raises(BadCredentials):
        gate.recognise(ALICE)
    assert gate.recognise(basic("admin", "another")).caller.is_admin


def test_an_old_hash_is_replaced_by_the_first_login_and_stays_the_same_credential(gate: Gate) -> None:
    from bcrypt import gensalt, hashpw

    old = hashpw(PASSWORD.encode(), gensalt(rounds=4)).decode()
    gate.sql("UPDATE credential SET secret = ?", old)
    first = gate.recognise(ALICE).caller
    secrets = dict(gate.house.rows("SELECT principal_id, secret FROM credential"))
    assert secrets[first.principal].startswith("$argon2id$")
    # The other account's is its own business.
    assert old in secrets.values()
    assert gate.recognise(ALICE).caller == first


def test_a_stored_hash_that_nobody_can_use_lets_nobody_in(gate: Gate) -> None:
    gate.sql("UPDATE credential SET secret = 'nonsense'")
    with pytest.raises(BadCredentials):
        gate.recognise(ALICE)


# Tokens


def test_a_token_is_its_principal_with_its_scopes(gate: Gate) -> None:
    caller = gate.recognise(ALICE).caller
    identity = gate.recognise(token(gate, caller, caller.credential))
    assert (identity.caller, identity.scopes) == (caller, (SCOPE,))


@pytest.mark.parametrize("statement", TAKEN_AWAY.values(), ids=TAKEN_AWAY)
def test_the_token_of_a_credential_that_was_taken_away_is_gone_too(gate: Gate, statement: str) -> None:
    caller = gate.recognise(ALICE).caller
    bearer = token(gate, caller, caller.credential)
    gate.recognise(bearer)
    gate.sql(statement)
    with pytest.raises(BadToken):
        gate.recognise(bearer)


def test_a_token_whose_credential_is_somebody_elses_is_refused(gate: Gate) -> None:
    admin, bob = gate.recognise(ALICE).caller, gate.recognise(basic("bob", PASSWORD)).caller
    with pytest.raises(BadToken):
        gate.recognise(token(gate, bob, admin.credential))


def test_a_token_without_credential_is_anonymous_whatever_it_says(gate: Gate) -> None:
    identity = gate.recognise(token(gate, gate.house.admin, None))
    assert identity.caller.is_anonymous
    assert not identity.caller.is_admin


# Nobody, and everybody


def test_who_claims_nothing_is_anonymous(gate: Gate) -> None:
    assert gate.recognise(None).caller == gate.house.residents.anonymous


@pytest.mark.parametrize("header", [None, "Basic x", "Bearer x", basic("admin", "wrong")])
def test_an_open_registry_asks_nobody(gate: Gate, header: str | None) -> None:
    gate.is_open = True
    gate.__post_init__()
    assert gate.recognise(header).caller == gate.house.residents.open


# Challenges


def test_a_challenge_says_where_to_go_and_what_for() -> None:
    demands = [Demand((Right.PULL, Right.PUSH), RepositoryName("a/b")), Demand((Right.PULL,), RepositoryName("c"))]
    challenge = Challenges("entrepot", None).challenge(
        request(host="registry.test:5000"), demands, "insufficient_scope"
    )
    assert challenge == (
        b'Bearer realm="http://registry.test:5000/token",service="entrepot",'
        b'scope="repository:a/b:pull,push repository:c:pull",error="insufficient_scope"'
    )


def test_a_public_url_goes_before_what_the_client_says() -> None:
    challenge = Challenges("entrepot", "https://public.test/").challenge(request(host="inner"), [], None)
    assert challenge == b'Bearer realm="https://public.test/token",service="entrepot"'


@pytest.mark.parametrize("host", ['x",evil="', "a/b", "a b", "", "\xe9", "a\r\nb", "[::1", "user@host", "host:999999"])
def test_a_host_that_is_none_is_not_repeated(host: str) -> None:
    challenge = Challenges("entrepot", None).challenge(request(host=host), [], None)
    assert challenge.startswith(b'Bearer realm="http://192.0.2.1:5000/token"')


@pytest.mark.parametrize("host", ["localhost", "registry.test:443", "[::1]:5000", "[fe80::1]", "10.0.0.1:80"])
def test_a_host_is_repeated_as_the_client_knows_it(host: str) -> None:
    challenge = Challenges("entrepot", None).challenge(request(host=host), [], None)
    assert challenge.startswith(f'Bearer realm="http://{host}/token"'.encode())


def test_verifying_a_password_does_not_hold_the_event_loop(gate: Gate) -> None:
    async def both() -> bool:
        login = asyncio.create_task(gate.authenticator.recognise(ALICE))
        turns = 0
        while not login.done():
            await asyncio.sleep(0)
            turns += 1
        await login
        return turns > 10

    assert asyncio.run(both())


def test_a_flood_of_wrong_passwords_is_told_to_come_again_and_verifies_no_more_than_it_may(
    gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate.passwords, "verify", lambda _password, _stored: Verdict(ok=False))

    async def flood() -> list[type[object]]:
        logins = (gate.authenticator.recognise(basic("admin", f"wrong {number}")) for number in range(300))
        return [type(each) for each in await asyncio.gather(*logins, return_exceptions=True)]

    refused = asyncio.run(flood())
    assert set(refused) == {BadCredentials, Busy}
    assert refused.count(BadCredentials) == 128


def test_one_login_that_comes_many_times_at_once_is_verified_once(gate: Gate) -> None:
    async def many() -> list[Identity]:
        return await asyncio.gather(*(gate.authenticator.recognise(ALICE) for _ in range(50)))

    assert {each.caller.name for each in asyncio.run(many())} == {"admin"}
    assert gate.passwords.verified == 1


def test_threads_that_yield_give_way_to_everything_else() -> None:
    def priority() -> int:
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    with closing(Threads(1)) as usual, closing(Threads(1, yielding=True)) as yielding:

        async def asked() -> tuple[int, int]:
            return await usual(priority), await yielding(priority)

        ours, polite = asyncio.run(asked())
    assert ours == priority() < polite
