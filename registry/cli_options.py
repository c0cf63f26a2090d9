"""What the verbs of the command line share: options that are settings, and how things are refused."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import click

from registry.config import CONFIG_VARIABLE, Settings, SettingsError
from registry.kinds import BOOLEAN

Command = TypeVar("Command", bound=Callable[..., Any])

FIRST_START = "the first start made an account, and shows it this once:"
SETTINGS_EPILOG = (
    "Each option is also a key of the TOML file and a variable of the environment: --tls-cert is tls_cert and "
    "REGISTRY_TLS_CERT. The command line wins over the environment, the environment over the file. "
    "`entrepot config show` lists every setting, its value and where it came from."
)


def config_option(command: Command) -> Command:
    """`--config`, which every verb takes."""
    path = click.Path(path_type=Path, dir_okay=False)
    return click.option("--config", "file", type=path, metavar="FILE", help=f"a TOML file [also {CONFIG_VARIABLE}]")(
        command
    )


def settings_options(*names: str) -> Callable[[Command], Command]:
    """Options for some rows of the settings table; their help is the table's and their values are read by `load`."""

    def decorate(command: Command) -> Command:
        for name in reversed(names):
            row = Settings.TABLE[name]
            told = f"{row.meaning} [default: {row.default}]" if row.default and row.kind is not BOOLEAN else row.meaning
            flag: dict[str, Any] = (
                {"is_flag": True, "default": None}
                if row.kind is BOOLEAN
                else {"metavar": row.kind.name.split(",")[0].upper()}
            )
            command = click.option(option(name), name, help=told.replace("`", ""), **flag)(command)
        return command

    return decorate


def option(name: str) -> str:
    """How a setting is called on the command line."""
    return "--" + name.replace("_", "-")


def public_url(settings: Settings, port: int) -> str:
    """How people reach a server with these settings that listens on this port."""
    if settings.public_url:
        return settings.public_url
    scheme = "https" if settings.tls_cert else "http"
    wildcard = settings.host in {"0.0.0.0", "::", ""}
    host = "localhost" if wildcard else f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"{scheme}://{host}:{port}"


def load(file: Path | None, arguments: dict[str, object]) -> Settings:
    """The settings, or every problem with them and the end."""
    try:
        return Settings.load(file=file, environ=os.environ, arguments=arguments)
    except SettingsError as wrong:
        refuse(wrong.problems, 2)


def refuse(problems: Sequence[str], status: int) -> NoReturn:
    """A line for each problem, and the end."""
    for problem in problems:
        click.echo(f"error: {problem}", err=True)
    raise SystemExit(status)


def confirm(question: str, *, yes: bool) -> None:
    """Ask at a terminal, unless it was answered beforehand; without either nothing is done."""
    if yes:
        return
    if not sys.stdin.isatty():
        refuse(["say --yes where nobody can be asked"], 2)
    click.confirm(question, abort=True, err=True)


@contextmanager
def saying_why(what: str) -> Iterator[None]:
    """What an operator can repair is told in a line; anything else is a defect and keeps its traceback."""
    from registry.auth.key_file import KeyFileError, UnreadableKey
    from registry.auth.sign_in.source_file import SourcesError
    from registry.core.restoring import RestoreUnfinished
    from registry.metadata.migrate import SchemaUnknown
    from registry.oci.errors import RegistryError
    from registry.storage.layout import InstanceMismatch, LayoutInvalid

    try:
        yield
    except OSError as wrong:
        refuse([f"{wrong.filename or what}: {(wrong.strerror or str(wrong)).lower()}"], 1)
    except SourcesError as wrong:
        refuse(wrong.problems, 2)
    except (InstanceMismatch, KeyFileError, LayoutInvalid, RestoreUnfinished, SchemaUnknown, UnreadableKey) as wrong:
        refuse([str(wrong)], 1)
    except RegistryError as wrong:
        reason = ", ".join(f"{name}: {value}" for name, value in wrong.detail.items())
        refuse([f"{what}: {wrong.message}{f' ({reason})' if reason else ''}"], 1)


def prepare(settings: Settings, *, is_err: bool = False) -> None:
    """All that a start makes and checks; the first account's password is told, on standard error with `is_err`."""
    from registry import app

    with saying_why(str(settings.data)):
        password = app.prepare(settings).admin_password
    if password is not None:
        # Now, whatever happens next: nobody knows it yet, and only its hash is kept.
        click.echo(f"{FIRST_START}\n  user admin, password {password}\n", err=is_err)
