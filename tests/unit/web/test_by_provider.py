"""A real provider of OpenID Connect: whoever signs in there is somebody here, in the browser that began it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import httpx
import pytest

from registry.auth.browser_keys import BrowserKeys
from registry.auth.key_file import KeyFile
from registry.auth.sign_in.source_file import SourcesError
from tests.support.oidc_provider import OidcProvider
from tests.unit.metadata.databases import quick_folder
from tests.unit.web.site import HOST, PASSWORD, Browser, Site, told

OURS = f"http://{HOST}"
BEGIN = "/login/oidc/company"
CALLBACK = f"{BEGIN}/callback"
_SUBJECTS = count(1)


@pytest.fixture(scope="module")
def provider() -> Iterator[OidcProvider]:
    with OidcProvider() as provider:
        yield provider


@pytest.fixture(scope="module")
def company(provider: OidcProvider) -> Iterator[Site]:
    """A registry of who has an account there."""
    client = provider.register(f"{OURS}{CALLBACK}")
    with quick_folder() as folder:
        sources = folder / "sources.toml"
        sources.write_text(f"""
            [[oidc]]
            name = "company"
            title = "Example & Sons"
            issuer = "{provider.url}"
            client_id = "{client.id}"
            client_secret = "{client.secret}"
            allow_http = true
            admin_groups = ["bosses"]
            """)
        with Site.opened(folder / "data", sign_in=sources, public_url=OURS) as site:
            yield site


@pytest.fixture
def browser(company: Site) -> Browser:
    return company.browser()


def somebody(provider: OidcProvider, **claims: object) -> str:
    """A new account there: its subject, and the name that it would have here."""
    subject = f"s{next(_SUBJECTS)}"
    provider.know(subject, **({"preferred_username": f"name-{subject}"} | claims))
    return subject


def begun(browser: Browser, query: str = "") -> str:
    """Where the browser is sent."""
    answer = browser.get(BEGIN + query)
    assert answer.status_code == 302, answer.text
    return answer.headers["location"]


def signed_in(browser: Browser, provider: OidcProvider, subject: str, query: str = "") -> httpx.Response:
    """From beginning to end."""
    return browser.get(f"{CALLBACK}?{provider.sign_in(begun(browser, query), subject)}")


def test_the_page_has_a_button_for_it(browser: Browser) -> None:
    page = browser.get("/login?next=/somewhere").text
    assert '<a class="button" href="/login/oidc/company?next=/somewhere">Example &amp; Sons</a>' in page


def test_who_signs_in_there_is_signed_in_here(provider: OidcProvider, browser: Browser) -> None:
    subject = somebody(provider, groups=["/Team A", "bosses"])
    answer = signed_in(browser, provider, subject)
    assert (answer.status_code, answer.headers["location"]) == (303, "/account")
    page = browser.get("/account").text
    assert f"<h1>name-{subject}</h1>" in page
    assert "An account of company, and an administrator." in page
    assert "<code>@team-a</code>" in page


def test_who_has_signed_in_there_makes_a_token_for_docker(
    company: Site, provider: OidcProvider, browser: Browser
) -> None:
    subject = somebody(provider)
    signed_in(browser, provider, subject)
    page = browser.submit("/account/tokens", label="docker", lifetime="30", use="all")
    token = page.text.partition('id="token">')[2].partition("<")[0]
    assert company.pull(f"name-{subject}", token) == 200


def test_it_leads_to_where_the_browser_wanted_to_go(provider: OidcProvider, browser: Browser) -> None:
    subject = somebody(provider)
    assert signed_in(browser, provider, subject, "?next=/somewhere?a=b").headers["location"] == "/somewhere?a=b"
    assert signed_in(browser, provider, subject, "?next=//evil.example").headers["location"] == "/account"


def test_groups_are_replaced_at_each_sign_in(company: Site, provider: OidcProvider, browser: Browser) -> None:
    """CVE-2025-23208."""
    subject = somebody(provider, groups=["devs", "bosses"])
    signed_in(browser, provider, subject)
    provider.know(subject, preferred_username="renamed", groups=["ops"])
    signed_in(company.browser(), provider, subject)
    assert company.people.groups_of(f"name-{subject}") == ["@ops"]
    assert not company.people.get(f"name-{subject}").is_admin


# What browsers bring that had not begun


def test_what_another_browser_has_begun_is_refused(company: Site, provider: OidcProvider, browser: Browser) -> None:
    """Login CSRF: a stranger's code signs nobody into the stranger's account."""
    query = provider.sign_in(begun(browser), somebody(provider))
    stranger = company.browser()
    assert stranger.get(f"{CALLBACK}?{query}").status_code == 403
    begun(stranger)
    assert stranger.get(f"{CALLBACK}?{query}").status_code == 403
    assert stranger.session is None


def test_a_flow_is_good_for_once(provider: OidcProvider, browser: Browser) -> None:
    query = provider.sign_in(begun(browser), somebody(provider))
    assert browser.get(f"{CALLBACK}?{query}").status_code == 303
    assert browser.get(f"{CALLBACK}?{query}").status_code == 403


@pytest.mark.parametrize(
    "query", ["", "?code=x", "?state=x&code=y", "?error=access_denied&state=<script>", "?" + "a" * 9000]
)
def test_nothing_that_is_made_up_signs_anybody_in(browser: Browser, query: str) -> None:
    begun(browser)
    answer = browser.get(CALLBACK + query)
    assert answer.status_code == 403
    assert "<script" not in answer.text
    assert "entrepot-flow" not in {each.name for each in browser.client.cookies.jar}


def test_a_session_planted_before_is_not_the_one_after(company: Site, provider: OidcProvider, browser: Browser) -> None:
    mallory = company.browser()
    mallory.sign_in(company.user())
    planted = mallory.session or ""
    browser.plant(planted)
    signed_in(browser, provider, somebody(provider))
    assert browser.session not in {planted, None}
    assert not mallory.is_signed_in


def test_the_flow_is_sealed_and_lasts_ten_minutes(company: Site, browser: Browser) -> None:
    answer = browser.get(BEGIN)
    (line,) = answer.headers.get_list("set-cookie")
    value, *flags = line.partition("=")[2].split("; ")
    assert {"HttpOnly", "Max-Age=600", "Path=/", "SameSite=lax"} == set(flags)
    assert "company" not in value
    folder: Path = company.settings["folder"]
    plain = BrowserKeys.of(KeyFile.load_or_create(folder / "key")).unseal("flow", value)
    assert plain is not None
    assert plain.startswith(b"/account\n")


# Who may not be let in


def test_a_local_users_name_is_not_taken_over(company: Site, provider: OidcProvider, browser: Browser) -> None:
    answer = signed_in(browser, provider, somebody(provider, preferred_username="admin", groups=["bosses"]))
    assert answer.status_code == 403
    assert told(answer) == "This account cannot be used here: somebody else has this name here."
    assert browser.session is None
    assert company.people.get("admin").source == "local"
    assert company.pull("admin", PASSWORD) == 200


def test_an_address_is_no_name(provider: OidcProvider, browser: Browser) -> None:
    answer = signed_in(browser, provider, somebody(provider, preferred_username="eve@example.org"))
    assert answer.status_code == 403
    assert told(answer).startswith("You were not signed in: Your account has a name that no user")


def test_who_was_disabled_here_is_not_signed_in(company: Site, provider: OidcProvider, browser: Browser) -> None:
    subject = somebody(provider)
    signed_in(browser, provider, subject)
    company.people.disable(f"name-{subject}", company.admin)
    assert not browser.is_signed_in
    assert told(signed_in(browser, provider, subject)).endswith("the account is disabled here.")
    assert not browser.is_signed_in


def test_refusals_are_told_to_who_reads_events(company: Site, provider: OidcProvider, browser: Browser) -> None:
    name = company.user()
    signed_in(browser, provider, somebody(provider, preferred_username=name))
    signed_in(browser, provider, somebody(provider, preferred_username=f"{name}@example.org"))
    wanted = {
        (f"company: {name}", "somebody else has this name here"),
        (
            "company",
            f"'{name}@example.org' cannot be the name of a user; another claim or attribute can be made the name",
        ),
    }
    deadline = time.monotonic() + 10
    while not wanted <= set(company.rows("SELECT target, detail FROM event WHERE outcome = 'failed'")):
        assert time.monotonic() < deadline
        time.sleep(0.05)


# Trouble


def test_a_provider_that_is_down_is_said_to_be_and_passwords_go_on(tmp_path: Path) -> None:
    sources = tmp_path / "sources.toml"
    sources.write_text("""
        [[oidc]]
        name = "company"
        issuer = "http://127.0.0.1:1"
        client_id = "us"
        client_secret = "secret"
        allow_http = true
        """)
    with Site.opened(tmp_path / "data", sign_in=sources, public_url=OURS) as site:
        answer = site.browser().get(BEGIN)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert "cannot be asked now" in told(answer)
        assert "127.0.0.1" not in answer.text
        assert site.browser().sign_in("admin").status_code == 303


def test_without_a_public_url_nothing_starts(tmp_path: Path) -> None:
    sources = tmp_path / "sources.toml"
    sources.write_text("""
        [[oidc]]
        name = "company"
        issuer = "https://accounts.example.org"
        client_id = "us"
        client_secret = "secret"
        """)
    with pytest.raises(SourcesError, match="public_url is not set"), Site.opened(tmp_path / "data", sign_in=sources):
        pass


def test_where_authentication_is_off_nobody_signs_in(tmp_path: Path) -> None:
    with Site.opened(tmp_path / "data", open=True) as site:
        browser = site.browser()
        assert {browser.get(path).status_code for path in ("/login", "/account", BEGIN)} == {404}
        assert "/login" not in browser.get("/").text
