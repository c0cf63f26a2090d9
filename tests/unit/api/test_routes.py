"""The one table: complete, documented, and read from a path's right end."""

from __future__ import annotations

import inspect
import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from registry.api.routes import BY_ENDPOINT, PREFIX, ROUTES, Endpoint, Route, locate
from registry.core.rights import Right
from registry.oci.names import RepositoryName

# distribution-spec, Endpoints: method and path of end-1 to end-14, less their query; `GET / HEAD` are two rows here.
SPECIFIED = """
end-1 GET | end-2 GET BLOB | end-2 HEAD BLOB | end-3 GET MANIFEST | end-3 HEAD MANIFEST | end-4 POST UPLOADS
end-5 PATCH UPLOAD | end-6 PUT UPLOAD | end-7 PUT MANIFEST | end-8 GET TAGS | end-9 DELETE MANIFEST
end-10 DELETE BLOB | end-11 POST UPLOADS | end-12 GET REFERRERS | end-13 GET UPLOAD | end-14 DELETE UPLOAD
"""
WORDS = ["manifests", "blobs", "uploads", "tags", "list", "referrers", "v2", "catalog", "a", "b0", "x.y", "x_z", "q--r"]
names = st.lists(st.sampled_from(WORDS), min_size=1, max_size=6).map("/".join)
# What may stand last: tags and digests hold no slash, and the id of a session is ours.
lasts = st.from_regex(r"[a-zA-Z0-9_][a-zA-Z0-9._:-]{0,20}", fullmatch=True) | st.sampled_from(WORDS)
VARIABLE = [each for each in Endpoint if "<name>" in each.value]


def path_of(endpoint: Endpoint, name: str, last: str) -> str:
    return PREFIX + re.sub(r"<(?!name)[^>]+>", lambda _: last, endpoint.value).replace("<name>", name)


def test_every_endpoint_of_the_specification_has_its_row() -> None:
    specified = {tuple(each.split()) for each in re.split(r"[|\n]", SPECIFIED) if each.strip()}
    rows = {(end, each.method, each.endpoint.name) for each in ROUTES for end in each.end.split(", ")}
    assert {row for row in rows if row[0].startswith("end-")} == {(*row, "BASE")[:3] for row in specified}


def test_every_endpoint_has_a_row_and_no_row_is_there_twice() -> None:
    assert {each.endpoint for each in ROUTES} == set(Endpoint)
    rows = [(each.endpoint, each.method) for each in ROUTES]
    assert len(rows) == len(set(rows))


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.endpoint.name}")
def test_every_row_is_reached_by_its_path(route: Route) -> None:
    located = locate(path_of(route.endpoint, "team/app", "last"))
    assert located is not None
    assert located[0] is route.endpoint
    assert BY_ENDPOINT[located[0]][route.method] is route


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.endpoint.name}")
def test_every_row_demands_its_rights(route: Route) -> None:
    reads = route.method in {"GET", "HEAD"} and route.endpoint is not Endpoint.UPLOAD
    if route.endpoint is Endpoint.BASE:
        # Its handler asks for a name, and for nothing more.
        expected: tuple[Right, ...] = ()
    elif route.endpoint is Endpoint.CATALOG:
        expected = (Right.CATALOG,)
    elif route.method == "DELETE" and route.endpoint is not Endpoint.UPLOAD:
        expected = (Right.DELETE,)
    else:
        expected = (Right.PULL,) if reads else (Right.PULL, Right.PUSH)
    assert route.rights == expected


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.endpoint.name}")
def test_every_handler_is_documented_and_asynchronous(route: Route) -> None:
    assert inspect.getdoc(route.handler)
    assert inspect.iscoroutinefunction(route.handler)


@pytest.mark.parametrize("endpoint", Endpoint)
def test_whatever_can_be_read_can_be_asked_for_its_head(endpoint: Endpoint) -> None:
    assert ("HEAD" in BY_ENDPOINT[endpoint]) is ("GET" in BY_ENDPOINT[endpoint])


@given(st.sampled_from(VARIABLE), names, lasts)
def test_a_name_may_hold_the_words_of_any_endpoint(endpoint: Endpoint, name: str, last: str) -> None:
    # No digest is called so, and no repository can tell.
    assume(not (endpoint is Endpoint.BLOB and last == "uploads"))
    has_last = endpoint not in {Endpoint.TAGS, Endpoint.UPLOADS}
    located = locate(path_of(endpoint, name, last))
    assert located is not None
    assert located[:2] == (endpoint, name)
    assert str(RepositoryName.parse(located[1])) == name
    if has_last:
        assert located[2] == last


@pytest.mark.parametrize(
    ("path", "endpoint", "name"),
    [
        ("/v2/", Endpoint.BASE, ""),
        ("/v2/_catalog", Endpoint.CATALOG, ""),
        ("/v2/a/blobs/uploads", Endpoint.UPLOADS, "a"),
        ("/v2/a/blobs/uploads/", Endpoint.UPLOADS, "a"),
        ("/v2/a/tags/list/manifests/latest", Endpoint.MANIFEST, "a/tags/list"),
        ("/v2/a/tags/list/tags/list", Endpoint.TAGS, "a/tags/list"),
        ("/v2/a/blobs/uploads/blobs/uploads/", Endpoint.UPLOADS, "a/blobs/uploads"),
        ("/v2/a/manifests/list", Endpoint.MANIFEST, "a"),
    ],
)
def test_some_paths_and_what_they_name(path: str, endpoint: Endpoint, name: str) -> None:
    located = locate(path)
    assert located is not None
    assert located[:2] == (endpoint, name)


@pytest.mark.parametrize(
    "rest",
    [
        *("a", "a/b", "a/tags", "a/tags/", "a/tags/lists", "tags/list", "manifests/x", "a/_catalog", "_catalog/"),
        *("/", "blobs/uploads/", "a/tags/list/"),
    ],
)
def test_every_other_path_names_nothing(rest: str) -> None:
    assert locate(PREFIX + rest) is None


@given(st.text("/abv2_.-%", max_size=30))
def test_no_path_does_harm(path: str) -> None:
    located = locate(PREFIX + path)
    assert located is None or located[0] in Endpoint
