"""`registry.config`: four sources, one value, and every problem told at once."""

from __future__ import annotations

import dataclasses
import tomllib
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry import kinds
from registry.config import FOREIGN_VARIABLES, Settings, SettingsError, gather, is_loopback, variable


def problems(
    environ: dict[str, str] | None = None, *, file: Path | None = None, arguments: dict[str, object] | None = None
) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as refused:
        Settings.load(environ=environ or {}, file=file, arguments=arguments)
    return refused.value.problems


@pytest.fixture
def toml(tmp_path: Path) -> Path:
    return tmp_path / "entrepot.toml"


def test_the_defaults_can_be_used() -> None:
    settings = Settings.load(environ={})
    assert (settings.host, settings.port, settings.open) == ("127.0.0.1", 5000, False)
    assert settings == Settings()


def test_the_file_is_stronger_than_a_default(toml: Path) -> None:
    toml.write_text('port = 5001\nlease = "2d"\nsparse = true\n')
    settings = Settings.load(environ={}, file=toml)
    assert (settings.port, settings.lease, settings.sparse) == (5001, timedelta(days=2), True)


def test_the_environment_is_stronger_than_the_file(toml: Path) -> None:
    toml.write_text("port = 5001\nthreads = 3\n")
    settings = Settings.load(environ={"REGISTRY_PORT": "5002"}, file=toml)
    assert (settings.port, settings.threads) == (5002, 3)


def test_the_command_line_is_stronger_than_the_environment() -> None:
    settings = Settings.load(environ={"REGISTRY_PORT": "5002"}, arguments={"port": "5003", "host": None})
    assert (settings.port, settings.host) == (5003, "127.0.0.1")


def test_the_environment_may_name_the_file(toml: Path) -> None:
    toml.write_text("port = 5001\n")
    assert Settings.load(environ={"REGISTRY_CONFIG": str(toml)}).port == 5001


def test_a_file_on_the_command_line_replaces_the_one_of_the_environment(toml: Path) -> None:
    toml.write_text("port = 5001\n")
    assert Settings.load(environ={"REGISTRY_CONFIG": "/does/not/exist.toml"}, file=toml).port == 5001


def test_an_unknown_key_is_refused_with_the_nearest_known_name(toml: Path) -> None:
    toml.write_text("prot = 5001\n")
    assert problems(file=toml) == (f"unknown setting prot in {toml}; the nearest known name is port",)


def test_an_unknown_variable_is_refused_with_the_nearest_known_name() -> None:
    assert problems({"REGISTRY_TLS_CRT": "x"}) == (
        "unknown variable REGISTRY_TLS_CRT; the nearest known name is REGISTRY_TLS_CERT",
    )


def test_a_variable_of_podman_and_skopeo_under_our_prefix_is_left_alone() -> None:
    assert Settings.load(environ=dict.fromkeys(FOREIGN_VARIABLES, "/run/auth.json")) == Settings()


def test_variables_of_other_programs_are_left_alone() -> None:
    assert Settings.load(environ={"PATH": "/bin", "PORT": "no number"}) == Settings()


def test_all_problems_are_told_at_once(toml: Path) -> None:
    toml.write_text("prot = 1\nthreads = true\n")
    told = problems({"REGISTRY_LEASE": "1m", "REGISTRY_SPARSE": "perhaps"}, file=toml, arguments={"port": "70000"})
    assert sorted(told) == [
        "REGISTRY_SPARSE: neither true nor false: 'perhaps'",
        "lease: at least 10m is needed, not 1m",
        "port: at most 65535 is possible, not 70000",
        f"threads in {toml}: not a whole number: True",
        f"unknown setting prot in {toml}; the nearest known name is port",
    ]


def test_a_missing_file_is_refused_by_name(tmp_path: Path) -> None:
    assert problems(file=tmp_path / "none.toml") == (f"{tmp_path}/none.toml: no such file or directory",)


def test_a_file_that_is_no_toml_is_refused_with_the_place(toml: Path) -> None:
    toml.write_text("port = \n")
    (problem,) = problems(file=toml)
    assert problem.startswith(f"{toml}: ")
    assert "line 1" in problem


def test_a_file_that_is_no_text_is_refused(toml: Path) -> None:
    toml.write_bytes(b"\xff\xfe")
    assert len(problems(file=toml)) == 1


def test_a_lease_below_ten_minutes_is_refused() -> None:
    with pytest.raises(SettingsError, match="lease: at least 10m"):
        Settings(lease=timedelta(minutes=9, seconds=59))
    assert Settings(lease=timedelta(minutes=10)).lease == timedelta(minutes=10)


def test_short_spans_that_tests_need_are_allowed() -> None:
    settings = Settings.load(environ={"REGISTRY_DELETE_DELAY": "0s", "REGISTRY_UPLOAD_EXPIRY": "2s"})
    assert (settings.delete_delay, settings.upload_expiry) == (timedelta(0), timedelta(seconds=2))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "registry.example.org", ""])
