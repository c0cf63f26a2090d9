"""Tags that belong to a manifest and are named after it, beside the manifest that they point to.

sha256-<hex>.sig    .att    .sbom      what cosign signs, attests and lists
sha256-<hex>                           referrers, as older clients keep them (distribution-spec, Referrers Tag Schema)

Nobody chose their names, and clients move them whenever something is added. So rules of tags leave them alone.
"""

from __future__ import annotations

import re
from typing import Final

from registry.oci.digest import Digest
from registry.oci.names import Tag

# Of a sha512 the referrers' tag holds the first half: enough to know what it is, and too little to find it.
_COMPANION: Final = re.compile(r"(?:(sha256)-([0-9a-f]{64})(?:\.(?:sig|att|sbom))?|sha512-[0-9a-f]{64})")


def is_companion(tag: Tag) -> bool:
    """Whether it is one."""
    return _COMPANION.fullmatch(tag.text) is not None


def subject_of(tag: Tag) -> Digest | None:
    """The manifest that a tag is named after; None for any other tag, and where the name does not tell."""
    found = _COMPANION.fullmatch(tag.text)
    return Digest(found[1], found[2]) if found and found[1] else None
