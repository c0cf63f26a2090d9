"""`python -m registry` is the command `entrepot`."""

from registry.cli import main

# A worker is a process of its own and imports this module anew, under another name.
if __name__ == "__main__":
    main(prog_name="entrepot")
