"""Tags that are named after a manifest."""

from __future__ import annotations

import pytest

from registry.core.companions import is_companion, subject_of
from registry.oci.digest import Digest
from registry.oci.names import Tag, fallback_tag

IMAGE = Digest.of(b"image")


@pytest.mark.parametrize("suffix", [".sig", ".att", ".sbom", ""])
def test_signatures_and_lists_of_referrers_are_named_after_their_subject(suffix: str) -> None:
    tag = Tag(f"sha256-{IMAGE.hex}{suffix}")
    assert is_companion(tag)
    assert subject_of(tag) == IMAGE


def test_the_fallback_tag_of_a_subject_is_one() -> None:
    assert subject_of(fallback_tag(IMAGE)) == IMAGE
    longer = fallback_tag(Digest.of(b"image", "sha512"))
    assert is_companion(longer)
    assert subject_of(longer) is None


@pytest.mark.parametrize(
    "text", ["latest", "sha256", f"sha256-{IMAGE.hex[1:]}", f"sha256-{IMAGE.hex}.exe", f"v-sha256-{IMAGE.hex}"]
)
def test_what_people_name_is_none(text: str) -> None:
    assert not is_companion(Tag(text))
    assert subject_of(Tag(text)) is None
