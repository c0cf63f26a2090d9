"""`registry.cli`: what a person at a terminal reads."""

from __future__ import annotations

import os
import re
import socket
import sqlite3
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from click import Group
from click.testing import CliRunner, Result

from registry.cli import greeting, main
from registry.cli_options import FIRST_START
from registry.config import Settings


def entrepot(*arguments: str, environ: dict[str, str] | None = None) -> Result:
    return CliRunner(env=environ).invoke(main, arguments, prog_name="entrepot")


def test_help_names_every_verb() -> None:
    told = entrepot("--help").output
    assert all(verb in told for verb in ("serve", "migrate", "config"))


GROUPS = sorted(name for name, command in main.commands.items() if isinstance(command, Group))


@pytest.mark.parametrize("words", [(), *((name,) for name in GROUPS)])
def test_no_line_of_help_is_cut_short(words: tuple[str, ...]) -> None:
    assert "..." not in entrepot(*words, "--help").output.replace("[ARGS]...", "")


def test_the_help_of_serve_says_what_the_settings_table_says() -> None:
    told = " ".join(entrepot("serve", "--help").output.split())
    assert Settings.TABLE["host"].meaning in told
    assert "[default: 5000]" in told


def test_help_imports_no_server_and_no_database() -> None:
    program = "import sys; from registry.cli import main; main(['-h'], standalone_mode=False); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.splitlines()[-1].split())
    assert "registry.config" in loaded
    assert not loaded & {"sqlalchemy", "starlette", "uvicorn", "cryptography", "registry.app", "registry.server"}


