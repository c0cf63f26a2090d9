"""Images that docker itself makes, and what docker says of those it has."""

import io
import json
import re
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.support.images import random_bytes
from tests.system.command import Command
from tests.system.require import require

Files = Mapping[str, bytes]


@dataclass(frozen=True)
class Known:
    """What `docker image inspect` tells of an image: nothing else may change on a way to a registry and back."""

    config_digest: str
    diff_ids: tuple[str, ...]
    architecture: str


def build(docker: Command, name: str, *layers: Files, base: str = "scratch") -> Known:
    """An image by the classic builder: on `base`, one layer for each of `layers`."""
    steps = [f"COPY {number}/ /" for number in range(len(layers))]
    files = {f"{number}/{path}": data for number, layer in enumerate(layers) for path, data in layer.items()}
    dockerfile = "\n".join([f"FROM {base}", *steps, 'CMD ["/bin/sh"]', ""]).encode()
    docker("build", "--quiet", "--tag", name, "-", stdin=_tar({"Dockerfile": dockerfile, **files}))
    return known(docker, name)


def import_busybox(docker: Command, name: str) -> Known:
    """A small image that can really be run, from the host's static busybox."""
    busybox = Path("/bin/busybox")
    require(busybox.exists(), "busybox-static is not installed")
    docker("import", "-", name, stdin=_tar({"bin/sh": busybox.read_bytes()}, mode=0o755))
    return known(docker, name)


def layer(seed: str, size: int = 20_000) -> Files:
    """One file that does not compress; the same seed is the same file, and so the same layer within a base."""
    return {f"{re.sub('[^a-z0-9]+', '-', seed)}.bin": random_bytes(seed, size)}


def known(docker: Command, name: str) -> Known:
    found = json.loads(docker("image", "inspect", name).output)[0]
    return Known(found["Id"], tuple(found["RootFS"]["Layers"]), found["Architecture"])


def pulled_digests(docker: Command, name: str) -> list[str]:
    """The manifest digests by which docker knows the image `name` in that very repository."""
    repository = name.rpartition(":")[0]
    digests: Sequence[str] = json.loads(docker("image", "inspect", name).output)[0]["RepoDigests"]
    return [digest.partition("@")[2] for digest in digests if digest.partition("@")[0] == repository]


def push(docker: Command, name: str) -> str:
    """Push; the manifest digest that docker prints at the end."""
    printed = re.search(r"digest: (sha256:[0-9a-f]{64})", docker("push", name).text)
    assert printed is not None
    return printed[1]


def pull_anew(docker: Command, name: str, *options: str) -> Known:
    """Forget the image and everything only it held, then pull it."""
    docker("image", "rm", "--force", name)
    docker("pull", *options, name)
    return known(docker, name)


def _tar(files: Files, mode: int = 0o644) -> bytes:
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w") as archive:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), mode
            archive.addfile(entry, io.BytesIO(data))
    return held.getvalue()
