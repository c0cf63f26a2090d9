"""What the servers said, beside a failing test.

A `conftest.py` takes the two hooks in by name:

    from tests.support.evidence import pytest_runtest_makereport, pytest_runtest_setup
"""

from collections.abc import Generator

import pytest

from tests.support.server import RunningServer, known_servers

MOST_SHOWN = 8_000
_said_before = pytest.StashKey[dict[str, int]]()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Remember where each log ends, so that a failure shows only what this test caused."""
    item.stash[_said_before] = {str(server.log): _length(server) for server in known_servers()}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add a section per server that printed something since the test began."""
    report = yield
    if report.failed:
        before = item.stash.get(_said_before, {})
        for server in known_servers():
            said = server.output(since=before.get(str(server.log), 0))
            if said:
                report.sections.append((f"server {server.url}", said[-MOST_SHOWN:]))
    return report


def _length(server: RunningServer) -> int:
    return server.log.stat().st_size if server.log.exists() else 0
