"""How a client authenticates: it asks, is challenged, fetches a token, and asks again."""

import re
from collections.abc import Generator
from dataclasses import dataclass

import httpx

_PARAMETER = re.compile(r'(\w+)="([^"]*)"')
_REPOSITORY = re.compile(r"/v2/(.+)/(?:manifests|blobs|tags|referrers)/")


@dataclass(frozen=True, slots=True)
class Challenge:
    """One `WWW-Authenticate` header."""

    scheme: str
    parameters: dict[str, str]

    @classmethod
    def of(cls, response: httpx.Response) -> "Challenge":
        """The challenge of a 401."""
        scheme, _, parameters = response.headers["www-authenticate"].partition(" ")
        return cls(scheme, dict(_PARAMETER.findall(parameters)))

    @property
    def scopes(self) -> frozenset[str]:
        """What a token must cover; several are written in one parameter, with spaces between them."""
        return frozenset(self.parameters.get("scope", "").split())

    def token_request(self, login: httpx.BasicAuth, scopes: frozenset[str]) -> httpx.Request:
        """GET of a token for `scopes`, with the caller's name and password."""
        asked = {"service": self.parameters.get("service", ""), "scope": sorted(scopes)}
        return next(login.auth_flow(httpx.Request("GET", self.parameters["realm"], params=asked)))


class BearerLogin(httpx.Auth):
    """A bearer token per repository, widened whenever a challenge asks for more."""

    requires_request_body = True
    requires_response_body = True

    def __init__(self, user: str, password: str) -> None:
        self._login = httpx.BasicAuth(user, password)
        self._scopes: dict[str, frozenset[str]] = {}
        self._tokens: dict[str, str] = {}

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """As wide a token as challenges ask for, twice at most: a mount without source learns its second scope late."""
        place = self._place(request)
        for _ in range(2):
            if place in self._tokens:
                request.headers["Authorization"] = f"Bearer {self._tokens[place]}"
            response = yield request
            if response.status_code != httpx.codes.UNAUTHORIZED:
                return
            challenge = Challenge.of(response)
            known = self._scopes.get(place)
            self._scopes[place] = (known or frozenset()) | challenge.scopes
            if self._scopes[place] == known:
                return
            granted = yield challenge.token_request(self._login, self._scopes[place])
            if granted.status_code != httpx.codes.OK:
                return
            self._tokens[place] = granted.json()["token"]
        request.headers["Authorization"] = f"Bearer {self._tokens[place]}"
        yield request

    @staticmethod
    def _place(request: httpx.Request) -> str:
        target: bytes | None = request.extensions.get("target")
        path = request.url.path if target is None else target.decode("latin-1").partition("?")[0]
        found = _REPOSITORY.match(path)
        return found[1] if found else path
