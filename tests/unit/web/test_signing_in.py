"""Signing in with a browser and out again: whose session it is, how long, and who cannot have one begun for others."""

from __future__ import annotations

import re
import time

import httpx
import pytest

from registry.core.facts import CredentialKind
from tests.unit.metadata.databases import quick_folder
from tests.unit.web.site import ANOTHER, PASSWORD, Browser, Site, mark_in, told

EVIL = "https://evil.example"


def cookies_of(answer: httpx.Response) -> dict[str, tuple[str, set[str]]]:
    """Each cookie that an answer sets: its value and its flags."""
    found = {}
    for line in answer.headers.get_list("set-cookie"):
        pair, *flags = line.split("; ")
        name, _, value = pair.partition("=")
        found[name] = value, {flag.lower() for flag in flags}
    return found


def test_who_has_the_password_is_signed_in_and_told_who_it_is(site: Site, browser: Browser) -> None:
    name = site.user()
    answer = browser.sign_in(name)
    assert (answer.status_code, answer.headers["location"]) == (303, "/account")
    page = browser.get("/account")
    assert page.status_code == 200
    assert f"<h1>{name}</h1>" in page.text


def test_who_is_signed_in_already_is_not_asked_again(site: Site, browser: Browser) -> None:
    browser.sign_in(site.user())
    assert browser.get("/login").headers["location"] == "/account"
    assert browser.get("/login?next=/somewhere").headers["location"] == "/somewhere"


def test_whoever_is_not_signed_in_is_asked_to_and_brought_back(site: Site, browser: Browser) -> None:
    answer = browser.get("/account")
    assert (answer.status_code, answer.headers["location"]) == (303, "/login?next=/account")
    assert browser.post("/account/tokens", {"label": "x"}).headers["location"] == "/login?next=/account"


@pytest.mark.parametrize(
    ("name", "password"),
    [("admin", "wrong"), ("nobody", PASSWORD), ("", ""), ("admin", ""), ("(open)", PASSWORD), ("adm:in", PASSWORD)],
)
def test_what_does_not_go_together_is_refused_alike(browser: Browser, name: str, password: str) -> None:
    answer = browser.sign_in(name, password)
    assert answer.status_code == 403
    assert told(answer) == "Incorrect username or password."
    assert browser.session is None


def test_after_a_refusal_the_same_form_goes_on(site: Site, browser: Browser) -> None:
    name = site.user()
    refused = browser.sign_in(name, "wrong")
    assert f'value="{name}"' in refused.text
    assert browser.post("/login", mark_in(refused) | {"username": name, "password": PASSWORD}).status_code == 303


def test_nothing_of_a_request_comes_back_unescaped(browser: Browser) -> None:
    hostile = '"><script>alert(1)</script>'
    answer = browser.sign_in(hostile, next=hostile)
    assert "<script" not in answer.text
    assert "&lt;script&gt;" in answer.text
    assert "<script" not in browser.get(f"/login?next={hostile}").text


def test_a_token_signs_in_no_person(site: Site, browser: Browser) -> None:
    name = site.user()
    browser.sign_in(name)
    page = browser.submit("/account/tokens", label="x", lifetime="7", use="reader")
    token = re.findall(r"entp_\w+", page.text)[0]
    stranger = site.browser()
    assert told(stranger.sign_in(name, token)) == "Tokens are for programs: sign in with your password."
    assert stranger.session is None


# The cookie


@pytest.mark.parametrize(("scheme", "name"), [("http", "entrepot-session"), ("https", "__Host-entrepot")])
def test_the_cookie_is_for_no_script_no_other_host_and_over_tls_for_nothing_else(
    site: Site, scheme: str, name: str
) -> None:
    browser = site.browser(scheme)
    value, flags = cookies_of(browser.sign_in(site.user()))[name]
    assert value.startswith("ents_")
    assert {"httponly", "samesite=lax", "path=/", "max-age=43200"} <= flags
    assert ("secure" in flags) is (scheme == "https")
    assert not any(flag.startswith("domain") for flag in flags)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_every_cookie_of_these_pages_is_kept_from_scripts(site: Site, scheme: str) -> None:
    browser = site.browser(scheme)
    given = [*cookies_of(browser.get("/login")).values(), *cookies_of(browser.sign_in(site.user())).values()]
    assert len(given) == 3
    for _, flags in given:
        assert {"httponly", "samesite=lax", "path=/"} <= flags
        assert ("secure" in flags) is (scheme == "https")


def test_a_session_is_not_taken_for_a_password_or_a_token(site: Site, browser: Browser) -> None:
    name = site.user()
    browser.sign_in(name)
    assert browser.session
    assert site.pull(name, browser.session) == 401
    assert browser.get("/v2/").status_code == 401


