"""The tree under test, as its tests read it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
FOLDERS = ("registry", "migrations", "deploy", "tests", ".ci")


def python_files(*folders: str) -> Iterator[Path]:
    """Every module below the folders, in order."""
    for folder in folders:
        yield from sorted(PROJECT.joinpath(folder).rglob("*.py"))


def written_files() -> Iterator[Path]:
    """Every file that somebody wrote: what git would keep, without asking git."""
    yield from sorted(path for path in PROJECT.iterdir() if path.is_file() and path.name != ".git")
    for folder in FOLDERS:
        found = sorted(path for path in PROJECT.joinpath(folder).rglob("*") if path.is_file())
        yield from (path for path in found if "__pycache__" not in path.parts)


def module_name(path: Path) -> str:
    """`registry/oci/digest.py` is `registry.oci.digest`."""
    parts = path.relative_to(PROJECT).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def room(module: str) -> str:
    """`registry.oci.digest` lies in the room `registry.oci`; `registry.cli` is one by itself."""
    return ".".join(module.split(".")[:2])


def imported(path: Path) -> set[str]:
    """The top-level packages that a module imports, wherever in it it does."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.partition(".")[0])
    return names
