"""Whom it hits when something is wrong: the repositories that serve it, and the tags that lead to it."""

from __future__ import annotations

from dataclasses import replace

from registry.core.facts import ContentKind
from registry.core.fsck import Finding
from registry.core.fsck_facts import NOWHERE, ContentRow, Lack, ObjectRow, Places
from registry.core.ports import Metadata
from registry.oci.digest import Digest


def place(metadata: Metadata, finding: Finding) -> Finding:
    """The same finding, with the places where it hurts."""
    return replace(finding, places=_places(metadata, finding))


def _places(metadata: Metadata, finding: Finding) -> Places:
    match finding.about:
        case ObjectRow(digest=Digest() as digest) | ContentRow(digest=digest, is_blob=True):
            return metadata.observe(lambda tx: tx.inventory.places(ContentKind.BLOB, digest))
        case ContentRow(digest=digest) | Lack(manifest=digest):
            return metadata.observe(lambda tx: tx.inventory.places(ContentKind.MANIFEST, digest))
    return NOWHERE
