"""The one table of errors: complete, and in the specification's words."""

from __future__ import annotations

import re

import pytest

from registry.oci import errors
from registry.oci.errors import ErrorCode, RegistryError

ERRORS = [
    each
    for each in vars(errors).values()
    if isinstance(each, type) and issubclass(each, RegistryError) and each is not RegistryError
]
# distribution-spec, Error Codes: code-1 to code-14, the whole list.
SPECIFIED = """
    BLOB_UNKNOWN BLOB_UPLOAD_INVALID BLOB_UPLOAD_UNKNOWN DIGEST_INVALID MANIFEST_BLOB_UNKNOWN MANIFEST_INVALID
    MANIFEST_UNKNOWN NAME_INVALID NAME_UNKNOWN SIZE_INVALID UNAUTHORIZED DENIED UNSUPPORTED TOOMANYREQUESTS
"""


def test_the_codes_are_the_closed_list_of_the_specification() -> None:
    # It is closed for what the client did wrong; what we fail at has a code of its own.
    assert {each.code for each in ERRORS if each.status < 500} == set(SPECIFIED.split())
    assert set(ErrorCode) - set(SPECIFIED.split()) == {ErrorCode.UNAVAILABLE}


def test_every_code_has_an_error() -> None:
    assert {each.code for each in ERRORS} == set(ErrorCode)


@pytest.mark.parametrize("error", ERRORS)
def test_an_error_says_its_own_code_status_and_message(error: type[RegistryError]) -> None:
    assert {"code", "status", "message"} <= vars(error).keys()
    assert isinstance(error.code, ErrorCode)
    assert 400 <= error.status < 600


@pytest.mark.parametrize("error", ERRORS)
def test_a_message_is_lower_case_without_a_final_stop(error: type[RegistryError]) -> None:
    words = error.message.replace("If-Match", "").replace("If-None-Match", "")
    assert words == words.lower()
    assert re.search(r"[a-z]\Z", words)


@pytest.mark.parametrize("error", ERRORS)
def test_the_detail_is_what_it_was_raised_with(error: type[RegistryError]) -> None:
    raised = error(digest="sha256:x", limit=3)
    assert raised.detail == {"digest": "sha256:x", "limit": 3}
    assert error.message in str(raised)


def test_two_errors_of_one_code_and_status_say_different_things() -> None:
    rows = [(each.code, each.status, each.message) for each in ERRORS]
    assert len(rows) == len(set(rows))
