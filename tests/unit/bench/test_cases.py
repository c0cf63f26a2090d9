"""The table of cases."""

import pytest

from tests.bench.cases import cases_of, chosen, folder_cases
from tests.bench.scenes import FOLDER, REDIRECT, S3


@pytest.mark.parametrize("scene", [FOLDER, S3, REDIRECT])
def test_every_case_of_a_scene_has_a_name_of_its_own(scene: str) -> None:
    names = [case.name for case in cases_of(scene, (8, 64))]

    assert len(names) == len(set(names))


def test_requests_come_at_every_number_of_connections() -> None:
    names = {case.name for case in folder_cases((1, 2, 3))}

    for kind in ("manifest-get-tag", "manifest-get-digest", "manifest-head", "blob-head"):
        assert {f"{kind}-{connections}" for connections in (1, 2, 3)} <= names


def test_cases_are_chosen_by_how_their_names_begin() -> None:
    names = [case.name for case in chosen(folder_cases((8,)), ["push-streamed", "tag-page"])]

    assert names == ["push-streamed-1", "push-streamed-4", "tag-page"]


def test_folder_cases_are_chosen_when_none_is_named() -> None:
    cases = folder_cases((8, 64))

    assert chosen(cases, []) == cases


def test_an_unknown_name_is_answered_with_those_there_are() -> None:
    with pytest.raises(ValueError, match="no case is called speed; there are: manifest-get-tag-8, "):
        chosen(folder_cases((8,)), ["speed"])
