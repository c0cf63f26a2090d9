"""The arrows between rooms (house style, The house); the contracts themselves are in pyproject.toml."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

from tests.architecture.tree import PROJECT

# Rooms without an arrow to others: one is told apart by its own contract, the others hold no rules.
OUTSIDE_THE_LAYERS = {"server", "config", "kinds"}


def contracts() -> dict[str, dict[str, list[str]]]:
    table = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))
    return {contract["name"]: contract for contract in table["tool"]["importlinter"]["contracts"]}


def test_no_arrow_between_rooms_points_back() -> None:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_room_has_its_place_in_the_arrows() -> None:
    (layers,) = (contract["layers"] for contract in contracts().values() if contract.get("layers"))
    drawn = {name.strip("() ").removeprefix("registry.") for layer in layers for name in layer.split("|")}
    standing = {
        path.stem for path in (PROJECT / "registry").iterdir() if path.suffix == ".py" or any(path.glob("*.py"))
    }
    assert standing - {"__init__"} - OUTSIDE_THE_LAYERS <= drawn


def test_every_room_below_app_is_kept_from_the_settings() -> None:
    kept = next(contract for name, contract in contracts().items() if name.startswith("only cli and app"))
    rooms = {f"registry.{path.name}" for path in (PROJECT / "registry").iterdir() if any(path.glob("*.py"))}
    assert rooms - {"registry.server", "registry.cli_people"} == set(kept["source_modules"])
