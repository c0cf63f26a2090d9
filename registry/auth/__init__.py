"""Keeps trust: passwords, tokens and the keys that sign them."""
