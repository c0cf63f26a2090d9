"""A real provider of OpenID Connect, a process of its own on a loopback port; and a browser that signs in there.

with OidcProvider({"sub": "7", "preferred_username": "alice"}) as provider:
    client = provider.register("https://registry.example.org/callback")
    query = provider.sign_in(url, "7")      # consents as somebody; what the browser would bring back
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urlsplit

import httpx

from tests.support.server import free_port

_READY_WITHIN = 30.0


@dataclass(frozen=True)
class Client:
    """As the provider knows us."""

    id: str
    secret: str


class OidcProvider:
    """It checks a client's secret, its redirect address and each code; not PKCE, which `ScriptedProvider` does."""

    def __init__(self, *people: dict[str, Any]) -> None:
        self.url = f"http://localhost:{free_port()}"
        self._people = people
        self._process: subprocess.Popen[bytes] | None = None
        self._http = httpx.Client(trust_env=False, timeout=30)

    def register(self, redirect_uri: str, how: str = "client_secret_basic") -> Client:
        """A new client (OpenID Connect Dynamic Client Registration 1.0)."""
        wanted = {"redirect_uris": [redirect_uri], "token_endpoint_auth_method": how}
        told = self._http.post(f"{self.url}/oauth2/clients", json=wanted).raise_for_status().json()
        return Client(told["client_id"], told["client_secret"])

    def know(self, subject: str, **claims: object) -> None:
        """From now on it tells this of somebody."""
        self._http.put(f"{self.url}/users/{subject}", json=claims).raise_for_status()

    def sign_in(self, url: str, subject: str) -> str:
        """Consent at `url` as `subject`; the query that the browser is sent back with."""
        return self._answered(url, {"sub": subject})

    def deny(self, url: str) -> str:
        """Do not."""
        return self._answered(url, {"action": "deny"})

    def stop(self) -> None:
        """Nobody listens any more; a second time nothing happens."""
        self._http.close()
        if self._process is not None:
            self._process.kill()
            self._process.wait(20)
            self._process = None

    def __enter__(self) -> Self:
        port = str(urlsplit(self.url).port)
        people = [part for each in self._people for part in ("--user-claims", json.dumps(each))]
        command = [sys.executable, "-m", "oidc_provider_mock", "-H", "127.0.0.1", "-p", port, "-r", "true", *people]
        # It is for tests, and knows that plain http is none.
        environ = {**os.environ, "AUTHLIB_INSECURE_TRANSPORT": "1", "PYTHONWARNINGS": "ignore"}
        self._process = subprocess.Popen(command, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + _READY_WITHIN
        while time.monotonic() < deadline:
            assert self._process.poll() is None, "the provider has left"
            with suppress(httpx.TransportError):
                if self._http.get(f"{self.url}/.well-known/openid-configuration").is_success:
                    return self
            time.sleep(0.05)
        self.stop()
        raise AssertionError("the provider was not ready")

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _answered(self, url: str, form: dict[str, str]) -> str:
        assert self._http.get(url).is_success
        answer = self._http.post(url, data=form)
        assert answer.status_code == 302, answer.text
        return urlsplit(answer.headers["Location"]).query
