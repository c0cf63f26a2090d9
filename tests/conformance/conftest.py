"""Fixtures of the conformance tests: a registry in each transport and each mode, and a name that no other test uses."""

import itertools
import os
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.conformance.deployments import TRANSPORTS, Deployment, Deployments, Standing
from tests.support.client import RegistryClient
from tests.support.evidence import pytest_runtest_makereport, pytest_runtest_setup
from tests.support.images import TinyImage, TinyIndex, index, tiny_image
from tests.support.s3 import s3_server

__all__ = ["pytest_runtest_makereport", "pytest_runtest_setup", "s3_server"]

MODES = ("open", "admin")
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def deployments(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployments]:
    """Every registry of this session; started on demand, ended together."""
    with ExitStack() as stack:
        yield Deployments(tmp_path_factory.mktemp("registries"), stack, lambda: request.getfixturevalue("s3_server"))


@pytest.fixture(scope="session", params=itertools.product(TRANSPORTS, MODES), ids=", ".join)
def deployment(request: pytest.FixtureRequest, deployments: Deployments) -> Deployment:
    """Each transport, open and with authentication."""
    transport, mode = request.param
    return deployments.get(transport, **({"open": True} if mode == "open" else {}))


@pytest.fixture(scope="session")
def registry(deployment: Deployment) -> RegistryClient:
    """A caller who may do everything."""
    return deployment.client()


@pytest.fixture(scope="session", params=TRANSPORTS)
def guarded(request: pytest.FixtureRequest, deployments: Deployments) -> Deployment:
    """Each transport, with authentication."""
    return deployments.get(request.param)


@pytest.fixture(scope="session", params=TRANSPORTS)
def sparse_registry(request: pytest.FixtureRequest, deployments: Deployments) -> RegistryClient:
    """A registry that takes manifests before their content."""
    return deployments.get(request.param, open=True, sparse=True).client()


@pytest.fixture(scope="session", params=TRANSPORTS)
def public(request: pytest.FixtureRequest, deployments: Deployments) -> Deployment:
    """Each transport, with authentication, and everybody may pull."""
    return deployments.get(request.param, anonymous_pull=True)


@pytest.fixture
def private(guarded: Deployment, repository: str) -> TinyImage:
    """An image pushed as `repository:v1`."""
    made = tiny_image(repository)
    guarded.client().push_image(repository, made, "v1")
    return made


@pytest.fixture
def repository() -> str:
    """A repository that does not exist yet."""
    return f"conformance/p{os.getpid()}-{next(_numbers)}"


@pytest.fixture
def other_repository(repository: str) -> str:
    """A second one."""
    return f"{repository}-other"


@pytest.fixture
def image(registry: RegistryClient, repository: str) -> TinyImage:
    """An image pushed as `repository:v1`, for this test alone."""
    made = tiny_image(repository)
    registry.push_image(repository, made, "v1")
    return made


@pytest.fixture
def pushed(registry: RegistryClient, repository: str) -> TinyIndex:
    """The smallest manifest there is, pushed as `repository:v1`, where its content does not matter."""
    made = index(annotations={"made for": repository})
    registry.push_image(repository, made, "v1")
    return made


@pytest.fixture(scope="session")
def standing(registry: RegistryClient) -> Standing:
    """An image that tests only read, pushed once."""
    made = Standing(f"conformance/standing-p{os.getpid()}", tiny_image("standing", layers=2))
    registry.push_image(made.repository, made.image, "v1")
    return made
