"""What `wrk` is told, what it tells, and when that is a failure."""

import json

import pytest

from tests.bench.flows import NewTags, Ranges, Same
from tests.bench.load import Summary, check, parse_summary, script
from tests.bench.target import Target, WrongAnswer

TARGET = Target("peer", "127.0.0.1", 5000, authorization="Basic eDp5")
GOOD = Summary(requests=10, bytes=10 * 4500, seconds=1.0, refused=0, broken=0)
FLOW = Same("GET", "/v2/a/blobs/sha256:0", 4096)


def test_the_summary_is_found_among_what_wrk_prints() -> None:
    line = 'SUMMARY {"requests": 10, "bytes": 45000, "seconds": 1.000000, "refused": 0, "broken": 0}'

    assert parse_summary(f"Running 1s test\n  1 threads\n{line}\nTransfer/sec: 1MB\n") == GOOD


def test_a_run_without_a_summary_tells_what_wrk_said() -> None:
    with pytest.raises(WrongAnswer, match="unable to connect"):
        parse_summary("unable to connect to 127.0.0.1:1 Connection refused\n")


def test_good_sums_pass() -> None:
    check(GOOD, TARGET, FLOW)


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (Summary(10, 45_000, 1.0, refused=1, broken=0), "1 answers refused"),
        (Summary(10, 45_000, 1.0, refused=0, broken=2), "2 connections broken"),
        (Summary(0, 0, 1.0, refused=0, broken=0), "not one answer"),
        (Summary(10, 10 * 300, 1.0, refused=0, broken=0), "300 bytes an answer"),
        (Summary(10, 10 * 64_000_000, 1.0, refused=0, broken=0), "64000000 bytes an answer"),
    ],
)
def test_sums_that_cannot_be_right_end_the_run(bad: Summary, words: str) -> None:
    with pytest.raises(WrongAnswer, match=words):
        check(bad, TARGET, FLOW)


def test_a_script_carries_the_credential_and_the_method() -> None:
    lines = script(TARGET, Same("DELETE", "/", 0, {"Accept": "a/b"})).splitlines()

    assert {'wrk.headers["Authorization"] = "Basic eDp5"', 'wrk.method = "DELETE"'} <= set(lines)
    assert 'wrk.headers["Accept"] = "a/b"' in lines


def test_ranges_stay_within_the_blob() -> None:
    flow = Ranges("/blob", 10_000, 4096)

    assert "math.random(0, 5904)" in flow.lua()
    asked = flow.requests(TARGET)
    for _ in range(200):
        _, _, value = next(asked).decode().partition("Range: bytes=")
        first, last = map(int, value.split()[0].split("-"))
        assert last - first == 4095
        assert 0 <= first <= last < 10_000


def test_every_manifest_and_every_tag_is_new() -> None:
    flow = NewTags("/v2/a/manifests/run-", '{"number": "', '"}')

    asked, also = flow.requests(TARGET), flow.requests(TARGET)
    texts = [next(asked), next(also), next(asked)]
    heads, _, bodies = zip(*(text.decode().partition("\r\n\r\n") for text in texts), strict=True)
    assert [head.split()[1] for head in heads] == [f"/v2/a/manifests/run-{number}" for number in range(3)]
    assert [json.loads(body) for body in bodies] == [{"number": str(number)} for number in range(3)]
    assert [f"Content-Length: {len(body)}" in head for head, body in zip(heads, bodies, strict=True)] == [True] * 3
