"""What is to be done about one repository: its manifests, parts before wholes, each with its blobs and its tags."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from registry.importing.report import Broken, What
from registry.importing.source import Source, SourceManifest, Survey, Unreadable
from registry.oci.digest import Digest
from registry.oci.errors import RegistryError
from registry.oci.manifest import Kind, Reference, parse_manifest
from registry.oci.names import RepositoryName, Tag


@dataclass(frozen=True, slots=True)
class Planned:
    """A manifest that can be read; its bytes are not kept, as a repository may have a hundred thousand."""

    digest: Digest
    blobs: tuple[Reference, ...]
    first: tuple[Digest, ...]
    """Its children and its subject."""
    tags: tuple[Tag, ...]


@dataclass(frozen=True, slots=True)
class RepositoryPlan:
    """In the order in which it is to be done."""

    manifests: tuple[Planned, ...]
    unreferenced: int
    broken: tuple[Broken, ...]


def plan_repository(source: Source, name: RepositoryName, limit: int) -> RepositoryPlan:
    """Reads every manifest of the repository, of at most `limit` bytes each, and no blob. Raises: Lost."""
    survey = source.survey(name, limit)
    read, broken = survey.manifests, list(survey.broken)
    tags = _tags(survey, name, broken)
    manifests = tuple(_planned(each, read[each], tuple(tags.get(each, ()))) for each in _parts_first(read))
    referenced = {each.digest for planned in manifests for each in planned.blobs}
    return RepositoryPlan(manifests, _unreferenced(survey, referenced, broken), tuple(broken))


def references_of(manifest: SourceManifest) -> tuple[Reference, ...]:
    """What a manifest needs. Raises: Unreadable."""
    try:
        return parse_manifest(manifest.content, manifest.media_type).references
    except RegistryError as error:
        obsolete = "docker image manifest schema 1 is obsolete and not imported"
        raise Unreadable(obsolete if _is_schema_1(manifest.content) else reason_of(error)) from None


def reason_of(error: RegistryError) -> str:
    """What a refusal says, as one line."""
    detail = {key: value for key, value in error.detail.items() if key != "reason"}
    more = ", ".join(f"{key} {value}" for key, value in detail.items())
    return f"{error.detail.get('reason', error.message)}{': ' if more else ''}{more}"


def _is_schema_1(content: bytes) -> bool:
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        return False
    return isinstance(document, dict) and document.get("schemaVersion") == 1


def _tags(survey: Survey, name: RepositoryName, broken: list[Broken]) -> dict[Digest, list[Tag]]:
    """The tags of each manifest that can be read; all others are broken."""
    unread = {each.name for each in broken if each.what is What.MANIFEST}
    tags: dict[Digest, list[Tag]] = {}
    for tag, digest in survey.tags:
        if digest in survey.manifests:
            tags.setdefault(digest, []).append(tag)
        else:
            why = "is broken" if str(digest) in unread else "is no manifest of this repository"
            broken.append(Broken(What.TAG, str(name), str(tag), f"it points to {digest}, which {why}"))
    return tags


def _planned(digest: Digest, references: tuple[Reference, ...], tags: tuple[Tag, ...]) -> Planned:
    blobs = tuple(each for each in references if each.kind in {Kind.CONFIG, Kind.LAYER})
    first = tuple(each.digest for each in references if each.kind in {Kind.CHILD, Kind.SUBJECT})
    return Planned(digest, blobs, first, tags)


def _parts_first(read: Mapping[Digest, tuple[Reference, ...]]) -> Iterator[Digest]:
    """Every manifest once, its children and its subject before it; whatever depth they have been nested to."""
    done: set[Digest] = set()
    for start in sorted(read):
        path: list[tuple[Digest, bool]] = [(start, False)]
        while path:
            digest, is_open = path.pop()
            if is_open:
                yield digest
            elif digest not in done and digest in read:
                done.add(digest)
                path.append((digest, True))
                path += [(each.digest, False) for each in read[digest] if each.kind in {Kind.CHILD, Kind.SUBJECT}]


def _unreferenced(survey: Survey, referenced: set[Digest], broken: list[Broken]) -> int:
    """How many blobs are served and belong to no manifest: uploads without a push, and what deleted manifests left."""
    count = 0
    told_later = {str(digest) for digest in referenced}
    for each in survey.blobs:
        if not isinstance(each, Broken):
            count += each not in referenced
        elif each.what is What.REPOSITORY or each.name not in told_later:
            # A referenced one is told of when its manifest comes.
            broken.append(each)
    return count
