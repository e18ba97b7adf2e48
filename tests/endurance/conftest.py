"""Fixtures of the endurance tests."""

from private_postgresql import postgresql_server, postgresql_url  # noqa: F401 - fixtures
