"""`entrepot` for whom leases may be as short as they like: a soak must see many of them end.

The command refuses a lease of less than ten minutes, and work that died with its process waits for five: both are
right for clients and machines as they are, and both would make ten minutes of soaking a short time.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from registry.cli import main
from registry.config import Settings
from registry.core.tenure import Tenure


def hurry() -> None:
    """Before any settings are read; only ever in a process of its own."""
    Settings.TABLE = {**Settings.TABLE, "lease": replace(Settings.TABLE["lease"], least=None)}
    Tenure.__init__.__defaults__ = (timedelta(seconds=3),)


# Also where a worker is spawned, which reads this module under another name.
hurry()

if __name__ == "__main__":
    main()
