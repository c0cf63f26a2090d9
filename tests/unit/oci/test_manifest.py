"""Manifests: what is read of them, and every way in which they are refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.oci import manifest as module
from registry.oci import media_types
from registry.oci.digest import Digest
from registry.oci.errors import DigestInvalid, ManifestInvalid
from registry.oci.manifest import DEEPEST, Kind, Manifest, Reference, parse_manifest

CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar"
FOREIGN_TYPE = "application/vnd.oci.image.layer.nondistributable.v1.tar"


def descriptor(content: bytes = b"x", media_type: str = LAYER_TYPE, **more: object) -> dict[str, object]:
    return {"mediaType": media_type, "digest": str(Digest.of(content)), "size": len(content)} | more


def image(**more: object) -> dict[str, object]:
    return {
        "schemaVersion": 2,
        "mediaType": media_types.OCI_MANIFEST,
        "config": descriptor(b"config", CONFIG_TYPE),
        "layers": [descriptor(b"one"), descriptor(b"two")],
    } | more


def index(**more: object) -> dict[str, object]:
    return {
        "schemaVersion": 2,
        "mediaType": media_types.OCI_INDEX,
        "manifests": [descriptor(b"child", media_types.OCI_MANIFEST)],
    } | more


def parse(document: object, content_type: str = "") -> Manifest:
    return parse_manifest(json.dumps(document).encode(), content_type)


def refusal(document: object, content_type: str = "") -> str:
    content = document if isinstance(document, bytes) else json.dumps(document).encode()
    with pytest.raises(ManifestInvalid) as caught:
        parse_manifest(content, content_type)
    return str(caught.value.detail["reason"])


# What is read


def test_an_image_references_its_config_its_layers_and_its_subject() -> None:
    manifest = parse(image(subject=descriptor(b"subject", media_types.OCI_MANIFEST)))
    assert manifest.references == (
        Reference(Kind.CONFIG, Digest.of(b"config"), 6, CONFIG_TYPE),
        Reference(Kind.LAYER, Digest.of(b"one"), 3, LAYER_TYPE),
        Reference(Kind.LAYER, Digest.of(b"two"), 3, LAYER_TYPE),
        Reference(Kind.SUBJECT, Digest.of(b"subject"), 7, media_types.OCI_MANIFEST),
    )
    assert manifest.subject == Digest.of(b"subject")


def test_an_index_references_its_children() -> None:
    assert [(each.kind, each.digest) for each in parse(index()).references] == [(Kind.CHILD, Digest.of(b"child"))]
    assert parse(index()).subject is None


def test_a_subject_and_a_nondistributable_layer_need_not_be_there() -> None:
    manifest = parse(image(layers=[descriptor(b"foreign", FOREIGN_TYPE)], subject=descriptor(b"subject")))
    assert [each.is_required for each in manifest.references] == [True, False, False]


@pytest.mark.parametrize(
    ("document", "artifact_type"),
    [
        (image(), CONFIG_TYPE),
        (image(artifactType="application/x"), "application/x"),
        (image(artifactType=""), CONFIG_TYPE),
        (index(), None),
        (index(artifactType="application/x"), "application/x"),
    ],
)
def test_the_artifact_type_is_the_manifests_own_else_its_configs(document: object, artifact_type: str | None) -> None:
    assert parse(document).artifact_type == artifact_type


def test_annotations_are_read_as_they_are() -> None:
    assert parse(image(annotations={"a": "b", "": "\N{SNOWMAN}"})).annotations == {"a": "b", "": "\N{SNOWMAN}"}
    assert parse(image(annotations=None)).annotations == {}


@pytest.mark.parametrize("digest", [Digest.of(b"x", "sha512")])
def test_a_descriptor_may_have_any_algorithm_that_we_compute(digest: Digest) -> None:
    assert parse(image(layers=[descriptor() | {"digest": str(digest)}])).references[1].digest == digest


# Its media type


def test_the_content_type_counts_without_its_parameters() -> None:
    assert parse(image(), f"{media_types.OCI_MANIFEST}; charset=utf-8").media_type == media_types.OCI_MANIFEST


def test_the_documents_own_type_counts_where_no_header_was_sent() -> None:
    assert parse(index()).media_type == media_types.OCI_INDEX


def test_only_where_neither_says_it_the_shape_decides() -> None:
    bare_image, bare_index = image(), index()
    del bare_image["mediaType"], bare_index["mediaType"]
    assert parse(bare_image).media_type == media_types.OCI_MANIFEST
    assert parse(bare_index).media_type == media_types.OCI_INDEX


def test_an_unknown_media_type_is_welcome() -> None:
    assert parse({"anything": 1}, "application/vnd.example+json").references == ()


def test_two_types_that_differ_are_refused() -> None:
    assert "differs" in refusal(image(), media_types.DOCKER_MANIFEST)


@pytest.mark.parametrize("media_type", sorted(media_types.OBSOLETE))
def test_schema_1_is_refused_by_name(media_type: str) -> None:
    assert "schema 1" in refusal({"schemaVersion": 1}, media_type)


@pytest.mark.parametrize("content_type", ["nonsense", ";", " ; charset=utf-8", "a/b/c", "text /json"])
def test_a_content_type_that_is_none_is_refused(content_type: str) -> None:
    document = image()
    del document["mediaType"]
    assert "type" in refusal(document, content_type).lower()


@pytest.mark.parametrize("media_type", [1, [], {}, True])
def test_a_media_type_that_is_not_text_is_refused(media_type: object) -> None:
    assert "mediaType" in refusal(image(mediaType=media_type))


# Ambiguity


@pytest.mark.parametrize("more", [{"layers": []}, {"config": None}, {"layers": None}])
def test_a_document_that_could_be_read_as_image_and_as_index_is_refused(more: dict[str, object]) -> None:
    assert "both" in refusal(index(**more))


@pytest.mark.parametrize("field", ["config", "layers"])
def test_an_image_needs_config_and_layers(field: str) -> None:
    document = image()
    del document[field]
    assert "needs" in refusal(document)


@pytest.mark.parametrize("manifests", [None, {}, "x"])
def test_an_index_needs_its_list(manifests: object) -> None:
    assert "index" in refusal(index(manifests=manifests))


@pytest.mark.parametrize("version", [None, 1, "2", 3, True])
@pytest.mark.parametrize("make", [image, index])
def test_the_schema_version_is_two(make: Any, version: object) -> None:
    assert "schemaVersion" in refusal(make(schemaVersion=version))


@pytest.mark.parametrize("text", ['{"a": 1, "a": 1}', '{"x": {"config": 1, "b": 0, "config": 2}}'])
def test_a_field_that_stands_twice_is_refused(text: str) -> None:
    assert "twice" in refusal(text.encode(), "application/vnd.example+json")


# Descriptors


@pytest.mark.parametrize("value", [None, 1, "x", [], True])
@pytest.mark.parametrize("field", ["layers", "manifests", "blobs"])
def test_a_list_holds_nothing_but_descriptors(field: str, value: object) -> None:
    assert field in refusal({field: [value]}, "application/vnd.example+json")


@pytest.mark.parametrize("field", ["layers", "manifests", "blobs"])
@pytest.mark.parametrize("value", [1, "x", {}, True])
def test_what_should_be_a_list_is_one(field: str, value: object) -> None:
    assert field in refusal({field: value}, "application/vnd.example+json")


@pytest.mark.parametrize("field", ["config", "subject"])
@pytest.mark.parametrize("value", [0, 1, "", "x", [], {}, True, False])
def test_config_and_subject_are_descriptors(field: str, value: object) -> None:
    assert field in refusal({field: value}, "application/vnd.example+json")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"digest": None}, "digest"),
        ({"digest": 1}, "digest"),
        ({"digest": ""}, "digest"),
        ({"digest": "sha256:abc"}, "digest"),
        ({"digest": "md5:" + "0" * 32}, "digest"),
        ({"size": None}, "size"),
        ({"size": "1"}, "size"),
        ({"size": 1.5}, "size"),
        ({"size": True}, "size"),
        ({"size": -1}, "size"),
        ({"size": 2**63}, "size"),
        ({"mediaType": None}, "mediaType"),
        ({"mediaType": 1}, "mediaType"),
        ({"mediaType": ""}, "mediaType"),
        ({"mediaType": "x"}, "mediaType"),
        ({"mediaType": "a/b; c"}, "mediaType"),
    ],
)
@pytest.mark.parametrize("place", ["config", "layers", "subject"])
def test_a_descriptor_is_complete(place: str, change: dict[str, object], reason: str) -> None:
    wrong = descriptor() | change
    assert reason in refusal(image(**{place: [wrong] if place == "layers" else wrong}))


def test_more_descriptors_than_anybody_needs_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_REFERENCES", 3)
    assert parse(image()).references
    assert "many" in refusal(image(layers=[descriptor()] * 3))


# Other fields


@pytest.mark.parametrize("value", [1, [], {"a": 1}, {"a": None}, "x", True])
def test_annotations_map_text_to_text(value: object) -> None:
    assert "annotations" in refusal(image(annotations=value))


@pytest.mark.parametrize("value", [1, [], {}, "a\nb", "\ud800", "\0"])
def test_an_artifact_type_is_printable_text(value: object) -> None:
    assert "artifactType" in refusal(image(artifactType=value))


# JSON


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"{", b"\xff", b"\xef\xbb\xbf{}", b"[]", b"1", b'"x"', b"null", b'{"a": NaN}', b'{"a": -Infinity}'),
        *(b"{} x", b'{"a": ' + b"9" * 5000 + b"}", "{}".encode("utf-16")),
    ],
)
def test_what_is_not_one_json_object_is_refused(content: bytes) -> None:
    assert "JSON" in refusal(content)


@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}")])
def test_nesting_has_a_limit(opening: bytes, closing: bytes) -> None:
    def nested(depth: int) -> bytes:
        return b'{"deep":' + opening * (depth - 1) + b"1" + closing * (depth - 1) + b"}"

    assert parse_manifest(nested(DEEPEST), "application/vnd.example+json").references == ()
    assert "deeply" in refusal(nested(DEEPEST + 1), "application/vnd.example+json")
    assert "deeply" in refusal(nested(200_000), "application/vnd.example+json")


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
# Fields that mean something, with values that half fit.
fields = st.sampled_from(
    [
        "schemaVersion",
        "mediaType",
        "config",
        "layers",
        "manifests",
        "blobs",
        "subject",
        "annotations",
        "artifactType",
        "digest",
        "size",
        "other",
    ]
)
apt = scalars | st.sampled_from([2, str(Digest.of(b"")), LAYER_TYPE, *media_types.INDEXES, *media_types.IMAGES])
documents = st.recursive(
    apt, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(fields, inner, max_size=6), max_leaves=12
)
whole = st.builds(
    lambda base, change: base | change, st.sampled_from([image(), index()]), st.dictionaries(fields, documents)
)


@given(documents | whole, st.sampled_from(["", *media_types.IMAGES, *media_types.INDEXES, "a/b"]) | st.text(max_size=8))
def test_any_json_is_a_manifest_or_refused_as_one(document: object, content_type: str) -> None:
    try:
        manifest = parse_manifest(json.dumps(document).encode(), content_type)
    except (ManifestInvalid, DigestInvalid):
        return
    assert media_types.is_media_type(manifest.media_type)
    assert isinstance(document, dict)


@given(st.binary(max_size=60))
def test_any_bytes_are_a_manifest_or_refused_as_one(content: bytes) -> None:
    try:
        parse_manifest(content, "application/vnd.example+json")
    except ManifestInvalid:
        return
    assert isinstance(json.loads(content), dict)
