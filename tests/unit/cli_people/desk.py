"""The command line over a registry's folder, as an operator types and as a program reads."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from registry import app
from registry.application import Facts
from registry.cli import main
from registry.config import Settings
from registry.core.facts import Credential
from registry.core.manifests import ManifestService
from registry.metadata.reader import SqliteReader
from registry.metadata.sqlite import SqliteMetadata
from registry.oci.names import RepositoryName, Tag

PASSWORD = "correct horse"


@dataclass(frozen=True)
class Desk:
    """`desk("user list")`; a name that holds a space is given by itself."""

    data: Path

    def __call__(self, line: str, *more: str, stdin: str | None = None, **environ: str) -> Result:
        """Whatever came of it."""
        return CliRunner(env=environ).invoke(main, [*line.split(), *more, "--data", str(self.data)], input=stdin)

    def does(self, line: str, *more: str, stdin: str | None = None) -> list[str]:
        """What is told to people; it must succeed."""
        result = self(line, *more, stdin=stdin)
        assert (result.exit_code, result.stderr) == (0, ""), result.output
        return result.stdout.splitlines()

    def json(self, line: str, *more: str, stdin: str | None = None) -> Any:
        """The one document that is told to programs; it must succeed."""
        result = self(line, *more, "--json", stdin=stdin)
        assert (result.exit_code, result.stderr) == (0, ""), result.output
        return json.loads(result.stdout)

    def refused(self, line: str, *more: str, stdin: str | None = None) -> tuple[int, str]:
        """The exit status, and the one line that says why."""
        result = self(line, *more, stdin=stdin)
        assert result.stdout == ""
        (told,) = result.stderr.splitlines()
        assert told.startswith("error: ")
        return result.exit_code, told.removeprefix("error: ")

    @contextmanager
    def facts(self) -> Iterator[Facts]:
        """What the server would find."""
        with app.opened_facts(Settings(data=self.data)) as facts:
            yield facts

    def push(self, repository: str, tag: str, content: bytes) -> None:
        """A manifest, as `admin`."""
        settings = Settings()
        with self.facts() as facts:
            admin = facts.observe(lambda tx: tx.accounts.find("admin"))
            assert admin is not None
            manifests = ManifestService(facts, settings.lease, settings.undo_window, sparse=False)
            manifests.put(RepositoryName(repository), Tag(tag), content, "", admin)

    def password_of(self, name: str) -> Credential | None:
        """What the server would compare a login with."""
        with closing(SqliteMetadata(self.data / "registry.db")) as metadata:
            connection = metadata.reader()
            return asyncio.run(SqliteReader(connection.run, connection.version).password(name))

    def events(self) -> list[tuple[str, str, str]]:
        """Action, name of who did it, and target of each."""
        with closing(sqlite3.connect(self.data / "registry.db")) as database:
            return database.execute(
                "SELECT action, name, target FROM event JOIN principal ON principal.id = principal_id ORDER BY event.id"
            ).fetchall()
