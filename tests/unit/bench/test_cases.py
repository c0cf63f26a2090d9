"""The table of cases."""

import pytest

from tests.bench.cases import all_cases, chosen


def test_every_case_has_a_name_of_its_own() -> None:
    names = [case.name for case in all_cases((8, 64))]

    assert len(names) == len(set(names))


def test_requests_come_at_every_number_of_connections() -> None:
    names = {case.name for case in all_cases((1, 2, 3))}

    for kind in ("manifest-get-tag", "manifest-get-digest", "manifest-head", "blob-head"):
        assert {f"{kind}-{connections}" for connections in (1, 2, 3)} <= names


def test_cases_are_chosen_by_how_their_names_begin() -> None:
    names = [case.name for case in chosen(all_cases((8,)), ["push-streamed", "tag-page"])]

    assert names == ["push-streamed-1", "push-streamed-4", "tag-page"]


def test_all_cases_are_chosen_when_none_is_named() -> None:
    cases = all_cases((8, 64))

    assert chosen(cases, []) == cases


def test_an_unknown_name_is_answered_with_those_there_are() -> None:
    with pytest.raises(ValueError, match="no case is called speed; there are: manifest-get-tag-8, "):
        chosen(all_cases((8,)), ["speed"])
