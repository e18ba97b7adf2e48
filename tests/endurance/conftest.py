"""Fixtures of the endurance tests."""

from private_postgresql import postgresql_server, postgresql_url  # noqa: F401 - fixtures
from tls_files import loopback_tls, tls_files  # noqa: F401 - fixtures
