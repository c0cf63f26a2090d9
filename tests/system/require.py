"""What a machine must have for a test: said when it is missing, a failure when everything is required."""

import os
import shutil

import pytest


def require(condition: object, reason: str) -> None:
    """Skip the test for `reason` unless `condition` holds; with REQUIRE_ALL=1 the absence is a failure."""
    if condition:
        return
    if os.environ.get("REQUIRE_ALL") == "1":
        pytest.fail(f"required, because REQUIRE_ALL=1: {reason}")
    pytest.skip(reason)


def require_programs(*names: str) -> None:
    for name in names:
        require(shutil.which(name), f"the program {name} is not installed")


def require_root(purpose: str) -> None:
    require(os.geteuid() == 0, f"{purpose} needs root")
