"""What holds for every test: a skip tells its reason, and with REQUIRE_ALL=1 it is a failure; no property is timed.

What is logged goes to the log: else it would be printed, into the output of whichever command is tested just then.
"""

from __future__ import annotations

import os
from collections.abc import Generator

import pytest
import structlog
from hypothesis import HealthCheck, settings

# A slow machine is no defect. In CI the same examples come each time, so that a red run can be repeated.
settings.register_profile(
    "entrepot", deadline=None, derandomize="CI" in os.environ, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("entrepot")
structlog.configure(
    processors=[structlog.stdlib.add_log_level, structlog.stdlib.render_to_log_kwargs],
    logger_factory=structlog.stdlib.LoggerFactory(),
)

REQUIRE_ALL = os.environ.get("REQUIRE_ALL", "") not in {"", "0"}


def _refuse_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Make a skip a failure that keeps its reason; an expected failure stays what it is."""
    if not REQUIRE_ALL or report.outcome != "skipped" or hasattr(report, "wasxfail"):
        return
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
    report.outcome = "failed"
    report.longrepr = f"REQUIRE_ALL=1 allows no skip: {reason}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Every phase of every test passes here, whatever skipped it."""
    report = yield
    _refuse_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """A whole module that skips itself (`importorskip`) is never collected and would otherwise not be missed."""
    report = yield
    _refuse_skip(report)
    return report


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test that needs root says so by its marker, and skips without."""
    if os.geteuid() == 0:
        return
    for item in items:
        if item.get_closest_marker("root"):
            item.add_marker(pytest.mark.skip(reason="needs root"))