# Fixation


def test_a_session_planted_in_a_browser_is_not_that_of_who_signs_in_there(site: Site, browser: Browser) -> None:
    mallory, name = site.browser(), site.user()
    mallory.sign_in(site.user())
    planted = mallory.session or ""
    mark = browser.mark("/login")
    browser.plant(planted)
    assert browser.post("/login", mark | {"username": name, "password": PASSWORD}).status_code == 303
    assert browser.session not in {planted, None}
    assert f"<h1>{name}</h1>" in browser.get("/account").text
    assert not mallory.is_signed_in


def test_a_session_that_never_was_is_not_taken_up(site: Site, browser: Browser) -> None:
    mark = browser.mark("/login")
    browser.plant("ents_chosen-by-somebody-else")
    browser.post("/login", mark | {"username": site.user(), "password": PASSWORD})
    assert browser.session != "ents_chosen-by-somebody-else"
    assert browser.is_signed_in


def test_the_form_is_good_for_one_sign_in(site: Site, browser: Browser) -> None:
    mark, fields = browser.mark("/login"), {"username": site.user(), "password": PASSWORD}
    browser.post("/login", mark | fields)
    assert browser.post("/login", mark | fields).status_code == 403


# Its end


def test_signing_out_ends_it_for_good(site: Site, browser: Browser) -> None:
    name = site.user()
    browser.sign_in(name)
    secret = browser.session or ""
    assert browser.submit("/logout").headers["location"] == "/login"
    assert browser.session is None
    thief = site.browser()
    thief.plant(secret)
    assert not thief.is_signed_in
    assert site.secrets(name) == []


def test_signing_out_is_no_link(browser: Browser) -> None:
    assert browser.get("/logout").status_code == 404


def test_a_user_who_is_disabled_is_signed_out_with_the_next_request(site: Site, browser: Browser) -> None:
    name = site.user()
    browser.sign_in(name)
    site.people.disable(name, site.admin)
    assert not browser.is_signed_in
    assert told(browser.sign_in(name)) == "Incorrect username or password."


def test_a_password_that_an_administrator_sets_signs_everybody_out(site: Site, browser: Browser) -> None:
    name = site.user()
    browser.sign_in(name)
    site.people.set_password(name, "a hash", site.admin)
    assert not browser.is_signed_in


def test_a_session_ends_by_itself(site: Site, browser: Browser) -> None:
    name = site.user()
    browser.sign_in(name)
    (session,) = site.secrets(name)
    assert session.expires is not None
    assert (session.expires - session.created).total_seconds() == 12 * 3600
    site.metadata.transact(lambda tx: tx.credentials.extend(session.id, tx.now))
    assert not browser.is_signed_in


def test_a_session_is_told_of_with_the_browsers_name_and_address(site: Site, browser: Browser) -> None:
    name = site.user()
    mark = browser.mark("/login")
    agent = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0<script>"
    browser.post("/login", mark | {"username": name, "password": PASSWORD}, user_agent=agent)
    (session,) = site.secrets(name)
    assert (session.label, session.made_from) == ("Firefox on Linux", "127.0.0.1")
    assert session.kind is CredentialKind.SESSION


def test_a_session_that_has_ended_is_forgotten_by_the_browser_too(site: Site, browser: Browser) -> None:
    browser.plant("ents_" + "0" * 42)
    browser.get("/login")
    assert browser.session is None


# Forms from elsewhere


@pytest.mark.parametrize("fields", [{}, {"mark": ""}, {"mark": "0" * 64}, {"mark": "é"}])
def test_a_form_to_sign_in_without_our_mark_is_refused(site: Site, browser: Browser, fields: dict[str, str]) -> None:
    browser.get("/login")
    answer = browser.post("/login", fields | {"username": site.user(), "password": PASSWORD})
    assert answer.status_code == 403
    assert browser.session is None


def test_a_mark_is_good_in_the_browser_that_was_given_it(site: Site, browser: Browser) -> None:
    """Login CSRF: a stranger's own form signs nobody into the stranger's account."""
    theirs = site.browser().mark("/login")
    browser.get("/login")
    assert browser.post("/login", theirs | {"username": site.user(), "password": PASSWORD}).status_code == 403
    without = site.browser()
    assert without.post("/login", theirs | {"username": site.user(), "password": PASSWORD}).status_code == 403


