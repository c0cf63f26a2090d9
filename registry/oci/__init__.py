"""The vocabulary of the specifications, as values. No IO of any kind."""
