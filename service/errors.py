"""Errors that the service itself raises, each knowing its exit code (contract.md).

::

    ServiceError                  exit code 1
    ├── ConfigurationError        exit code 2: names the key and the line
    ├── UsageError                exit code 2
    └── RetryableError            a later attempt may succeed; the queue tries again
"""

from __future__ import annotations


class ServiceError(Exception):
    """Base; printed as one line on stderr."""

    exit_code = 1


class ConfigurationError(ServiceError):
    """The configuration cannot be used."""

    exit_code = 2


class UsageError(ServiceError):
    """The command line cannot be used."""

    exit_code = 2


class RetryableError(ServiceError):
    """Something outside is not ready: the archive, the disk, the database."""
