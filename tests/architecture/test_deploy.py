"""What an operator copies: image, units and proxies agree with the program, and the documents name them all."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from registry.cli import main
from registry.config import CONFIG_VARIABLE, Settings, variable
from registry.server.worker import GRACE
from tests.architecture.tree import PROJECT

DEPLOY = PROJECT / "deploy"
UNITS = ("entrepot.service", "entrepot-worker.service")
PROXIES = ("nginx.conf", "compose/nginx.conf")
# What a service may do beyond reading: nothing that it does not need (systemd.exec).
HARDENED = {
    "CapabilityBoundingSet": "",
    "DynamicUser": "yes",
    "NoNewPrivileges": "yes",
    "PrivateDevices": "yes",
    "PrivateTmp": "yes",
    "ProtectHome": "yes",
    "ProtectSystem": "strict",
    "RestrictNamespaces": "yes",
    "RestrictSUIDSGID": "yes",
    "SystemCallArchitectures": "native",
    "UMask": "0077",
}


@dataclass(frozen=True)
class Instruction:
    """A line of a Dockerfile, continued lines joined."""

    word: str
    rest: str


def dockerfile() -> list[list[Instruction]]:
    """Its stages, each beginning with FROM."""
    lines = [line for line in (PROJECT / "Dockerfile").read_text().splitlines() if not line.lstrip().startswith("#")]
    stages: list[list[Instruction]] = []
    for line in re.sub(r"\s*\\\n\s*", " ", "\n".join(lines)).splitlines():
        word, _, rest = line.partition(" ")
        if word == "FROM":
            stages.append([])
        if word:
            stages[-1].append(Instruction(word, rest))
    return stages


def said(stage: list[Instruction], word: str) -> list[str]:
    return [instruction.rest for instruction in stage if instruction.word == word]


def unit(name: str) -> dict[str, list[str]]:
    """What a unit says, whatever the section: no name stands in two."""
    text = (DEPLOY / name).read_text().replace("\\\n", " ")
    told: dict[str, list[str]] = {}
    for line in text.splitlines():
        if "=" in line and not line.startswith("#"):
            key, _, value = line.partition("=")
            told.setdefault(key, []).append(value)
    return told


def deployed() -> Iterator[Path]:
    yield from sorted(path for path in DEPLOY.rglob("*") if path.is_file())


def seconds(text: str) -> timedelta:
    return timedelta(seconds=int(text.removesuffix("s")))


def test_the_documents_name_everything_that_is_deployed() -> None:
    told = (PROJECT / "README.md").read_text() + (PROJECT / "ARCHITECTURE.md").read_text()
    # A folder is named as a whole: its own head tells of its files.
    places = {"/".join(path.relative_to(PROJECT).parts[:2]) for path in deployed()}
    assert not {place for place in places if place not in told}


def test_what_is_deployed_names_no_setting_that_does_not_exist() -> None:
    known = {variable(name) for name in Settings.TABLE} | {CONFIG_VARIABLE}
    files = [*deployed(), PROJECT / "Dockerfile"]
    named = {(word, path.name) for path in files for word in re.findall(r"REGISTRY_[A-Z0-9_]+", path.read_text())}
    assert not {(word, name) for word, name in named if word not in known}


def test_the_page_on_sizing_names_only_settings_and_commands_that_exist() -> None:
    told = (DEPLOY / "sizing.md").read_text()
    settings = set(re.findall(r"`([a-z0-9]+_[a-z0-9_]+|workers)`", told))
    assert settings
    assert not settings - Settings.TABLE.keys() - {"stop_grace_period"}


def test_every_stage_of_the_image_begins_with_the_same_base_and_names_its_version() -> None:
    bases = {said(stage, "FROM")[0].partition(" AS ")[0] for stage in dockerfile()}
    (base,) = bases
    found = re.fullmatch(r"python:(3\.\d+)-slim-\w+", base)
    assert found
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    assert project["requires-python"] == f">={found[1]}"


def test_the_image_is_built_from_files_that_are_there() -> None:
    build, _ = dockerfile()
    sources = [source for line in said(build, "COPY") for source in line.split()[:-1]]
    assert not [source for source in sources if not (PROJECT / source).exists()]


def test_the_image_gets_everything_that_the_package_is_made_of() -> None:
    build, _ = dockerfile()
    copied = {source for line in said(build, "COPY") for source in line.split()[:-1]}
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())
    packages = {pattern.rstrip("*") for pattern in project["tool"]["setuptools"]["packages"]["find"]["include"]}
    assert {"pyproject.toml", "LICENSE", project["project"]["readme"], *packages} <= copied


def test_the_image_installs_nothing_that_is_not_locked() -> None:
    build, _ = dockerfile()
    installs = [line for line in said(build, "RUN") if "pip install" in line]
    assert ["--require-hashes --requirement requirements.lock" in line for line in installs] == [True, False]
    assert "--no-deps --no-build-isolation ." in installs[1]
    assert "requirements.lock ." in said(build, "COPY")


def test_the_image_runs_as_somebody_who_is_known_by_number_and_not_root() -> None:
    _, run = dockerfile()
    (user,) = said(run, "USER")
    assert re.fullmatch(r"[1-9]\d+:[1-9]\d+", user)
    (made,) = said(run, "RUN")
    assert f"--uid {user.partition(':')[0]} " in made
    assert f"--gid {user.partition(':')[2]} " in made
    words = [instruction.word for instruction in run]
    assert words.index("RUN") < words.index("USER") < words.index("ENTRYPOINT")


def test_the_image_starts_a_command_that_exists_with_settings_that_can_be_used() -> None:
    _, run = dockerfile()
    environ = dict(pair.split("=", 1) for line in said(run, "ENV") for pair in line.split())
    settings = Settings.load(environ=environ)
    assert said(run, "EXPOSE") == [str(settings.port)]
    assert said(run, "VOLUME") == [str(settings.data)]
    (command,) = (json.loads(line) for line in said(run, "CMD"))
    assert command[0] in main.commands
    scripts = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["scripts"]
    (entrypoint,) = (json.loads(line) for line in said(run, "ENTRYPOINT"))
    assert Path(entrypoint[0]).name in scripts


def test_the_image_tells_whether_it_can_serve_by_asking_it() -> None:
    _, run = dockerfile()
    (check,) = said(run, "HEALTHCHECK")
    program = json.loads(check.partition("CMD ")[2])
    assert f"http://127.0.0.1:{Settings().port}/healthz" in program[-1]
    compile(program[-1], "healthcheck", "exec")


@pytest.mark.parametrize("name", UNITS)
def test_a_unit_starts_a_command_and_options_that_exist(name: str) -> None:
    (line,) = unit(name)["ExecStart"]
    program, verb, *rest = line.split()
    assert program.endswith("/entrepot")
    options = {option for parameter in main.commands[verb].params for option in parameter.opts}
    assert {word for word in rest if word.startswith("-")} <= options


@pytest.mark.parametrize("name", UNITS)
def test_a_unit_waits_longer_than_the_server_takes_to_stop(name: str) -> None:
    told = unit(name)
    assert told["KillSignal"] == ["SIGTERM"]
    # The workers hear it from their parent.
    assert told["KillMode"] == ["mixed"]
    assert seconds(told["TimeoutStopSec"][0]) > Settings().drain_timeout + GRACE


@pytest.mark.parametrize("name", UNITS)
def test_a_unit_may_do_no_more_than_it_needs(name: str) -> None:
    told = unit(name)
    assert {key: told.get(key) for key in HARDENED} == {key: [value] for key, value in HARDENED.items()}


def test_both_units_keep_the_same_data_as_the_same_user() -> None:
    server, worker = (unit(name) for name in UNITS)
    shared = ("User", "StateDirectory", "LoadCredential")
    assert [server[key] for key in shared] == [worker[key] for key in shared]
    for told in (server, worker):
        assert f"--data /var/lib/{told['StateDirectory'][0]}" in told["ExecStart"][0]


@pytest.mark.parametrize("name", PROXIES)
def test_a_proxy_passes_bytes_as_they_come_and_lets_the_registry_decide_what_is_too_much(name: str) -> None:
    said_once = re.sub(r"\s+", " ", re.sub(r"#.*", "", (DEPLOY / name).read_text()))
    for line in (
        "client_max_body_size 0;",
        "proxy_request_buffering off;",
        "proxy_buffering off;",
        "proxy_http_version 1.1;",
        'proxy_set_header Connection "";',
        "proxy_set_header Host $http_host;",
        "proxy_set_header X-Forwarded-For $remote_addr;",
        "proxy_set_header X-Forwarded-Proto $scheme;",
        "ssl_protocols TLSv1.2 TLSv1.3;",
    ):
        assert said_once.count(line) == 1, line


@pytest.mark.parametrize("name", PROXIES)
def test_a_proxy_is_more_patient_than_the_registry(name: str) -> None:
    times = dict(re.findall(r"proxy_(read|send)_timeout (\d+s);", (DEPLOY / name).read_text()))
    assert {which: seconds(text) > Settings().stall_timeout for which, text in times.items()} == {
        "read": True,
        "send": True,
    }
