"""skopeo for somebody who is logged in nowhere: a folder of its own, nothing of the person's at the machine."""

from pathlib import Path

from tests.system.command import Command
from tests.system.require import require_programs


def skopeo_in(folder: Path) -> Command:
    """The command, with all that it keeps in this folder."""
    require_programs("skopeo")
    folder.mkdir()
    (folder / "auth.json").write_text("{}")
    own = dict.fromkeys(("HOME", "TMPDIR", "XDG_RUNTIME_DIR"), str(folder))
    return Command(("skopeo",), {**own, "REGISTRY_AUTH_FILE": str(folder / "auth.json")})