def test_open_is_refused_on_an_address_that_others_can_reach(host: str) -> None:
    with pytest.raises(SettingsError, match="open serves without authentication"):
        Settings(open=True, host=host)
    assert Settings(open=True, host=host, open_anywhere=True).open


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_open_is_allowed_on_loopback(host: str) -> None:
    assert is_loopback(host)
    assert Settings(open=True, host=host).open


@pytest.mark.parametrize("given", [{"tls_cert": Path("c.pem")}, {"tls_key": Path("k.pem")}])
def test_a_certificate_without_its_key_is_refused(given: dict[str, Path]) -> None:
    with pytest.raises(SettingsError, match="tls_cert and tls_key go together"):
        Settings(**given)  # type: ignore[arg-type]  # one of two keywords of the same type


def test_a_certificate_that_is_not_there_is_refused(tmp_path: Path) -> None:
    (tmp_path / "k.pem").touch()
    told = problems({"REGISTRY_TLS_CERT": str(tmp_path / "c.pem"), "REGISTRY_TLS_KEY": str(tmp_path / "k.pem")})
    assert told == (f"tls_cert: no such file: {tmp_path}/c.pem",)


def test_a_short_admin_password_is_refused_without_saying_it() -> None:
    (problem,) = problems({"REGISTRY_ADMIN_PASSWORD": "hunter2"})
    assert "8 characters" in problem
    assert "hunter2" not in problem


def test_a_secret_that_lost_its_quotes_is_refused_without_saying_it(toml: Path) -> None:
    toml.write_text("admin_password = 1234567890\n")
    (problem,) = problems(file=toml)
    assert "in quotes" in problem
    assert "1234567890" not in problem


def test_a_secret_is_not_in_the_representation() -> None:
    secrets = {variable(name): "much-too-secret" for name, row in Settings.TABLE.items() if row.secret}
    secrets |= {"REGISTRY_DATABASE": "postgresql://us:much-too-secret@host/name", "REGISTRY_S3_ACCESS_KEY": "us"}
    settings = Settings.load(environ=secrets)
    assert settings.admin_password == "much-too-secret"
    assert "much-too-secret" not in repr(settings)


def test_a_database_that_is_none_is_refused_without_saying_its_password() -> None:
    for wrong in ("mysql://us:hidden@host/name", "postgresql://us:hidden@host", "hidden"):
        (problem,) = problems(environ={"REGISTRY_DATABASE": wrong})
        assert "PostgreSQL" in problem
        assert "hidden" not in problem


def test_replicas_need_one_key_file() -> None:
    shared = {"REGISTRY_DATABASE": "postgresql://host/name", "REGISTRY_STORE": "s3", "REGISTRY_S3_BUCKET": "images"}
    (problem,) = problems(environ=shared)
    assert "key_file" in problem


def test_an_s3_store_needs_a_bucket_and_both_halves_of_its_key() -> None:
    told = problems(environ={"REGISTRY_STORE": "s3", "REGISTRY_S3_ACCESS_KEY": "us"})
    assert any("s3_bucket" in each for each in told)
    assert any("s3_secret_key" in each for each in told)


def test_what_sounds_like_a_secret_is_one() -> None:
    secret = {name for name, row in Settings.TABLE.items() if row.secret}
    assert secret == {name for name in Settings.TABLE if "password" in name or "secret" in name} | {"database"}


def test_zero_workers_means_one_for_each_core() -> None:
    assert Settings.load(environ={"REGISTRY_WORKERS": "0"}).workers == kinds.cores() >= 1


def test_a_path_is_absolute_wherever_it_came_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert Settings().data == tmp_path / "entrepot-data"
    assert Settings.load(environ={"REGISTRY_DATA": "here"}).data == tmp_path / "here"


@pytest.mark.parametrize("url", ["registry.example.org", "ftp://x", "https://", "https://x/path", "https://x?y"])
def test_a_public_url_is_scheme_host_and_port_alone(url: str) -> None:
    (problem,) = problems({"REGISTRY_PUBLIC_URL": url})
    assert problem.startswith("REGISTRY_PUBLIC_URL: not scheme, host and port alone")


def test_a_public_url_may_end_with_a_slash() -> None:
    assert (
        Settings.load(environ={"REGISTRY_PUBLIC_URL": "https://r.example:8443/"}).public_url == "https://r.example:8443"
    )


def test_a_service_name_with_a_quote_is_refused() -> None:
    with pytest.raises(SettingsError, match="service: letters"):
        Settings(service='en"trepot')


def test_a_word_outside_its_choice_is_refused() -> None:
    assert problems({"REGISTRY_LOG_FORMAT": "xml"}) == ("REGISTRY_LOG_FORMAT: not one of json, text: 'xml'",)


