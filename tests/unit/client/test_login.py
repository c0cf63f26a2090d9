"""`client.login`: how a registry comes to know who asks, and who else must not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from registry.client.errors import Forbidden, Malformed, Refused, Untrusted
from registry.client.login import Credentials, Login
from registry.client.origin import Origin
from registry.client.registry import Registry
from registry.client.transport import Transport
from registry.oci.digest import Digest
from registry.oci.names import RepositoryName
from tests.support.elsewhere import Elsewhere, Reply, Seen, json_reply, several
from tests.support.images import tiny_image
from tests.unit.client.conftest import HURRIED

APP, OTHER = RepositoryName("team/app"), RepositoryName("team/other")
WHO = Credentials("reader", "s:ecret")
BASIC = WHO.basic
SCOPE = f"repository:{APP}:pull"

Client = Callable[..., Registry]


def challenged(challenge: str) -> Reply:
    return Reply(401, b"{}", {"WWW-Authenticate": challenge})


def wants_basic(seen: Seen) -> Reply | None:
    return None if seen.headers.get("Authorization") == BASIC else challenged('Basic realm="x"')


class TokenService:
    """Hands out `token-<number>` for what is asked, and demands the latest one."""

    def __init__(self, registry: Elsewhere, **more: object) -> None:
        self.registry = registry
        self.realm = f"{registry.url}/token"
        self.more = more
        self.asked: list[Seen] = []
        registry.before = self.before

    def grants(self, seen: Seen) -> Reply:
        self.asked.append(seen)
        return json_reply({"token": f"token-{len(self.asked)}", **self.more})

    def before(self, seen: Seen) -> Reply | None:
        if seen.path == "/token":
            return self.grants(seen)
        if self.asked and seen.headers.get("Authorization") == f"Bearer token-{len(self.asked)}":
            return None
        return challenged(f'Bearer realm="{self.realm}",service="registry.test",scope="{self.scope(seen)}"')

    def scope(self, seen: Seen) -> str:
        return "" if seen.path == "/v2/" else "registry:catalog:*" if "_catalog" in seen.path else SCOPE


@pytest.fixture
def filled(elsewhere: Elsewhere) -> Elsewhere:
    for name in (APP, OTHER):
        elsewhere.push(str(name), tiny_image("login"), "1")
    return elsewhere


def test_a_password_is_not_shown_in_passing() -> None:
    assert "ecret" not in repr(WHO)


def test_basic_is_sent_once_the_registry_has_asked_for_it(filled: Elsewhere, client: Client) -> None:
    filled.before = wants_basic
    registry = client(WHO)
    assert list(registry.tags(APP)) == list(registry.tags(OTHER)) == ["1"]
    assert filled.authorizations() == [None, BASIC, BASIC]


def test_a_wrong_password_is_sent_once(filled: Elsewhere, client: Client) -> None:
    filled.before = wants_basic
    with pytest.raises(Forbidden, match="/v2/team/app/tags/list: 401"):
        list(client(Credentials("reader", "wrong")).tags(APP))
    assert len(filled.seen) == 2


def test_without_a_password_nobody_is_said_to_ask(filled: Elsewhere, client: Client) -> None:
    filled.before = wants_basic
    with pytest.raises(Forbidden):
        list(client().tags(APP))
    assert set(filled.authorizations()) == {None}


def test_a_token_is_asked_for_each_scope_and_kept(filled: Elsewhere, client: Client) -> None:
    service = TokenService(filled)
    service.before = lambda seen: None  # type: ignore[method-assign]  # from here on nobody is turned away
    registry = client(WHO)
    filled.instead["/v2/"] = [challenged(f'Bearer realm="{filled.url}/token",service="registry.test"')]
    filled.before = lambda seen: service.grants(seen) if seen.path == "/token" else None
    for name in (APP, OTHER, APP):
        list(registry.tags(name))
    assert [each.parameters["scope"] for each in service.asked] == [[SCOPE], [f"repository:{OTHER}:pull"]]
    assert {each.headers["Authorization"] for each in service.asked} == {BASIC}
    assert {each.parameters["service"][0] for each in service.asked} == {"registry.test"}
    pulls = [each.headers["Authorization"] for each in filled.seen if "tags" in each.path]
    assert pulls == ["Bearer token-1", "Bearer token-2", "Bearer token-1"]


def test_somebody_without_a_name_gets_a_token_too(filled: Elsewhere, client: Client) -> None:
    service = TokenService(filled)
    assert list(client().tags(APP)) == ["1"]
    assert "Authorization" not in service.asked[0].headers


def test_a_token_that_was_turned_down_is_renewed_once(filled: Elsewhere, client: Client) -> None:
    service = TokenService(filled)
    registry = client(WHO)
    list(registry.tags(APP))
    service.grants(Seen("/token", {}))  # The former is no longer taken.
    assert list(registry.tags(APP)) == ["1"]
    filled.before = lambda seen: (
        service.grants(seen) if seen.path == "/token" else challenged(f'Bearer realm="{filled.url}/token"')
    )
    asked = len(service.asked)
    with pytest.raises(Forbidden):
        list(registry.tags(APP))
    assert len(service.asked) == asked + 1


def test_all_scopes_of_a_challenge_are_asked_for(filled: Elsewhere, client: Client) -> None:
    service = TokenService(filled)
    filled.always["/v2/"] = json_reply({})
    service.scope = lambda seen: "repository:a:pull,push repository:b:pull"  # type: ignore[method-assign]
    list(client(WHO).tags(APP))
    assert service.asked[-1].parameters["scope"] == ["repository:a:pull,push", "repository:b:pull"]


def test_a_token_needs_no_second_connection(filled: Elsewhere) -> None:
    TokenService(filled)
    filled.always["/v2/"] = json_reply({})
    blob = tiny_image("login").layers[0]
    with Registry.at(Origin.of(filled.url), WHO, connections=1, patience=HURRIED) as registry:
        assert b"".join(registry.blob(APP, Digest.parse(blob.digest), blob.size)) == blob.data


def test_a_token_is_preferred_to_the_password(filled: Elsewhere, client: Client) -> None:
    service = TokenService(filled)
    filled.instead["/v2/"] = [challenged(f'Basic realm="x"\nBearer realm="{service.realm}"'.replace("\n", ", "))]
    list(client(WHO).tags(APP))
    assert BASIC not in [each.headers.get("Authorization") for each in filled.seen if each.path != "/token"]


class Hours:
    """A clock that somebody else winds."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def transport(elsewhere: Elsewhere) -> Iterator[Transport]:
    with closing(Transport(Origin.of(elsewhere.url), patience=HURRIED)) as transport:
        yield transport


