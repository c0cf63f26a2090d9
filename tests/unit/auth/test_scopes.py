"""Scopes are read as the specification writes them, and nothing that is not one survives."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.auth.scopes import MAX_NAME, MAX_SCOPES, MAX_TEXT, Scope, parse_scopes

names = st.from_regex(
    r"([a-z]{1,9}(:[0-9]{1,4})?/)?[a-z0-9]{1,5}([._-][a-z0-9]{1,5})?(/[a-z0-9]{1,5}){0,3}", fullmatch=True
)
actions = st.lists(st.sampled_from(["pull", "push", "delete", "*"]), min_size=1, unique=True).map(tuple)
scopes = st.builds(Scope, st.sampled_from(["repository", "registry", "repository(plugin)"]), names, actions)


@pytest.mark.parametrize(
    ("text", "scope"),
    [
        ("repository:samalba/my-app:pull,push", Scope("repository", "samalba/my-app", ("pull", "push"))),
        ("registry:catalog:*", Scope("registry", "catalog", ("*",))),
        ("repository:host:5000/foo:pull", Scope("repository", "host:5000/foo", ("pull",))),
        ("repository:Host.example:5000/foo:pull", Scope("repository", "Host.example:5000/foo", ("pull",))),
        ("repository:[::1]:5000/foo:pull", Scope("repository", "[::1]:5000/foo", ("pull",))),
        ("repository(plugin):a/b:pull", Scope("repository(plugin)", "a/b", ("pull",))),
        ("repository:a--b/c__d:pull,pull", Scope("repository", "a--b/c__d", ("pull",))),
    ],
)
def test_a_scope_is_read_in_its_three_parts(text: str, scope: Scope) -> None:
    assert parse_scopes(text) == (scope,)


@pytest.mark.parametrize(
    "text",
    [
        "", " ", ":",
        "::", "repository", "repository:a", "repository:a:", "repository::pull", ":a:pull", "repository:a:pull,",
        "Repository:a:pull", "repository:A:pull", "repository:a/:pull", "repository:/a:pull", "repository:a//b:pull",
        "repository:../a:pull", "repository:a:PULL", "repository:a:pull;push",
        'repository:a":pull', "repository:a\n:pull",
        "repository:a:pull\n",
        "repository:\ta:pull", "repository:é:pull", "repository:a:pull,**", "repository:*:pull",
        "repository:a\u2028:pull", "repository():a:pull", "repository:a:b:pull",
    ],
)  # fmt: skip
def test_what_is_not_a_scope_is_dropped(text: str) -> None:
    assert parse_scopes(text) == ()
    assert parse_scopes(f"{text} repository:good:pull") == (Scope("repository", "good", ("pull",)),)


def test_a_resource_named_twice_is_one_scope_with_all_its_actions() -> None:
    text = "repository:a:pull repository:b:pull repository:a:push,pull"
    assert list(map(str, parse_scopes(text))) == ["repository:a:pull,push", "repository:b:pull"]


def test_scopes_are_bounded_in_number_and_in_length() -> None:
    many = " ".join(f"repository:r{number}:pull" for number in range(MAX_SCOPES + 50))
    assert len(parse_scopes(many)) == MAX_SCOPES
    assert parse_scopes("repository:a:pull" + " " * MAX_TEXT) == ()
    assert parse_scopes(f"repository:{'a' * MAX_NAME}:pull")
    assert parse_scopes(f"repository:{'a' * (MAX_NAME + 1)}:pull") == ()


@pytest.mark.parametrize(
    ("type_", "name", "what"),
    [
        ("repository", "a", ()),
        ("repository", "a", ("pull", "pull")),
        ("repository", 'a"', ("pull",)),
        ("", "a", ("pull",)),
    ],
)
def test_a_wrong_scope_cannot_be_held(type_: str, name: str, what: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="not a scope"):
        Scope(type_, name, what)


@given(st.lists(scopes, max_size=8, unique_by=lambda scope: (scope.type, scope.name)))
def test_written_scopes_are_read_back(written: list[Scope]) -> None:
    assert parse_scopes(" ".join(map(str, written))) == tuple(written)


@given(st.text(st.sampled_from("repositoryregistry:/,*()[]. -_A09\n\0é"), max_size=60))
def test_any_text_reads_as_scopes_that_read_back_the_same(text: str) -> None:
    found = parse_scopes(text)
    assert parse_scopes(" ".join(map(str, found))) == found
    assert not set('"\\\r\n') & set("".join(map(str, found)))
