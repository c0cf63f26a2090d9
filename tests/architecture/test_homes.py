"""Each library of others has one home (house style): a room that hides it from all the others."""

from __future__ import annotations

import re
import sys
import tomllib
from importlib.metadata import packages_distributions

from tests.architecture.tree import PROJECT, imported, module_name, python_files, room

# The table: an import name, and the rooms that may say it.
HOMES = {
    "alembic": {"registry.metadata"},
    "asyncpg": {"registry.metadata"},
    "boto3": {"registry.storage"},
    "botocore": {"registry.storage"},
    "click": {
        "registry.cli",
        "registry.cli_audit",
        "registry.cli_gc",
        "registry.cli_immutable",
        "registry.cli_retention",
        "registry.cli_rules",
        "registry.cli_projects",
        "registry.cli_quota",
        "registry.cli_repositories",
        "registry.cli_undo",
        "registry.cli_backup",
        "registry.cli_bars",
        "registry.cli_fsck",
        "registry.cli_import",
        "registry.cli_options",
        "registry.cli_people",
        "registry.cli_scrub",
    },
    "cryptography": {"registry.auth"},
    "fastapi": {"registry.admin"},
    "httptools": {"registry.server"},
    "jinja2": {"registry.web"},
    "jwt": {"registry.auth"},
    "ldap3": {"registry.auth"},
    "markupsafe": {"registry.web"},
    "oauthlib": {"registry.auth"},
    "passlib": {"registry.auth"},
    "psycopg": {"registry.metadata"},
    "psycopg_pool": {"registry.metadata"},
    "pydantic": {"registry.admin"},
    "sqlalchemy": {"registry.metadata"},
    "starlette": {
        "registry.admin",
        "registry.api",
        "registry.application",
        "registry.entrance",
        "registry.web",
    },
    "structlog": {"registry.admin", "registry.api", "registry.background", "registry.log", "registry.scrubbing"},
    "urllib3": {"registry.client"},
    "uvicorn": {"registry.server"},
}
# Needed at run time, and never imported by us: passlib's hashes, and the event loop that uvicorn is told to use.
NEVER_IMPORTED = {"argon2-cffi", "bcrypt", "uvloop"}


def test_each_library_is_imported_only_at_home() -> None:
    strays = [
        f"{module_name(path)} imports {name}"
        for path in python_files("registry")
        for name in imported(path) - sys.stdlib_module_names - {"registry"}
        if room(module_name(path)) not in HOMES.get(name, set())
    ]
    assert not strays


def test_every_library_in_the_table_is_used_in_each_of_its_homes() -> None:
    used = {(name, room(module_name(path))) for path in python_files("registry") for name in imported(path)}
    unused = {(name, home) for name, homes in HOMES.items() for home in homes} - used
    assert not unused


def test_the_dependencies_are_the_libraries_of_the_table() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    depended = {re.split(r"[>\[]", line)[0] for line in project["dependencies"]}
    distributions = packages_distributions()
    owning = {distribution.lower() for name in HOMES for distribution in distributions[name]}
    assert owning == depended - NEVER_IMPORTED
