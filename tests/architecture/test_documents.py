"""Documents that tell the truth: every setting, command, option and file they name is there, and none is missing."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import click
import pytest

from registry.cli import greeting, main
from registry.cli_options import FIRST_START
from registry.config import Settings
from registry.metadata.schema import metadata
from tests.architecture.documented import annotated_setting, readme_table
from tests.architecture.tree import PROJECT, python_files

DOCUMENTS = ("README.md", "ARCHITECTURE.md", "CHANGELOG.md")


def text(name: str) -> str:
    return (PROJECT / name).read_text(encoding="utf-8")


def commands(group: click.Group, name: str) -> Iterator[tuple[str, click.Command]]:
    for word, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, f"{name} {word}")
        else:
            yield f"{name} {word}", command


def test_the_readme_has_every_setting_as_the_program_knows_it() -> None:
    assert readme_table() in text("README.md"), f"the table of settings must be:\n{readme_table()}"


def test_the_readme_shows_what_a_first_start_prints() -> None:
    told = greeting(Settings(data=Path("/srv/entrepot/entrepot-data")), 5000).strip()
    assert re.search(rf"{FIRST_START}\n  user admin, password \S+\n\n{re.escape(told)}\n", text("README.md"))


def test_the_readme_types_the_commands_that_a_start_prints() -> None:
    printed = re.findall(r"^  (docker .*)$", greeting(Settings(), 5000), flags=re.MULTILINE)
    typed = re.findall(r"^\$ (docker .*)$", text("README.md"), flags=re.MULTILINE)
    assert [line for line in typed if line in printed] == printed


@pytest.mark.parametrize("name", Settings.TABLE)
def test_the_annotated_settings_have_each_one_with_its_default(name: str) -> None:
    assert f"\n{annotated_setting(name)}\n" in text("deploy/settings.toml"), f"wanted:\n{annotated_setting(name)}"


def test_the_annotated_settings_can_be_uncommented_all_at_once() -> None:
    lines = re.sub(r"^#(?=[a-z0-9_]+ = )", "", text("deploy/settings.toml"), flags=re.MULTILINE)
    given = tomllib.loads(lines)
    assert list(given) == list(Settings.TABLE)
    values = {name: Settings.TABLE[name].kind.parse(value) for name, value in given.items()}
    assert Settings(**values) == Settings()


def test_every_setting_is_asked_for_somewhere() -> None:
    asked = {
        node.attr
        for path in python_files("registry")
        if path.stem != "config"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name | ast.Attribute)
        if ast.unparse(node.value).split(".")[-1].endswith("settings")
    }
    # One of them is asked for by the settings themselves: it decides whether they can be used.
    assert not Settings.TABLE.keys() - asked - {"open_anywhere"}


def test_the_readme_has_every_command_with_every_option() -> None:
    told = text("README.md")
    for name, command in commands(main, "entrepot"):
        (line,) = re.findall(rf"^\| `({name}\b[^`]*)` \|", told, flags=re.MULTILINE)
        options = {option for parameter in command.params for option in parameter.opts if option.startswith("--")}
        assert set(re.findall(r"--[a-z0-9-]+", line)) == options, name


def test_the_readme_has_every_target_of_the_makefile() -> None:
    targets = set(re.findall(r"^([a-z]+):.*## ", text("Makefile"), flags=re.MULTILINE))
    assert set(re.findall(r"^\| `make ([a-z]+)", text("README.md"), flags=re.MULTILINE)) == targets - {"help"}


def test_the_documents_name_no_setting_variable_that_does_not_exist() -> None:
    known = {f"REGISTRY_{name.upper()}" for name in Settings.TABLE} | {"REGISTRY_CONFIG", "REGISTRY_AUTH_FILE"}
    files = [
        *DOCUMENTS,
        "Dockerfile",
        "Makefile",
        "deploy/settings.toml",
        "deploy/entrepot.service",
        "deploy/nginx.conf",
    ]
    named = {word for name in files for word in re.findall(r"REGISTRY_[A-Z0-9_]+\b", text(name))}
    assert not named - known


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_file_that_a_document_links_to_is_there(name: str) -> None:
    links = {link.partition("#")[0] for link in re.findall(r"\]\(([^)\s]+)\)", text(name)) if "://" not in link}
    assert not {link for link in links if link and not (PROJECT / link).exists()}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_path_that_a_document_names_is_there(name: str) -> None:
    paths = re.findall(r"`((?:registry|migrations|deploy|tests)/[A-Za-z0-9_./-]*)`", text(name))
    assert not {path for path in paths if not (PROJECT / path).exists()}


def test_the_architecture_tells_of_every_room() -> None:
    told = text("ARCHITECTURE.md")
    rooms = {path.name for path in (PROJECT / "registry").iterdir() if any(path.glob("*.py"))}
    assert not {room for room in rooms if f"`registry/{room}/`" not in told}


def test_the_architecture_tells_of_every_table() -> None:
    assert not {name for name in metadata.tables if f"`{name}`" not in text("ARCHITECTURE.md")}


def test_the_changelog_begins_with_what_is_unreleased_and_goes_back_in_time() -> None:
    headings = re.findall(r"^## \[(.+?)\]", text("CHANGELOG.md"), flags=re.MULTILINE)
    assert headings[0] == "Unreleased"
    versions = [tuple(int(part) for part in heading.split(".")) for heading in headings[1:]]
    assert all(later > earlier for later, earlier in pairwise(versions))
