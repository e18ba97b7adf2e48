"""What can go wrong between a volume and a table of texture features.

::

    TextureError
    ├── SettingsError           a preset or calibration that cannot be used       (exit code 2)
    │   └── UnknownPreset       no preset of that name                            (exit code 2)
    ├── RegionError             arrays that do not describe one region            (caller's mistake)
    └── CohortError             the cohort command
        └── CohortInputError    the table cannot be analysed; says why            (exit code 2)
            └── CohortFitError  a model has no finite solution on these rows      (exit code 2)

A region without an answer (constant, empty, metal) is no error: its features are None and the
reason is named.
"""

from __future__ import annotations


class TextureError(Exception):
    """Base of every error this package raises on purpose."""


class SettingsError(TextureError):
    """A texture preset or calibration is unknown or inconsistent; names key and value."""


class UnknownPreset(SettingsError):
    """No texture preset has that name; lists those there are."""


class RegionError(TextureError):
    """HU, mask and spacing do not fit each other."""


class CohortError(TextureError):
    """Base of what `texture.cohort` raises."""


class CohortInputError(CohortError):
    """The cohort table lacks what the analysis needs; names column, group or count."""


class CohortFitError(CohortInputError):
    """A model cannot be fitted to these rows, for example because of separation."""
