"""What ends a fetch before it is through.

::

    ServiceError
    ├── ArchiveUnavailable    exit code 4: the archive cannot be asked or fetched from
    └── UsageError            exit code 2
"""

from __future__ import annotations

from service.errors import ServiceError


class ArchiveUnavailable(ServiceError):
    """The archive cannot be asked; the same command may succeed later."""

    exit_code = 4
