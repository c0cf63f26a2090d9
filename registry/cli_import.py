"""The verb `entrepot import`: which source, which data folder, how it goes and what came of it.

What is said meanwhile goes to standard error, the report to standard output, to be kept or read by a program.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from registry.cli_options import config_option, load, prepare, refuse, saying_why, settings_options
from registry.core.sizes import in_words

if TYPE_CHECKING:
    from registry.config import Settings
    from registry.core.facts import Caller
    from registry.core.ports import Metadata
    from registry.importing.destination import Destination
    from registry.importing.report import Report
    from registry.importing.run import Watcher
    from registry.importing.source import Source
    from registry.oci.names import RepositoryName

BROKEN: Final = 3
BUCKET: Final = "s3://"
# Not REGISTRY_…, as those are settings of ours.
VARIABLE: Final = "ENTREPOT_SOURCE_PASSWORD"
_VARYING: Final = frozenset("*?[")


@click.command("import")
@click.option(
    "--from-distribution",
    "tree",
    metavar="PATH",
    help="the storage of a CNCF distribution registry (also Harbor's), only read: its root folder, or s3://BUCKET/ROOT",
)
@click.option("--s3-endpoint", metavar="URL", help="where that bucket is, unless at Amazon's")
@click.option("--s3-region", metavar="NAME", help="the region of that bucket")
@click.option("--s3-path-style", is_flag=True, help="that bucket is named in the path of URLs, not in their host")
@click.option(
    "--from-registry", "url", metavar="URL", help="any registry, over HTTP; https is meant where URL is a host"
)
@settings_options("data", "threads")
@config_option
@click.option(
    "--repository",
    "patterns",
    multiple=True,
    metavar="PATTERN",
    help="only repositories of this name, with * and ? for what may vary; may be given again",
)
@click.option("--username", metavar="NAME", help=f"who we are to that registry; the password is read from {VARIABLE}")
@click.option("--password-stdin", is_flag=True, help="read the password from standard input")
@click.option(
    "--token-host",
    "token_hosts",
    multiple=True,
    metavar="HOST",
    help="a token service outside of that registry's domain that may have the password; may be given again",
)
@click.option(
    "--ca",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="FILE",
    help="who vouches for that registry's certificate, in PEM [default: whom this machine trusts]",
)
@click.option("--insecure-http", is_flag=True, help="let http:// URLs be other than of loopback addresses")
@click.option("--dry-run", is_flag=True, help="read and verify everything, write nothing")
@click.option("--json", "as_json", is_flag=True, help="print the report as JSON")
def import_command(
    *,
    data: str | None,
    threads: str | None,
    file: Path | None,
    dry_run: bool,
    as_json: bool,
    **given: Any,  # noqa: ANN401  the fields of `Where`
) -> None:
    """Take over the images of another registry.

    It must not be deleting meanwhile.

    From a storage folder everything comes, and blobs become hard links where both lie on one file system. Over HTTP
    comes what a tag leads to: images, the platforms of an index, signatures and other referrers. A registry that does
    not list its repositories needs the name of each, as a --repository without * and ?.

    Each blob is read and verified. What is there already is skipped, so an import that was stopped is simply begun
    again. The exit status is 0 when everything came, 3 when something was broken, and 1 when it could not go on.
    """
    from registry.importing.run import Import
    from registry.importing.source import Lost, Unreadable

    where = Where(**given)
    if problems := where.problems():
        refuse(problems, 2)
    settings = load(file, {"data": data, "threads": threads})
    with ExitStack() as stack:
        source = stack.enter_context(_source(where, settings.threads))
        stack.enter_context(saying_why(str(settings.data)))
        destination = stack.enter_context(_rehearsal() if dry_run else _registry(settings))
        watcher = stack.enter_context(_bar() if sys.stderr.isatty() else _lines())
        importing = Import(source, destination, settings.manifest_limit, settings.threads, watcher)
        try:
            report = importing.run(where.patterns)
        except (Lost, Unreadable) as error:
            refuse([f"{where.name}: {error}"], 1)
    document = {"dry_run": dry_run, **report.document()}
    click.echo(json.dumps(document, indent=2) if as_json else "\n".join(told(report, dry_run=dry_run)))
    raise SystemExit(BROKEN if report.broken else 0)


@dataclass(frozen=True, slots=True)
class Where:
    """What the command line says of the source."""

    tree: str | None
    url: str | None
    patterns: tuple[str, ...]
    s3_endpoint: str | None
    s3_region: str | None
    s3_path_style: bool
    username: str | None
    password_stdin: bool
    token_hosts: tuple[str, ...]
    ca: Path | None
    insecure_http: bool

    @property
    def name(self) -> str:
        """As it was given."""
        return str(self.tree) if self.url is None else self.url

    @property
    def in_a_bucket(self) -> bool:
        """Whether the tree is one of objects."""
        return self.tree is not None and self.tree.startswith(BUCKET)

    @property
    def names(self) -> tuple[str, ...]:
        """The repositories, where patterns can each mean but one."""
        return () if any(_VARYING.intersection(each) for each in self.patterns) else self.patterns

    def problems(self) -> list[str]:
        """What does not go together."""
        remote = (self.username, self.password_stdin, self.token_hosts, self.insecure_http)
        if (self.tree is None) == (self.url is None):
            return ["say where from: either --from-distribution or --from-registry"]
        if self.tree and any(remote):
            return ["a folder needs no --username, --password-stdin, --token-host or --insecure-http, nor a bucket"]
        if not self.in_a_bucket and any((self.s3_endpoint, self.s3_region, self.s3_path_style)):
            return [f"--s3-endpoint, --s3-region and --s3-path-style are for {BUCKET}BUCKET/ROOT"]
        if self.tree and self.ca and not self.in_a_bucket:
            return ["a folder needs no --ca"]
        if self.password_stdin and not self.username:
            return ["--password-stdin needs a --username"]
        return []

    def password(self) -> str:
        """Read where nobody else sees it; never from the command line."""
        if self.password_stdin:
            return sys.stdin.readline().rstrip("\r\n")
        if (password := os.environ.get(VARIABLE)) is None:
            refuse([f"--username needs --password-stdin, or {VARIABLE} in the environment"], 2)
        return password


def told(report: Report, *, dry_run: bool) -> list[str]:
    """The report for people: everything that is broken or was moved, then the sums."""
    from registry.importing.report import Taken

    came = ("verified",) if dry_run else ("adopted", "copied")
    blobs = ", ".join(f"{report.blobs[Taken(how)]} {how} ({in_words(report.bytes[Taken(how)])})" for how in came)
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


class Lines:
    """`Watcher`: a line for each repository, for a log."""

    def begins(self, repositories: int, manifests: int | None) -> None:
        """What there is."""
        more = "" if manifests is None else f", manifests {manifests}"
        click.echo(f"to import: repositories {repositories}{more}", err=True)

    def reads(self, name: RepositoryName, size: int) -> None:
        """Not a line for each blob."""

    def advances(self, manifests: int) -> None:
        """Nor for each manifest."""

    def finished(self, name: RepositoryName, report: Report) -> None:
        """What came."""
        here = report.manifests_present
        came = f"manifests {report.manifests}, tags {report.tags}, {in_words(report.bytes_taken)} of blobs"
        more = [f"manifests already there {here}"] if here else []
        more += [f"broken {len(report.broken)}"] if report.broken else []
        click.echo(", ".join([f"{name}: {came}", *more]), err=True)


class Bar(Lines):
    """`Watcher`: a bar with what is read beside it, for a terminal; of repositories, unless manifests are counted."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._bar: Any = None
        self._is_of_manifests = True

    def begins(self, repositories: int, manifests: int | None) -> None:
        """From here on there is a bar."""
        self._is_of_manifests = manifests is not None
        self._bar = self._stack.enter_context(
            click.progressbar(
                length=repositories if manifests is None else manifests,
                label="importing",
                file=sys.stderr,
                item_show_func=lambda item: item or "",
            )
        )

    def reads(self, name: RepositoryName, size: int) -> None:
        """A large blob takes its time: so it is named."""
        self._bar.update(0, f"{name}, {in_words(size)}")
        self._bar.render_progress()

    def advances(self, manifests: int) -> None:
        """A step."""
        if self._is_of_manifests:
            self._bar.update(manifests)

    def finished(self, name: RepositoryName, report: Report) -> None:  # noqa: ARG002  the bar says it
        """A step of a coarser bar."""
        if not self._is_of_manifests:
            self._bar.update(1)


