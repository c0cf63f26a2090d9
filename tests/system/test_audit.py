"""The audit log of a registry that is served: told of soon, sealed by itself, and whole whatever dies."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from registry.cli import main
from registry.oci.media_types import OCI_INDEX
from tests.support.server import RunningServer
from tests.system.waiting import eventually

MANY = 40


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RunningServer]:
    with RunningServer(tmp_path / "data", {"sweep_interval": "200ms", "login_attempts": 1000}, workers=2) as server:
        yield server


def asked(server: RunningServer, *words: str) -> Any:
    """What a verb says while the server runs."""
    result = CliRunner().invoke(main, ["audit", *words, "--data", str(server.data), "--json"])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def failures(server: RunningServer) -> list[Any]:
    events = asked(server, "list", "--outcome", "failed", "--limit", "1000")["events"]
    return [each for each in events if each["target"] == "mallory"]


def test_failed_logins_are_told_of_soon_and_in_few_rows_and_none_is_left_out(server: RunningServer) -> None:
    with server.http() as client:
        for _ in range(MANY):
            assert client.get("/v2/", auth=("mallory", "wrong")).status_code == 401
    eventually("told of failed logins", lambda: failures(server))
    # A row a second and worker at the most.
    assert len(failures(server)) < MANY
    assert {each["address"] for each in failures(server)} == {"127.0.0.1"}
    server.stop()
    assert sum(int(each["detail"].partition(" ")[0] or 1) for each in failures(server)) == MANY


def test_the_log_is_sealed_by_itself_and_holds_after_a_kill(server: RunningServer) -> None:
    noted = []
    for tag in ("one", "two"):
        with server.http(auth=server.admin) as client:
            body = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []})
            pushed = client.put(f"/v2/team/app/manifests/{tag}", content=body, headers={"content-type": OCI_INDEX})
            assert pushed.status_code == 201
        eventually("everything sealed", lambda: asked(server, "verify")["unsealed"] == 0)
        noted.append(asked(server, "verify")["head"])
        server.kill()
        server.start()
    assert noted[0] != noted[1]
    for head in noted:
        assert asked(server, "verify", "--head", head)["holds"]
    (last, *_) = asked(server, "list", "--action", "tag.set")["events"]
    assert (last["repository"], last["reference"], last["who"], last["address"]) == (
        "team/app", "two", "admin", "127.0.0.1",
    )  # fmt: skip
