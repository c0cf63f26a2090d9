"""Media types: the form of all, and the few that mean something here."""

from __future__ import annotations

import pytest

from registry.oci import media_types


@pytest.mark.parametrize(
    "text", sorted({*media_types.INDEXES, *media_types.IMAGES, *media_types.OBSOLETE, "a/b", "1/2+x-y.z"})
)
def test_a_media_type_is_two_restricted_names(text: str) -> None:
    assert media_types.is_media_type(text)


@pytest.mark.parametrize(
    "text", ["", "a", "a/", "/b", "a/b/c", "a/b; q=1", "a /b", ".a/b", "a/b\n", "é/b", "a/" + "b" * 128, "a\r\n/b"]
)
def test_nothing_else_is_one(text: str) -> None:
    assert not media_types.is_media_type(text)


@pytest.mark.parametrize(
    ("header", "media_type"), [("a/b", "a/b"), (" a/b ; charset=utf-8", "a/b"), ("", ""), ("; x", ""), ("a/b;;", "a/b")]
)
def test_parameters_are_ignored(header: str, media_type: str) -> None:
    assert media_types.without_parameters(header) == media_type


@pytest.mark.parametrize(
    ("media_type", "is_nondistributable"),
    [
        ("application/vnd.oci.image.layer.nondistributable.v1.tar", True),
        ("application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", True),
        ("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", True),
        ("application/vnd.oci.image.layer.v1.tar+gzip", False),
        ("application/vnd.docker.image.rootfs.diff.tar.gzip", False),
    ],
)
def test_layers_that_a_client_may_leave_out_are_known(media_type: str, is_nondistributable: bool) -> None:
    assert media_types.is_nondistributable(media_type) is is_nondistributable


def test_no_media_type_is_of_two_kinds() -> None:
    groups = media_types.INDEXES, media_types.IMAGES, media_types.OBSOLETE
    assert sum(map(len, groups)) == len(frozenset.union(*groups))
