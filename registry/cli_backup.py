"""The verbs `entrepot backup` and `entrepot restore`: from where, to where, how it goes and what came of it.

What is said meanwhile goes to standard error, the report to standard output, to be kept or read by a program.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from registry.cli_options import config_option, load, refuse, saying_why, settings_options
from registry.core.sizes import in_words

if TYPE_CHECKING:
    from registry.backup.report import Report, Watcher
    from registry.config import Settings

BROKEN: Final = 3


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@settings_options("data")
@config_option
@click.option("--keep", is_flag=True, help="keep facts and objects that only earlier backups in FOLDER are made of")
@click.option("--without-key", is_flag=True, help="leave out the key file, and with it what could sign tokens")
@click.option("--json", "as_json", is_flag=True, help="print the report as JSON")
def backup(*, folder: Path, data: str | None, file: Path | None, keep: bool, without_key: bool, as_json: bool) -> None:
    """Back up everything into FOLDER, while the registry serves.

    A second backup into the same FOLDER copies only what is new, and replaces the first one once it is whole.
    Each object is read and verified.
    The exit status is 0 when every object came, and 3 when some were damaged.
    """
    settings = load(file, {"data": data})
    with _refusing(folder):
        report = _back_up(settings, folder.absolute(), keep=keep, with_key=not without_key)
    end = [f"the backup in {folder} is whole" if not report.broken else f"the backup in {folder} lacks what is broken"]
    _tell(report, [*told(report), *end], as_json=as_json)


@click.command()
@click.argument("source", type=click.Path(path_type=Path, exists=True))
@settings_options("data")
@config_option
@click.option("--database-only", is_flag=True, help="restore the facts alone: the objects are still where they were")
@click.option("--json", "as_json", is_flag=True, help="print the report as JSON")
def restore(*, source: Path, data: str | None, file: Path | None, database_only: bool, as_json: bool) -> None:
    """Make the registry of the settings out of SOURCE.

    SOURCE is a folder that `entrepot backup` has written, or the facts alone: a file of `backups` in a data folder.
    The registry's database must be empty; it may be of another kind than the one that was backed up, as may the store.
    A restore that was stopped is simply begun again, and until it has come to its end nothing serves the registry.
    The exit status is 0 when every object came, and 3 when some were damaged or missing.
    """
    settings = load(file, {"data": data})
    with _refusing(settings.data):
        report = _restore(settings, source.absolute(), database_only=database_only)
    _tell(report, [*told(report, is_restore=True), NEXT], as_json=as_json)


NEXT: Final = "nothing is deleted from the store until `entrepot fsck` has found nothing wrong: run it next"


def _tell(report: Report, lines: list[str], *, as_json: bool) -> None:
    click.echo(json.dumps(report.document(), indent=2) if as_json else "\n".join(lines))
    raise SystemExit(BROKEN if report.broken else 0)


def told(report: Report, *, is_restore: bool = False) -> list[str]:
    """The report for people: everything that did not come, then the sums."""
    counts = ", ".join(f"{name} {number}" for name, number in report.counts.items())
    copied = f"{report.copied} copied ({in_words(report.copied_bytes)})"
    present = f"{report.present} already there ({in_words(report.present_bytes)})"
    removed = "" if is_restore else f", {report.removed} no longer needed removed"
    return [
        *(f"broken: {each.digest}, {each.key}: {each.reason}" for each in report.broken),
        *(f"damaged before: {each.digest}, {each.key}: {each.reason}" for each in report.known),
        f"instance {report.instance}, as it was at {report.at}",
        counts,
        f"objects: {copied}, {present}{removed}",
        *([f"damaged before: {len(report.known)}"] if report.known else []),
        f"broken: {len(report.broken)}" if report.broken else "nothing is broken",
    ]


def _back_up(settings: Settings, folder: Path, *, keep: bool, with_key: bool) -> Report:
    from registry import app
    from registry.backup.folder import BackupFolder
    from registry.backup.hold import held
    from registry.backup.save import Backup
    from registry.core.restoring import refuse_unfinished
    from registry.metadata.snapshot import check_current

    database = app.database(settings)
    check_current(database)
    key = (settings.key_file or settings.data / "key").read_bytes() if with_key else None
    with ExitStack() as stack:
        metadata, store = stack.enter_context(app.opened(settings))
        metadata.observe(refuse_unfinished)
        instance = metadata.observe(lambda tx: tx.settings.find("instance"))
        if instance is None:
            refuse(["the registry was never started: there is nothing to back up"], 1)
        if not app.has_layout(settings):
            # Of a mistyped store all objects would be missing, and the backup before this one would give way to that.
            refuse(["no registry has ever used this store: is it the right one?"], 1)
        app.match_instance(settings, instance)
        backup_folder = BackupFolder(folder)
        holder = stack.enter_context(backup_folder.writing(instance))
        watcher = stack.enter_context(_watching("backing up"))
        hold = stack.enter_context(held(app.sweep_tenure(metadata, holder), watcher.waits))
        run = Backup(database, store, backup_folder, key, settings.threads, watcher)
        return run.run(hold, datetime.now(UTC), keep=keep)


def _restore(settings: Settings, path: Path, *, database_only: bool) -> Report:
    from registry import app
    from registry.backup.report import Report
    from registry.backup.restore import Restore, find_source, is_begun, put_facts, put_key, working_copy
    from registry.metadata.kept_facts import Snapshot

    source = find_source(path)
    if source.folder is None and not database_only:
        refuse([f"{path} holds facts alone: give --database-only, or the folder of a whole backup"], 2)
    database = app.database(settings)
    with ExitStack() as stack:
        working = stack.enter_context(working_copy(source, settings.data))
        is_resumed = is_begun(source, database, database_only=database_only)
        with closing(Snapshot(working)) as facts:
            app.match_instance(settings, facts.instance)
        # First: once the facts alone are there, nobody may begin again.
        put_key(source, settings.key_file or settings.data / "key")
        if not is_resumed:
            put_facts(source, working, database, database_only=database_only)
        facts = stack.enter_context(closing(Snapshot(working)))
        if database_only or source.folder is None:
            return Report(facts.instance, source.at, facts.counts())
        metadata, store = stack.enter_context(app.opened(settings))
        watcher = stack.enter_context(_watching("restoring"))
        return Restore(source.folder, metadata, store, settings.threads, watcher).run(facts, source.at)


@contextmanager
def _refusing(where: Path) -> Iterator[None]:
    """What an operator can repair is told in a line; `where` is what is written to."""
    from registry.backup.folder import BackupInvalid, FolderUnfit
    from registry.backup.restore import NotRestorable
    from registry.core.tenure import TenureLost
    from registry.metadata.copying import CopyDiffers, NotEmpty, SchemasDiffer
    from registry.metadata.facts_file import FactsDamaged
    from registry.metadata.snapshot import NoRegistry
    from registry.storage.layout import KeyInvalid

    try:
        with saying_why(str(where)):
            yield
    except TenureLost:
        refuse(["the lease was lost, and objects may have been deleted meanwhile: begin again"], 1)
    except (
        BackupInvalid,
        CopyDiffers,
        FactsDamaged,
        FolderUnfit,
        KeyInvalid,
        NoRegistry,
        NotEmpty,
        NotRestorable,
        SchemasDiffer,
    ) as wrong:
        refuse([str(wrong)], 1)


class Lines:
    """`Watcher` for a log."""

    def waits(self) -> None:
        """Said once."""
        click.echo("waiting for a sweep, or another backup, that is under way", err=True)

    def begins(self, objects: int, size: int) -> None:
        """What there is."""
        click.echo(f"objects: {objects}, {in_words(size)}", err=True)

    def advances(self, size: int) -> None:
        """Not a line for each."""


class Bar(Lines):
    """`Watcher` with a bar of bytes, for a terminal."""

    def __init__(self, enter: Callable[[Any], Any], label: str) -> None:
        self._enter = enter
        self._label = label
        self._bar: Any = None

    def begins(self, objects: int, size: int) -> None:
        """From here on there is a bar."""
        super().begins(objects, size)
        self._bar = self._enter(click.progressbar(length=max(size, 1), label=self._label, file=sys.stderr))

    def advances(self, size: int) -> None:
        """A step."""
        self._bar.update(size)


@contextmanager
def _watching(label: str) -> Iterator[Watcher]:
    with ExitStack() as stack:
        yield Bar(stack.enter_context, label) if _is_terminal() else Lines()


def _is_terminal() -> bool:
    return sys.stderr.isatty()
