"""What is installed: the versions that were locked, and every file of ours."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

from tests.architecture.tree import PROJECT

LOCKS = ("requirements.lock", "requirements-dev.lock")


def locked(name: str) -> dict[str, str]:
    lines = (PROJECT / name).read_text(encoding="utf-8").splitlines()
    pinned = [re.match(r"([a-z0-9-]+)==([^ ;]+)", line) for line in lines if line and not line.startswith((" ", "#"))]
    assert None not in pinned
    return {found[1]: found[2] for found in pinned if found}


def test_both_locks_name_the_same_versions() -> None:
    runtime, dev = (locked(name) for name in LOCKS)
    assert runtime.items() <= dev.items()


def test_every_dependency_is_locked() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))
    named = {
        LOCKS[0]: [*project["project"]["dependencies"], *project["build-system"]["requires"]],
        LOCKS[1]: project["project"]["optional-dependencies"]["dev"],
    }
    for name, wanted in named.items():
        assert {re.split(r"[>\[]", line)[0] for line in wanted} <= locked(name).keys()


def test_every_locked_version_has_its_hashes_and_no_address() -> None:
    for name in LOCKS:
        lock = (PROJECT / name).read_text(encoding="utf-8")
        entries = re.split(r"\n(?=[a-z0-9-]+==)", lock)
        assert all("--hash=sha256:" in entry for entry in entries)
        assert "://" not in lock


def test_the_wheel_holds_every_file_of_ours(tmp_path: Path) -> None:
    source = tmp_path / "source"
    ignored = shutil.ignore_patterns("__pycache__")
    for folder in ("registry", "migrations"):
        shutil.copytree(PROJECT / folder, source / folder, ignore=ignored)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(PROJECT / name, source)
    build = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "--wheel-dir",
        str(tmp_path),
    ]
    subprocess.run([*build, str(source)], check=True, capture_output=True)
    (wheel,) = tmp_path.glob("entrepot-*.whl")
    ours = {
        str(path.relative_to(PROJECT))
        for folder in ("registry", "migrations")
        for path in (PROJECT / folder).rglob("*.*")
    }
    assert {name for name in ours if "__pycache__" not in name} <= set(zipfile.ZipFile(wheel).namelist())