@contextmanager
def _lines() -> Iterator[Watcher]:
    yield Lines()


@contextmanager
def _bar() -> Iterator[Watcher]:
    with ExitStack() as stack:
        yield Bar(stack)


@contextmanager
def _source(where: Where, threads: int) -> Iterator[Source]:
    """Opened, or the reason why not and the end."""
    if where.in_a_bucket:
        yield _in_bucket(where, threads)
        return
    if where.tree is not None:
        yield _stored(Path(where.tree))
        return
    from ssl import SSLError

    from registry.client.errors import Untrusted
    from registry.client.login import Credentials
    from registry.client.origin import parse_registry
    from registry.client.registry import Registry
    from registry.importing.remote import RemoteRegistry

    who = Credentials(where.username, where.password(), frozenset(where.token_hosts)) if where.username else None
    try:
        home = parse_registry(where.name)
        registry = Registry.at(home, who, allow_http=where.insecure_http, ca=where.ca, connections=threads)
    except ValueError as error:
        refuse([f"--from-registry: {error}"], 2)
    except Untrusted as error:
        refuse([f"{error}: --insecure-http does"], 2)
    except SSLError:
        refuse([f"{where.ca}: holds no certificate"], 2)
    with registry:
        yield RemoteRegistry(registry, threads, where.names)


