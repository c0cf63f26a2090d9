"""The verbs that look back: what a tag was, and what was deleted coming back."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import click

from registry.cli_audit import Instant
from registry.cli_options import confirm
from registry.cli_people.answer import Answer, table
from registry.cli_people.operator import Operator, operates
from registry.core.facts import DeletedManifest, Interval
from registry.core.undo import UndoService
from registry.oci.digest import Digest
from registry.oci.names import RepositoryName, Tag

_HEADS = ("FROM", "UNTIL", "DIGEST", "SET BY", "ENDED BY")
_PAGE = 1000
_at = click.option("--at", type=Instant(), metavar="INSTANT", help="as it was then: a date, or how long ago")


@click.group()
def tag() -> None:
    """Tags: what each was, and how to have that back."""


@tag.command()
@click.argument("repository")
@click.argument("tag")
@_at
@operates
def history(operator: Operator, repository: str, tag: str, at: datetime | None) -> Answer:
    """List what TAG of REPOSITORY has pointed to, latest first."""
    found = _undo(operator).history(RepositoryName.parse(repository), Tag.parse(tag))
    wanted = [each for each in found if at is None or each.holds(at)]
    return Answer([_document(each) for each in wanted], table(_HEADS, map(_row, wanted)))


@tag.command("restore")
@click.argument("repository")
@click.argument("tag")
@_at
@operates
def restore_tag(operator: Operator, repository: str, tag: str, at: datetime | None) -> Answer:
    """Point TAG of REPOSITORY at what it was.

    Without --at, that is what it was before it was moved or deleted. Its manifest comes back too, if that was deleted.
    """
    name = RepositoryName.parse(repository)
    digest = _undo(operator).restore_tag(name, Tag.parse(tag), operator.caller, at)
    return Answer({"tag": tag, "digest": str(digest)}, [f"{repository}:{tag} points to {digest}"])


@click.group()
def manifest() -> None:
    """Manifests that were deleted: listed, restored, purged."""


@manifest.command("deleted")
@click.argument("repository")
@operates
def list_deleted(operator: Operator, repository: str) -> Answer:
    """List deleted manifests of REPOSITORY that can be restored."""
    undo = _undo(operator)
    found = list(_all_deleted(undo, RepositoryName.parse(repository)))
    heads = ("DIGEST", "SIZE", "DELETED", "RESTORABLE UNTIL")
    rows = ((str(each.digest), str(each.size), _when(each.deleted), _when(undo.ends(each.deleted))) for each in found)
    return Answer([_deleted_document(undo, each) for each in found], table(heads, rows))


def _all_deleted(undo: UndoService, name: RepositoryName) -> Iterator[DeletedManifest]:
    last: Digest | None = None
    while found := undo.deleted_manifests(name, last, _PAGE):
        yield from found
        last = found[-1].digest


@manifest.command("restore")
@click.argument("repository")
@click.argument("digest")
@operates
def restore_manifest(operator: Operator, repository: str, digest: str) -> Answer:
    """Serve a deleted manifest of REPOSITORY again, under no tag."""
    _undo(operator).restore_manifest(RepositoryName.parse(repository), Digest.parse(digest), operator.caller)
    return Answer({"digest": digest}, [f"{repository}@{digest} is served again"])


@manifest.command("purge")
@click.argument("repository")
@click.argument("digest")
@click.option("--yes", is_flag=True, help="do not ask")
@operates
def purge_manifest(operator: Operator, repository: str, digest: str, *, yes: bool) -> Answer:
    """Give up a deleted manifest of REPOSITORY for good.

    It is collected with the next round. Blobs that it alone held go with it, when their leases end.
    """
    name, which = RepositoryName.parse(repository), Digest.parse(digest)
    confirm(f"give up {repository}@{digest} for good?", yes=yes)
    _undo(operator).purge_manifest(name, which, operator.caller)
    return Answer({"digest": digest}, [f"{repository}@{digest} was purged, and goes with the collector's next round"])


def _undo(operator: Operator) -> UndoService:
    return UndoService(operator.metadata, operator.settings.undo_window, sparse=operator.settings.sparse)


def _row(interval: Interval) -> tuple[str, ...]:
    ended = "now" if interval.ended is None else _when(interval.ended)
    return _when(interval.since), ended, str(interval.digest), interval.by, interval.ended_by


def _document(interval: Interval) -> dict[str, str | None]:
    return {
        "digest": str(interval.digest),
        "since": interval.since.isoformat(),
        "by": interval.by,
        "ended": None if interval.ended is None else interval.ended.isoformat(),
        "ended_by": interval.ended_by or None,
    }


def _deleted_document(undo: UndoService, deleted: DeletedManifest) -> dict[str, str | int]:
    return {
        "digest": str(deleted.digest),
        "media_type": deleted.media_type,
        "size": deleted.size,
        "deleted": deleted.deleted.isoformat(),
        "restorable_until": undo.ends(deleted.deleted).isoformat(),
    }


def _when(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
