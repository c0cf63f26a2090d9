"""Queries: the bytes that live in SQL, by digest: manifests and small blobs."""

from __future__ import annotations

from typing import Final

from sqlalchemy import bindparam as p
from sqlalchemy.dialects.postgresql import insert

from registry.metadata.moment import Moment
from registry.metadata.schema import content as content_table
from registry.oci.digest import Digest

_PUT: Final = (
    insert(content_table)
    .values(digest=p("digest"), bytes=p("bytes"))
    # A digest names its bytes for ever, so there is nothing to update; this only makes the row come back.
    .on_conflict_do_update(index_elements=["digest"], set_={"digest": p("digest")})
    .returning(content_table.c.id)
)


def put_content(moment: Moment, digest: Digest, content: bytes) -> int:
    """Keep the bytes once, however many manifests and blobs name them; their id."""
    return int(moment.run(_PUT, digest=digest.packed, bytes=content)[0][0])
