"""Queries: what holds a blob, and how it goes (the collector, design 3), each for a whole lot of them.

Where the database knows row locks, candidates are held by a statement that passes over what somebody else holds, and
what might hold them is asked by another one, which sees all that was committed by then. A foreign key that refuses
means that one is wanted after all: the transaction is run again, and finds out.
"""

from __future__ import annotations

from collections.abc import Collection as Some
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Final

import sqlalchemy as sa
from sqlalchemy import bindparam as p

from registry.core.collect_facts import HeldBlob, HeldLink, Review
from registry.core.facts import ContentKind
from registry.metadata.contents import remove_contents
from registry.metadata.instants import from_micros
from registry.metadata.lots import DIGEST, NUMBER, filled, lot
from registry.metadata.manifests import HELD_AS
from registry.metadata.moment import Moment
from registry.metadata.objects import Objects
from registry.metadata.refunds import refund
from registry.metadata.schema import blob, link, reference, repository
from registry.oci.digest import Digest

_links: Final = lot(repository_id=NUMBER, digest=DIGEST)
_these_links: Final = _links.join(
    link, sa.and_(link.c.repository_id == _links.c.repository_id, link.c.digest == _links.c.digest)
)
_KNOWN_LINKS: Final = sa.select(link.c.repository_id, link.c.digest).select_from(_these_links)
_HOLD_LINKS: Final = (
    sa.select(link.c.repository_id, link.c.digest, repository.c.project_id, link.c.lease_until)
    .select_from(_these_links.join(repository, repository.c.id == link.c.repository_id))
    .order_by(link.c.digest, link.c.repository_id)
    .with_for_update(of=link, skip_locked=True)
)
# By manifests that are deleted too: as long as they can be restored, their rows are there.
_REFERENCED: Final = sa.select(_links.c.repository_id, _links.c.digest).where(
    sa.exists().where(
        reference.c.repository_id == _links.c.repository_id,
        reference.c.digest == _links.c.digest,
        reference.c.kind >= p("first_kind"),
        reference.c.kind <= p("last_kind"),
    )
)
_REMOVE_LINK: Final = sa.delete(link).where(link.c.repository_id == p("repository"), link.c.digest == p("which"))

_digests: Final = lot(digest=DIGEST)
_these_blobs: Final = _digests.join(blob, blob.c.digest == _digests.c.digest)
_KNOWN_BLOBS: Final = sa.select(blob.c.digest).select_from(_these_blobs)
_HOLD_BLOBS: Final = (
    sa.select(blob.c.id, blob.c.digest)
    .select_from(_these_blobs)
    .order_by(blob.c.digest)
    .with_for_update(of=blob, skip_locked=True)
)
_ids: Final = lot(id=NUMBER)
_LINKED: Final = (
    sa.select(blob.c.digest)
    .select_from(_ids.join(blob, blob.c.id == _ids.c.id))
    .where(sa.exists().where(link.c.blob_id == blob.c.id))
)
_REMOVE_BLOBS: Final = (
    sa.delete(blob).where(blob.c.id.in_(sa.select(_ids.c.id))).returning(blob.c.object_id, blob.c.content_id)
)


class Collection:
    """`nouns.Collection`."""

    def __init__(self, moment: Moment) -> None:
        self._moment = moment
        self._objects = Objects(moment)

    def hold_links(self, reviews: Sequence[Review]) -> Sequence[HeldLink]:
        """Hold the links that are there and that nobody else holds."""
        wanted = {(each.repository, each.digest.packed): each for each in reviews}
        rows = self._moment.run(_HOLD_LINKS, **_pairs(reviews))
        return [HeldLink(wanted[row[0], row[1]], row[2], from_micros(row[3])) for row in rows]

    def known_links(self, reviews: Sequence[Review]) -> AbstractSet[Review]:
        """Those of which there is a link, held by whomever."""
        if not reviews:
            return frozenset()
        found = set(self._moment.run(_KNOWN_LINKS, **_pairs(reviews)))
        return {each for each in reviews if (each.repository, each.digest.packed) in found}

    def referenced(self, links: Sequence[HeldLink]) -> AbstractSet[Review]:
        """Those that a manifest of their repository references."""
        reviews = [each.review for each in links]
        first, last = HELD_AS[ContentKind.BLOB]
        kinds = {"first_kind": first.value, "last_kind": last.value}
        found = set(self._moment.run(_REFERENCED, **_pairs(reviews), **kinds))
        return {each for each in reviews if (each.repository, each.digest.packed) in found}

    def remove_links(self, links: Sequence[HeldLink]) -> None:
        """Their repositories serve them no more, and the projects are refunded."""
        if not links:
            return
        self._moment.run_many(
            _REMOVE_LINK,
            [{"repository": each.review.repository, "which": each.review.digest.packed} for each in links],
        )
        refund(self._moment, ContentKind.BLOB, ((each.project, each.review.digest) for each in links))

    def hold_blobs(self, digests: Some[Digest]) -> Sequence[HeldBlob]:
        """Hold the blobs that are there and that nobody else holds."""
        rows = self._moment.run(_HOLD_BLOBS, **filled((each,) for each in digests))
        return [HeldBlob(row[0], Digest.unpack(row[1])) for row in rows]

    def known_blobs(self, digests: Some[Digest]) -> AbstractSet[Digest]:
        """Those of which there is a blob, held by whomever."""
        if not digests:
            return frozenset()
        return {Digest.unpack(row[0]) for row in self._moment.run(_KNOWN_BLOBS, **filled((each,) for each in digests))}

    def linked(self, blobs: Sequence[HeldBlob]) -> AbstractSet[Digest]:
        """Those that any repository links, visibly or not."""
        return {Digest.unpack(row[0]) for row in self._moment.run(_LINKED, **_ids_of(blobs))}

    def remove_blobs(self, blobs: Sequence[HeldBlob]) -> None:
        """Their bytes are nobody's: an object is doomed, a row's bytes go at once. Raises: Contradicted."""
        if not blobs:
            return
        gone = self._moment.run(_REMOVE_BLOBS, **_ids_of(blobs))
        self._objects.doom_all([row[0] for row in gone if row[0] is not None])
        remove_contents(self._moment, [row[1] for row in gone if row[1] is not None])


def _pairs(reviews: Sequence[Review]) -> dict[str, object]:
    return filled((each.repository, each.digest) for each in reviews)


def _ids_of(blobs: Sequence[HeldBlob]) -> dict[str, object]:
    return filled((each.id,) for each in blobs)
