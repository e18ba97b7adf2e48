"""What can go wrong between a folder of files and a `SpineReport`.

::

    InferenceError
    ├── UnreadableInput        the bytes are not a CT that can be read         (exit code 4)
    │   └── InputUnavailable   the system does not give the bytes; later it may (exit code 4)
    ├── NotAnalysable          understood, but no answer would be safe         (exit code 3)
    └── ModelUnavailable       weights missing, altered or of another version  (exit code 2)
"""

from __future__ import annotations


class InferenceError(Exception):
    """Base of every error this package raises on purpose."""


class UnreadableInput(InferenceError):
    """The input is not a readable CT: names the element or file and the value found."""


class InputUnavailable(UnreadableInput):
    """The files cannot be reached now, a share that went away: says nothing about the images.

    `__cause__` is the error of the system.
    """


class NotAnalysable(InferenceError):
    """The input was understood and no safe answer exists; a first-class result.

    Parameters
    ----------
    code
        Stable snake_case code that outside checks may rely on, for example ``missing_slice``.
    text
        One sentence for people: what is wrong, with element and value, without patient data.
    """

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


class ModelUnavailable(InferenceError):
    """The released weights are missing or their digest is not the one in the code."""
