"""The verbs of whole repositories: what there is, what was deleted, and how that comes back or goes for good."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import click

from registry.cli_options import confirm
from registry.cli_people.answer import Answer, pairs, section, table
from registry.cli_people.operator import Operator, every, operates
from registry.cli_people.views import when
from registry.core.access import Access
from registry.core.counts import counted
from registry.core.facts import DeletedRepository
from registry.core.nouns.holdings import Held, Sharer
from registry.core.refusals import DeletedRepositoryUnknown
from registry.core.repositories import RepositoryService
from registry.core.searching import SearchService
from registry.core.sizes import in_words
from registry.oci.names import RepositoryName

_PAGE = 1000
_uuid = click.option("--uuid", help="which of several that were deleted under this name; else the last one")


@click.group()
def repo() -> None:
    """Repositories: listed, shown, deleted, restored, purged.

    A deleted repository can be restored while undo_window lasts. Its name is free at once.
    """


@repo.command("list")
@click.option("--deleted", is_flag=True, help="those that can be restored, instead")
@operates
def list_repositories(operator: Operator, *, deleted: bool) -> Answer:
    """List repositories that hold a manifest.

    With --deleted, those that can be restored.
    """
    if deleted:
        return _listed_deleted(operator)
    search = SearchService(operator.metadata, Access())
    names = list(every(lambda last: search.page(operator.caller, "", last, _PAGE), str))
    return Answer([{"name": each} for each in names], names or ["none"])


def _listed_deleted(operator: Operator) -> Answer:
    service = _service(operator)
    found = list(_all_deleted(service))
    heads = ("NAME", "DELETED", "RESTORABLE UNTIL", "UUID")
    rows = ((str(each.repository.name), when(each.deleted), when(service.ends(each)), each.uuid) for each in found)
    return Answer([_document(service, each) for each in found], table(heads, rows))


def _all_deleted(service: RepositoryService) -> Iterator[DeletedRepository]:
    last = "", ""
    while found := service.deleted(last, _PAGE):
        yield from found
        last = str(found[-1].repository.name), found[-1].uuid


@repo.command()
@click.argument("repository")
@operates
def show(operator: Operator, repository: str) -> Answer:
    """Show what REPOSITORY holds, and with whom it shares that."""
    held, sharers = _service(operator).show(RepositoryName.parse(repository))
    document = {
        "name": repository,
        "tags": held.tags,
        "manifests": held.manifests,
        "deleted_manifests": held.deleted,
        "size": held.size,
        "own": held.own,
        "shared_with": [{"name": str(each.name), "size": each.size} for each in sharers],
    }
    return Answer(document, _shown(repository, held, sharers))


def _shown(repository: str, held: Held, sharers: Sequence[Sharer]) -> list[str]:
    lines = pairs(
        {
            "name": repository,
            "tags": str(held.tags),
            "manifests": str(held.manifests),
            "deleted": counted(held.deleted, "manifest") if held.deleted else "",
            "size": in_words(held.size),
            "own": f"{in_words(held.own)} that no other repository holds",
        }
    )
    shared = section("shared with", (f"{each.name}  {in_words(each.size)}" for each in sharers))
    return lines + shared if sharers else lines


@repo.command()
@click.argument("repository")
@operates
def delete(operator: Operator, repository: str) -> Answer:
    """Delete REPOSITORY, with all its tags and manifests.

    It is gone at once, and comes back by `repo restore` while undo_window lasts.
    """
    service = _service(operator)
    deleted = service.delete(RepositoryName.parse(repository), operator.caller)
    until = when(service.ends(deleted))
    return Answer(_document(service, deleted), [f"{repository} was deleted, and can be restored until {until}"])


@repo.command()
@click.argument("repository")
@click.option("--as", "as_name", metavar="NAME", help="under this name, of the same project, where its own is taken")
@_uuid
@operates
def restore(operator: Operator, repository: str, as_name: str | None, uuid: str | None) -> Answer:
    """Serve deleted REPOSITORY again.

    With its tags, manifests and history, as they were.
    """
    service = _service(operator)
    deleted = _chosen(service, repository, uuid)
    name = service.restore(deleted.uuid, operator.caller, RepositoryName.parse(as_name) if as_name else None)
    return Answer({"name": str(name), "uuid": deleted.uuid}, [f"{name} is served again"])


@repo.command()
@click.argument("repository")
@_uuid
@click.option("--yes", is_flag=True, help="do not ask")
@operates
def purge(operator: Operator, repository: str, uuid: str | None, *, yes: bool) -> Answer:
    """Give up deleted REPOSITORY for good, and have it collected.

    What other repositories hold stays with them. Blobs that were pushed or asked for lately stay till their leases end.
    """
    service = _service(operator)
    deleted = _chosen(service, repository, uuid)
    confirm(f"give up {repository}, deleted {when(deleted.deleted)}, for good?", yes=yes)
    service.purge(deleted.uuid, operator.caller)
    return Answer(
        {"name": repository, "uuid": deleted.uuid},
        [f"{repository} was purged, and goes with the collector's next round"],
    )


def _service(operator: Operator) -> RepositoryService:
    return RepositoryService(operator.metadata, operator.settings.undo_window)


def _chosen(service: RepositoryService, repository: str, uuid: str | None) -> DeletedRepository:
    """Raises: DeletedRepositoryUnknown."""
    name = RepositoryName.parse(repository)
    if uuid is None:
        return service.latest(name)
    deleted = service.get_deleted(uuid)
    if deleted.repository.name != name:
        raise DeletedRepositoryUnknown(name=str(name), uuid=uuid)
    return deleted


def _document(service: RepositoryService, deleted: DeletedRepository) -> dict[str, str]:
    return {
        "name": str(deleted.repository.name),
        "uuid": deleted.uuid,
        "deleted": deleted.deleted.isoformat(),
        "restorable_until": service.ends(deleted).isoformat(),
    }
