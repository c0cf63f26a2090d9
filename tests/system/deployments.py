"""What the registry under test stands on: each database with each store."""

import pytest

DEPLOYMENTS = ("SQLite and folder", "SQLite and S3", "PostgreSQL and folder", "PostgreSQL and S3")

# For tests that take one of its clients along, to a registry of their own: one of them is enough.
elsewhere = pytest.mark.parametrize("registry", DEPLOYMENTS[:1], indirect=True)
