"""What can keep a notification from arriving.

::

    ServiceError
    ├── NotTaken            the receiver refuses it as it is: somebody has to change something
    └── RetryableError
        └── NotReached      a later attempt may succeed
"""

from __future__ import annotations

from service.errors import RetryableError, ServiceError


class NotTaken(ServiceError):
    """The receiver refuses the notification as it is."""


class NotReached(RetryableError):
    """The receiver cannot take the notification now."""
