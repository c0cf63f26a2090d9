"""The ways in for people, as the settings open them: the pages, and the sources that vouch for who signs in."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.metadata import version
from typing import TYPE_CHECKING, Final

from starlette.routing import Route

from registry.api.authenticate import Authenticator
from registry.api.directories import Directories
from registry.api.services import Threads
from registry.auth.browser_keys import BrowserKeys
from registry.auth.sign_in.sources import Sources
from registry.config import Settings
from registry.core.admission import AdmissionService
from registry.core.credentials import CredentialService
from registry.core.facts import Caller
from registry.core.people import PeopleService
from registry.core.ports import Metadata
from registry.core.witness import Witness
from registry.web import page
from registry.web.account import Account
from registry.web.cookies import Cookies
from registry.web.forms import Origins
from registry.web.rendering import Pages
from registry.web.sessions import Sessions
from registry.web.signing_in import Button, SigningIn

if TYPE_CHECKING:
    from registry.auth.sign_in.provider import Provider

# Who waits for a provider that hangs waits here, and keeps no push from its thread.
_WAITING: Final = 4


def sources_of(settings: Settings) -> Sources:
    """What the file of sources names. Raises: SourcesError."""
    if settings.sign_in is None:
        return Sources()
    # Late: what only they need would cost each worker 10 MiB for life.
    from registry.auth.sign_in.source_file import SourcesError, load_sources

    sources = load_sources(settings.sign_in)
    if sources.oidc and settings.public_url is None:
        raise SourcesError(["public_url is not set, and providers of OpenID Connect send browsers back there"])
    return sources


def directories_of(sources: Sources, metadata: Metadata) -> Directories | None:
    """Who is asked about names that have no password here."""
    if not sources.ldap:
        return None
    from registry.auth.sign_in.directory import Directory

    return Directories(metadata, {source.name: Directory(source).identify for source in sources.ldap})


@dataclass
class Entrance:
    """All pages of one worker. Where authentication is off, nobody signs in."""

    settings: Settings
    sources: Sources
    authenticator: Authenticator
    metadata: Metadata
    keys: BrowserKeys
    nobody: Caller
    witness: Witness
    in_thread: Threads
    _waiting: Threads = field(init=False)
    _providers: dict[str, Provider] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self._waiting = Threads(_WAITING)
        if self.sources.oidc:
            from registry.auth.sign_in.provider import Provider

            self._providers = {source.name: Provider(source) for source in self.sources.oidc}

    def routes(self) -> list[Route]:
        """They go after all routes of the API: the last one takes every path."""
        pages = Pages(version("entrepot"), sign_in=not self.settings.open)
        own = [] if self.settings.open else self._of_accounts(pages)
        return [*own, *page.routes(self.settings.public_url, pages)]

    def close(self) -> None:
        """Give threads and connections back."""
        self._waiting.close()
        for provider in self._providers.values():
            provider.close()

    def _of_accounts(self, pages: Pages) -> list[Route]:
        public_url = self.settings.public_url
        cookies, origins, credentials = Cookies(public_url), Origins(public_url), CredentialService(self.metadata)
        sessions = Sessions(
            self.authenticator, credentials, self.in_thread, cookies, self.settings.session_lifetime, self.witness
        )
        buttons = [Button(source.name, source.title) for source in self.sources.oidc]
        signing_in = SigningIn(pages, self.authenticator, sessions, self.keys, cookies, origins, buttons)
        people = PeopleService(self.metadata)
        account = Account(
            pages, self.authenticator, sessions, people, credentials, self.in_thread, self.keys, origins, public_url
        )
        return [*signing_in.routes(), *self._of_providers(pages, sessions, cookies), *account.routes()]

    def _of_providers(self, pages: Pages, sessions: Sessions, cookies: Cookies) -> list[Route]:
        if not self._providers:
            return []
        from registry.web.single_sign_on import SingleSignOn

        return SingleSignOn(
            pages, self._providers, sessions, AdmissionService(self.metadata), self.keys, cookies, self._waiting,
            self.nobody, self.witness, self.settings.public_url or "",
        ).routes()  # fmt: skip
