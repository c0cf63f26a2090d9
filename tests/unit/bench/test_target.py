"""Addresses, requests and answers."""

import pytest

from tests.bench.target import Answer, Target, WrongAnswer, location_of


def test_an_address_may_hold_a_credential() -> None:
    target = Target.parse("http://admin:s%40cret@localhost:5001/")

    assert (target.host, target.port, target.label) == ("localhost", 5001, "localhost:5001")
    assert target.headers["Authorization"] == "Basic YWRtaW46c0BjcmV0"


@pytest.mark.parametrize("url", ["https://localhost", "localhost:5000", "http://", "http://localhost/v2/a"])
def test_what_is_no_plain_address_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="not a plain http address"):
        Target.parse(url)


def test_a_rendered_request_tells_its_length() -> None:
    target = Target("peer", "127.0.0.1", 5000)

    assert target.render("PUT", "/p", {"A": "b"}, b"xy") == (
        b"PUT /p HTTP/1.1\r\nHost: 127.0.0.1:5000\r\nA: b\r\nContent-Length: 2\r\n\r\nxy"
    )
    assert b"Content-Length: 0" in target.render("POST", "/p")
    assert b"Content-Length" not in target.render("GET", "/p")


@pytest.mark.parametrize(
    ("location", "path"),
    [
        ("/v2/a/blobs/uploads/1", "/v2/a/blobs/uploads/1?digest=d"),
        ("http://host:1/v2/a/blobs/uploads/1?_state=x%3D", "/v2/a/blobs/uploads/1?_state=x%3D&digest=d"),
    ],
)
def test_an_upload_is_closed_where_the_registry_said(location: str, path: str) -> None:
    assert location_of(Answer(202, b"HTTP/1.1 202 Accepted\r\nlocation: " + location.encode()), "d") == path


def test_an_answer_that_says_not_where_to_go_on_is_wrong() -> None:
    with pytest.raises(WrongAnswer, match="no location in an answer of 202"):
        location_of(Answer(202, b"HTTP/1.1 202 Accepted"))


def test_an_unexpected_status_tells_the_error_of_the_registry() -> None:
    with pytest.raises(WrongAnswer, match=r"PUT: expected 201, got 404 .*NAME_UNKNOWN"):
        Answer(404, b"", b'{"errors":[{"code":"NAME_UNKNOWN"}]}').expect(201, "PUT")
