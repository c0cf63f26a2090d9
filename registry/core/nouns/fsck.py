"""What a transaction can be asked and told by whoever compares rows with each other and with the store."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from registry.core.facts import (
    ContentKind,
    ObjectKey,
)
from registry.core.fsck_facts import ContentRow, Lack, Miscount, ObjectRow, Places, ProjectUsage
from registry.oci.digest import Digest


class Inventory(Protocol):
    """Every row beside what names it, page by page in the order of ids: each page is one moment's (fsck)."""

    def count(self) -> tuple[int, int, int, int]:
        """Objects, contents and projects, about, and the last manifest's id."""
        ...

    def objects(self, after: int, limit: int) -> Sequence[ObjectRow]: ...
    def named(self, keys: Iterable[ObjectKey]) -> dict[ObjectKey, ObjectRow]:
        """The rows of these keys, those that have one."""
        ...

    def contents(self, after: int, limit: int) -> Sequence[ContentRow]: ...
    def blob(self, digest: Digest) -> ObjectRow | ContentRow | None:
        """Where the blob's bytes are, damaged or not; None when there is no such blob."""
        ...

    def lacks(self, after: int, until: int) -> Sequence[Lack]:
        """What visible manifests with these ids reference, and their repository does not serve; damaged it may be."""
        ...

    def content(self, digest: Digest) -> bytes | None: ...
    def places(self, kind: ContentKind, digest: Digest) -> Places:
        """Some of those who serve the blob, or the manifest, and of the tags that lead to it."""
        ...


class Remedies(Protocol):
    """Repairs of rows; each asks again whether what it repairs is still so, and says whether it was."""

    def own(self, key: ObjectKey) -> bool:
        """A doomed row takes a key that no row has, so that the sweeper deletes what lies there."""
        ...

    def doom_unnamed(self, object_id: int) -> bool:
        """Doom an object that neither a blob nor a session names."""
        ...

    def revive(self, object_id: int) -> bool:
        """Make live what a blob names."""
        ...

    def end_session(self, upload: int) -> bool:
        """Forget a session whose object is not receiving; that object stays as it is."""
        ...

    def heal(self, digest: Digest, key: ObjectKey) -> bool:
        """The bytes of this damaged blob, still in this object, were verified just now: serve it."""
        ...

    def heal_content(self, digest: Digest, content: bytes) -> bool:
        """Marked bytes in SQL, if they still are these, are right: serve the manifest, or the blob, that takes them."""
        ...

    def mark_content_damaged(self, digest: Digest, content: bytes) -> bool:
        """Bytes in SQL, if they still are these, are wrong: serve nothing from them until they are pushed again."""
        ...


class Usage(Protocol):
    """What projects are charged, and what they hold (design §4)."""

    def projects(self, after: int, limit: int) -> Sequence[ProjectUsage]:
        """In the order of ids, each with what one moment shows."""
        ...

    def miscounts(self, project: int, limit: int) -> Sequence[Miscount]:
        """Contents of the project that are charged otherwise than they are held, all as of one moment."""
        ...

    def relink(self, project: int, digest: Digest) -> int:
        """Link a blob again where manifests reference it without a link, never more often than is charged; how often.

        The charge is the proof: without it a reference may be to what the repository was never given.
        """
        ...

    def recount(self, project: int, kind: ContentKind, digest: Digest) -> None:
        """Charge the content for the links that there are."""
        ...

    def resum(self, project: int) -> None:
        """Set the project's counter to what it is charged; to be done last, for everybody waits for it."""
        ...