def test_the_module_is_the_command() -> None:
    done = subprocess.run([sys.executable, "-m", "registry", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("entrepot ")


def test_an_unknown_option_is_refused_with_the_nearest_known_one() -> None:
    refused = entrepot("serve", "--prot", "5000")
    assert refused.exit_code == 2
    assert "--port" in refused.output


@pytest.mark.parametrize("verb", [["serve"], ["migrate"], ["config", "check"], ["config", "show"]])
def test_a_wrong_setting_stops_every_verb_with_each_problem_on_a_line(verb: list[str]) -> None:
    refused = entrepot(*verb, environ={"REGISTRY_PORT": "x", "REGISTRY_LEASE": "1s"})
    assert refused.exit_code == 2
    assert refused.stderr.splitlines() == [
        "error: REGISTRY_PORT: not a whole number: 'x'",
        "error: lease: at least 10m is needed, not 1s",
    ]
    assert refused.stdout == ""


def test_an_option_of_serve_is_read_like_any_other_source(tmp_path: Path) -> None:
    refused = entrepot("serve", "--port", "x", "--data", str(tmp_path), "--open", "--host", "0.0.0.0")
    assert refused.stderr.splitlines() == [
        "error: --port: not a whole number: 'x'",
        "error: open serves without authentication, so not on 0.0.0.0: use 127.0.0.1, or set open_anywhere",
    ]


def test_config_check_is_content_with_a_good_file(tmp_path: Path) -> None:
    file = tmp_path / "entrepot.toml"
    file.write_text("port = 5001\n")
    assert entrepot("config", "check", "--config", str(file)).output == "the settings can be used\n"


def test_config_show_tells_where_each_value_came_from(tmp_path: Path) -> None:
    file = tmp_path / "entrepot.toml"
    file.write_text("port = 5001\n")
    lines = entrepot("config", "show", "--config", str(file), environ={"REGISTRY_THREADS": "4"}).output.splitlines()
    assert f"port = 5001  # port in {file}" in lines
    assert "threads = 4  # REGISTRY_THREADS" in lines
    assert 'host = "127.0.0.1"  # default' in lines
    assert "# tls_cert is not set  # default" in lines


def test_config_show_prints_a_file_that_makes_the_same_settings(tmp_path: Path) -> None:
    environ = {
        "REGISTRY_PUBLIC_URL": "https://r.example",
        "REGISTRY_UPLOAD_EXPIRY": "2s",
        "REGISTRY_MANIFEST_LIMIT": "5MiB",
    }
    shown = entrepot("config", "show", environ=environ).output
    file = tmp_path / "shown.toml"
    file.write_text(shown)
    assert Settings.load(environ={}, file=file) == Settings.load(environ=environ)
    assert tomllib.loads(shown)["upload_expiry"] == "2s"


def test_config_show_never_prints_a_secret() -> None:
    shown = entrepot("config", "show", environ={"REGISTRY_ADMIN_PASSWORD": "much too secret"}).output
    assert "much too secret" not in shown
    assert "# admin_password is set and not shown  # REGISTRY_ADMIN_PASSWORD" in shown.splitlines()


def test_the_greeting_tells_address_data_and_the_three_commands_to_try_next() -> None:
    told = greeting(Settings(data=Path("/srv/data")), 5000)
    assert "http://127.0.0.1:5000\n" in told
    assert "/srv/data\n" in told
    assert [line.split()[:2] for line in told.splitlines() if line.startswith("  docker")] == [
        ["docker", "login"],
        ["docker", "tag"],
        ["docker", "pull"],
    ]


def test_the_greeting_of_an_open_registry_warns_and_asks_nobody_to_log_in() -> None:
    told = greeting(Settings(open=True), 5000)
    assert "whoever reaches it may read and write everything" in told
    assert "docker login" not in told


@pytest.mark.parametrize(
    ("settings", "place"),
    [
        (Settings(host="0.0.0.0"), "localhost:5001"),
        (Settings(host="::1"), "[::1]:5001"),
        (Settings(public_url="https://registry.example.org"), "registry.example.org"),
    ],
)
def test_the_greeting_names_the_registry_as_docker_must(settings: Settings, place: str) -> None:
    assert f"  docker pull {place}/library/busybox" in greeting(settings, 5001).splitlines()


def test_the_greeting_says_https_when_the_server_speaks_tls() -> None:
    settings = Settings(tls_cert=Path("c.pem"), tls_key=Path("k.pem"))
    assert greeting(settings, 5000).startswith("entrepot serves https://127.0.0.1:5000\n")


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody else listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def test_the_first_password_is_told_even_when_the_server_cannot_listen(tmp_path: Path, taken: int) -> None:
    arguments = ["serve", "--data", str(tmp_path / "data"), "--port", str(taken), "--workers", "1"]
    first, second = (_run(arguments) for _ in range(2))
    assert re.fullmatch(rf"{FIRST_START}\n  user admin, password \S+\n\n", first.stdout)
    assert second.stdout == ""
    for refused in (first, second):
        assert (refused.returncode, refused.stderr) == (1, f"error: 127.0.0.1:{taken}: address already in use\n")


def test_a_folder_that_cannot_be_made_is_told_in_a_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    refused = _run(["migrate", "--data", str(tmp_path / "file" / "data")])
    assert (refused.returncode, refused.stdout) == (1, "")
    assert re.fullmatch(rf"error: {tmp_path}/file\S*: [a-z ]+\n", refused.stderr)


def test_migrate_tells_the_revision_and_does_nothing_the_second_time(tmp_path: Path) -> None:
    first, second = (_run(["migrate", "--data", str(tmp_path / "data")]) for _ in range(2))
    assert first.stdout == second.stdout
    assert re.fullmatch(rf"the database in {tmp_path}/data is at revision \S+\n", first.stdout)


def test_a_database_of_a_newer_program_is_told_in_a_line(tmp_path: Path) -> None:
    _run(["migrate", "--data", str(tmp_path)])
    with closing(sqlite3.connect(tmp_path / "registry.db")) as database, database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
    refused = _run(["serve", "--data", str(tmp_path)])
    assert refused.returncode == 1
    assert "has schema 9999, which this program does not know" in refused.stderr
    assert "Traceback" not in refused.stderr


def _run(arguments: list[str]) -> subprocess.CompletedProcess[str]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("REGISTRY_")}
    command = [sys.executable, "-m", "registry", *arguments]
    return subprocess.run(command, env=environ, capture_output=True, text=True, check=False, timeout=60)


def test_the_database_is_copied_into_an_empty_one_and_into_no_other(tmp_path: Path) -> None:
    data, target = tmp_path / "data", tmp_path / "copy.db"
    assert CliRunner().invoke(main, ["migrate", "--data", str(data)]).exit_code == 0
    for place in (str(target), f"sqlite:///{tmp_path / 'other.db'}"):
        copied = CliRunner().invoke(main, ["db", "copy", "--data", str(data), "--to", place])
        assert (copied.exit_code, copied.stdout.splitlines()[-1].endswith("are the same in both")) == (0, True)
    assert target.stat().st_size
    assert (tmp_path / "other.db").stat().st_size
    with closing(sqlite3.connect(target)) as database, database:
        database.execute("INSERT INTO setting (name, value) VALUES ('there', 'already')")
    refused = CliRunner().invoke(main, ["db", "copy", "--data", str(data), "--to", str(target)])
    assert (refused.exit_code, refused.stderr) == (1, "error: the target is not empty: there are rows in setting\n")


def test_the_database_to_copy_into_may_be_named_where_nobody_sees_it(tmp_path: Path) -> None:
    data, target = tmp_path / "data", tmp_path / "copy.db"
    assert CliRunner().invoke(main, ["migrate", "--data", str(data)]).exit_code == 0
    copied = CliRunner().invoke(main, ["db", "copy", "--data", str(data)], env={"ENTREPOT_COPY_TO": str(target)})
    assert (copied.exit_code, target.exists()) == (0, True)


def test_config_check_reads_the_file_of_sources_too(tmp_path: Path) -> None:
    sources = tmp_path / "sources.toml"
    sources.write_text(
        '[[oidc]]\nname = "company"\nissuer = "https://accounts.example.org"\nclient_id = "x"\nkey = 1\n'
    )
    refused = entrepot("config", "check", environ={"REGISTRY_SIGN_IN": str(sources)})
    assert refused.exit_code == 2
    assert f"error: {sources}: [[oidc]] company: unknown key 'key'" in refused.output
    assert "one of client_secret and client_secret_file is needed" in refused.output
    sources.write_text(sources.read_text().replace("key = 1", 'client_secret = "secret"'))
    refused = entrepot("config", "check", environ={"REGISTRY_SIGN_IN": str(sources)})
    assert refused.exit_code == 2
    assert "error: public_url is not set" in refused.output
    sources.write_text("")
    assert entrepot("config", "check", environ={"REGISTRY_SIGN_IN": str(sources)}).exit_code == 0
    sources.unlink()
    assert (
        f"sign_in: no such file: {sources}"
        in entrepot("config", "check", environ={"REGISTRY_SIGN_IN": str(sources)}).output
    )
