"""What is pushed: few different things, so that many push the same at once, delete it, and push it again.

Layers are shared by images, images by indexes, and all of them by repositories of several projects.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from functools import cache
from typing import Final

from tests.support.images import OCI_CONFIG, OCI_LAYER, Blob, Pushable, TinyImage, artifact, encode, index, random_bytes

REPOSITORIES: Final = ("red/app", "red/base/os", "green/app", "green/tool", "blue/app", "alone")
TAGS: Final = ("latest", "stable", *(f"v{number}" for number in range(8)))
IMAGES: Final = 60
SPREAD: Final = 20
"""How many there are of what is made of images."""
# Rows of the database, files, and what S3 takes in parts.
_SIZES: Final = (300, 4_000, 5_000, 40_000, 300_000, 300_001, 700_000, 6 << 20)


@cache
def layer(number: int) -> Blob:
    """One of those that images share."""
    return Blob(random_bytes(f"shared/{number}", _SIZES[number % len(_SIZES)]), OCI_LAYER)


@cache
def image(number: int) -> TinyImage:
    """Of two shared layers and one of its own."""
    chosen = random.Random(number)  # noqa: S311 - the same each time
    own = Blob(random_bytes(f"own/{number}", chosen.choice((2_000, 60_000))), OCI_LAYER)
    shared = [layer(each) for each in chosen.sample(range(2 * len(_SIZES)), 2)]
    return artifact(None, *shared, own, config=Blob(encode({"number": number, "os": "linux"}), OCI_CONFIG))


@cache
def pair(number: int) -> Pushable:
    """An index of two images."""
    return index(image(2 * number), image(2 * number + 1))


@cache
def attached(number: int) -> TinyImage:
    """An artifact whose subject is an image or an index."""
    subject = image(number) if number % 2 else pair(number)
    return artifact("application/vnd.example.signature.v1", Blob(f"signed {number}".encode()), subject=subject)


@cache
def everything() -> Mapping[str, Pushable]:
    """By digest."""
    made: list[Pushable] = [image(number) for number in range(IMAGES)]
    made += [each(number) for each in (pair, attached) for number in range(SPREAD)]
    return {each.digest: each for each in made}


def subject_of(thing: Pushable) -> str | None:
    """The digest of what it is attached to."""
    subject = thing.document.get("subject")
    return subject["digest"] if subject else None
