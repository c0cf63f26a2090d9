"""What proves who somebody is stands in no line of the log, however it was shown and wherever it went wrong."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest

from registry.auth.opaque import Opaque
from registry.core.facts import CredentialKind
from tests.support.server import PROJECT, RunningServer

PASSWORD, MISTYPED = "staple-battery-4711", "stapel-battery-4711"
FORGED = "eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"
OK = httpx.codes.OK


def entrepot(server: RunningServer, *words: str) -> str:
    """The command beside the running server; what it printed."""
    command = [sys.executable, "-m", "registry", *words, "--data", str(server.data)]
    done = subprocess.run(command, cwd=PROJECT, input="", capture_output=True, text=True, check=True, timeout=60)
    return done.stdout


def secret_of(text: str) -> str:
    return next(word for word in text.replace('"', " ").split() if Opaque.parse(word))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RunningServer]:
    settings = {"admin_password": PASSWORD, "log_level": "debug", "sweep_interval": "200ms"}
    with RunningServer(tmp_path / "data", settings, workers=2) as server:
        yield server


def test_no_secret_that_was_shown_is_logged(server: RunningServer) -> None:
    secrets = [PASSWORD, MISTYPED, FORGED]
    with server.http() as http:
        secrets += sign_in(http)
        made = [
            secret_of(entrepot(server, "token", "add", "admin", "--json")),
            secret_of(entrepot(server, "robot", "add", "team", "ci", "--json")),
        ]
        gone = [Opaque.generate(kind).text for kind in (CredentialKind.TOKEN, CredentialKind.REFRESH)]
        assert http.get("/v2/", auth=("admin", made[0])).status_code == OK
        assert http.get("/v2/", auth=("team+ci", made[1])).status_code == OK
        secrets += [*made, *gone]
        for secret in secrets:
            show_wrongly(http, secret)
    server.stop()
    lines = server.output().splitlines()
    requests = [json.loads(line) for line in lines if '"remote"' in line]
    # It was all there to be told, and was told otherwise.
    assert len(requests) > 10 * len(secrets)
    assert {"admin", "team+ci"} <= {line.get("principal") for line in requests}
    for form in forms(secrets):
        assert not [line for line in lines if form in line], form


def sign_in(http: httpx.Client) -> list[str]:
    """As clients do; what the token service gave out."""
    assert http.get("/v2/", auth=("admin", PASSWORD)).status_code == OK
    basic = {"offline_token": "true", "client_id": "docker", "scope": "repository:team/app:pull,push"}
    by_get = http.get("/token", params=basic, auth=("admin", PASSWORD)).json()
    form = {"grant_type": "password", "username": "admin", "password": PASSWORD, "access_type": "offline"}
    by_post = http.post("/token", data=form).json()
    refreshed = http.post("/token", data={"grant_type": "refresh_token", "refresh_token": by_get["refresh_token"]})
    tokens = [by_get["token"], by_post["access_token"], refreshed.json()["token"]]
    for token in tokens:
        assert http.get("/v2/", headers={"Authorization": f"Bearer {token}"}).status_code == OK
    return [*tokens, by_get["refresh_token"], by_post["refresh_token"]]


def show_wrongly(http: httpx.Client, secret: str) -> None:
    """Where it does not belong, or to nobody's good."""
    http.get("/v2/", auth=("admin", secret + "x"))
    http.get("/v2/", auth=("nobody", secret))
    # In the place of the name, as people do who are in a hurry.
    http.get("/v2/", auth=(secret, "x"))
    http.get("/token", auth=(secret, ""))
    for header in (f"Bearer {secret}x", f"Bearer {secret}", f"Basic {secret}", f"Token {secret}", secret):
        http.get("/v2/team/app/tags/list", headers={"Authorization": header})
    for form in ({"grant_type": "password", "username": secret, "password": secret}, {"grant_type": secret}):
        http.post("/token", data=form)
    http.post("/token", data={"grant_type": "refresh_token", "refresh_token": secret + "x"})
    http.get("/token", params={"service": secret, "password": secret, "scope": secret})
    http.get("/v2/_catalog", params={"token": secret, "n": secret})
    http.get("/healthz", headers={"Cookie": f"session={secret}", "X-Forwarded-For": secret, "User-Agent": secret})


def forms(secrets: list[str]) -> list[str]:
    """As they are, and as Basic, a URL or JSON would write them; of tokens the signed part alone as well."""
    named = [f"{name}:{secret}" for secret in secrets for name in ("admin", "nobody", "team+ci")]
    encoded = [base64.b64encode(each.encode()).decode() for each in (*secrets, *named)]
    parts = [part for secret in secrets if secret.count(".") == 2 for part in secret.split(".")[1:]]
    return sorted({*secrets, *map(quote, secrets), *encoded, *parts})
