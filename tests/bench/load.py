"""Drive a flow at a registry: by `wrk` where it can, by our own client where it cannot or is not there."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from dataclasses import dataclass

from tests.bench.children import in_child
from tests.bench.flows import Flow, conversation
from tests.bench.swarm import converse
from tests.bench.target import Target, WrongAnswer

HEADERS_AT_MOST = 2048  # bytes of head that no answer we time exceeds
SUMMARY = """done = function(summary)
  local errors = summary.errors
  io.write(string.format('SUMMARY {"requests": %d, "bytes": %d, "seconds": %.6f, "refused": %d, "broken": %d}\\n',
    summary.requests, summary.bytes, summary.duration / 1e6, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout))
end
"""


@dataclass(frozen=True, slots=True)
class Sample:
    """So many units of work in so many seconds."""

    units: float
    seconds: float

    @property
    def rate(self) -> float:
        return self.units / self.seconds


@dataclass(frozen=True, slots=True)
class Summary:
    """What a run of `wrk` tells at its end: `refused` answers were over 399, `broken` connections failed or waited."""

    requests: int
    bytes: int
    seconds: float
    refused: int
    broken: int


def drive(target: Target, flow: Flow, connections: int, seconds: int) -> Sample:
    """Keep `connections` busy for about `seconds`. Raises: WrongAnswer."""
    if flow.method != "HEAD" and (wrk := shutil.which("wrk")):
        return by_wrk(wrk, target, flow, connections, seconds)
    return by_ourselves(target, flow, connections, seconds)


def by_ourselves(target: Target, flow: Flow, connections: int, seconds: float) -> Sample:
    """By a swarm in one process."""
    talks = [conversation(flow, target) for _ in range(connections)]
    tally = in_child(lambda: converse(target, talks, seconds))
    return Sample(tally.answers, tally.ended - tally.began)


def by_wrk(wrk: str, target: Target, flow: Flow, connections: int, seconds: int) -> Sample:
    """By `wrk` with one thread and a script."""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as file:
        file.write(script(target, flow))
        file.flush()
        bounds = ["-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "60s"]
        url = f"http://{target.host}:{target.port}{flow.path}"
        ran = subprocess.run([wrk, *bounds, "-s", file.name, url], capture_output=True, text=True, check=False)
    summary = parse_summary(ran.stdout + ran.stderr)
    check(summary, target, flow)
    return Sample(summary.requests, summary.seconds)


def script(target: Target, flow: Flow) -> str:
    """The whole Lua script."""
    headers = "".join(
        f"wrk.headers[{json.dumps(name)}] = {json.dumps(value)}\n" for name, value in target.headers.items()
    )
    return headers + flow.lua() + SUMMARY


def parse_summary(output: str) -> Summary:
    """From all that `wrk` printed. Raises: WrongAnswer, with that."""
    for line in output.splitlines():
        if line.startswith("SUMMARY "):
            return Summary(**json.loads(line.removeprefix("SUMMARY ")))
    raise WrongAnswer(f"wrk told no summary: {output[-500:]}")


def check(summary: Summary, target: Target, flow: Flow) -> None:
    """That every answer was a good one and as long as it must be, as far as sums can tell. Raises: WrongAnswer."""
    wrong = ""
    if summary.refused or summary.broken:
        wrong = f"{summary.refused} answers refused, {summary.broken} connections broken"
    elif not summary.requests:
        wrong = "not one answer"
    elif not flow.length <= summary.bytes / summary.requests <= flow.length + HEADERS_AT_MOST:
        wrong = f"{summary.bytes / summary.requests:.0f} bytes an answer where the body has {flow.length}"
    if wrong:
        raise WrongAnswer(f"{target.label}: {flow.method} {flow.path}: {wrong}")
