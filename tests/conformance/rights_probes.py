"""The rows of the matrix: a request or several for each route, and the answer that each visitor must get."""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from registry.api.routes import Endpoint, Route
from tests.conformance.rights_scene import BLOB, FIRST, PRIVATE, SECOND, Scene, Visitor, put
from tests.support.images import digest_of
from tests.support.inprocess import URL, Asked, Told
from tests.support.rights_oracle import Needed, Opinion, Verdict, judge_base

ABSENT = digest_of(b"nobody ever pushed this")


class Probe(NamedTuple):
    """A request, what it needs, and the status of who is let in; nothing that matters is changed by it.

    One that `moves` a tag needs that right too, and the tag is put back; one with a `source` mounts if it may.
    """

    method: str
    target: str
    needs: tuple[str, ...]
    passes: int
    moves: bool = False
    source: str | None = None

    def asked(self, name: str, authorization: str | None) -> Asked:
        """The request to this repository."""
        known = {"name": name, "blob": BLOB.digest, "absent": ABSENT, "second": SECOND.digest, "source": self.source}
        target = "/v2/" + self.target.format(**known)
        if self.method != "PUT" or "/manifests/" not in self.target:
            return Asked(self.method, target, authorization)
        pushed = SECOND if self.moves else FIRST
        return Asked("PUT", target, authorization, pushed.manifest, pushed.media_type)


PULL, PUSH, DELETE = ("pull",), ("pull", "push"), ("delete",)
SESSION = "{name}/blobs/uploads/00000000-0000-4000-8000-000000000000"
PROBES: Mapping[tuple[Endpoint, str], tuple[Probe, ...]] = {
    (Endpoint.BASE, "GET"): (Probe("GET", "", (), 200), Probe("HEAD", "", (), 200)),
    (Endpoint.BLOB, "GET"): (Probe("GET", "{name}/blobs/{blob}", PULL, 200),),
    (Endpoint.BLOB, "HEAD"): (Probe("HEAD", "{name}/blobs/{blob}", PULL, 200),),
    (Endpoint.MANIFEST, "GET"): (
        Probe("GET", "{name}/manifests/v1", PULL, 200),
        Probe("GET", "{name}/manifests/{second}", PULL, 200),
    ),
    (Endpoint.MANIFEST, "HEAD"): (Probe("HEAD", "{name}/manifests/v1", PULL, 200),),
    (Endpoint.UPLOADS, "POST"): (
        Probe("POST", "{name}/blobs/uploads/", PUSH, 202),
        Probe("POST", "{name}/blobs/uploads/?mount={blob}&from={source}", PUSH, 201, source=PRIVATE),
    ),
    (Endpoint.UPLOAD, "PATCH"): (Probe("PATCH", SESSION, PUSH, 404),),
    (Endpoint.UPLOAD, "PUT"): (Probe("PUT", SESSION + "?digest={blob}", PUSH, 404),),
    (Endpoint.UPLOAD, "GET"): (Probe("GET", SESSION, PUSH, 404), Probe("HEAD", SESSION, PUSH, 404)),
    (Endpoint.UPLOAD, "DELETE"): (Probe("DELETE", SESSION, PUSH, 404),),
    (Endpoint.MANIFEST, "PUT"): (
        Probe("PUT", "{name}/manifests/v1", PUSH, 201),
        Probe("PUT", "{name}/manifests/moved", PUSH, 201, moves=True),
        Probe("PUT", "{name}/manifests/{second}?tag=moved", PUSH, 201, moves=True),
    ),
    (Endpoint.TAGS, "GET"): (Probe("GET", "{name}/tags/list", PULL, 200), Probe("HEAD", "{name}/tags/list", PULL, 200)),
    (Endpoint.MANIFEST, "DELETE"): (
        Probe("DELETE", "{name}/manifests/absent", DELETE, 404),
        Probe("DELETE", "{name}/manifests/{absent}", DELETE, 404),
    ),
    (Endpoint.BLOB, "DELETE"): (Probe("DELETE", "{name}/blobs/{absent}", DELETE, 404),),
    (Endpoint.REFERRERS, "GET"): (Probe("GET", "{name}/referrers/{blob}", PULL, 200),),
    (Endpoint.CATALOG, "GET"): (Probe("GET", "_catalog", ("*",), 200), Probe("HEAD", "_catalog", ("*",), 200)),
}


def without_probes(routes: Iterable[Route]) -> list[tuple[Endpoint, str]]:
    """Rows of the route table that the matrix says nothing of."""
    return [key for each in routes if (key := (each.endpoint, each.method)) not in PROBES]


def answers(scene: Scene, name: str, visitor: Visitor) -> list[tuple[Probe, Told]]:
    """What the visitor is told by each route; a tag that was moved is put back."""
    probes = [each for row in PROBES.values() for each in row]
    quiet, moving = [each for each in probes if not each.moves], [each for each in probes if each.moves]
    told = scene.transport.ask([each.asked(name, visitor.authorization) for each in quiet])
    return [*zip(quiet, told, strict=True), *((each, _moved(scene, name, visitor, each)) for each in moving)]


def _moved(scene: Scene, name: str, visitor: Visitor, probe: Probe) -> Told:
    (told,) = scene.transport.ask([probe.asked(name, visitor.authorization)])
    if told.status == 201:
        scene.transport.ask([put(name, "moved", FIRST, scene.admin.basic)])
    return told


def expectation(opinion: Opinion, name: str, visitor: Visitor, probe: Probe) -> Verdict:
    """The refusal, or the status of who is let in."""
    asker, ticket = visitor.person.asker, visitor.ticket
    if probe.needs == ():
        refusal = judge_base(asker, ticket)
    elif probe.needs == ("*",):
        refusal = opinion.judge_catalog(asker, ticket)
    else:
        source = Needed(probe.source, PULL) if probe.source else None
        refusal = opinion.judge(asker, Needed(name, probe.needs), ticket, source)
    if refusal is not None:
        return refusal
    if probe.moves and not opinion.holds(asker, "move", name):
        return Verdict(403, "DENIED")
    if probe.source and not opinion.holds(asker, "pull", probe.source):
        # The mount cannot be done, and a session begins in its place (field-notes, section 1).
        return Verdict(202)
    return Verdict(probe.passes)


def differences(told: Told, probe: Probe, expected: Verdict) -> Iterator[str]:
    """What an answer has that it should not, or lacks: its status, its code, its challenge."""
    if told.status != expected.status:
        yield f"status {told.status}, not {expected.status}"
    elif expected.code and probe.method != "HEAD" and f'"code": "{expected.code}"'.encode() not in told.body:
        yield f"no {expected.code} in {told.body!r}"
    challenge = None if expected.challenge is None else f'Bearer realm="{URL}/token",{expected.challenge}'
    if told.header("www-authenticate") != challenge:
        yield f"challenge {told.header('www-authenticate')}, not {challenge}"
