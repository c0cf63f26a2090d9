"""Keeps facts, in SQL: the only room that knows SQLAlchemy and the database's own ways."""
