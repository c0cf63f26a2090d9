"""The bench runs through: every scene with the peer, small; what it measures so means nothing."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.server import PROJECT
from tests.system.require import require_programs

PUSHING = ("blob-get-medium", "push-streamed-1", "manifest-put")
SOME = {
    "folder": (*PUSHING, "tag-page"),
    "people": ("authorised-same", "authorised-differing", "logins"),
    "s3": (*PUSHING, "commit-small", "commit-large"),
    "redirect": ("blob",),
    "collecting": ("collect",),
    "meanwhile": ("collect-pulls",),
}


@pytest.mark.parametrize("scene", SOME)
def test_every_kind_of_work_can_be_measured_beside_the_peer(scene: str, tmp_path: Path) -> None:
    require_programs("docker-registry", "wrk")
    paced = ("--rehearse", "--rounds", "1", "--seconds", "1", "--folder", str(tmp_path))
    command = (sys.executable, "-m", "tests.bench", *paced, "--scene", scene, "--only", *SOME[scene])
    run = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=120, check=False)
    assert run.returncode == 0, run.stderr
    assert f"scene: {scene}" in run.stdout
    assert "REHEARSAL" in run.stdout
    assert run.stdout.count("\u2265") == len(SOME[scene])
