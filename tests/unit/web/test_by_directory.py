"""A real directory: its passwords are good for `docker login` and for the pages, and nothing is kept of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from registry.core.facts import CredentialKind
from tests.support.directory import GROUPS, PEOPLE, SERVICE, SERVICE_PASSWORD, DirectoryServer, group, person
from tests.unit.web.site import HOST, PASSWORD, Site, told

SECRET = "wonderland"
ENTRIES = "\n".join(
    [
        person("alice", SECRET),
        person("admin", SECRET),
        person("carol", "christmas"),
        group("Team A", "alice", "admin"),
        group("bosses", "alice"),
    ]
)


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DirectoryServer]:
    with DirectoryServer(tmp_path_factory.mktemp("directory"), ENTRIES) as server:
        yield server


@pytest.fixture
def staff(directory: DirectoryServer, tmp_path: Path) -> Iterator[Site]:
    """A registry of who is in the team."""
    sources = tmp_path / "sources.toml"
    sources.write_text(f"""
        [[ldap]]
        name = "directory"
        url = "ldap://127.0.0.1:{directory.ldap}"
        bind_dn = "{SERVICE}"
        bind_password = "{SERVICE_PASSWORD}"
        user_base = "{PEOPLE}"
        group_base = "{GROUPS}"
        required_groups = ["Team A"]
        admin_groups = ["bosses"]
        """)
    with Site.opened(tmp_path / "data", sign_in=sources) as site:
        yield site


def http(site: Site) -> httpx.Client:
    return httpx.Client(transport=site.transport, base_url=f"http://{HOST}")


def test_docker_login_takes_the_directorys_password(staff: Site) -> None:
    """As docker does: a bearer token for Basic, then the API with it."""
    with http(staff) as client:
        assert client.get("/v2/").status_code == 401
        answer = client.get("/token", params={"service": "entrepot"}, auth=("alice", SECRET))
        assert answer.status_code == 200
        bearer = {"Authorization": f"Bearer {answer.json()['token']}"}
        assert client.get("/v2/", headers=bearer).status_code == 200
        assert client.get("/v2/", auth=("alice", SECRET)).status_code == 200
        assert client.get("/v2/", auth=("alice", "wrong")).status_code == 401
        staff.people.disable("alice", staff.admin)
        assert client.get("/v2/", headers=bearer).status_code == 401


def test_a_directorys_password_gets_nothing_that_lasts(staff: Site) -> None:
    """Else whoever leaves the company goes on for as long as that does."""
    with http(staff) as client:
        asked = {"service": "entrepot", "offline_token": "true"}
        assert "refresh_token" not in client.get("/token", params=asked, auth=("alice", SECRET)).json()
        assert "refresh_token" in client.get("/token", params=asked, auth=("admin", PASSWORD)).json()
    assert [each.kind for each in staff.secrets("alice", CredentialKind.EXTERNAL)] == [CredentialKind.EXTERNAL]


def test_the_pages_take_it_too(staff: Site) -> None:
    browser = staff.browser()
    assert browser.sign_in("alice", SECRET).status_code == 303
    page = browser.get("/account")
    assert "An account of directory, and an administrator." in page.text
    assert "<code>@team-a</code>" in page.text
    # It has no password here that it could change.
    assert "Change your password" not in page.text
    answer = browser.submit("/account/password", current=SECRET, new=PASSWORD, again=PASSWORD)
    assert told(answer).startswith("Your password was not changed")


def test_a_local_account_is_nobody_elses(staff: Site, directory: DirectoryServer) -> None:
    with http(staff) as client:
        assert client.get("/v2/", auth=("admin", SECRET)).status_code == 401
        assert client.get("/v2/", auth=("admin", PASSWORD)).status_code == 200
    assert f"uid=admin,{PEOPLE}" not in directory.binds()


def test_who_is_not_of_the_team_is_told_so_in_words(staff: Site) -> None:
    with http(staff) as client:
        answer = client.get("/token", params={"service": "entrepot"}, auth=("carol", "christmas"))
    assert answer.status_code == 403
    (error,) = answer.json()["errors"]
    assert (error["code"], error["message"]) == ("DENIED", "this account cannot be used here")
    assert "none of the groups" in error["detail"]["reason"]
    assert "none of the groups" in told(staff.browser().sign_in("carol", "christmas"))


def test_groups_are_replaced_when_the_directory_is_asked_again(directory: DirectoryServer, staff: Site) -> None:
    """CVE-2025-23208."""
    browser = staff.browser()
    browser.sign_in("alice", SECRET)
    assert staff.people.groups_of("alice") == ["@bosses", "@team-a"]
    change = f"dn: cn=bosses,{GROUPS}\nchangetype: modify\nreplace: member\nmember: uid={{}},{PEOPLE}\n"
    directory.change(change.format("carol"))
    try:
        # A worker that remembers nothing; this one would ask again within a minute.
        with staff.another_worker() as another:
            assert another.browser().sign_in("alice", SECRET).status_code == 303
        assert staff.people.groups_of("alice") == ["@team-a"]
        assert not staff.people.get("alice").is_admin
        assert "and an administrator" not in browser.get("/account").text
    finally:
        directory.change(change.format("alice"))


def test_a_directory_that_is_down_is_said_to_be(tmp_path: Path) -> None:
    sources = tmp_path / "sources.toml"
    sources.write_text(f"""
        [[ldap]]
        name = "directory"
        url = "ldap://127.0.0.1:1"
        bind_dn = "{SERVICE}"
        bind_password = "{SERVICE_PASSWORD}"
        user_base = "{PEOPLE}"
        """)
    with Site.opened(tmp_path / "data", sign_in=sources) as site, http(site) as client:
        answer = client.get("/token", params={"service": "entrepot"}, auth=("alice", SECRET))
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert answer.json()["errors"][0]["message"] == "the directory that may know this account cannot be asked now"
        page = site.browser().sign_in("alice", SECRET)
        assert page.status_code == 503
        assert "cannot be asked now" in told(page)
        assert client.get("/v2/", auth=("admin", PASSWORD)).status_code == 200