def _in_bucket(where: Where, threads: int) -> Source:
    """The keys are found as any AWS client finds them: AWS_ACCESS_KEY_ID, a profile, a role of the machine's."""
    from registry.importing.objects import Objects, find_root
    from registry.importing.source import Lost
    from registry.importing.stored import StoredRegistry
    from registry.importing.tree import ROOT, DistributionTree
    from registry.storage.s3_client import S3Settings
    from registry.storage.s3_tree import S3Tree

    bucket, _, root = where.name.removeprefix(BUCKET).partition("/")
    if not bucket:
        refuse([f"{where.name} names no bucket"], 2)
    settings = S3Settings(
        bucket, f"{root.strip('/')}/".lstrip("/"), where.s3_region, where.s3_endpoint,
        path_style=where.s3_path_style, ca=where.ca, concurrency=threads, readers=threads,
    )  # fmt: skip
    try:
        tree = S3Tree(settings)
        found = find_root(tree)
    except ValueError as error:
        refuse([f"{where.name}: --s3-endpoint or --s3-region: {error}"], 2)
    except Lost as error:
        refuse([f"{where.name}: {error}"], 1)
    if found is None:
        refuse([f"{where.name} holds no {ROOT}/repositories"], 2)
    return StoredRegistry(DistributionTree(Objects(tree, found)))


def _stored(folder: Path) -> Source:
    from registry.importing.folder import Folder, find_tree
    from registry.importing.stored import StoredRegistry
    from registry.importing.tree import ROOT, DistributionTree

    if not folder.is_dir():
        refuse([f"{folder} is no folder"], 2)
    root = find_tree(folder)
    if root is None:
        refuse([f"{folder} holds no {ROOT}/repositories"], 2)
    return StoredRegistry(DistributionTree(Folder(root)))


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
