"""The command `entrepot`: each verb loads settings, asks `app` and says what happened."""

from __future__ import annotations

import json
import os
import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from registry.cli_audit import audit
from registry.cli_backup import backup, restore
from registry.cli_fsck import fsck_command
from registry.cli_gc import gc
from registry.cli_immutable import immutable
from registry.cli_import import import_command
from registry.cli_options import (
    SETTINGS_EPILOG,
    config_option,
    load,
    prepare,
    public_url,
    refuse,
    saying_why,
    settings_options,
)
from registry.cli_people.grants import grant
from registry.cli_people.groups import group
from registry.cli_people.robots import robot
from registry.cli_people.tokens import token
from registry.cli_people.users import user
from registry.cli_projects import project
from registry.cli_quota import quota
from registry.cli_repositories import repo
from registry.cli_retention import retention
from registry.cli_scrub import scrub
from registry.cli_undo import manifest, tag
from registry.config import Settings, gather, variable

if TYPE_CHECKING:
    from registry.server.worker import Serving


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="entrepot", message="%(package)s %(version)s")
def main() -> None:
    """Entrepot keeps container images and serves them to docker, podman and every other OCI client."""


for command in (
    backup,
    fsck_command,
    import_command,
    restore,
    user,
    group,
    robot,
    token,
    grant,
    immutable,
    retention,
    audit,
    gc,
    scrub,
    repo,
    project,
    quota,
    tag,
    manifest,
):
    main.add_command(command)


@main.command(epilog=SETTINGS_EPILOG)
@settings_options("host", "port", "data", "workers", "tls_cert", "tls_key", "open", "open_anywhere")
@config_option
def serve(file: Path | None, **arguments: object) -> None:
    """Serve the registry, after bringing its database up to date."""
    settings = load(file, arguments)
    from registry import log
    from registry.server.serve import serve as listen

    prepare(settings)
    # Not earlier: a migration's chatter is no news to an operator, and its failure is told by itself.
    log.configure(settings.log_format, settings.log_level)
    # The workers are processes and make the same settings of what they inherit.
    os.environ.update(settings.environ())
    # They need no password to serve, and an environment is read by whoever may look at the process.
    os.environ.pop(variable("admin_password"), None)
    with saying_why(f"{settings.host}:{settings.port}"):
        status = listen(_serving(settings), lambda addresses: click.echo(greeting(settings, addresses[0][1])))
    raise SystemExit(status)


def _serving(settings: Settings) -> Serving:
    """The settings that are the transport's."""
    from registry.server.forwarded import Proxies
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
        proxies=Proxies(settings.trusted_proxies),
        drain=settings.drain_timeout,
    )


def greeting(settings: Settings, port: int) -> str:
    """What a start says to people, once it listens."""
    url = public_url(settings, port)
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
@settings_options("data")
@config_option
def migrate(file: Path | None, **arguments: object) -> None:
    """Bring the database up to date, as serve does too."""
    settings = load(file, arguments)
    from registry import app

    with saying_why(str(settings.data)):
        revision = app.migrate(settings)
    click.echo(f"the database in {settings.data} is at revision {revision}")


@main.command(epilog=SETTINGS_EPILOG)
@settings_options("data")
@config_option
def worker(file: Path | None, **arguments: object) -> None:
    """Do background work without serving, beside any number of servers."""
    settings = load(file, arguments)
    from registry import app, log

    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    prepare(settings)
    log.configure(settings.log_format, settings.log_level)
    with saying_why(str(settings.data)):
        app.work(settings, stop)


@main.group()
def db() -> None:
    """Look after the database."""


@db.command()
@settings_options("data")
@click.option(
    "--to",
    "target",
    required=True,
    metavar="URL",
    envvar="ENTREPOT_COPY_TO",
    show_envvar=True,
    help="a PostgreSQL URL, or the path of an SQLite file; a password in it is safer in the environment",
)
@config_option
def copy(file: Path | None, target: str, **arguments: object) -> None:
    """Copy every fact into another database, and compare.

    The other one must be empty. Stop the servers first: what is written meanwhile is not copied. Then name the other
    database in the settings.
    """
    settings = load(file, arguments)
    from registry import app
    from registry.metadata.copying import CopyDiffers, NotEmpty, SchemasDiffer

    try:
        with saying_why(str(settings.data)):
            total = app.copy_database(settings, target, lambda table, rows: click.echo(f"  {table}: {rows}"))
    except (CopyDiffers, NotEmpty, SchemasDiffer) as wrong:
        refuse([str(wrong)], 1)
    click.echo(f"{total} rows were copied, and are the same in both")


@main.group()
def config() -> None:
    """Look at the settings without starting anything."""


@config.command()
@config_option
def show(file: Path | None) -> None:
    """Print every setting and where it came from.

    What is printed is TOML that can be given back by --config; secrets are left out.
    """
    settings = load(file, {})
    given, _ = gather(file=file, environ=os.environ, arguments={})
    for name, row in Settings.TABLE.items():
        where = given[name].where if name in given else "default"
        value = settings.show(name)
        if row.secret or not value:
            click.echo(f"# {name} is {'set and not shown' if value else 'not set'}  # {where}")
        else:
            click.echo(f"{name} = {value if row.kind.bare else json.dumps(value, ensure_ascii=False)}  # {where}")


@config.command()
@config_option
def check(file: Path | None) -> None:
    """Say whether the settings can be used.

    Every problem is told at once, and the exit status is 2 when there is one.
    """
    settings = load(file, {})
    from registry.entrance import sources_of

    with saying_why("sign_in"):
        # As a start reads it; no source is asked anything.
        sources_of(settings)
    click.echo("the settings can be used")
