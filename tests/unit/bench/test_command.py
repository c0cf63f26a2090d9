"""The command line."""

import pytest

from tests.bench.__main__ import main


def test_help_tells_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["--help"])
    assert left.value.code == 0
    assert "--attempts" in capsys.readouterr().out
