"""`tests/conftest.py`: what a machine lacks is told, and is a failure where everything is required."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = Path(__file__).parents[1] / "conftest.py"
FIXTURE = "import pytest\n@pytest.fixture\ndef lacking():\n    pytest.skip('no fixture')\n"
SKIPS = {
    "test": "import pytest\ndef test_it() -> None:\n    pytest.skip('no test')\n",
    "mark": "import pytest\n@pytest.mark.skip(reason='no mark')\ndef test_it() -> None: ...\n",
    "fixture": f"{FIXTURE}def test_it(lacking) -> None: ...\n",
    "module": "import pytest\npytest.skip('no module', allow_module_level=True)\n",
    "expected": "import pytest\n@pytest.mark.xfail\ndef test_it() -> None:\n    assert False\n",
}
WAYS = [name for name in SKIPS if name != "expected"]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What a run of every way to skip prints, without the demand and with it."""
    folder = tmp_path_factory.mktemp("skips")
    shutil.copy(CONFTEST, folder)
    for name, source in SKIPS.items():
        (folder / f"test_{name}.py").write_text(source)
    command = [sys.executable, "-m", "pytest", "-q", "-ra", "--continue-on-collection-errors", "--rootdir", str(folder)]
    return {value: _printed([*command, str(folder)], {**os.environ, "REQUIRE_ALL": value}) for value in ("", "1")}


def test_a_skip_tells_its_reason(told: dict[str, str]) -> None:
    assert "4 skipped, 1 xfailed" in told[""]
    assert all(f"no {way}" in told[""] for way in WAYS)


def test_each_skip_is_a_failure_with_its_reason_where_everything_is_required(told: dict[str, str]) -> None:
    assert all(f"REQUIRE_ALL=1 allows no skip: Skipped: no {way}" in told["1"] for way in WAYS)
    assert "skipped" not in told["1"].splitlines()[-1]


def test_an_expected_failure_is_no_skip(told: dict[str, str]) -> None:
    assert "1 xfailed" in told["1"].splitlines()[-1]


def _printed(command: list[str], environ: dict[str, str]) -> str:
    return subprocess.run(command, env=environ, cwd=command[-1], capture_output=True, text=True, check=False).stdout
