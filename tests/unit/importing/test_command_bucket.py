"""`entrepot import` from a bucket: what on its command line does not go together."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from registry.cli_import import import_command


def refusal(*words: str) -> str:
    refused = CliRunner().invoke(import_command, ["--from-distribution", *words])
    assert refused.exit_code == 2
    return refused.stderr


@pytest.mark.parametrize("option", [("--s3-endpoint", "http://x"), ("--s3-region", "x"), ("--s3-path-style",)])
def test_a_folder_is_in_no_bucket(tmp_path: Path, option: tuple[str, ...]) -> None:
    assert refusal(str(tmp_path), *option).startswith(
        "error: --s3-endpoint, --s3-region and --s3-path-style are for s3://"
    )


@pytest.mark.parametrize("option", [("--username", "x"), ("--token-host", "x"), ("--insecure-http",)])
def test_a_bucket_needs_nobody_to_be(option: tuple[str, ...]) -> None:
    assert "nor a bucket" in refusal("s3://bucket/root", *option)


def test_a_bucket_has_a_name() -> None:
    assert "names no bucket" in refusal("s3://")


@pytest.mark.parametrize("option", [("--s3-endpoint", "localhost:9000"), ("--s3-region", "../x")])
def test_an_address_that_is_none_is_refused(option: tuple[str, str]) -> None:
    refused = refusal("s3://bucket/root", *option)
    assert refused.startswith("error: s3://bucket/root: --s3-endpoint or --s3-region: ")
    assert option[1] in refused


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert f"{tmp_path / 'absent'} is no folder" in refusal(str(tmp_path / "absent"))
