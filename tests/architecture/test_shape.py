"""The shape of files (house style, Shape): one idea each, told at its head, and nothing of this machine in any."""

from __future__ import annotations

import ast

import pytest

from tests.architecture.tree import PROJECT, module_name, python_files, written_files

LONGEST = 400  # usually 60 to 250; a schema or a suite of cases may need more
TOP_LEVEL = {
    ".ci",
    ".dockerignore",
    ".gitignore",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "Dockerfile",
    "LICENSE",
    "Makefile",
    "README.md",
    "alembic.ini",
    "deploy",
    "migrations",
    "pyproject.toml",
    "registry",
    "requirements-dev.lock",
    "requirements.lock",
    "tests",
}
# In two halves, so that this table does not name what it forbids.
NAMED_NOWHERE = tuple(
    "".join(halves)
    for halves in [
        ("pypi", ".org"),
        ("python", "hosted"),
        ("deb.debian", ".org"),
        ("npm", "js.org"),
        ("/wo", "rk/"),
        ("/ro", "ot/"),
        ("/ho", "me/"),
    ]
)
HOMELESS = {"utils", "util", "helpers", "helper", "common", "misc"}


def test_a_file_is_one_idea_and_has_at_most_400_lines() -> None:
    lengths = {
        module_name(path): len(path.read_text(encoding="utf-8").splitlines())
        for path in python_files("registry", "tests", "migrations")
    }
    assert not {name: length for name, length in lengths.items() if length > LONGEST}


def test_every_module_says_at_its_head_what_it_is() -> None:
    silent = [
        module_name(path)
        for path in python_files("registry", "tests", "migrations")
        if not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert not silent


def test_no_module_is_a_home_for_the_homeless() -> None:
    assert not [path for path in python_files("registry", "tests", "migrations") if path.stem in HOMELESS]


def test_the_top_level_is_the_one_that_was_given() -> None:
    ignored = [pattern.rstrip("/") for pattern in (PROJECT / ".gitignore").read_text(encoding="utf-8").split()]
    kept = {path.name for path in PROJECT.iterdir() if not any(path.match(pattern) for pattern in ignored)}
    # Beside the given ones, hidden names may be an editor's.
    assert not {name for name in kept - TOP_LEVEL if not name.startswith(".")}
    assert kept >= TOP_LEVEL


@pytest.mark.parametrize("text", NAMED_NOWHERE)
def test_no_file_names_a_host_of_packages_or_a_place_of_one_machine(text: str) -> None:
    assert not [path for path in written_files() if text.encode() in path.read_bytes()]
