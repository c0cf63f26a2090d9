"""Power cuts: what a registry did to its files, replayed as far as one likes onto a disk that forgets."""
