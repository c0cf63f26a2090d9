"""One's own account: what it says, another password, and tokens that are made, shown once, used and taken back."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape

import httpx
import pytest

from registry.core.facts import CredentialKind
from tests.unit.web.site import ANOTHER, HOST, PASSWORD, Browser, Site, told

EVIL = {"origin": "https://evil.example"}
TOKEN = {"label": "laptop", "lifetime": "30", "use": "all", "pattern": ""}
FORMS = {
    "/account/password": {"current": PASSWORD, "new": ANOTHER, "again": ANOTHER},
    "/account/tokens": TOKEN,
    "/account/revoke": {"uuid": "?"},
    "/logout": {"now": "yes"},
}


@pytest.fixture
def name(site: Site, browser: Browser) -> str:
    """Whoever has signed in with the browser."""
    name = site.user()
    browser.sign_in(name)
    return name


def text(page: httpx.Response) -> str:
    """What a person reads of it."""
    body = page.text.partition("<main>")[2]
    return " ".join(unescape(re.sub("<[^>]+>", " ", body)).split())


def minted(browser: Browser, **fields: str) -> str:
    """The token that the page shows."""
    page = browser.submit("/account/tokens", **(TOKEN | fields))
    assert page.status_code == 200, told(page)
    (token,) = re.findall(r"entp_\w{42}", page.text)
    return str(token)


# What it says


def test_it_says_what_one_may_do_in_words(site: Site, browser: Browser, name: str) -> None:
    assert "Nothing so far" in text(browser.get("/account"))
    site.people.add_group(f"@of-{name}", site.admin)
    site.people.join(f"@of-{name}", name, site.admin)
    site.grants.put(name, "team/**", ["maintainer"], site.admin)
    site.grants.put(name, "team/old", ["push"], site.admin, denies=True)
    site.grants.put(f"@of-{name}", "base-*", ["pull"], site.admin)
    said = text(browser.get("/account"))
    assert "pull in base-* granted to @of-" in said
    assert "pull, push and delete in team/** granted to you" in said
    assert said.index("Not push in team/old granted to you") > said.index("team/**")
    assert f"Your groups: @of-{name} ." in said
    assert "administer" not in said


def test_an_administrator_is_told_so(site: Site, browser: Browser) -> None:
    browser.sign_in(site.user(is_admin=True))
    assert "you may do everything" in text(browser.get("/account"))


def test_it_shows_nothing_of_others(site: Site, browser: Browser, name: str) -> None:
    other = site.browser()
    other.sign_in(site.user())
    token = minted(other, label="secret laptop")
    assert "secret laptop" in text(other.get("/account"))
    assert "secret laptop" not in text(browser.get("/account"))
    assert token[:9] not in browser.get("/account").text


# Forms from elsewhere


@pytest.mark.parametrize("path", FORMS)
def test_a_form_without_the_sessions_mark_does_nothing(site: Site, browser: Browser, name: str, path: str) -> None:
    stranger = site.browser()
    stranger.sign_in(site.user())
    for mark in ({}, {"mark": "0" * 64}, stranger.mark(), site.browser().mark("/login")):
        assert browser.post(path, FORMS[path] | mark).status_code == 403
    assert browser.is_signed_in
    assert site.secrets(name, CredentialKind.TOKEN) == []
    assert site.pull(name, PASSWORD) == 200


@pytest.mark.parametrize("path", FORMS)
def test_a_form_that_stood_elsewhere_does_nothing_even_with_the_mark(
    site: Site, browser: Browser, name: str, path: str
) -> None:
    assert browser.post(path, FORMS[path] | browser.mark(), **EVIL).status_code == 403
    assert browser.post(path, FORMS[path] | browser.mark(), sec_fetch_site="cross-site").status_code == 403
    assert browser.is_signed_in
    assert site.pull(name, PASSWORD) == 200


@pytest.mark.parametrize("path", FORMS)
def test_a_form_is_of_no_use_as_a_link(browser: Browser, name: str, path: str) -> None:
    assert browser.get(path, **FORMS[path]).status_code == 404
    assert browser.is_signed_in


# Password


def test_a_changed_password_signs_every_other_browser_out(site: Site, browser: Browser, name: str) -> None:
    elsewhere = site.browser()
    elsewhere.sign_in(name)
    former = browser.session
    answer = browser.submit("/account/password", current=PASSWORD, new=ANOTHER, again=ANOTHER)
    assert answer.status_code == 303
    assert browser.session not in {former, None}
    assert "Your password was changed" in text(browser.get(answer.headers["location"]))
    assert not elsewhere.is_signed_in
    assert (site.pull(name, PASSWORD), site.pull(name, ANOTHER)) == (401, 200)


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"current": "wrong", "new": ANOTHER, "again": ANOTHER}, "the present one is not right"),
        ({"current": "", "new": ANOTHER, "again": ANOTHER}, "the present one is not right"),
        ({"current": PASSWORD, "new": ANOTHER, "again": "other one"}, "the new one was not the same both times"),
        ({"current": PASSWORD, "new": "short", "again": "short"}, "at least 8 characters are needed"),
        ({"current": PASSWORD, "new": "a" * 5000, "again": "a" * 5000}, "a password has 1 to"),
        ({}, "at least 8 characters are needed"),
    ],
)
def test_a_password_is_not_changed_for_less_than_all_that_is_asked(
    site: Site, browser: Browser, name: str, fields: dict[str, str], why: str
) -> None:
    answer = browser.submit("/account/password", **fields)
    assert answer.status_code == 422
    assert told(answer).startswith(f"Your password was not changed: {why}")
    assert site.pull(name, PASSWORD) == 200
    assert browser.is_signed_in


def test_a_token_is_not_the_present_password(site: Site, browser: Browser, name: str) -> None:
    answer = browser.submit("/account/password", current=minted(browser), new=ANOTHER, again=ANOTHER)
    assert told(answer).endswith("the present one is not right.")
    assert site.pull(name, PASSWORD) == 200


# Tokens


def test_a_token_is_shown_once_and_used_until_it_is_taken_back(site: Site, browser: Browser, name: str) -> None:
    token = minted(browser)
    assert site.pull(name, token) == 200
    page = browser.get("/account")
    assert token not in page.text
    assert "laptop" in text(page)
    (made,) = site.secrets(name, CredentialKind.TOKEN)
    answer = browser.submit("/account/revoke", uuid=made.uuid)
    assert "It was taken back" in text(browser.get(answer.headers["location"]))
    assert site.pull(name, token) == 401


def test_a_new_token_comes_with_the_line_that_uses_it(browser: Browser, name: str) -> None:
    page = browser.submit("/account/tokens", **TOKEN)
    assert f"docker login --username {name} {HOST}" in text(page)
    assert page.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("fields", "limits", "words"),
    [
        ({}, "", "for everything that you may do"),
        ({"pattern": "**"}, "", "for everything that you may do"),
        ({"use": "reader"}, "pull **", "to pull in every repository"),
        ({"use": "writer", "pattern": "team/**"}, "pull,push team/**", "to pull and push in team/**"),
        ({"pattern": "a/b"}, "pull,push,delete,admin a/b", "to pull, push, delete and manage grants and robots in a/b"),
    ],
)
def test_a_token_is_limited_as_it_was_asked_for(
    site: Site, browser: Browser, name: str, fields: dict[str, str], limits: str, words: str
) -> None:
    minted(browser, **fields)
    (made,) = site.secrets(name, CredentialKind.TOKEN)
    assert made.limits == limits
    assert f"good {words}" in text(browser.get("/account"))


def test_a_token_ends_when_it_was_to(site: Site, browser: Browser, name: str) -> None:
    minted(browser, lifetime="7")
    (made,) = site.secrets(name, CredentialKind.TOKEN)
    assert made.expires is not None
    assert made.expires - made.created == timedelta(days=7)


@pytest.mark.parametrize(
    "fields",
    [
        *({"label": each} for each in ("", " ", "a" * 101, "a\nb", "a\x1b[31m")),
        *({"lifetime": each} for each in ("", "0", "9999", "-1", "x")),
        *({"use": each} for each in ("", "owner", "admin", "*")),
        *({"pattern": each} for each in ("Team/**", "**/a", "a b", "a" * 300, '"><script>')),
    ],
    ids=str,
)
def test_what_no_token_can_be_makes_none(site: Site, browser: Browser, name: str, fields: dict[str, str]) -> None:
    answer = browser.submit("/account/tokens", **(TOKEN | fields))
    assert answer.status_code == 422
    assert told(answer).startswith("No token was made: ")
    assert "<script" not in answer.text
    assert site.secrets(name, CredentialKind.TOKEN) == []


def test_what_a_token_is_called_comes_back_escaped(browser: Browser, name: str) -> None:
    page = browser.submit("/account/tokens", **(TOKEN | {"label": "<b>laptop</b>"}))
    assert "<b>laptop" not in page.text
    assert "<b>laptop" not in browser.get("/account").text


def test_a_token_outlives_the_session_that_made_it(site: Site, browser: Browser, name: str) -> None:
    token = minted(browser)
    browser.submit("/logout")
    assert site.pull(name, token) == 200


# Taking back


def test_another_browser_can_be_signed_out(site: Site, browser: Browser, name: str) -> None:
    elsewhere = site.browser()
    elsewhere.sign_in(name)
    (newest, _) = site.secrets(name)
    browser.submit("/account/revoke", uuid=newest.uuid)
    assert not elsewhere.is_signed_in
    assert browser.is_signed_in


def test_a_clients_login_can_be_taken_back(site: Site, browser: Browser, name: str) -> None:
    form = {
        "grant_type": "password", "username": name, "password": PASSWORD, "service": "entrepot",
        "client_id": "docker", "access_type": "offline",
    }  # fmt: skip
    refresh = site.browser().post("/token", form).json()["refresh_token"]
    assert "Clients that stay signed in docker" in text(browser.get("/account"))
    (made,) = site.secrets(name, CredentialKind.REFRESH)
    browser.submit("/account/revoke", uuid=made.uuid)
    again = {"grant_type": "refresh_token", "refresh_token": refresh, "service": "entrepot"}
    assert site.browser().post("/token", again).status_code == 401


def test_nobody_takes_back_what_is_somebody_elses(site: Site, browser: Browser, name: str) -> None:
    """By its id, which is no secret."""
    other, theirs = site.browser(), site.user()
    other.sign_in(theirs)
    token = minted(other)
    (made,) = site.secrets(theirs, CredentialKind.TOKEN)
    assert browser.submit("/account/revoke", uuid=made.uuid).status_code == 404
    assert site.pull(theirs, token) == 200


@pytest.mark.parametrize("uuid", ["", "nonsense", "00000000-0000-0000-0000-000000000000"])
def test_what_is_not_there_cannot_be_taken_back(browser: Browser, name: str, uuid: str) -> None:
    assert browser.submit("/account/revoke", uuid=uuid).status_code == 404


def test_a_password_is_changed_and_never_taken_back(site: Site, browser: Browser, name: str) -> None:
    (password,) = site.secrets(name, CredentialKind.PASSWORD)
    assert browser.submit("/account/revoke", uuid=password.uuid).status_code == 404
    assert site.pull(name, PASSWORD) == 200
