"""What can go wrong while a phantom is described.

::

    InferenceError
    └── InvalidPhantom (also a ValueError)   a value of the description cannot be built
"""

from __future__ import annotations

from inference.errors import InferenceError


class InvalidPhantom(InferenceError, ValueError):
    """A phantom's description is wrong; the text names the value."""
