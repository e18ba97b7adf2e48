"""What can go wrong between findings and the objects a PACS receives.

::

    WriterError
    ├── SettingsInvalid        the organisation's UID root or an output name is unusable
    ├── FindingsInvalid        a findings.json that is not of this schema
    ├── SourceUnreadable       the header of a source image cannot be read any more
    └── VerificationFailed     what was written is not what was found: never send it
"""

from __future__ import annotations


class WriterError(Exception):
    """Base of every error this package raises on purpose."""


class SettingsInvalid(WriterError):
    """A setting cannot be used: names the setting and the value."""


class FindingsInvalid(WriterError):
    """A document is not of schema ``spinenode.findings/1``."""


class SourceUnreadable(WriterError):
    """A source instance that was readable at loading is not readable at writing."""


class VerificationFailed(WriterError):
    """An object re-read from its bytes differs from the findings or the mask.

    Parameters
    ----------
    kind
        Which output, as `WrittenObject.kind` names it.
    text
        What differs, with both values.
    """

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(f"{kind}: {text}")
        self.kind = kind
        self.text = text