@pytest.mark.parametrize(("told", "lifetime"), [({"expires_in": 300}, 300), ({}, 60), ({"expires_in": 10**9}, 3600)])
def test_a_token_is_renewed_a_little_before_it_expires(
    filled: Elsewhere, transport: Transport, told: dict[str, int], lifetime: int
) -> None:
    clock, service = Hours(), TokenService(filled, **told)
    login = Login(transport, WHO, clock)
    login.learn([f'Bearer realm="{service.realm}"'])
    assert login.authorization(SCOPE) == "Bearer token-1"
    clock.now = lifetime * 0.89
    assert login.authorization(SCOPE) == "Bearer token-1"
    clock.now = lifetime * 0.91
    assert login.authorization(SCOPE) == "Bearer token-2"


def test_access_token_is_another_name_of_it(filled: Elsewhere, transport: Transport) -> None:
    login = Login(transport, None)
    login.learn([f'Bearer realm="{filled.url}/token?account=x"'])
    filled.always["/token"] = json_reply({"access_token": "abc"})
    assert login.authorization(SCOPE) == "Bearer abc"
    assert filled.seen[-1].parameters == {"account": ["x"], "scope": [SCOPE]}


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{}", b"null", b'{"token": 5}', b'{"token": ""}', b'{"token": "a\\r\\nX: y"}', b'{"token": "a b"}',
     b'{"token": "a", "expires_in": [1]}', b'{"token": "a", "expires_in": "soon"}', b"[" * 100_000,
     b'{"token": "a", "expires_in": 1%b}' % (b"0" * 400)],
)  # fmt: skip
def test_what_is_no_token_is_never_sent(filled: Elsewhere, transport: Transport, body: bytes) -> None:
    login = Login(transport, WHO)
    login.learn([f'Bearer realm="{filled.url}/token"'])
    filled.always["/token"] = Reply(200, body)
    with pytest.raises(Malformed, match="answers with no token"):
        login.authorization(SCOPE)


