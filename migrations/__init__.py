"""Migrations: one idea each, reversible, in one transaction with the version row."""
