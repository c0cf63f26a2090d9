"""deploy/compose/: what its services ask of each other is there, and what they say to the registry it understands."""

from __future__ import annotations

import re
import shutil
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from registry.cli import main
from registry.config import Settings
from registry.server.worker import GRACE
from tests.support.server import PROJECT, free_port
from tests.support.tls import Certificate
from tests.system.require import require

yaml = pytest.importorskip("yaml", reason="the library that reads YAML is not installed")

FOLDER = PROJECT / "deploy" / "compose"
HEAD = (FOLDER / "compose.yaml").read_text().partition("\nx-settings:")[0]
DOCUMENT: dict[str, Any] = yaml.safe_load((FOLDER / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = DOCUMENT["services"]
OURS = {name for name, service in SERVICES.items() if "entrepot" in service["image"]}
REPLICAS = {"registry-1", "registry-2"}
# The words of the Compose specification that are used here, so that a misspelt one is seen.
TOP = {"services", "networks", "volumes", "x-settings", "x-entrepot", "x-replica"}
SERVICE = {
    "build", "cap_drop", "command", "depends_on", "deploy", "entrypoint", "environment", "healthcheck", "image",
    "init", "logging", "networks", "ports", "read_only", "restart", "security_opt", "shm_size", "stop_grace_period",
    "stop_signal", "tmpfs", "volumes",
}  # fmt: skip
CHECK = {"test", "interval", "timeout", "retries", "start_period", "disable"}


def filled(value: str) -> str:
    """With the variables that the head has made, and the defaults of others (Compose specification, Interpolation)."""
    value = re.sub(r"\$\{[A-Z0-9_]+:-([^}]*)\}", r"\1", value)
    return re.sub(r"\$\{([A-Z0-9_]+):\?[^}]*\}", r"0123456789abcdef-\1", value)


def environment(name: str) -> dict[str, str]:
    return {key: filled(value) for key, value in SERVICES[name]["environment"].items()}


def settings(name: str) -> Settings:
    return Settings.load(environ=environment(name))


def span(text: str) -> timedelta:
    return timedelta(seconds=int(text.removesuffix("s")))


def test_every_word_is_one_of_the_compose_specification() -> None:
    assert not DOCUMENT.keys() - TOP
    for name, service in SERVICES.items():
        assert not service.keys() - SERVICE, name
        assert not service.get("healthcheck", {}).keys() - CHECK, name


def test_every_replica_the_worker_and_the_migration_are_there() -> None:
    verbs = {name: SERVICES[name]["command"] for name in OURS}
    assert verbs == {"worker": ["worker"], "migrate": ["migrate"], **{name: ["serve"] for name in REPLICAS}}
    assert {verb for (verb,) in verbs.values()} <= main.commands.keys()


@pytest.mark.parametrize("name", sorted(OURS))
def test_what_a_service_of_ours_is_told_can_be_used(name: str) -> None:
    told = settings(name)
    assert (told.store, told.s3_redirect, told.background) == ("s3", False, False)
    assert told.database is not None


def test_all_of_ours_are_told_the_same() -> None:
    told = [environment(name) for name in sorted(OURS)]
    assert all(one == told[0] for one in told)


def test_what_a_service_waits_for_can_come_true() -> None:
    for name, service in SERVICES.items():
        for other, wanted in service.get("depends_on", {}).items():
            awaited = SERVICES[other]
            if wanted["condition"] == "service_completed_successfully":
                assert awaited["restart"] == "no", (name, other)
            else:
                assert wanted["condition"] == "service_healthy"
                assert awaited["healthcheck"]["test"][0] == "CMD", (name, other)


def test_everything_of_ours_waits_for_the_migration_and_it_for_the_database_and_the_bucket() -> None:
    assert all("migrate" in SERVICES[name]["depends_on"] for name in OURS - {"migrate"})
    assert SERVICES["migrate"]["depends_on"].keys() == {"postgres", "bucket"}
    assert SERVICES["bucket"]["depends_on"].keys() == {"s3"}
    assert SERVICES["proxy"]["depends_on"].keys() == REPLICAS


def test_networks_and_volumes_are_those_that_are_declared() -> None:
    networks = {network for service in SERVICES.values() for network in service["networks"]}
    assert networks == DOCUMENT["networks"].keys()
    mounts = [mount.split(":")[0] for service in SERVICES.values() for mount in service.get("volumes", [])]
    assert {mount for mount in mounts if not mount.startswith(".")} == DOCUMENT["volumes"].keys()


def test_nothing_but_the_proxy_is_reached_from_outside() -> None:
    assert {name for name, service in SERVICES.items() if "ports" in service} == {"proxy"}
    assert SERVICES["proxy"]["networks"] == ["front"]
    assert DOCUMENT["networks"]["back"] == {"internal": True}


def test_the_database_is_the_one_that_the_registry_is_told_of() -> None:
    (url,) = {settings(name).database for name in OURS}
    parts, told = urlsplit(url or ""), environment("postgres")
    assert parts.hostname in SERVICES
    assert (parts.username, parts.password, parts.path) == (
        told["POSTGRES_USER"],
        told["POSTGRES_PASSWORD"],
        f"/{told['POSTGRES_DB']}",
    )


def test_the_database_takes_all_connections_of_everybody() -> None:
    one = settings("worker")
    wanted = (len(REPLICAS) * one.workers + 1) * 2 * one.database_connections
    (most,) = re.findall(r"max_connections=(\d+)", " ".join(SERVICES["postgres"]["command"]))
    # While a replica is replaced, both may hold theirs.
    assert int(most) > wanted + one.workers * 2 * one.database_connections


def test_the_store_and_its_bucket_are_those_that_the_registry_is_told_of() -> None:
    one, told = settings("worker"), environment("s3")
    assert urlsplit(one.s3_endpoint or "").hostname in SERVICES
    assert (one.s3_access_key, one.s3_secret_key) == (told["AWS_ACCESS_KEY_ID"], told["AWS_SECRET_ACCESS_KEY"])
    (command,) = SERVICES["bucket"]["command"]
    assert set(re.findall(r"(?:-name|grep -qw) (\w+)", command)) == {one.s3_bucket}


def test_the_proxy_goes_in_turn_to_the_replicas() -> None:
    site = (FOLDER / "nginx.conf").read_text()
    assert set(re.findall(r"server (\S+) resolve;", site)) == {f"{name}:{Settings().port}" for name in REPLICAS}


def test_who_follows_the_head_has_every_secret_and_git_sees_none() -> None:
    wanted = set(re.findall(r"\$\{([A-Z0-9_]+):\?", (FOLDER / "compose.yaml").read_text()))
    (made,) = re.findall(r"for name in ([A-Z0-9_ ]+);", HEAD)
    assert wanted == set(made.split())
    assert {".env", "tls/"} <= set((FOLDER / ".gitignore").read_text().split())
    assert "-keyout tls/key.pem -out tls/cert.pem" in HEAD


@pytest.mark.parametrize("name", sorted(OURS))
def test_ours_are_stopped_later_than_they_stop_by_themselves(name: str) -> None:
    assert span(SERVICES[name]["stop_grace_period"]) > Settings().drain_timeout + GRACE


@pytest.mark.parametrize("name", sorted(OURS))
def test_ours_may_do_no_more_than_they_need(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["tmpfs"] == ["/tmp"]


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_a_service_is_bounded(name: str) -> None:
    service = SERVICES[name]
    assert service["deploy"]["resources"]["limits"].keys() == {"cpus", "memory"}
    assert service["logging"]["options"].keys() == {"max-size", "max-file"}
    assert service["security_opt"] == ["no-new-privileges:true"]


@pytest.mark.parametrize("name", sorted(SERVICES.keys() - OURS))
def test_the_version_of_every_other_image_is_named(name: str) -> None:
    assert re.fullmatch(r"[a-z/]+:[0-9]+(\.[0-9]+)*", SERVICES[name]["image"])


def test_a_replica_is_healthy_when_it_says_so_itself() -> None:
    for name in REPLICAS:
        assert f"http://127.0.0.1:{Settings().port}/healthz" in SERVICES[name]["healthcheck"]["test"][-1]


def test_nginx_accepts_the_site(tmp_path: Path) -> None:
    program = shutil.which("nginx", path="/usr/sbin:/usr/bin:/sbin:/bin")
    require(program, "the program nginx is not installed")
    certificate = Certificate.make(tmp_path / "tls")
    site = (FOLDER / "nginx.conf").read_text()
    for pattern, wanted in {
        # Names are asked for while it runs only since nginx 1.27.3; before, they must be there at the start.
        r"server registry-\d:(\d+) resolve;": r"server 127.0.0.1:\1;",
        r"listen 443": f"listen 127.0.0.1:{free_port()}",
        r"/etc/nginx/tls/cert\.pem": str(certificate.certificate),
        r"/etc/nginx/tls/key\.pem": str(certificate.key),
    }.items():
        site, count = re.subn(pattern, wanted, site)
        assert count, pattern
    places = " ".join(
        f"{kind}_temp_path {tmp_path}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (tmp_path / "nginx.conf").write_text(f"pid {tmp_path}/pid;\nevents {{}}\nhttp {{\n{places}\n{site}\n}}\n")
    command = [str(program), "-t", "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf"), "-e", str(tmp_path / "log")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_engine_is_sent_what_the_image_is_made_of_and_nothing_else() -> None:
    first, *sent = [line for line in (PROJECT / ".dockerignore").read_text().splitlines() if not line.startswith("#")]
    assert first == "*"
    wanted = re.findall(r"^COPY (?!--from)(.+) \S+$", (PROJECT / "Dockerfile").read_text(), re.MULTILINE)
    assert {line[1:] for line in sent if line.startswith("!")} == {name for line in wanted for name in line.split()}
