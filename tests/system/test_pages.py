"""A person with a real browser: signs in, makes a token, sees it once, and takes it back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.server import RunningServer
from tests.support.tls import Certificate
from tests.system.browser import Window, window

pytestmark = [pytest.mark.system, pytest.mark.slow]


@pytest.fixture
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RunningServer]:
    """Over TLS, unless a test says otherwise."""
    tls = Certificate.make(tmp_path / "tls") if getattr(request, "param", "https") == "https" else None
    with RunningServer(tmp_path / "data", workers=2, tls=tls) as server:
        yield server


@pytest.fixture
def browser(server: RunningServer) -> Iterator[Window]:
    with window(server.url) as browser:
        yield browser


def sign_in(browser: Window, password: str) -> None:
    browser.go("/")
    browser.press("Sign in")
    browser.fill(username="admin", password=password)
    browser.press("Sign in")


def pulls(server: RunningServer, token: str) -> int:
    with server.http() as client:
        return client.get("/v2/", auth=("admin", token)).status_code


def test_a_person_makes_a_token_uses_it_and_takes_it_back(
    server: RunningServer, browser: Window, tmp_path: Path
) -> None:
    sign_in(browser, server.admin[1])
    assert browser.path == "/account"
    assert "You administer this registry" in browser.text
    browser.fill(label="laptop", lifetime="90 days", use="pull only", pattern="team/**")
    browser.picture(str(tmp_path / "account.png"))
    browser.press("Make the token")
    token = browser.find("#token").text
    browser.picture(str(tmp_path / "token.png"))
    assert f"docker login --username admin {server.host}" in browser.text
    assert pulls(server, token) == httpx.codes.OK
    browser.press("Back to your account")
    assert token not in browser.text
    assert "laptop" in browser.text
    assert "good to pull in team/**" in browser.text
    browser.press("Revoke")
    assert "It was taken back" in browser.text
    assert pulls(server, token) == httpx.codes.UNAUTHORIZED
    browser.press("Sign out")
    browser.go("/account")
    assert browser.path == "/login?next=/account"
    assert browser.complaints() == []


def test_who_mistypes_is_told_and_goes_on(server: RunningServer, browser: Window, tmp_path: Path) -> None:
    sign_in(browser, "wrong")
    assert "Incorrect username or password." in browser.text
    browser.picture(str(tmp_path / "login.png"))
    browser.fill(password=server.admin[1])
    browser.press("Sign in")
    assert browser.path == "/account"


def test_a_changed_password_keeps_this_browser_signed_in(server: RunningServer, browser: Window) -> None:
    sign_in(browser, server.admin[1])
    browser.press("Change your password")
    browser.fill(current=server.admin[1], new="battery staple", again="battery staple")
    browser.press("Change it")
    assert "Your password was changed" in browser.text
    assert pulls(server, "battery staple") == httpx.codes.OK


@pytest.mark.parametrize("server", ["http", "https"], indirect=True)
def test_no_script_reads_the_session(server: RunningServer, browser: Window) -> None:
    sign_in(browser, server.admin[1])
    assert browser.script("return document.cookie") == ""
    (session,) = (each for name, each in browser.cookies().items() if "form" not in name)
    assert session["httpOnly"] is True
    assert session["sameSite"] == "Lax"
    assert session["secure"] is (server.tls is not None)
    assert session["name"] == ("__Host-entrepot" if server.tls else "entrepot-session")
