"""Acquisitions outside the published envelope are said to be so."""

from __future__ import annotations

import numpy as np
import pytest

from inference import Acquisition, CTVolume, SourceSeries
from inference.plausibility import check_acquisition

GOOD = Acquisition(Manufacturer="SIEMENS", KVP=120.0, ConvolutionKernel="B70s", SliceThickness=1.5)


def codes(slice_mm: float = 1.5, pixel_mm: float = 0.8, **changes: object) -> set[str]:
    acquisition = Acquisition(**{**vars(GOOD), **changes})
    affine = np.diag([slice_mm, pixel_mm, pixel_mm, 1.0])
    source = SourceSeries(acquisition=acquisition)
    volume = CTVolume(np.zeros((4, 4, 4), np.int16), affine, source)
    return {notice.code for notice in check_acquisition(volume)}


def test_a_published_protocol_raises_no_warning() -> None:
    assert codes() == set()


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"KVP": 100.0}, "kvp_outside_envelope"),
        ({"KVP": None}, "kvp_unknown"),
        ({"SliceThickness": 5.0}, "thick_slices"),
        ({"ConvolutionKernel": None}, "kernel_unknown"),
        ({"ConvolutionKernel": "unheard-of"}, "kernel_unknown"),
        ({"ConvolutionKernel": "STANDARD"}, "kernel_not_bone"),
        ({"ConvolutionKernel": "B30f"}, "kernel_not_bone"),
        ({"ConvolutionKernel": "Qr40d"}, "kernel_not_bone"),
        ({"ConvolutionKernel": "FC08"}, "kernel_not_bone"),
        ({"ConvolutionKernel": "B"}, "kernel_not_bone"),
        ({"ConvolutionKernel": "custom"}, "kernel_unknown"),
        ({"ContrastBolusAgent": "Iomeron 400"}, "contrast_given"),
    ],
)
def test_each_departure_has_its_code(change: dict[str, object], code: str) -> None:
    assert codes(**change) == {code}


@pytest.mark.parametrize("kernel", ["B60s", "Br64d", "BONE", "BONEPLUS", "Hr60", "FC30", "YB"])
def test_bone_kernels_of_the_manufacturers_are_known(kernel: str) -> None:
    assert codes(ConvolutionKernel=kernel) == set()


def test_spacing_speaks_where_slice_thickness_is_missing() -> None:
    assert codes(slice_mm=5.0, SliceThickness=None) == {"thick_slices"}
    assert codes(slice_mm=3.0, SliceThickness=None) == set()


def test_a_field_of_view_for_the_whole_trunk_is_too_large_for_texture() -> None:
    assert codes(pixel_mm=0.977) == set()
    assert codes(pixel_mm=1.5) == {"field_of_view_large"}
