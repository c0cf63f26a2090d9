"""A registry elsewhere, and what can be pulled from it (distribution-spec, Pulling; Listing).

with Registry.at(parse_registry("registry.example.org"), Credentials("reader", password)) as registry:
    manifest = registry.manifest(RepositoryName("team/app"), Tag("1"), limit=4 << 20)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self, TypeVar

from registry.client.answer import Answer, Whole
from registry.client.errors import (
    LONGEST_REFUSAL,
    Malformed,
    NotFound,
    Refused,
    RemoteError,
    Unanswered,
    harmless,
    refusal,
)
from registry.client.listing import LARGEST_PAGE, digests, digests_of, document, names
from registry.client.login import Credentials, Login
from registry.client.origin import Origin
from registry.client.stream import stream
from registry.client.transport import Patience, Transport
from registry.oci import media_types
from registry.oci.digest import Digest
from registry.oci.errors import DigestInvalid
from registry.oci.names import RepositoryName, Tag, fallback_tag

_OK: Final = 200
_KNOWN: Final = (
    media_types.OCI_MANIFEST,
    media_types.OCI_INDEX,
    media_types.DOCKER_MANIFEST,
    media_types.DOCKER_LIST,
)
# What they are is for the registry to say: others must not be kept from us, but these are what we read.
_ACCEPTED: Final = {"Accept": f"{', '.join(_KNOWN)}, */*;q=0.1"}
# Said of anything, by servers that do not know better.
_UNTOLD: Final = frozenset({media_types.OCTETS, "application/json", "text/plain", "binary/octet-stream"})
_CATALOG: Final = "registry:catalog:*"
Answered = TypeVar("Answered", Answer, Whole)


@dataclass(frozen=True, slots=True)
class RemoteManifest:
    """A manifest's own bytes, which have this digest; the media type is empty where the registry does not tell it."""

    digest: Digest
    content: bytes
    media_type: str


