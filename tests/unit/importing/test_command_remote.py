"""`registry.cli_import` from a registry: who we say we are, and what is refused before anything is asked."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from registry.cli_import import BROKEN, VARIABLE, Bar, import_command
from registry.client.login import Credentials
from registry.importing.report import Report
from registry.oci.names import RepositoryName
from tests.support.elsewhere import Elsewhere, Reply, Seen
from tests.support.images import tiny_image
from tests.support.server import free_port
from tests.support.tls import Certificate

WHO = Credentials("reader", "s e:cret")
ENVIRONMENT = {"REGISTRY_ADMIN_PASSWORD": "correct horse"}
IMAGE = tiny_image("command", layer_size=10_000)

Run = Callable[..., Result]


@pytest.fixture
def elsewhere() -> Iterator[Elsewhere]:
    with Elsewhere() as registry:
        registry.push("team/app", IMAGE, "1")
        yield registry


@pytest.fixture
def run(place: Path) -> Run:
    def run(url: str, *arguments: str, stdin: str = "", **environment: str) -> Result:
        given = ["--from-registry", url, "--data", str(place / "data"), *arguments]
        return CliRunner(env=ENVIRONMENT | environment).invoke(import_command, given, input=stdin)

    return run


def wants_basic(seen: Seen) -> Reply | None:
    proved = seen.headers.get("Authorization") == WHO.basic
    return None if proved else Reply(401, headers={"WWW-Authenticate": 'Basic realm="x"'})


def test_a_registry_is_imported_and_the_report_has_the_same_form(elsewhere: Elsewhere, run: Run) -> None:
    first, second = run(elsewhere.url), run(elsewhere.url, "--json")
    assert (first.exit_code, second.exit_code) == (0, 0)
    assert first.stderr.splitlines()[0] == "to import: repositories 1"
    assert first.stderr.splitlines()[1].startswith("team/app: manifests 1, tags 1, ")
    assert first.stdout.splitlines()[-1] == "nothing is broken"
    assert json.loads(second.stdout)["blobs"] == {"adopted": 0, "copied": 0, "present": 2, "verified": 0}


def test_what_is_broken_there_ends_with_3(elsewhere: Elsewhere, run: Run) -> None:
    elsewhere.always[f"/v2/team/app/blobs/{IMAGE.layers[0].digest}"] = Reply(404)
    done = run(elsewhere.url)
    assert done.exit_code == BROKEN
    assert f"broken: manifest team/app {IMAGE.digest}: it needs {IMAGE.layers[0].digest}" in done.stdout


def test_a_dry_run_needs_no_data_folder(elsewhere: Elsewhere, run: Run, place: Path) -> None:
    assert "2 verified" in run(elsewhere.url, "--dry-run").stdout
    assert not (place / "data").exists()


def test_the_password_comes_from_standard_input_or_the_environment(elsewhere: Elsewhere, run: Run) -> None:
    elsewhere.before = wants_basic
    name = ("--username", WHO.username)
    assert run(elsewhere.url, *name, "--password-stdin", stdin=f"{WHO.password}\n").exit_code == 0
    assert run(elsewhere.url, *name, **{VARIABLE: WHO.password}).exit_code == 0
    refused = run(elsewhere.url, *name, "--password-stdin", stdin="wrong\n")
    assert refused.exit_code == 1
    assert "they have to be named: /v2/_catalog: 401" in refused.stderr
    assert "wrong" not in refused.output


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--password-stdin",), "--password-stdin needs a --username"),
        (("--username", "reader"), f"--username needs --password-stdin, or {VARIABLE} in the environment"),
        (("--from-distribution", "."), "say where from: either --from-distribution or --from-registry"),
    ],
)
def test_what_does_not_go_together_is_refused(
    elsewhere: Elsewhere, run: Run, arguments: tuple[str, ...], reason: str
) -> None:
    refused = run(elsewhere.url, *arguments)
    assert (refused.exit_code, refused.stderr) == (2, f"error: {reason}\n")
    assert not elsewhere.seen


@pytest.mark.parametrize("option", [("--username", "x"), ("--token-host", "x"), ("--insecure-http",)])
def test_a_folder_needs_nobody_to_be(place: Path, option: tuple[str, ...]) -> None:
    refused = CliRunner().invoke(import_command, ["--from-distribution", str(place), *option])
    assert refused.exit_code == 2
    assert refused.stderr.startswith("error: a folder needs no --username")
    nothing = CliRunner().invoke(import_command, [])
    assert nothing.stderr == "error: say where from: either --from-distribution or --from-registry\n"


@pytest.mark.parametrize(
    "url",
    ["https://user:secret@registry.test", "ftp://registry.test", "registry.test/team/app", "",
     "ftp://user:secret@registry.test", "https://user:secret#1@registry.test", "user:secret/@registry.test"],
)  # fmt: skip
def test_a_url_that_is_no_registry_is_refused(run: Run, url: str) -> None:
    refused = run(url)
    assert refused.exit_code == 2
    assert refused.stderr.startswith("error: ")
    assert "secret" not in refused.output


def test_plain_http_elsewhere_has_to_be_asked_for(run: Run) -> None:
    refused = run("http://registry.test")
    assert refused.exit_code == 2
    assert refused.stderr == "error: plain http to registry.test is not allowed: --insecure-http does\n"


def test_a_registry_that_is_not_there_ends_with_a_line(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("registry.client.transport.Patience.pause", lambda *_: 0.0)
    url = f"http://127.0.0.1:{free_port()}"
    refused = run(url)
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert refused.stderr == f"error: {url}: {url[7:]} does not answer: connection refused\n"


def test_a_name_without_a_star_needs_no_catalog(elsewhere: Elsewhere, run: Run) -> None:
    elsewhere.catalog = False
    assert run(elsewhere.url, "--repository", "team/app").exit_code == 0
    refused = run(elsewhere.url, "--repository", "team/*")
    assert refused.exit_code == 1
    assert "it does not list its repositories" in refused.stderr


def test_an_authority_of_ones_own_vouches_for_a_registry(run: Run, tmp_path: Path) -> None:
    certificate = Certificate.make(tmp_path / "tls")
    with Elsewhere(certificate) as secure:
        secure.push("team/app", IMAGE, "1")
        host = secure.url.removeprefix("https://")
        assert run(host, "--ca", str(certificate.authority)).exit_code == 0
        refused = run(host)
        assert refused.exit_code == 1
        assert f"the certificate of {host} is not trusted" in refused.stderr
        wrong = run(host, "--ca", str(certificate.key))
        assert (wrong.exit_code, wrong.stderr) == (2, f"error: {certificate.key}: holds no certificate\n")


def test_a_bar_counts_repositories_where_manifests_are_not_counted() -> None:
    with ExitStack() as stack:
        bar = Bar(stack)
        bar.begins(2, None)
        bar.advances(5)
        assert (bar._bar.pos, bar._bar.length) == (0, 2)
        bar.finished(RepositoryName("a"), Report())
        assert bar._bar.pos == 1
        bar.begins(2, 7)
        bar.advances(5)
        bar.finished(RepositoryName("a"), Report())
        assert (bar._bar.pos, bar._bar.length) == (5, 7)
