"""Entrepot: a container registry, and the engine that runs what it pulls."""
