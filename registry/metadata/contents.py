"""Queries: the bytes that live in SQL, by digest: manifests and small blobs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import sqlalchemy as sa
from sqlalchemy import bindparam as p
from sqlalchemy.dialects.postgresql import insert

from registry.metadata.lots import NUMBER, filled, lot
from registry.metadata.moment import Moment
from registry.metadata.schema import blob, manifest
from registry.metadata.schema import content as content_table
from registry.oci.digest import Digest

_PUT: Final = (
    insert(content_table)
    .values(digest=p("digest"), bytes=p("bytes"))
    # The newest verified bytes win here too: pushing again heals whatever happened to the row.
    .on_conflict_do_update(index_elements=["digest"], set_={"bytes": p("bytes"), "damaged_at": sa.null()})
    .returning(content_table.c.id)
)
_ids: Final = lot(id=NUMBER)
_REMOVE: Final = sa.delete(content_table).where(
    content_table.c.id.in_(sa.select(_ids.c.id)),
    ~sa.exists().where(manifest.c.content_id == content_table.c.id),
    ~sa.exists().where(blob.c.content_id == content_table.c.id),
)


def put_content(moment: Moment, digest: Digest, content: bytes) -> int:
    """Keep the bytes once, however many manifests and blobs name them; their id."""
    return int(moment.run(_PUT, digest=digest.packed, bytes=content)[0][0])


def remove_contents(moment: Moment, content_ids: Iterable[int]) -> None:
    """Forget those of these that nothing names any more."""
    moment.run(_REMOVE, **filled((each,) for each in content_ids))
