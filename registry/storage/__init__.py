"""Keeps bytes, under opaque keys: the only room that opens an object."""