@pytest.mark.parametrize(
    "headers",
    [
        *(
            {"origin": each}
            for each in (EVIL, "null", "", "http://registry.test.evil.example", "http://registry.test:81", "http://[")
        ),
        *({"sec_fetch_site": each} for each in ("cross-site", "same-site", "none")),
        {"origin": "http://registry.test", "sec_fetch_site": "cross-site"},
    ],
    ids=str,
)
def test_a_form_that_stood_elsewhere_is_refused(site: Site, browser: Browser, headers: dict[str, str]) -> None:
    name = site.user()
    mark = browser.mark("/login")
    assert browser.post("/login", mark | {"username": name, "password": PASSWORD}, **headers).status_code == 403
    assert browser.session is None


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://registry.test"},
        # Before a proxy that speaks TLS.
        {"origin": "https://registry.test"},
        {"sec_fetch_site": "same-origin"},
        {},
    ],
    ids=str,
)
def test_a_form_that_stood_here_passes(site: Site, browser: Browser, headers: dict[str, str]) -> None:
    mark = browser.mark("/login")
    assert browser.post("/login", mark | {"username": site.user(), "password": PASSWORD}, **headers).status_code == 303


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"mark=1&mark=2", "application/x-www-form-urlencoded"),
        (b"a" * 65537, "application/x-www-form-urlencoded"),
        (b"&".join(b"f%d=1" % number for number in range(40)), "application/x-www-form-urlencoded"),
        (b"username=%FF", "application/x-www-form-urlencoded"),
        (b"username=\xff", "application/x-www-form-urlencoded"),
        (b"{}", "application/json"),
        (b"username=admin", "text/plain"),
        (b"", "multipart/form-data; boundary=x"),
    ],
)
def test_what_is_no_form_of_ours_is_refused(browser: Browser, content: bytes, kind: str) -> None:
    browser.get("/login")
    answer = browser.client.post("/login", content=content, headers={"content-type": kind})
    assert answer.status_code == 400
    assert told(answer) == "This is no form that can be read here."


# Where it leads


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("/account", "/account"),
        ("/somewhere?a=b&c=%2F#d", "/somewhere?a=b&c=%2F#d"),
        *(
            (each, "/account")
            for each in (
                *("", EVIL, "//evil.example", "/\\evil.example", "\\\\evil.example", "///evil.example", "javascript:x"),
                *("/\t/evil.example", "/ok\r\nSet-Cookie: a=b", "/ok\nX: y", "account", "/é", " //evil.example"),
                *("/" + "a" * 600, "/a\\b", "https:evil.example", "?next=//evil.example"),
            )
        ),
    ],
)
def test_signing_in_leads_to_a_page_of_ours_whatever_a_link_says(
    site: Site, browser: Browser, wanted: str, found: str
) -> None:
    answer = browser.sign_in(site.user(), next=wanted)
    assert answer.headers["location"] == found
    assert set(cookies_of(answer)) == {"entrepot-session", "entrepot-form"}


@pytest.mark.parametrize("path", ["/login", "/account", "/nothing-at-all", "/"])
def test_every_page_is_closed_to_scripts_and_frames_and_kept_by_nobody(site: Site, browser: Browser, path: str) -> None:
    if path == "/account":
        browser.sign_in(site.user())
    headers = browser.get(path).headers
    policy = headers["content-security-policy"].split("; ")
    assert {"default-src 'none'", "base-uri 'none'", "frame-ancestors 'none'"} <= set(policy)
    assert ("form-action 'self'" if path in {"/login", "/account"} else "form-action 'none'") in policy
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["cache-control"] == "no-store"
    assert headers["x-frame-options"] == "DENY"


def test_the_front_page_leads_there(browser: Browser) -> None:
    assert '<a href="/login">Sign in</a>' in browser.get("/").text


def test_another_password_than_the_right_one_opens_nothing(site: Site, browser: Browser) -> None:
    assert browser.sign_in(site.user(ANOTHER)).status_code == 403


def test_who_fails_too_often_is_told_when_to_come_back(site: Site, browser: Browser) -> None:
    with quick_folder() as folder, Site.opened(folder / "data", login_attempts=2) as strict:
        name, guessing = strict.user(), strict.browser()
        assert [guessing.sign_in(name, "wrong").status_code for _ in range(3)] == [403, 403, 429]
        answer = guessing.sign_in(name)
        assert answer.status_code == 429
        assert int(answer.headers["retry-after"]) > 0
        assert told(answer) == "Too many failed logins."


def test_signing_in_is_an_event_and_so_is_signing_out(site: Site, browser: Browser) -> None:
    name = site.user()
    browser.sign_in(name)
    browser.submit("/logout")
    owner = site.people.get(name).id
    deadline = time.monotonic() + 10
    wanted = {("sign-in", "done"), ("credential.give", "done"), ("credential.revoke", "done")}
    while not wanted <= set(site.rows(f"SELECT action, outcome FROM event WHERE principal_id = {owner}")):  # noqa: S608  a number
        assert time.monotonic() < deadline
        time.sleep(0.05)
