"""What the specification says of every answer, and of every refusal."""

import re
from typing import Any

import httpx

# distribution-spec, Error Codes: the closed list.
CODES = frozenset(
    {
        "BLOB_UNKNOWN",
        "BLOB_UPLOAD_INVALID",
        "BLOB_UPLOAD_UNKNOWN",
        "DIGEST_INVALID",
        "MANIFEST_BLOB_UNKNOWN",
        "MANIFEST_INVALID",
        "MANIFEST_UNKNOWN",
        "NAME_INVALID",
        "NAME_UNKNOWN",
        "SIZE_INVALID",
        "UNAUTHORIZED",
        "DENIED",
        "UNSUPPORTED",
        "TOOMANYREQUESTS",
    }
)
NOT_COMPRESSED = {None, "", "identity"}
MOST_WARNINGS = 4096
_WARNING = re.compile(r'299 - "(?:[^"\\]|\\.)*"(?:, 299 - "(?:[^"\\]|\\.)*")*')


def keeps_every_promise(answer: httpx.Response) -> None:
    """A hook for clients: what no answer may break, whatever was asked."""
    asked = f"{answer.request.method} {answer.request.url}"
    assert answer.status_code < 500, f"{asked} answered {answer.status_code}: {answer.read()[:2000]!r}"
    if answer.request.url.path.startswith("/v2/"):
        # Field-notes, section 1: containerd offers encodings for blobs too, and no content may be encoded.
        assert answer.headers.get("content-encoding") in NOT_COMPRESSED, asked
        # distribution-spec, Error Codes: a 429 SHOULD include a Retry-After header.
        assert answer.status_code != 429 or answer.headers["retry-after"], asked
        _warnings_are_in_form(answer.headers.get_list("warning"))
        if answer.status_code >= 400 and answer.request.method != "HEAD":
            answer.read()
            codes_of(answer)


def codes_of(answer: httpx.Response) -> list[str]:
    """The codes of a refusal, whose JSON is in the form and of the list that the specification closes."""
    assert answer.headers["content-type"].partition(";")[0] == "application/json"
    body: dict[str, Any] = answer.json()
    assert body["errors"], body
    for error in body["errors"]:
        assert error["code"] in CODES, error
        assert isinstance(error.get("message", ""), str), error
    return [error["code"] for error in body["errors"]]


def is_refused(answer: httpx.Response, status: int | set[int], *codes: str) -> bool:
    """Assert one of the statuses, and of the refusal's codes that each is one of `codes`; true, to be asserted."""
    statuses = {status} if isinstance(status, int) else status
    assert answer.status_code in statuses, f"{answer.status_code}: {answer.text[:1000]}"
    assert set(codes_of(answer)) <= set(codes), answer.text[:1000]
    return True


def is_relative(location: str) -> bool:
    """Whether a `Location` names no scheme and no host, so that no proxy can make it wrong (field-notes, section 1)."""
    return location.startswith("/v2/")


def _warnings_are_in_form(warnings: list[str]) -> None:
    """distribution-spec, Warnings."""
    assert all(_WARNING.fullmatch(warning) for warning in warnings), warnings
    assert sum(map(len, warnings)) <= MOST_WARNINGS
