"""`auth.sign_in.source_file`: a file names sources, or is refused with every reason at once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from registry.auth.sign_in.identity import Membership
from registry.auth.sign_in.source_file import SourcesError, load_sources, parse_sources
from registry.auth.sign_in.source_keys import LDAP_KEYS, OIDC_KEYS, Key
from registry.auth.sign_in.sources import Secret, Sources

OIDC = """
[[oidc]]
name = "company"
issuer = "https://accounts.example.org"
client_id = "entrepot"
client_secret = "client secret"
"""
LDAP = """
[[ldap]]
name = "directory"
url = "ldaps://ldap.example.org"
user_base = "ou=people,dc=example,dc=org"
bind_dn = "cn=entrepot,dc=example,dc=org"
bind_password = "service secret"
"""
EXAMPLE = Path(__file__).resolve().parents[4] / "deploy" / "sign-in.toml"


def problems(text: str) -> tuple[str, ...]:
    with pytest.raises(SourcesError) as refused:
        parse_sources(text)
    return refused.value.problems


def test_an_empty_file_names_no_sources() -> None:
    assert parse_sources("# none yet\n") == Sources()


def test_what_is_not_written_is_as_usual() -> None:
    sources = parse_sources(OIDC + LDAP)
    (oidc,), (ldap,) = sources.oidc, sources.ldap
    assert (oidc.title, oidc.scopes, oidc.username_claim) == (
        "company",
        ("openid", "profile", "email"),
        "preferred_username",
    )
    assert oidc.membership == ldap.membership == Membership()
    assert (ldap.user_filter, ldap.group_filter, ldap.group_base) == ("(uid={name})", "(member={dn})", None)
    assert (ldap.server.host, ldap.server.port, ldap.server.is_ldaps) == ("ldap.example.org", 636, True)


def test_there_may_be_any_number_of_sources() -> None:
    text = "".join(OIDC.replace("company", f"c{n}") + LDAP.replace("directory", f"d{n}") for n in range(3))
    sources = parse_sources(text)
    assert names(sources) == ["c0", "c1", "c2", "d0", "d1", "d2"]


def test_no_secret_is_shown() -> None:
    shown = repr(parse_sources(OIDC + LDAP))
    assert "client secret" not in shown
    assert "service secret" not in shown


def test_a_key_that_nobody_knows_is_refused_with_the_nearest_known_one() -> None:
    assert problems(f'{OIDC}isuer = "x"') == (
        "[[oidc]] company: unknown key 'isuer'; the nearest known name is issuer",
    )
    assert problems('[[odic]]\nname = "x"') == ("unknown table odic; the nearest known name is oidc",)


def test_every_problem_is_told_at_once() -> None:
    told = problems('[[oidc]]\nname = "Company"\nscopes = ["email"]\n[[ldap]]\nname = "directory"\ntimeout = 0\nx = 1')
    assert [line.partition(":")[0] for line in told] == ["[[oidc]] Company"] * 4 + ["[[ldap]] directory"] * 4
    assert all("\n" not in line for line in told)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ('name = "local"', "'local' is not free"),
        ('name = "Company"', "make a name"),
        ("name = 7", "text was expected, in quotes"),
        ('issuer = "http://accounts.example.org"', "plain http needs allow_http"),
        ('issuer = "http://accounts.example.org"\nallow_http = true', "goes to this machine only"),
        ('issuer = "http://127.0.0.1:9400"', "plain http needs allow_http"),
        ('issuer = "https://user:word@accounts.example.org"', "not a URL such as"),
        ('issuer = "https://accounts.example.org/?x"', "not a URL such as"),
        ('issuer = "accounts.example.org"', "not a URL such as"),
        ('issuer = "https://a:b"', "not a URL such as"),
        ('client_secret_file = "/run/secret"', "one of client_secret and client_secret_file is needed"),
        ('client_id = ""', "text was expected, not nothing"),
        ('scopes = "openid"', "a list was expected"),
        ('scopes = ["email"]', "without openid nobody is told who it is"),
        ("required_groups = [7]", "text was expected"),
        ('allow_http = "yes"', "neither true nor false"),
    ],
)
def test_a_provider_that_cannot_be_used_is_refused(change: str, problem: str) -> None:
    (told,) = problems(changed(OIDC, change))
    assert problem in told
    assert "word" not in told


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ('url = "ldap://ldap.example.org"', "by ldaps, or with start_tls"),
        ("start_tls = true", "cannot begin it again"),
        ('url = "ldaps://ldap.example.org/dc=example"', "which ends with its host"),
        ('url = "https://ldap.example.org"', "not a URL such as ldaps"),
        ('bind_password_file = "/run/secret"', "one of bind_password and bind_password_file"),
        ('user_filter = "(uid=alice)"', "without {name} it finds the same for everybody"),
        ('user_filter = "uid={name}"', "no filter in parentheses"),
        ('user_filter = "(&(uid={name})"', "no filter in parentheses"),
        ('group_filter = "(member=x)"', "without {dn} or {name}"),
        ("timeout = 61", "not 1 to 60 seconds"),
        ("timeout = true", "not 1 to 60 seconds"),
    ],
)
def test_a_directory_that_cannot_be_used_is_refused(change: str, problem: str) -> None:
    (told,) = problems(changed(LDAP, change))
    assert problem in told


def test_a_password_without_a_name_is_refused() -> None:
    assert "bind_dn is missing" in problems(re.sub(r"bind_dn.*\n", "", LDAP))[0]


def test_a_directory_may_be_searched_anonymously() -> None:
    (ldap,) = parse_sources(re.sub(r"bind_.*\n", "", LDAP)).ldap
    assert (ldap.bind_dn, ldap.bind_password) == (None, None)


@pytest.mark.parametrize(
    "change",
    [
        'url = "ldap://127.0.0.1:3890"', 'url = "ldap://[::1]"', 'url = "ldap://ldap.example.org"\nstart_tls = true',
    ],
)  # fmt: skip
def test_a_password_goes_over_tls_or_stays_on_this_machine(change: str) -> None:
    assert parse_sources(changed(LDAP, change)).ldap


def test_plain_http_may_go_to_this_machine() -> None:
    text = changed(OIDC, 'issuer = "http://127.0.0.1:9400"\nallow_http = true')
    assert parse_sources(text).oidc[0].issuer == "http://127.0.0.1:9400"


def test_two_sources_of_one_name_are_refused() -> None:
    told = problems(OIDC + LDAP.replace("directory", "company"))
    assert told == ("the name company is given 2 times",)


@pytest.mark.parametrize("text", ["oidc = 7", 'oidc = ["x"]', '[oidc]\nname = "x"'])
def test_a_source_that_is_no_table_of_a_list_is_refused(text: str) -> None:
    assert problems(text) == ("a source is written below [[oidc]], in two brackets",)


def test_a_line_that_is_no_toml_is_told_by_its_place() -> None:
    (told,) = problems(f"{OIDC}client_secret: unquoted secret")
    assert "line 7" in told
    assert "unquoted" not in told


def test_files_that_are_named_are_there(tmp_path: Path) -> None:
    secret, empty, ca, file = (tmp_path / name for name in ("secret", "empty", "ca.pem", "sources.toml"))
    secret.write_text("from a file\n")
    empty.touch()
    oidc = re.sub("client_secret = .*", f'client_secret_file = "{secret}"', OIDC)
    file.write_text(f'{oidc}ca = "{ca}"')
    with pytest.raises(SourcesError, match=f"company: no such file: {ca}"):
        load_sources(file)
    ca.touch()
    assert load_sources(file).oidc[0].client_secret.reveal() == "from a file"
    file.write_text(oidc.replace(str(secret), str(empty)))
    with pytest.raises(SourcesError, match="a secret has 1 to 4096 characters"):
        load_sources(file)
    file.write_text(oidc.replace(str(secret), str(tmp_path / "absent")))
    with pytest.raises(SourcesError, match="no such file or directory"):
        load_sources(file)


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(SourcesError, match="no such file or directory"):
        load_sources(tmp_path / "absent.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(SourcesError, match="it is no text"):
        load_sources(tmp_path / "binary.toml")


def test_the_file_to_copy_can_be_used() -> None:
    sources = parse_sources(EXAMPLE.read_text())
    assert names(sources) == ["company", "directory"]
    assert sources.oidc[0].client_secret == Secret(file=Path("/run/secrets/entrepot-client"))
    parse_sources(re.sub(r"^#(?=\w+ = )", "", EXAMPLE.read_text(), flags=re.MULTILINE))


@pytest.mark.parametrize(("kind", "keys"), [("oidc", OIDC_KEYS), ("ldap", LDAP_KEYS)])
def test_the_file_to_copy_has_every_key_and_what_holds_without_it(kind: str, keys: Mapping[str, Key]) -> None:
    table = EXAMPLE.read_text().partition(f"\n[[{kind}]]")[2].partition("\n[[")[0]
    inline = {name for name in keys if f"or {name} = " in table}
    assert set(re.findall(r"^#?(\w+) = ", table, flags=re.MULTILINE)) | inline == keys.keys()
    said = dict(re.findall(r"^#(\w+) = (.*?)(?: +#.*)?$", table, flags=re.MULTILINE))
    # A default is shown as TOML writes it; lists and switches look alike but for their letters.
    written = {
        name: str(list(key.default) if isinstance(key.default, tuple) else key.default) for name, key in keys.items()
    }
    shown = {name: value.strip('"').replace('"', "'") for name, value in said.items()}
    usual = {name for name, key in keys.items() if key.default not in {None, ()}}
    assert {name: shown[name].lower() for name in usual} == {name: written[name].lower() for name in usual}


def names(sources: Sources) -> list[str]:
    return [each.name for each in sources.oidc] + [each.name for each in sources.ldap]


def changed(text: str, line: str) -> str:
    """With one key more, or otherwise than it was."""
    for each in line.splitlines():
        name = each.partition(" ")[0]
        text, times = re.subn(rf"^{name} = .*$", each, text, flags=re.MULTILINE)
        text += "" if times else f"{each}\n"
    return text
