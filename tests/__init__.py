"""The tests; each folder says in house words what it holds (ARCHITECTURE.md, Tests)."""
