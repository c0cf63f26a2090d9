"""`client.registry`: what is pulled is what was asked for, and no list is without end."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from registry.client import listing
from registry.client.errors import Forbidden, Malformed, NotFound, Refused, Unanswered
from registry.client.registry import Registry
from registry.oci.digest import Digest
from registry.oci.names import RepositoryName, Tag, fallback_tag
from tests.support.elsewhere import Elsewhere, Reply, Seen, json_reply
from tests.support.images import DOCKER, OCI_INDEX, Pushable, artifact, digest_of, encode, index, tiny_image

APP = RepositoryName("team/app")
IMAGE = tiny_image("remote")
DIGEST = Digest.parse(IMAGE.digest)
LIMIT = 1 << 20

Client = Callable[..., Registry]


def manifest_path(reference: object) -> str:
    return f"/v2/{APP}/manifests/{reference}"


def test_a_manifest_comes_by_tag_and_by_digest(elsewhere: Elsewhere, client: Client) -> None:
    elsewhere.push(str(APP), IMAGE, "1")
    registry = client()
    by_tag, by_digest = registry.manifest(APP, Tag("1"), LIMIT), registry.manifest(APP, DIGEST, LIMIT)
    assert by_tag == by_digest
    assert (by_tag.digest, by_tag.content, by_tag.media_type) == (DIGEST, IMAGE.manifest, IMAGE.media_type)


def test_every_kind_of_manifest_is_accepted(elsewhere: Elsewhere, client: Client) -> None:
    images: list[Pushable] = [IMAGE, index(IMAGE), tiny_image("d", style=DOCKER), index(IMAGE, style=DOCKER)]
    for number, image in enumerate(images):
        elsewhere.push(str(APP), image, str(number))
        assert client().manifest(APP, Tag(str(number)), LIMIT).media_type == image.media_type
        assert image.media_type in elsewhere.seen[-1].headers["Accept"].split(", ")


def test_sha512_is_verified_as_such(elsewhere: Elsewhere, client: Client) -> None:
    image = tiny_image("wide", algorithm="sha512")
    elsewhere.push(str(APP), image, "1")
    assert str(client().manifest(APP, Tag("1"), LIMIT).digest) == image.digest
    assert client().manifest(APP, Digest.parse(image.digest), LIMIT).content == image.manifest


def test_a_registry_that_lies_about_a_digest_is_found_out(elsewhere: Elsewhere, client: Client) -> None:
    elsewhere.push(str(APP), IMAGE, "1")
    other = tiny_image("other")
    for reference in (Tag("1"), DIGEST):
        told = {"Docker-Content-Digest": str(DIGEST), "Content-Type": IMAGE.media_type}
        elsewhere.instead[manifest_path(reference)] = [Reply(200, other.manifest, told)]
        with pytest.raises(Malformed, match=f"{manifest_path(reference)}: is {other.digest}"):
            client().manifest(APP, reference, LIMIT)
    elsewhere.instead[manifest_path("1")] = [Reply(200, other.manifest, {"Docker-Content-Digest": "md5:0"})]
    with pytest.raises(Malformed, match="its digest is said to be md5:0"):
        client().manifest(APP, Tag("1"), LIMIT)


def test_without_its_digest_a_tag_means_what_came(elsewhere: Elsewhere, client: Client) -> None:
    elsewhere.always[manifest_path("1")] = Reply(200, IMAGE.manifest)
    assert client().manifest(APP, Tag("1"), LIMIT).digest == DIGEST


@pytest.mark.parametrize(
    ("told", "media_type"),
    [
        (f"{IMAGE.media_type}; charset=utf-8", IMAGE.media_type),
        ("Application/Vnd.Oci.Image.Manifest.V1+JSON", IMAGE.media_type),
        ("application/vnd.Example+json", "application/vnd.Example+json"),
        ("application/json", ""), ("application/octet-stream", ""), ("text/plain; charset=utf-8", ""), ("", ""),
    ],
)  # fmt: skip
def test_a_media_type_that_says_nothing_is_none(
    elsewhere: Elsewhere, client: Client, told: str, media_type: str
) -> None:
    elsewhere.always[manifest_path("1")] = Reply(200, IMAGE.manifest, {"Content-Type": told})
    assert client().manifest(APP, Tag("1"), LIMIT).media_type == media_type


def test_schema_1_is_named(elsewhere: Elsewhere, client: Client) -> None:
    told = {"Content-Type": "application/vnd.docker.distribution.manifest.v1+prettyjws", "Docker-Content-Digest": "?"}
    elsewhere.always[manifest_path("1")] = Reply(200, b"{}", told)
    with pytest.raises(Malformed, match="schema 1 is obsolete"):
        client().manifest(APP, Tag("1"), LIMIT)


def test_a_manifest_over_the_limit_is_not_read(elsewhere: Elsewhere, client: Client) -> None:
    elsewhere.push(str(APP), IMAGE, "1")
    with pytest.raises(Malformed, match=f"{manifest_path('1')}: it has more than 10 bytes"):
        client().manifest(APP, Tag("1"), 10)


@pytest.mark.parametrize(("status", "kind"), [(404, NotFound), (401, Forbidden), (403, Forbidden), (500, Refused)])
def test_a_refusal_has_the_registrys_words_and_no_more(
    elsewhere: Elsewhere, client: Client, status: int, kind: type[Refused]
) -> None:
    said = {"errors": [{"code": "DENIED", "message": "not\x1b[31m you" + "!" * 1_000}]}
    elsewhere.always[manifest_path("1")] = Reply(status, json.dumps(said).encode())
    with pytest.raises(kind, match=rf"{manifest_path('1')}: {status} DENIED: not\?\[31m you!+$") as told:
        client().manifest(APP, Tag("1"), LIMIT)
    assert told.value.status == status
    assert len(str(told.value)) < 300


def test_a_refusal_may_be_longer_than_what_was_asked_for(elsewhere: Elsewhere, client: Client) -> None:
    elsewhere.always[manifest_path("1")] = Reply(404, b"<html>" * 1_000)
    with pytest.raises(NotFound, match=f"{manifest_path('1')}: 404$"):
        client().manifest(APP, Tag("1"), 100)


def test_a_catalog_is_read_to_its_last_page(elsewhere: Elsewhere, client: Client) -> None:
    names = [f"repository/{number}" for number in range(7)]

    def paged(seen: Seen) -> Reply | None:
        if seen.path != "/v2/_catalog":
            return None
        start = int(seen.parameters.get("last", ["0"])[0])
        page = names[start : start + 3]
        link = {"Link": f'</v2/_catalog?last={start + 3}&n=3>; rel="next"'} if start + 3 < len(names) else {}
        return json_reply({"repositories": page}, **link)

    elsewhere.before = paged
    assert list(client().catalog()) == names


def test_tags_may_be_none(elsewhere: Elsewhere, client: Client) -> None:
    elsewhere.tags["team/app"] = {}
    assert list(client().tags(APP)) == []
    with pytest.raises(NotFound, match="/v2/other/tags/list: 404 NAME_UNKNOWN: name_unknown here"):
        list(client().tags(RepositoryName("other")))


def test_a_registry_that_gives_no_page_that_long_is_asked_for_its_own(elsewhere: Elsewhere, client: Client) -> None:
    elsewhere.push(str(APP), IMAGE, "1")
    elsewhere.before = lambda seen: Reply(400) if seen.parameters.get("n") else None
    assert list(client().tags(APP)) == ["1"]
    elsewhere.before = lambda seen: Reply(400)
    with pytest.raises(Refused, match="400"):
        list(client().tags(APP))


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"tags": "a"}', b'{"tags": [1]}', b"[" * 100_000])
def test_a_page_that_is_none_is_refused(elsewhere: Elsewhere, client: Client, body: bytes) -> None:
    elsewhere.always["/v2/team/app/tags/list"] = Reply(200, body)
    with pytest.raises(Malformed, match="/v2/team/app/tags/list: "):
        list(client().tags(APP))


def test_pages_that_go_in_a_circle_are_left(elsewhere: Elsewhere, client: Client) -> None:
    elsewhere.always["/v2/_catalog"] = json_reply({"repositories": ["a"]}, Link='</v2/_catalog?last=a>; rel="next"')
    with pytest.raises(Malformed, match="its pages come to no end"):
        list(client().catalog())
    assert len(elsewhere.seen) == 3


def test_a_list_without_end_has_one(elsewhere: Elsewhere, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def endless(seen: Seen) -> Reply | None:
        number = int(seen.parameters.get("last", ["0"])[0]) + 1
        link = f'</v2/_catalog?last={number}>; rel="next"'
        return json_reply({"repositories": [f"a{number}"]}, Link=link) if "_catalog" in seen.path else None

    elsewhere.before = endless
    monkeypatch.setattr(listing, "_MOST_PAGES", 20)
    with pytest.raises(Malformed, match="its pages come to no end"):
        list(client().catalog())
    monkeypatch.setattr(listing, "_MOST_ENTRIES", 10)
    with pytest.raises(Malformed, match="lists more than 10 entries"):
        list(client().catalog())


def test_a_link_to_another_host_is_not_followed(elsewhere: Elsewhere, client: Client) -> None:
    elsewhere.always["/v2/_catalog"] = json_reply({"repositories": []}, Link='<http://evil.test/v2/>; rel="next"')
    with pytest.raises(Malformed, match=r"which is not of this registry"):
        list(client().catalog())


def test_referrers_come_from_the_api(elsewhere: Elsewhere, client: Client) -> None:
    signature = artifact(subject=IMAGE)
    elsewhere.push(str(APP), IMAGE)
    elsewhere.push(str(APP), signature)
    assert [str(each) for each in client().referrers(APP, DIGEST, LIMIT)] == [signature.digest]
    assert client().referrers_by_api(APP, Digest.of(b"nobody")) == []


def test_or_from_the_tag_that_stands_in_for_it(elsewhere: Elsewhere, client: Client) -> None:
    signature = artifact(subject=IMAGE)
    elsewhere.has_referrers = False
    elsewhere.push(str(APP), index(signature), str(fallback_tag(DIGEST)))
    assert [str(each) for each in client().referrers(APP, DIGEST, LIMIT)] == [signature.digest]
    assert client().referrers(APP, Digest.of(b"nobody"), LIMIT) == []
    assert client().referrers_by_api(APP, DIGEST) is None


@pytest.mark.parametrize("status", [400, 405, 406])
def test_a_registry_that_does_not_know_the_api_has_none(elsewhere: Elsewhere, client: Client, status: int) -> None:
    elsewhere.always[f"/v2/{APP}/referrers/{DIGEST}"] = Reply(status)
    assert client().referrers_by_api(APP, DIGEST) is None
    elsewhere.always[f"/v2/{APP}/referrers/{DIGEST}"] = Reply(403)
    with pytest.raises(Forbidden):
        client().referrers_by_api(APP, DIGEST)


@pytest.mark.parametrize("listed", [[1], [{}], [{"digest": "sha256:x"}], [{"digest": 5}], 5])
def test_a_list_of_referrers_holds_descriptors(elsewhere: Elsewhere, client: Client, listed: object) -> None:
    target = f"/v2/{APP}/referrers/{DIGEST}"
    elsewhere.always[target] = Reply(200, encode({"manifests": listed}), {"Content-Type": OCI_INDEX})
    with pytest.raises(Malformed, match="lists something that is not a descriptor"):
        client().referrers_by_api(APP, DIGEST)


def test_a_registry_answers_as_long_as_it_says_anything(elsewhere: Elsewhere, client: Client) -> None:
    registry = client()
    for status in (200, 401, 404, 500):
        elsewhere.always["/v2/"] = Reply(status)
        assert registry.answers()
    elsewhere.always["/v2/"] = Reply(503)
    assert not registry.answers()
    with pytest.raises(Unanswered):
        list(registry.catalog())


def test_the_digest_of_a_blob_is_left_to_its_reader(elsewhere: Elsewhere, client: Client) -> None:
    elsewhere.blobs[str(APP), digest_of(b"true")] = b"lies"
    assert b"".join(client().blob(APP, Digest.of(b"true"), 4)) == b"lies"