class Registry:
    """For any number of threads. Every method raises: Unanswered, Untrusted, Malformed, Refused and its kinds."""

    def __init__(self, transport: Transport, login: Login) -> None:
        self.home = transport.home
        self._transport = transport
        self._login = login
        self._is_met = False

    @classmethod
    def at(
        cls,
        home: Origin,
        credentials: Credentials | None = None,
        *,
        allow_http: bool = False,
        ca: Path | None = None,
        connections: int = 8,
        patience: Patience | None = None,
    ) -> Self:
        """See `Transport`, which also says what this raises."""
        transport = Transport(home, allow_http=allow_http, ca=ca, connections=connections, patience=patience)
        return cls(transport, Login(transport, credentials))

    def answers(self) -> bool:
        """Whether it says anything at all, be it that we may not ask (end-1)."""
        try:
            self._transport.read(f"{self.home}/v2/", LARGEST_PAGE)
        except RemoteError as error:
            return not isinstance(error, Unanswered)
        return True

    def catalog(self) -> Iterator[str]:
        """The names of its repositories, as it writes them; many registries do not tell (distribution, catalog)."""
        return names(self._reading(_CATALOG), "/v2/_catalog", "repositories", self.home)

    def tags(self, name: RepositoryName) -> Iterator[str]:
        """The tags of a repository, as it writes them (end-8)."""
        return names(self._reading(_pull(name)), f"/v2/{name}/tags/list", "tags", self.home)

    def manifest(self, name: RepositoryName, reference: Tag | Digest, limit: int) -> RemoteManifest:
        """Of at most `limit` bytes, and verified: by the reference, or by what a tag is said to mean (end-3)."""
        target = f"/v2/{name}/manifests/{reference}"
        whole = self._whole(target, _pull(name), limit, _ACCEPTED)
        media_type = _media_type(whole)
        if media_type in media_types.OBSOLETE:
            # Before the digest, which is not that of the signed bytes.
            raise Malformed(f"{target}: docker image manifest schema 1 is obsolete")
        expected = reference if isinstance(reference, Digest) else _told(target, whole)
        computed = Digest.of(whole.body, expected.algorithm if expected else "sha256")
        if expected not in {None, computed}:
            raise Malformed(f"{target}: is {computed}, {len(whole.body)} bytes")
        return RemoteManifest(computed, whole.body, media_type)

    def blob(self, name: RepositoryName, digest: Digest, size: int) -> Iterator[bytes]:
        """Its bytes, which are `size`; whether they have the digest is for the reader to verify (end-2)."""
        target = f"/v2/{name}/blobs/{digest}"

        def ask(offset: int) -> Answer:
            # From the registry each time: where it redirected to may have been valid for a moment only.
            part = {"Range": f"bytes={offset}-"} if offset else {}
            url = f"{self.home}{target}"
            return self._authorised(target, _pull(name), lambda who: self._transport.open(url, part, who))

        return stream(ask, self._transport.pause, target, size)

    def referrers(self, name: RepositoryName, subject: Digest, limit: int) -> list[Digest]:
        """What refers to a manifest: by the API, or by the tag that stands in for it (Listing Referrers)."""
        by_api = self.referrers_by_api(name, subject)
        if by_api is not None:
            return by_api
        tag = fallback_tag(subject)
        try:
            stand_in = self.manifest(name, tag, limit)
        except NotFound:
            return []
        target = f"/v2/{name}/manifests/{tag}"
        return digests_of(target, document(target, stand_in.content))

    def referrers_by_api(self, name: RepositoryName, subject: Digest) -> list[Digest] | None:
        """None where the registry has no such API (end-12a)."""
        target = f"/v2/{name}/referrers/{subject}"
        try:
            return list(digests(self._reading(_pull(name)), target, self.home))
        except NotFound:
            return None
        except Refused as error:
            # Older ones do not know the path, and say so in several ways.
            if error.status in {400, 405, 406}:
                return None
            raise

    def close(self) -> None:
        """Give the connections back."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _reading(self, scope: str) -> Callable[[str], Whole]:
        return lambda target: self._whole(target, scope, LARGEST_PAGE)

    def _whole(self, target: str, scope: str, limit: int, headers: Mapping[str, str] | None = None) -> Whole:
        what = target.partition("?")[0]

        def ask(who: str | None) -> Whole:
            try:
                return self._transport.read(f"{self.home}{target}", limit, headers or {}, who)
            except Malformed as error:
                raise Malformed(f"{what}: {error}") from None

        whole = self._authorised(what, scope, ask)
        if whole.status != _OK:
            raise refusal(what, whole.status, whole.body)
        return whole

    def _authorised(self, what: str, scope: str, ask: Callable[[str | None], Answered]) -> Answered:
        """With what is known to be wanted, and once more when the registry wants something else."""
        self._meet()
        sent = self._login.authorization(scope)
        answer = ask(sent)
        # Whoever the registry has redirected us to is nobody to introduce ourselves to.
        if answer.status != 401 or answer.origin != self.home:  # noqa: PLR2004  who are you?
            return answer
        # Read before a token is asked for, which may need the connection.
        body = _read(answer)
        again = self._login.answer(answer.headers.getlist("WWW-Authenticate"), scope, sent)
        if again is None:
            raise refusal(what, answer.status, body)
        return ask(again)

    def _meet(self) -> None:
        """Learn how it wants to be asked: else one that shows something to everybody might show us no more."""
        if self._is_met:
            return
        met = self._transport.read(f"{self.home}/v2/", LARGEST_PAGE)
        if met.status == 401 and met.origin == self.home:  # noqa: PLR2004  who are you?
            self._login.learn(met.headers.getlist("WWW-Authenticate"))
        self._is_met = True


def _read(answer: Answer | Whole) -> bytes:
    if isinstance(answer, Whole):
        return answer.body
    with answer:
        return answer.beginning(LONGEST_REFUSAL)


def _pull(name: RepositoryName) -> str:
    return f"repository:{name}:pull"


def _media_type(whole: Whole) -> str:
    """Case means nothing in it, and the manifest may say it again: so only what we know is written as we know it."""
    written = media_types.without_parameters(whole.headers.get("Content-Type", ""))
    plain = written.lower()
    if plain in _UNTOLD:
        return ""
    return plain if plain in _KNOWN or plain in media_types.OBSOLETE else written


def _told(target: str, whole: Whole) -> Digest | None:
    """What a tag means by the registry's own word."""
    text = whole.headers.get("Docker-Content-Digest")
    try:
        return Digest.parse(text) if text else None
    except DigestInvalid:
        raise Malformed(f"{target}: its digest is said to be {harmless(text or '')}") from None
