"""Backups of a registry that goes on serving, and registries made of them again."""
