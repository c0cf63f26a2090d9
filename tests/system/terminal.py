"""A command typed at a terminal, by somebody who answers what it asks."""

import os
import pty
import select
import subprocess
import time
from collections.abc import Mapping

PATIENCE = 120.0


def typed(line: str, environment: Mapping[str, str], answers: Mapping[str, str]) -> tuple[int, str]:
    """Run a shell line; whenever its output ends with a key of `answers`, type the value. Exit status and output."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        ("sh", "-c", line), stdin=theirs, stdout=theirs, stderr=theirs, env=dict(environment), start_new_session=True
    )
    os.close(theirs)
    try:
        said = _converse(ours, answers)
        return process.wait(PATIENCE), said
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def _converse(terminal: int, answers: Mapping[str, str]) -> str:
    said, deadline = "", time.monotonic() + PATIENCE
    while select.select([terminal], [], [], max(0.0, deadline - time.monotonic()))[0]:
        try:
            data = os.read(terminal, 65_536)
        except OSError:  # a terminal that its last user has closed says so by EIO
            return said
        said += data.decode(errors="replace")
        for question, answer in answers.items():
            # Once: a line that has ended was answered already.
            if said.rstrip(" ").endswith(question):
                os.write(terminal, f"{answer}\n".encode())
    raise AssertionError(f"still waiting after {PATIENCE:.0f} s: {said}")
