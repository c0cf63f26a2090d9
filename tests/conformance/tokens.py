"""Asking for tokens, and sending one come what may."""

from collections.abc import Generator, Mapping

import httpx

from tests.conformance.deployments import ADMIN, Deployment
from tests.support.client import RegistryClient

SERVICE = "entrepot"
NO_FIELDS: Mapping[str, str] = {}


class Bearer(httpx.Auth):
    """One token, come what may."""

    def __init__(self, token: str) -> None:
        self._token = token

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Send it."""
        request.headers["Authorization"] = f"Bearer {self._token}"
        yield request


def get_token(
    deployment: Deployment, *scopes: str, login: tuple[str, str] | None = ADMIN, service: str = SERVICE
) -> httpx.Response:
    """`GET /token`, with a scope parameter for each scope."""
    client = deployment.connect(httpx.BasicAuth(*login) if login else None)
    return client.get("/token", params={"service": service, "scope": list(scopes), "account": "admin"})


def post_token(
    deployment: Deployment, scope: str, login: tuple[str, str] = ADMIN, fields: Mapping[str, str] = NO_FIELDS
) -> httpx.Response:
    """`POST /token`, as containerd does it first."""
    form = {"grant_type": "password", "service": SERVICE, "client_id": "tests", "scope": scope}
    named = {"username": login[0], "password": login[1]}
    return deployment.connect(None).post("/token", data={**form, **named, **fields})


def caller(deployment: Deployment, answer: httpx.Response) -> RegistryClient:
    """Whoever holds the token of an answer."""
    assert answer.status_code == 200, answer.text
    return RegistryClient(deployment.connect(Bearer(answer.json()["token"])))
