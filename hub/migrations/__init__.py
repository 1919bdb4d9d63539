"""Alembic's scripts; `hub.migrate` runs them."""
