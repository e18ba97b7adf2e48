"""Does the acquisition lie where the published measurements were made?

Goller et al. 2023 and the opportunistic bone density literature used 120 or 130 kVp, bone
kernels and slices up to 3 mm. Outside that, numbers are still given, with a coded warning.
"""

from __future__ import annotations

import re

from inference.volume import CTVolume, Notice

ENVELOPE_KVP = (120.0, 130.0)
KVP_TOLERANCE = 1.0
LARGEST_SLICE_MM = 3.0
SLICE_TOLERANCE_MM = 0.05
LARGEST_PIXEL_MM = 1.0
"""A field of view of 512 mm on 512 pixels; trabecular texture lies below it."""
PIXEL_TOLERANCE_MM = 0.02
BONE_KERNEL = re.compile(
    r"bone|edge|detail|sharp|^(?!fc)[a-z]{1,2}[5-9]\d|^fc[3-9]\d|^y[a-d]$|^[de]$", re.IGNORECASE
)
"""GE and Philips by name, Siemens letters with 50 and above, Canon FC30 and above."""
SOFT_KERNEL = re.compile(
    r"soft|stand|stnd|^std|smooth|lung|^(?!fc)[a-z]{1,2}[1-4]\d|^fc[0-2]\d|^[abc]$", re.IGNORECASE
)


def check_acquisition(volume: CTVolume) -> tuple[Notice, ...]:
    """Coded warnings where the acquisition leaves the published envelope.

    Returns
    -------
    tuple of Notice
        Codes ``kvp_unknown``, ``kvp_outside_envelope``, ``thick_slices``, ``kernel_unknown``,
        ``kernel_not_bone``, ``field_of_view_large``, ``contrast_given``.
    """
    checks = (
        _kvp(volume),
        _slices(volume),
        _kernel(volume),
        _field_of_view(volume),
        _contrast(volume),
    )
    return tuple(notice for notice in checks if notice is not None)


def _kvp(volume: CTVolume) -> Notice | None:
    kvp = volume.source.acquisition.KVP
    if kvp is None:
        return Notice("kvp_unknown", "The tube voltage is not stated: HU of bone depend on it.")
    if all(abs(kvp - known) > KVP_TOLERANCE for known in ENVELOPE_KVP):
        text = f"Tube voltage {kvp:g} kV: published HU and texture values are of 120 and 130 kV."
        return Notice("kvp_outside_envelope", text)
    return None


def _slices(volume: CTVolume) -> Notice | None:
    given = volume.source.acquisition.SliceThickness
    thickest = max(given or 0.0, *volume.spacing_kji_mm)
    if thickest <= LARGEST_SLICE_MM + SLICE_TOLERANCE_MM:
        return None
    text = f"Slices of {thickest:.1f} mm: published heights and texture are of at most 3 mm."
    return Notice("thick_slices", text)


def _kernel(volume: CTVolume) -> Notice | None:
    kernel = volume.source.acquisition.ConvolutionKernel
    if kernel is None or not kernel.strip():
        text = "The reconstruction kernel is not stated: texture depends on it."
        return Notice("kernel_unknown", text)
    if BONE_KERNEL.search(kernel):
        return None
    if SOFT_KERNEL.search(kernel):
        text = f"{kernel} is a soft reconstruction kernel: published texture is of bone kernels."
        return Notice("kernel_not_bone", text)
    text = f"Reconstruction kernel {kernel} is not known here: texture depends on it."
    return Notice("kernel_unknown", text)


def _field_of_view(volume: CTVolume) -> Notice | None:
    # slices are the coarsest axis as a rule; the other two are the pixels
    pixel_mm = sorted(volume.spacing_kji_mm)[1]
    if pixel_mm <= LARGEST_PIXEL_MM + PIXEL_TOLERANCE_MM:
        return None
    text = (
        f"Pixels of {pixel_mm:.1f} mm: the field of view is larger than in the images of the spine "
        "that published texture is of."
    )
    return Notice("field_of_view_large", text)


def _contrast(volume: CTVolume) -> Notice | None:
    if not (volume.source.acquisition.ContrastBolusAgent or "").strip():
        return None
    text = "A contrast agent was given: it raises the HU of bone by up to about 20."
    return Notice("contrast_given", text)