def test_a_table_where_a_value_belongs_is_refused(toml: Path) -> None:
    toml.write_text(
        "".join(
            f"[{name}]\nx = 1\n" for name in ("host", "manifest_limit", "log_level", "lease", "open", "port", "data")
        )
    )
    assert len(problems(file=toml)) == 7


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("15m", 900), ("24h", 86400), ("7d", 604800), ("1.5s", 1.5), ("250ms", 0.25), ("0", 0)],
)
def test_a_duration_is_seconds_or_a_number_with_its_unit(text: str, seconds: float) -> None:
    assert kinds.DURATION.parse(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "-1s", "1w", "1h30m", "h", "1e3", "٣s", True])
def test_what_is_no_duration_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="not a duration"):
        kinds.DURATION.parse(text)


@pytest.mark.parametrize(
    ("text", "size"), [("4MiB", 2**22), ("4 mib", 2**22), ("17", 17), (17, 17), ("3KiB", 3072), ("5B", 5)]
)
def test_a_size_is_bytes_or_a_number_with_its_unit(text: object, size: int) -> None:
    assert kinds.SIZE.parse(text) == size


@pytest.mark.parametrize("text", ["", "-1", "4MB", "MiB", "1.5MiB", False])
def test_what_is_no_size_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="not a size"):
        kinds.SIZE.parse(text)


@given(st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=10_000)))
def test_a_duration_that_is_shown_parses_back(span: timedelta) -> None:
    assert kinds.DURATION.parse(kinds.DURATION.show(span)) == span


def test_a_duration_beyond_all_reason_is_refused() -> None:
    with pytest.raises(ValueError, match="longer than any calendar"):
        kinds.DURATION.parse("999999999999999d")


@given(st.integers(min_value=0, max_value=2**59))
def test_a_size_that_is_shown_parses_back(size: int) -> None:
    assert kinds.SIZE.parse(kinds.SIZE.show(size)) == size


def test_networks_are_addresses_and_networks_after_commas() -> None:
    networks = kinds.NETWORKS.parse("127.0.0.1, 10.0.0.0/8,2001:db8::/32,")
    assert [str(each) for each in networks] == ["127.0.0.1/32", "10.0.0.0/8", "2001:db8::/32"]
    assert kinds.NETWORKS.parse(kinds.NETWORKS.show(networks)) == networks
    assert kinds.NETWORKS.parse("") == ()


@pytest.mark.parametrize("text", ["localhost", "10.0.0.1/8", "10.0.0.0/33", "10.0.0.0-10.0.0.9", "*"])
def test_what_is_no_network_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"does not appear|has host bits"):
        kinds.NETWORKS.parse(text)


def test_a_worker_gets_the_very_same_settings(toml: Path) -> None:
    toml.write_text("port = 5001\nadmin_password = 'much too secret'\n")
    settings = Settings.load(
        environ={"REGISTRY_CONFIG": str(toml), "REGISTRY_PUBLIC_URL": "https://r.example"},
        arguments={"delete_delay": "1.234567s", "workers": "3", "access_log": "off"},
    )
    toml.write_text("nonsense = 1\n")
    inherited = {"REGISTRY_CONFIG": str(toml), "REGISTRY_PORT": "1", **settings.environ()}
    assert Settings.load(environ=inherited) == settings


def test_every_default_is_written_the_way_it_is_shown() -> None:
    settings = Settings()
    shown = {name: settings.show(name) for name in Settings.TABLE.keys() - {"workers", "data"}}
    assert shown == {name: row.default for name, row in Settings.TABLE.items() if name in shown}


def test_every_default_lies_within_its_bounds_and_every_bound_can_be_read() -> None:
    for name, row in Settings.TABLE.items():
        assert row.bound(getattr(Settings(), name)) is None
        for bound in (row.least, row.most):
            if bound is not None:
                assert row.bound(row.kind.parse(bound)) is None


def test_the_strongest_source_of_a_value_can_be_told(toml: Path) -> None:
    toml.write_text("port = 5001\nhost = '::1'\n")
    given, told = gather(file=toml, environ={"REGISTRY_PORT": "5002"}, arguments={"tls_cert": "c.pem"})
    assert {name: source.where for name, source in given.items()} == {
        "port": "REGISTRY_PORT",
        "host": f"host in {toml}",
        "tls_cert": "--tls-cert",
    }
    assert told == []


def test_every_setting_has_a_variable_of_its_own() -> None:
    assert {variable(name) for name in Settings.TABLE} == {f"REGISTRY_{name.upper()}" for name in Settings.TABLE}
    assert variable("config") not in {variable(name) for name in Settings.TABLE}


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Settings().port = 1  # type: ignore[misc]  # the point of the test


def test_toml_numbers_and_durations_need_no_quotes(toml: Path) -> None:
    toml.write_text("token_lifetime = 90\nupload_memory = 8388608\nstall_timeout = 1.5\n")
    assert tomllib.loads(toml.read_text())["stall_timeout"] == 1.5
    settings = Settings.load(environ={}, file=toml)
    assert (settings.token_lifetime, settings.stall_timeout) == (timedelta(seconds=90), timedelta(seconds=1.5))
    assert settings.upload_memory == 8 * 2**20
