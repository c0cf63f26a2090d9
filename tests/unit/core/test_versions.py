"""Versions in tags, and which of them are the newest patches of the last minor versions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.core.versions import Version, newest_patches
from registry.oci.names import Tag


def kept(tags: str, minors: int) -> list[str]:
    """In the order in which they were given."""
    names = tags.split()
    newest = newest_patches(map(Tag, names), minors)
    return [each for each in names if Tag(each) in newest]


@pytest.mark.parametrize(
    "text", ["1.2.3", "v1.2.3", "0.0.0", "2024.01.15", "1.2.3-rc.1", "1.2.3-alpine", "v1.2.3-rc1-x"]
)
def test_a_tag_of_three_numbers_is_a_version(text: str) -> None:
    assert Version.find(Tag(text)) is not None


@pytest.mark.parametrize(
    "text", ["latest", "1", "1.2", "v1.2", "1.2.3.4", "V1.2.3", "1.2.3_4", "1.2.x", "x1.2.3", "1.2.3-"]
)
def test_any_other_tag_is_none(text: str) -> None:
    assert Version.find(Tag(text)) is None


ORDER = "0.9.9 1.0.0-1 1.0.0-2.1 1.0.0-alpha 1.0.0-alpha.1 1.0.0-alpha.beta 1.0.0-beta 1.0.0-beta.2 1.0.0-beta.11 1.0.0-rc.1 1.0.0-rc9 1.0.0-rc10 1.0.0 1.0.1-rc.1 1.0.1 1.0.10 1.1.0 1.10.0 2.0.0"  # noqa: E501  one order, in one line


def test_versions_are_ordered_as_semver_says_and_people_think() -> None:
    versions = [Version.find(Tag(each)) for each in ORDER.split()]
    assert all(versions)
    assert versions == sorted(versions, key=lambda each: each or Version("", 0, 0, 0, ()))


def test_a_prefix_says_nothing() -> None:
    assert Version.find(Tag("v1.2.3")) == Version.find(Tag("1.2.3"))


@pytest.mark.parametrize(
    ("text", "variant", "is_released"),
    [
        ("1.2.3", "", True),
        ("1.2.3-alpine", "alpine", True),
        ("1.2.3-alpine3.19", "alpine3.19", True),
        ("1.2.3-slim-bookworm", "slim-bookworm", True),
        ("1.2.3-rc1", "", False),
        ("1.2.3-RC-1", "", False),
        ("1.2.3-SNAPSHOT", "", False),
        ("1.2.3-20240115", "", False),
        ("1.2.3-rc1-slim-bookworm", "slim-bookworm", False),
        ("1.2.3-rc.1-Alpine", "alpine", False),
        ("1.2.3-prelude", "prelude", True),
    ],
)
def test_a_suffix_is_a_prerelease_or_a_variant(text: str, variant: str, is_released: bool) -> None:
    version = Version.find(Tag(text))
    assert version is not None
    assert (version.variant, version.is_released) == (variant, is_released)


@pytest.mark.parametrize(
    ("tags", "minors", "expected"),
    [
        ("1.0.0 1.0.1 1.1.0 1.1.3 1.2.0", 2, "1.1.3 1.2.0"),
        ("1.0.0 1.0.1 1.1.0 1.1.3 1.2.0", 9, "1.0.1 1.1.3 1.2.0"),
        ("1.9.0 1.10.0 1.10.2", 1, "1.10.2"),
        # Counted over all majors.
        ("0.9.4 1.0.0 1.0.1 2.0.0", 2, "1.0.1 2.0.0"),
        # Several tags of one version are one.
        ("1.2.3 v1.2.3 1.1.0", 1, "1.2.3 v1.2.3"),
        # Prereleases take nobody's place, and are kept where they lead beyond what is released.
        ("1.0.0 1.1.0 1.2.0-rc.1 1.2.0-rc.2", 2, "1.0.0 1.1.0 1.2.0-rc.2"),
        ("1.0.0 1.1.0 1.2.0-rc.1 1.2.0", 2, "1.1.0 1.2.0"),
        ("1.1.0-rc.1 1.1.0-rc.2 1.2.0-beta", 1, "1.2.0-beta"),
        ("1.1.0 1.1.1-rc.1 1.0.9-rc.1", 1, "1.1.0 1.1.1-rc.1"),
        # Variants are counted apart.
        ("1.0.0 1.1.0 1.0.0-alpine 1.0.1-alpine", 1, "1.1.0 1.0.1-alpine"),
        ("1.0.0-alpine 1.1.0-rc1-alpine 1.1.0-alpine", 1, "1.1.0-alpine"),
        ("latest 1 1.0", 5, ""),
    ],
)
def test_the_newest_patches_of_the_last_minor_versions_are_kept(tags: str, minors: int, expected: str) -> None:
    assert kept(tags, minors) == expected.split()


texts = st.builds(
    "{}{}.{}.{}{}".format, st.sampled_from(["", "v"]), *[st.integers(0, 3)] * 3,
    st.sampled_from(["", "-rc.1", "-rc.2", "-alpine", "-rc1-alpine", "-1"]),
)  # fmt: skip


@given(st.sets(texts, max_size=30), st.integers(1, 6))
def test_more_lines_keep_no_less(tags: set[str], minors: int) -> None:
    fewer, more = (newest_patches(map(Tag, tags), count) for count in (minors, minors + 1))
    assert fewer <= more <= {Tag(each) for each in tags}


@given(st.sets(texts, min_size=1, max_size=30))
def test_the_newest_release_of_all_is_always_kept(tags: set[str]) -> None:
    versions = {each: version for each in tags if (version := Version.find(Tag(each)))}
    released = [each for each in versions.values() if each.is_released and not each.variant]
    if released:
        newest = newest_patches(map(Tag, tags), 1)
        assert {Tag(each) for each, version in versions.items() if version == max(released)} <= newest
