"""A real LDAP server for the tests: slapd on loopback ports, its configuration and data in one folder.

with DirectoryServer(tmp_path, certificate) as directory:
    directory.change("dn: cn=devs,…", …)        # as its administrator, in LDIF
    directory.binds()                           # names that somebody has tried to bind as so far, in order
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import Final, Self

import pytest

from tests.support.server import free_port
from tests.support.tls import Certificate

BASE: Final = "dc=example,dc=org"
PEOPLE: Final = f"ou=people,{BASE}"
GROUPS: Final = f"ou=groups,{BASE}"
SERVICE, SERVICE_PASSWORD = f"cn=entrepot,{BASE}", "service secret"
ADMIN, ADMIN_PASSWORD = f"cn=admin,{BASE}", "admin secret"
MOST_FOUND: Final = 20

_READY_WITHIN = 20.0
_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/lib/openldap"
_SCHEMAS = Path("/etc/ldap/schema")
_MODULES = Path("/usr/lib/ldap")
# An empty password binds as nobody, and succeeds: so do many directories, and the client has to know (RFC 4513, 5.1.2).
_CONFIGURATION = """
include {schemas}/core.schema
include {schemas}/cosine.schema
include {schemas}/inetorgperson.schema
modulepath {modules}
moduleload back_mdb
pidfile {folder}/slapd.pid
allow bind_anon_cred
loglevel stats
sizelimit {most}
{tls}
database mdb
suffix "{base}"
rootdn "{admin}"
rootpw "{admin_password}"
directory "{folder}/data"
maxsize 16777216
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact="{service}" read by anonymous auth by * none
"""
_PEOPLE = f"""
dn: {BASE}
objectClass: dcObject
objectClass: organization
dc: example
o: Example

dn: {PEOPLE}
objectClass: organizationalUnit
ou: people

dn: {GROUPS}
objectClass: organizationalUnit
ou: groups

dn: {SERVICE}
objectClass: organizationalRole
objectClass: simpleSecurityObject
cn: entrepot
userPassword: {SERVICE_PASSWORD}
"""


def person(uid: str, password: str, *, surname: str = "Person") -> str:
    """LDIF of somebody."""
    return (
        f"dn: uid={uid},{PEOPLE}\nobjectClass: inetOrgPerson\nuid: {uid}\ncn: {uid} {surname}\nsn: {surname}\n"
        f"mail: {uid}@example.org\nuserPassword: {password}\n"
    )


def group(name: str, *members: str) -> str:
    """LDIF of a group of people."""
    listed = "".join(f"member: uid={member},{PEOPLE}\n" for member in members)
    return f"dn: cn={name},{GROUPS}\nobjectClass: groupOfNames\ncn: {name}\n{listed}"


class DirectoryServer:
    """A server of our own, a child of this process; `ldap` and `ldaps` are its ports."""

    def __init__(self, folder: Path, entries: str, tls: Certificate | None = None) -> None:
        """Skips the test where there is no slapd."""
        if shutil.which("slapd", path=_PATH) is None or not _SCHEMAS.is_dir():
            pytest.skip("needs an LDAP server: slapd is not installed")
        self._folder = folder
        self._tls = tls
        self._process: subprocess.Popen[bytes] | None = None
        self.ldap, self.ldaps = free_port(), free_port()
        (folder / "data").mkdir(parents=True)
        (folder / "slapd.conf").write_text(self._configuration())
        self._run("slapadd", "-q", "-f", str(folder / "slapd.conf"), text=f"{_PEOPLE}\n{entries}")

    def change(self, ldif: str) -> None:
        """As its administrator."""
        who = ["-x", "-H", f"ldap://127.0.0.1:{self.ldap}", "-D", ADMIN, "-w", ADMIN_PASSWORD]
        self._run("ldapmodify", *who, text=ldif)

    def binds(self) -> list[str]:
        """Whom somebody has tried to bind as, in order."""
        # Each that succeeds is logged a second time, with its mechanism.
        return re.findall(r'BIND dn="([^"]*)" method=128', (self._folder / "log").read_text())

    def log(self) -> str:
        """What the server says of itself."""
        return (self._folder / "log").read_text()

    def __enter__(self) -> Self:
        urls = f"ldap://127.0.0.1:{self.ldap}"
        if self._tls:
            # The certificate does not name the second address.
            urls += f" ldaps://127.0.0.1:{self.ldaps} ldaps://127.0.0.2:{self.ldaps}"
        slapd = shutil.which("slapd", path=_PATH) or "slapd"
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [slapd, "-f", str(self._folder / "slapd.conf"), "-h", urls, "-d", "stats"], stdout=log, stderr=log
            )
        self._wait()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Nobody listens any more; a second time nothing happens."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(20)
            self._process = None

    def _configuration(self) -> str:
        tls = self._tls and f"TLSCertificateFile {self._tls.certificate}\nTLSCertificateKeyFile {self._tls.key}"
        return _CONFIGURATION.format(
            folder=self._folder, schemas=_SCHEMAS, modules=_MODULES, tls=tls or "", most=MOST_FOUND,
            base=BASE, admin=ADMIN, admin_password=ADMIN_PASSWORD, service=SERVICE,
        )  # fmt: skip

    def _wait(self) -> None:
        deadline = time.monotonic() + _READY_WITHIN
        while time.monotonic() < deadline:
            assert self._process is not None
            assert self._process.poll() is None, self.log()
            try:
                socket.create_connection(("127.0.0.1", self.ldap), 1).close()
            except OSError:
                time.sleep(0.02)
            else:
                return
        raise AssertionError(self.log())

    @staticmethod
    def _run(program: str, *arguments: str, text: str) -> None:
        found = shutil.which(program, path=_PATH)
        if found is None:
            pytest.skip(f"needs an LDAP server: {program} is not installed")
        done = subprocess.run([found, *arguments], input=text, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
