"""Repository names and tags: what may stand in a reference, and nothing else."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Self

from registry.oci.digest import Digest
from registry.oci.errors import ManifestInvalid, NameInvalid

# distribution-spec, Pulling manifests; mind the `-+`, which lets any run of dashes separate.
_COMPONENT: Final = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_NAME: Final = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_TAG: Final = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}")
# Parsed ones, as clients ask for the same again and again.
_REMEMBERED: Final = 4096
LONGEST_NAME: Final = 255
PROJECT_OF_BARE_NAMES: Final = "library"


@dataclass(frozen=True, slots=True, order=True)
class RepositoryName:
    """`<name>` of the specification: lower-case components between slashes, at most 255 characters."""

    text: str

    @classmethod
    @lru_cache(_REMEMBERED)
    def parse(cls, text: str) -> Self:
        """Raises: NameInvalid."""
        # The length comes first: the pattern is linear, but a megabyte of name is no name at all.
        if len(text) > LONGEST_NAME or _NAME.fullmatch(text) is None:
            raise NameInvalid(name=text[: LONGEST_NAME + 1])
        return cls(text)

    @property
    def project(self) -> str:
        """Who is charged for it: the first component, or `library` where there is only one."""
        first, slash, _ = self.text.partition("/")
        return first if slash else PROJECT_OF_BARE_NAMES

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True, order=True)
class Tag:
    """A name that moves from manifest to manifest, 128 characters at most."""

    text: str

    @classmethod
    @lru_cache(_REMEMBERED)
    def parse(cls, text: str) -> Self:
        """Raises: ManifestInvalid, the nearest code that the specification has."""
        if _TAG.fullmatch(text) is None:
            raise ManifestInvalid(reason="invalid tag", tag=text[:200])
        return cls(text)

    def __str__(self) -> str:
        return self.text


def parse_reference(text: str) -> Tag | Digest:
    """`<tag-or-digest>`: no tag holds a colon, so one character decides.

    Raises: DigestInvalid, ManifestInvalid.
    """
    return Digest.parse(text) if ":" in text else Tag.parse(text)


def fallback_tag(subject: Digest) -> Tag:
    """The tag under which older clients keep the referrers of a subject (distribution-spec, Referrers Tag Schema)."""
    return Tag(f"{subject.algorithm[:32]}-{subject.hex[:64]}")
