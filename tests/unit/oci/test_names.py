"""Repository names, tags and references."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.oci.digest import Digest
from registry.oci.errors import DigestInvalid, ManifestInvalid, NameInvalid
from registry.oci.names import RepositoryName, Tag, fallback_tag, parse_reference

# The specification's own expressions, letter by letter (distribution-spec, Pulling manifests).
SPECIFIED_NAME = re.compile(r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(\/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*")
SPECIFIED_TAG = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}")


@given(st.text("ab0._-/", max_size=12))
def test_a_name_is_what_the_specification_says(text: str) -> None:
    if SPECIFIED_NAME.fullmatch(text):
        assert str(RepositoryName.parse(text)) == text
    else:
        with pytest.raises(NameInvalid):
            RepositoryName.parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/",
        "a//b",
        "/a",
        "a/",
        "A",
        "a b",
        "a..b",
        "a___b",
        "a._b",
        "_catalog",
        "a\n",
        "é",
        "a%2fb",
        "a/../b",
        "a:b",
    ],
)
def test_what_is_not_a_name_is_refused(text: str) -> None:
    with pytest.raises(NameInvalid):
        RepositoryName.parse(text)


def test_a_name_has_at_most_255_characters() -> None:
    assert len(str(RepositoryName.parse("a" * 255))) == 255
    with pytest.raises(NameInvalid) as refusal:
        RepositoryName.parse("a" * 1_000_000)
    assert refusal.value.detail == {"name": "a" * 256}


@pytest.mark.parametrize(
    ("name", "project"), [("alpine", "library"), ("library/alpine", "library"), ("team/app", "team"), ("a/b/c", "a")]
)
def test_a_project_is_the_first_component_of_several(name: str, project: str) -> None:
    assert RepositoryName.parse(name).project == project


@given(st.text("aZ0._-:/ ", max_size=6))
def test_a_tag_is_what_the_specification_says(text: str) -> None:
    if SPECIFIED_TAG.fullmatch(text):
        assert str(Tag.parse(text)) == text
    else:
        with pytest.raises(ManifestInvalid):
            Tag.parse(text)


def test_a_tag_has_at_most_128_characters() -> None:
    assert len(str(Tag.parse("t" * 128))) == 128
    with pytest.raises(ManifestInvalid):
        Tag.parse("t" * 129)


@given(st.text(max_size=80))
def test_any_reference_is_a_tag_or_a_digest_or_refused(text: str) -> None:
    refusal = DigestInvalid if ":" in text else ManifestInvalid
    try:
        parsed = str(parse_reference(text))
    except refusal:
        return
    assert parsed == text


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_the_fallback_tag_is_a_tag_of_the_algorithm_and_64_digits(algorithm: str) -> None:
    digest = Digest.of(b"subject", algorithm)
    assert Tag.parse(str(fallback_tag(digest))).text == f"{algorithm}-{digest.hex[:64]}"
