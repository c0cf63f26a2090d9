"""The command `entrepot`: serve, migrate, config. Each verb loads settings, asks `app` and says what happened."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar
from urllib.parse import urlsplit

import click

from registry.config import CONFIG_VARIABLE, Settings, SettingsError, gather, variable
from registry.kinds import BOOLEAN

if TYPE_CHECKING:
    from registry.server.worker import Serving

Command = TypeVar("Command", bound=Callable[..., Any])

FIRST_START = "the first start made an account, and shows it this once:"
SETTINGS_EPILOG = (
    "Each option is also a key of the TOML file and a variable of the environment: --tls-cert is tls_cert and "
    "REGISTRY_TLS_CERT. The command line wins over the environment, the environment over the file. "
    "`entrepot config show` lists every setting, its value and where it came from."
)


def _config_option(command: Command) -> Command:
    """`--config`, which every verb takes."""
    path = click.Path(path_type=Path, dir_okay=False)
    return click.option("--config", "file", type=path, metavar="FILE", help=f"a TOML file [also {CONFIG_VARIABLE}]")(
        command
    )


def _settings_options(*names: str) -> Callable[[Command], Command]:
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


def _load(file: Path | None, arguments: dict[str, object]) -> Settings:
    try:
        return Settings.load(file=file, environ=os.environ, arguments=arguments)
    except SettingsError as wrong:
        _refuse(wrong.problems, 2)


def _refuse(problems: Sequence[str], status: int) -> NoReturn:
    for problem in problems:
        click.echo(f"error: {problem}", err=True)
    raise SystemExit(status)


@contextmanager
def _saying_why(what: str) -> Iterator[None]:
    """What an operator can repair is told in a line; anything else is a defect and keeps its traceback."""
    from registry.auth.key_file import KeyFileError, UnreadableKey
    from registry.metadata.migrate import SchemaUnknown
    from registry.storage.layout import InstanceMismatch, LayoutInvalid

    try:
        yield
    except OSError as wrong:
        _refuse([f"{wrong.filename or what}: {(wrong.strerror or str(wrong)).lower()}"], 1)
    except (InstanceMismatch, KeyFileError, LayoutInvalid, SchemaUnknown, UnreadableKey) as wrong:
        _refuse([str(wrong)], 1)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="entrepot", message="%(package)s %(version)s")
def main() -> None:
    """Entrepot keeps container images and serves them to docker, podman and every other OCI client."""


@main.command(epilog=SETTINGS_EPILOG)
@_settings_options("host", "port", "data", "workers", "tls_cert", "tls_key", "open", "open_anywhere")
@_config_option
def serve(file: Path | None, **arguments: object) -> None:
    """Serve the registry, after bringing its database up to date."""
    settings = _load(file, arguments)
    from registry import log
    from registry.server.serve import serve as listen

    _prepare(settings)
    # Not earlier: a migration's chatter is no news to an operator, and its failure is told by itself.
    log.configure(settings.log_format, settings.log_level)
    # The workers are processes and make the same settings of what they inherit.
    os.environ.update(settings.environ())
    # They need no password to serve, and an environment is read by whoever may look at the process.
    os.environ.pop(variable("admin_password"), None)
    with _saying_why(f"{settings.host}:{settings.port}"):
        status = listen(_serving(settings), lambda addresses: click.echo(greeting(settings, addresses[0][1])))
    raise SystemExit(status)


def _prepare(settings: Settings) -> None:
    from registry import app

    with _saying_why(str(settings.data)):
        password = app.prepare(settings).admin_password
    if password is not None:
        # Now, whatever happens next: nobody knows it yet, and only its hash is kept.
        click.echo(f"{FIRST_START}\n  user admin, password {password}\n")


def _serving(settings: Settings) -> Serving:
    """The settings that are the transport's."""
    from registry.server.limits import Limits
    from registry.server.worker import Serving

    limits = Limits(
        head_within=settings.header_timeout, body_stall=settings.stall_timeout, send_stall=settings.stall_timeout
    )
    return Serving(
        "registry.app:create_app_from_environ",
        host=settings.host,
        port=settings.port,
        workers=settings.workers,
        tls_cert=settings.tls_cert,
        tls_key=settings.tls_key,
        access_log=settings.access_log,
        limits=limits,
        drain=settings.drain_timeout,
    )


def greeting(settings: Settings, port: int) -> str:
    """What a start says to people, once it listens."""
    scheme = "https" if settings.tls_cert else "http"
    wildcard = settings.host in {"0.0.0.0", "::", ""}
    host = "localhost" if wildcard else f"[{settings.host}]" if ":" in settings.host else settings.host
    url = settings.public_url or f"{scheme}://{host}:{port}"
    place = urlsplit(url).netloc
    image = f"{place}/library/busybox"
    lines = [
        f"entrepot serves {url}",
        f"its data lies in {settings.data}",
        *(["it is open: whoever reaches it may read and write everything"] if settings.open else []),
        "",
        "try next:",
        *([] if settings.open else [f"  docker login -u admin {place}"]),
        f"  docker tag busybox {image} && docker push {image}",
        f"  docker pull {image}",
        "",
    ]
    return "\n".join(lines)


@main.command(epilog=SETTINGS_EPILOG)
@_settings_options("data")
@_config_option
def migrate(file: Path | None, **arguments: object) -> None:
    """Bring the database up to date, as serve does too."""
    settings = _load(file, arguments)
    from registry import app

    with _saying_why(str(settings.data)):
        revision = app.migrate(settings)
    click.echo(f"the database in {settings.data} is at revision {revision}")


@main.command(epilog=SETTINGS_EPILOG)
@_settings_options("data")
@_config_option
def worker(file: Path | None, **arguments: object) -> None:
    """Do background work without serving, beside any number of servers and other workers."""
    settings = _load(file, arguments)
    from registry import app, log

    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    _prepare(settings)
    log.configure(settings.log_format, settings.log_level)
    with _saying_why(str(settings.data)):
        app.work(settings, stop)


@main.group()
def config() -> None:
    """Look at the settings without starting anything."""


@config.command()
@_config_option
def show(file: Path | None) -> None:
    """Print every setting and where it came from.

    What is printed is TOML that can be given back by --config; secrets are left out.
    """
    settings = _load(file, {})
    given, _ = gather(file=file, environ=os.environ, arguments={})
    for name, row in Settings.TABLE.items():
        where = given[name].where if name in given else "default"
        value = settings.show(name)
        if row.secret or not value:
            click.echo(f"# {name} is {'set and not shown' if value else 'not set'}  # {where}")
        else:
            click.echo(f"{name} = {value if row.kind.bare else json.dumps(value, ensure_ascii=False)}  # {where}")


@config.command()
@_config_option
def check(file: Path | None) -> None:
    """Say whether the settings can be used.

    Every problem is told at once, and the exit status is 2 when there is one.
    """
    _load(file, {})
    click.echo("the settings can be used")
