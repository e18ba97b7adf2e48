"""Calibration, classes and the trabecular core."""

from __future__ import annotations

import numpy as np
import pytest

from inference.anatomy import VertebraLevel
from inference.volume import Acquisition
from texture import GENERIC_CALIBRATION, Calibration
from texture.calibration import ScannerCalibration, select_calibration
from texture.density import BodyFrame, bmd_class, spine_density, trabecular_core
from texture.errors import SettingsError

AXIAL = np.array([[0, 0, 1.0, 0], [0, 1.0, 0, 0], [1.0, 0, 0, 0], [0, 0, 0, 1]])
UPRIGHT = BodyFrame.from_directions(np.array([0, 0, 1.0]), np.array([0, 1.0, 0]))


def _body(shape=(26, 34, 46)):
    body = np.zeros(tuple(n + 4 for n in shape), dtype=bool)
    body[2:-2, 2:-2, 2:-2] = True
    return body


def test_calibration_goes_there_and_back():
    line = Calibration("ct-1", slope=1.21, intercept=-6.5)
    assert line.bmd_mg_cm3(line.hu(123.4)) == pytest.approx(123.4)


def test_the_generic_slope_follows_from_attenuation_coefficients():
    """NIST mass attenuation at 60 and 80 keV (cm2/g), log-log to 70 keV; HA 3.16 g/cm3."""
    hydroxyapatite = {"Ca": 0.3989, "P": 0.1850, "O": 0.4141, "H": 0.0020}
    table = {
        "Ca": (0.6578, 0.3656), "P": (0.3494, 0.2324), "O": (0.1907, 0.1678), "H": (0.3260, 0.3091),
        "water": (0.2059, 0.1837),
    }  # fmt: skip
    fraction = np.log(70 / 60) / np.log(80 / 60)

    def at_70_kev(low, high):
        return np.exp(np.log(low) + fraction * np.log(high / low))

    mixed = [sum(w * table[e][n] for e, w in hydroxyapatite.items()) for n in (0, 1)]
    slope = at_70_kev(*mixed) / at_70_kev(*table["water"]) - 1 / 3.16
    assert GENERIC_CALIBRATION.slope == pytest.approx(slope, abs=0.02)
    assert GENERIC_CALIBRATION.intercept == 0.0


@pytest.mark.parametrize("slope", [0.0, -1.0, float("nan"), float("inf")])
def test_a_slope_that_is_no_slope_is_refused(slope):
    with pytest.raises(SettingsError, match="ct-1"):
        Calibration("ct-1", slope, 0.0)


def test_the_most_specific_scanner_row_is_chosen():
    lines = [Calibration(name, 1.0 + n / 10, 0.0) for n, name in enumerate("abc")]
    table = (
        ScannerCalibration(lines[0], Manufacturer="Acme"),
        ScannerCalibration(lines[1], Manufacturer="ACME", KVP=120.0),
        ScannerCalibration(lines[2], Manufacturer="Acme", ManufacturerModelName="X", KVP=120.0),
    )
    scanner = Acquisition(Manufacturer="Acme ", ManufacturerModelName="x", KVP=120.0)
    assert select_calibration(table, scanner).name == "c"
    assert select_calibration(table, Acquisition(Manufacturer="acme", KVP=100.0)).name == "a"
    assert select_calibration(table, Acquisition(KVP=120.0)) is None


@pytest.mark.parametrize(
    ("bmd", "name"),
    [
        (79.99, "osteoporosis"), (80.0, "osteopenia"), (120.0, "osteopenia"), (120.01, "normal"),
    ],
)  # fmt: skip
def test_classes_have_their_borders(bmd, name):
    assert bmd_class(bmd) == name


def test_without_lumbar_levels_the_present_ones_are_named():
    thoracic = [(VertebraLevel.T9, 130.0), (VertebraLevel.T8, 150.0)]
    spine = spine_density(thoracic, "ct-1", None)
    assert spine.bmd_mg_cm3 == 140.0
    assert spine.bmd_levels == (VertebraLevel.T8, VertebraLevel.T9)
    with_lumbar = spine_density([*thoracic, (VertebraLevel.L2, 100.0)], "ct-1", None)
    assert with_lumbar.bmd_levels == (VertebraLevel.L2,)
    assert spine_density([], "ct-1", None).bmd_mg_cm3 is None


def test_the_core_keeps_away_from_the_surface():
    body = _body()
    core = trabecular_core(np.zeros(body.shape, np.int16), body, AXIAL, UPRIGHT)
    assert core.erosion_mm == 4.0
    inner = np.argwhere(core.mask)
    assert (inner.min(axis=0) >= 2 + 4).all()
    assert (inner.max(axis=0) <= np.array(body.shape) - 1 - 2 - 4).all()


def test_the_core_leaves_out_the_basivertebral_region_and_nothing_in_front_of_it():
    body = _body()
    core = trabecular_core(np.zeros(body.shape, np.int16), body, AXIAL, UPRIGHT).mask
    k, _, i = (n // 2 for n in body.shape)
    assert not core[k, 26, i]
    assert core[k, 12, i]
    assert core[k - 8, 26, i]
    assert core[k, 26, i - 15]


def test_the_basivertebral_region_follows_the_patient_not_the_array():
    """The same body with its back at low indices, as in a flipped acquisition."""
    flipped = AXIAL.copy()
    flipped[1, 1] = -1.0
    body = _body()
    core = trabecular_core(np.zeros(body.shape, np.int16), body, flipped, UPRIGHT).mask
    k, _, i = (n // 2 for n in body.shape)
    assert not core[k, body.shape[1] - 1 - 26, i]
    assert core[k, 26, i]


def test_foreign_material_is_left_out_of_the_core():
    body = _body()
    hu = np.full(body.shape, 120, np.int16)
    hu[10:20, 10:14, 10:14] = 2900
    core = trabecular_core(hu, body, AXIAL, UPRIGHT).mask
    assert hu[core].max() == 120


def test_small_bodies_are_eroded_less_and_tiny_ones_not_measured():
    small = _body((12, 16, 16))
    core = trabecular_core(np.zeros(small.shape, np.int16), small, AXIAL, UPRIGHT)
    assert core.erosion_mm < 4.0
    tiny = _body((6, 8, 8))
    assert trabecular_core(np.zeros(tiny.shape, np.int16), tiny, AXIAL, UPRIGHT) is None