def test_a_service_that_refuses_is_told_of(filled: Elsewhere, client: Client) -> None:
    TokenService(filled)
    filled.always["/token"] = Reply(401, b'{"errors": [{"code": "UNAUTHORIZED", "message": "who?"}]}')
    with pytest.raises(Forbidden, match=r"the token service 127.0.0.1:\d+: 401 UNAUTHORIZED: who\?"):
        list(client(WHO).tags(APP))
    filled.always["/token"] = Reply(500)
    with pytest.raises(Refused, match="500"):
        list(client(WHO).tags(APP))


@pytest.mark.parametrize("status", [400, 404, 405])
def test_a_service_that_is_not_there_says_nothing_of_what_is(filled: Elsewhere, client: Client, status: int) -> None:
    """Else whatever is asked for would be taken for absent, and left out without a word."""
    TokenService(filled)
    filled.always["/token"] = Reply(status)
    with pytest.raises(Forbidden, match=rf"the token service 127.0.0.1:\d+: {status}"):
        list(client(WHO).tags(APP))
    with pytest.raises(Forbidden):
        client(WHO).referrers_by_api(APP, Digest.of(b"x"))


@pytest.mark.parametrize("realm", ["https://evil.test/token", "http://evil.test/token", "http://localhost.evil.test/"])
def test_a_foreign_token_service_does_not_get_the_password(transport: Transport, realm: str) -> None:
    """Field-notes, section 4: credentials are bound to host and realm (CVE-2026-33540, CVE-2026-2376)."""
    login = Login(transport, WHO)
    login.learn([f'Bearer realm="{realm}"'])
    with pytest.raises(Untrusted, match="is not to have its password"):
        login.authorization(SCOPE)


def test_a_token_service_in_the_clear_is_not_asked_for_one_over_tls() -> None:
    with closing(Transport(Origin.of("https://registry.test"), allow_http=True)) as transport:
        login = Login(transport, None)
        login.learn(['Bearer realm="http://registry.test/token"'])
        with pytest.raises(Untrusted, match="which is plain http"):
            login.authorization(SCOPE)


@pytest.mark.parametrize("realm", ["/token", "ftp://registry.test/", "https://", "https://[x"])
def test_a_realm_that_is_no_url_is_refused(transport: Transport, realm: str) -> None:
    login = Login(transport, WHO)
    login.learn([f'Bearer realm="{realm}"'])
    with pytest.raises(Malformed, match="names a token service"):
        login.authorization(SCOPE)


def test_a_stranger_that_asks_who_we_are_is_not_answered(filled: Elsewhere, client: Client) -> None:
    with several(1) as (stranger,):
        filled.always["/v2/team/app/tags/list"] = Reply(307, headers={"Location": f"{stranger.url}/x"})
        stranger.always["/x"] = challenged(f'Bearer realm="{stranger.url}/token", Basic realm="x"')
        with pytest.raises(Forbidden, match="401"):
            list(client(WHO).tags(APP))
        assert stranger.paths() == ["/x"]
        assert set(filled.authorizations()) == {None}


def test_a_token_service_cannot_send_the_password_on(filled: Elsewhere, client: Client) -> None:
    """Field-notes, section 4: credentials are bound to host and realm (CVE-2026-33540, CVE-2026-2376)."""
    TokenService(filled)
    with several(1) as (thief,):
        filled.always["/token"] = Reply(307, headers={"Location": f"{thief.url}/token"})
        thief.always["/token"] = json_reply({"token": "t"})
        with pytest.raises(Forbidden):
            list(client(WHO).tags(APP))
        assert set(thief.authorizations()) == {None}
