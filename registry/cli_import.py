"""The verb `entrepot import`: which source, which data folder, how it goes and what came of it.

What is said meanwhile goes to standard error, the report to standard output, to be kept or read by a program.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from registry.cli_options import config_option, load, prepare, refuse, saying_why, settings_options

if TYPE_CHECKING:
    from registry.config import Settings
    from registry.core.facts import Caller
    from registry.core.ports import Metadata
    from registry.importing.destination import Destination
    from registry.importing.report import Report
    from registry.importing.run import Watcher
    from registry.oci.names import RepositoryName

BROKEN: Final = 3
_UNITS: Final = ("bytes", "KiB", "MiB", "GiB", "TiB")


@click.command("import")
@click.option(
    "--from-distribution",
    "source",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    metavar="PATH",
    required=True,
    help="the root folder of a CNCF distribution registry's (also Harbor's) file system storage; it is only read",
)
@settings_options("data")
@config_option
@click.option(
    "--repository",
    "patterns",
    multiple=True,
    metavar="PATTERN",
    help="only repositories of this name, with * and ? for what may vary; may be given again",
)
@click.option("--dry-run", is_flag=True, help="read and verify everything, write nothing")
@click.option("--json", "as_json", is_flag=True, help="print the report as JSON")
def import_command(
    *, source: Path, data: str | None, file: Path | None, patterns: tuple[str, ...], dry_run: bool, as_json: bool
) -> None:
    """Take over the images of another registry.

    It must not be deleting meanwhile.

    Blobs become hard links where both lie on one file system, and copies elsewhere; each is read and verified.
    What is there already is skipped, so an import that was stopped is simply begun again.
    The exit status is 0 when everything came, and 3 when something was broken.
    """
    from registry.importing.folder import Folder, find_tree
    from registry.importing.run import Import
    from registry.importing.tree import ROOT, DistributionTree

    settings = load(file, {"data": data})
    root = find_tree(source)
    if root is None:
        refuse([f"{source} holds no {ROOT}/repositories"], 2)
    with ExitStack() as stack:
        stack.enter_context(saying_why(str(settings.data)))
        destination = stack.enter_context(_rehearsal() if dry_run else _registry(settings))
        watcher = stack.enter_context(_bar() if sys.stderr.isatty() else _lines())
        tree, limit = DistributionTree(Folder(root)), settings.manifest_limit
        report = Import(tree, destination, limit, settings.threads, watcher).run(patterns)
    document = {"dry_run": dry_run, **report.document()}
    click.echo(json.dumps(document, indent=2) if as_json else "\n".join(told(report, dry_run=dry_run)))
    raise SystemExit(BROKEN if report.broken else 0)


def told(report: Report, *, dry_run: bool) -> list[str]:
    """The report for people: everything that is broken or was moved, then the sums."""
    from registry.importing.report import Taken

    came = ("verified",) if dry_run else ("adopted", "copied")
    blobs = ", ".join(f"{report.blobs[Taken(how)]} {how} ({size_of(report.bytes[Taken(how)])})" for how in came)
    return [
        *(f"broken: {each}" for each in report.broken),
        *(f"moved: {each}" for each in report.moved),
        *(["nothing was written: this was a dry run"] if dry_run else []),
        f"repositories: {report.repositories}",
        f"manifests: {report.manifests}, and {report.manifests_present} already there",
        f"tags: {report.tags}, {len(report.moved)} of them moved, and {report.tags_present} already there",
        f"blobs: {blobs}, and {report.blobs[Taken.PRESENT]} already there",
        f"layers that no manifest references, not imported: {report.unreferenced_layers}",
        f"broken: {len(report.broken)}" if report.broken else "nothing is broken",
    ]


def size_of(size: int) -> str:
    """As people say it: `1.5 GiB`."""
    amount, unit = float(size), _UNITS[0]
    for unit in _UNITS:
        if amount < 1024 or unit == _UNITS[-1]:  # noqa: PLR2004 - the step from one unit to the next
            break
        amount /= 1024
    return f"{size} bytes" if unit == _UNITS[0] else f"{amount:.1f} {unit}"


class Lines:
    """`Watcher`: a line for each repository, for a log."""

    def begins(self, repositories: int, manifests: int) -> None:
        """What there is."""
        click.echo(f"to import: repositories {repositories}, manifests {manifests}", err=True)

    def reads(self, name: RepositoryName, size: int) -> None:
        """Not a line for each blob."""

    def advances(self, manifests: int) -> None:
        """Nor for each manifest."""

    def finished(self, name: RepositoryName, report: Report) -> None:
        """What came."""
        here = report.manifests_present
        came = f"manifests {report.manifests}, tags {report.tags}, {size_of(report.bytes_taken)} of blobs"
        more = [f"manifests already there {here}"] if here else []
        more += [f"broken {len(report.broken)}"] if report.broken else []
        click.echo(", ".join([f"{name}: {came}", *more]), err=True)


class Bar(Lines):
    """`Watcher`: a bar of manifests, with what is read beside it, for a terminal."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._bar: Any = None

    def begins(self, repositories: int, manifests: int) -> None:  # noqa: ARG002  a bar has one length
        """From here on there is a bar."""
        self._bar = self._stack.enter_context(
            click.progressbar(
                length=manifests, label="importing", file=sys.stderr, item_show_func=lambda item: item or ""
            )
        )

    def reads(self, name: RepositoryName, size: int) -> None:
        """A large blob takes its time: so it is named."""
        self._bar.update(0, f"{name}, {size_of(size)}")
        self._bar.render_progress()

    def advances(self, manifests: int) -> None:
        """A step."""
        self._bar.update(manifests)

    def finished(self, name: RepositoryName, report: Report) -> None:
        """The bar says it."""


@contextmanager
def _lines() -> Iterator[Watcher]:
    yield Lines()


@contextmanager
def _bar() -> Iterator[Watcher]:
    with ExitStack() as stack:
        yield Bar(stack)


@contextmanager
def _rehearsal() -> Iterator[Destination]:
    from registry.importing.rehearsal import Rehearsal

    yield Rehearsal()


@contextmanager
def _registry(settings: Settings) -> Iterator[Destination]:
    """The services that `serve` has too, over the same database and store."""
    import uuid

    from registry import app
    from registry.core.blobs import BlobService
    from registry.core.manifests import ManifestService
    from registry.core.uploads import UploadService
    from registry.importing.adopt import FolderAdopter
    from registry.importing.destination import RegistryDestination
    from registry.storage.hashing import hashes
    from registry.storage.layout import new_key

    prepare(settings, is_err=True)
    lease = settings.lease
    with app.opened(settings) as (metadata, store):
        yield RegistryDestination(
            metadata,
            store,
            UploadService(metadata, store, hashes(), lambda: str(uuid.uuid4()), new_key, lease, settings.upload_expiry),
            BlobService(metadata, store, lease, settings.sparse),
            ManifestService(metadata, lease, settings.undo_window, settings.sparse),
            _admin(metadata),
            FolderAdopter(settings.data) if settings.store == "filesystem" else None,
        )


def _admin(metadata: Metadata) -> Caller:
    from registry.core.accounts import ADMIN

    admin = metadata.observe(lambda tx: tx.accounts.find(ADMIN))
    assert admin is not None  # noqa: S101  the data folder was prepared
    return admin
