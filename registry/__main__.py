"""`python -m registry` is the command `entrepot`."""

from registry.cli import main

main(prog_name="entrepot")
