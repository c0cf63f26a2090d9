"""Documents that are no manifests: refused by MANIFEST_INVALID, never stored, never a 5xx."""

import json
from collections.abc import Callable

import pytest

from tests.conformance.claims import is_refused
from tests.conformance.deployments import Standing
from tests.support.client import RegistryClient
from tests.support.images import OCI_MANIFEST, Document, artifact, encode, index

Rewrite = Callable[[Document], bytes]


def changed(**members: object) -> Rewrite:
    """A manifest with some members replaced."""
    return lambda document: encode(document | members)


def without(name: str) -> Rewrite:
    """A manifest that lacks a member."""
    return lambda document: encode({key: value for key, value in document.items() if key != name})


def described(**members: object) -> Rewrite:
    """A manifest with members of its config's descriptor replaced; None takes one away."""

    def change(document: Document) -> bytes:
        config = {key: value for key, value in (document["config"] | members).items() if value is not None}
        return encode(document | {"config": config})

    return change


def said(text: str | bytes) -> Rewrite:
    """Something else altogether."""
    return lambda _document: text if isinstance(text, bytes) else text.encode()


MANIFESTS: dict[str, Rewrite] = {
    "nothing": said(""),
    "an open brace": said("{"),
    "a list": said("[]"),
    "null": said("null"),
    "text": said('"text"'),
    "a number": said("1"),
    "truncated": lambda document: encode(document)[:-7],
    "with more behind": lambda document: encode(document) + b"{}",
    "NUL inside": lambda document: encode(document).replace(b": 2", b": \x002"),
    "not UTF-8": lambda document: encode(document).replace(b"schemaVersion", b"schemaV\xffrsion"),
    "UTF-16": lambda document: json.dumps(document).encode("utf-16"),
    "XML": said("<manifest/>"),
    "nested 100 000 deep": said("[" * 100_000),
    "nested 100 000 deep in a member": said('{"a":' * 100_000 + "1" + "}" * 100_000),
    "nested 1 000 deep, complete": lambda document: encode(document)[:-2] + b',"x":' + b"[" * 1000 + b"]" * 1000 + b"}",
    "a member twice": lambda document: encode(document).replace(b'"layers"', b'"layers": [], "layers"'),
    "a descriptor's member twice": lambda document: encode(document).replace(
        b'"digest"', b'"digest": "x", "digest"', 1
    ),
    "NaN": lambda document: encode(document)[:-2] + b', "x": NaN}',
    "a number of 10 000 digits": lambda document: encode(document)[:-2] + b', "x": ' + b"9" * 10_000 + b"}",
    "schema 1": changed(schemaVersion=1),
    "a schema version in text": changed(schemaVersion="2"),
    "no schema version": without("schemaVersion"),
    "no config": without("config"),
    "neither config nor layers": lambda document: encode({"schemaVersion": 2, "mediaType": document["mediaType"]}),
    "null for a config": changed(config=None),
    "text for a config": changed(config="sha256:abc"),
    "an object for layers": changed(layers={"0": {}}),
    "text among layers": changed(layers=["sha256:abc"]),
    "a list among layers": changed(layers=[[]]),
    "100 000 layers": changed(layers=[{}] * 100_000),
    "a number for a media type": changed(mediaType=7),
    "a list for a media type": changed(mediaType=[OCI_MANIFEST]),
    "text for annotations": changed(annotations="x"),
    "a number among annotations": changed(annotations={"x": 1}),
    "text for a subject": changed(subject="sha256:abc"),
    "an empty subject": changed(subject={}),
    "a number for an artifact type": changed(artifactType=7),
    "no digest": described(digest=None),
    "a number for a digest": described(digest=7),
    "a malformed digest": described(digest="sha256:abc"),
    "an unknown algorithm": described(digest="md5:" + "a" * 32),
    "a path for a digest": described(digest="sha256:../../../etc/passwd"),
    "no size": described(size=None),
    "a negative size": described(size=-1),
    "a fraction for a size": described(size=1.5),
    "text for a size": described(size="1"),
    "truth for a size": described(size=True),
    "an enormous size": described(size=2**63),
    "a number for a descriptor's media type": described(mediaType=7),
    "lines in a descriptor's media type": described(mediaType="a/b\r\nX: y"),
}


class TestManifests:
    """Documents that are no manifests."""

    @pytest.mark.parametrize("kind", MANIFESTS)
    def test_what_is_no_manifest_is_refused(
        self, registry: RegistryClient, standing: Standing, repository: str, kind: str
    ) -> None:
        """MANIFEST_INVALID; field-notes, section 4: bodies, JSON depth and every list are bounded."""
        content, tag = MANIFESTS[kind](standing.image.document), repository.replace("/", "-")
        answer = registry.push_manifest(standing.repository, tag, content, OCI_MANIFEST)
        assert is_refused(answer, 400, "MANIFEST_INVALID", "DIGEST_INVALID")
        assert registry.manifest(standing.repository, tag).status_code == 404

    @pytest.mark.parametrize(
        "text", ["\\ud800", "\\u0000", "\\udfff\\ud800", "\\r\\nX-Injected: y", "\x7f", "💥" * 100]
    )
    @pytest.mark.parametrize("place", ["artifactType", "annotation", "annotation's name", "unknown member"])
    def test_text_that_is_hard_to_keep_is_kept_exactly_or_refused(
        self, registry: RegistryClient, repository: str, text: str, place: str
    ) -> None:
        """Half of a surrogate pair and NUL are JSON, and neither UTF-8 nor what every database takes."""
        subject, kind = index(annotations={"never": "pushed"}), "TYPE" if place == "artifactType" else None
        made = artifact(kind, subject=subject, annotations={"NAME": "VALUE"})
        word = {"artifactType": "TYPE", "annotation": "VALUE", "annotation's name": "NAME", "unknown member": "{}"}[
            place
        ]
        wanted = f'{{"unknown": "{text}"}}' if word == "{}" else text
        document = made.manifest.decode()
        content = document.replace(word, wanted) if word != "{}" else document[:-1] + f', "x": {wanted}}}'
        registry.push_image(repository, made)
        answer = registry.push_manifest(repository, "odd", content.encode(), OCI_MANIFEST)
        if answer.status_code == 201:
            assert registry.manifest(repository, "odd").content == content.encode()
        else:
            assert is_refused(answer, 400, "MANIFEST_INVALID")
        listed = registry.referrers(repository, subject.digest)
        assert (listed.status_code, len(listed.json()["manifests"])) == (200, 2 if answer.status_code == 201 else 1)
