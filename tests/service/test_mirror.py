"""Left is left and up is up: an asymmetric patient through DICOM, NIfTI, SEG and picture.

The phantom carries a metal bead on the left of its skin and one supernumerary rib on the left of
L1. The masks are its true labels with an extra tip painted on the left of L1 and on top of L2, so
that a mirrored or turned mask cannot look right.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import highdicom as hd
import nibabel as nib
import numpy as np
import pytest

from inference import CTVolume, VertebraLevel
from inference.nifti import load_labels, save_labels
from inference.phantom.dicom import write_phantom
from inference.phantom.spec import PhantomSpec
from service.config import Config
from service.offline import analyze_path
from sr_writer.reformat import CORONAL, SAGITTAL, curved_sheet

L1, L2 = int(VertebraLevel.L1), int(VertebraLevel.L2)
TIP_LABEL = L1
TIP_MM = np.array([34.0, 4.0, 0.0])
"""From the centre of L1's body: outside the bone, on the left."""
TIP_HALF_MM = 5.0
SLACK_MM = 3.5
"""A voxel and the step of a label's edge."""


@dataclass(frozen=True)
class Scan:
    """One orientation: what went in, and where it came out."""

    volume: CTVolume
    labels: np.ndarray
    out: Path
    tip_lps_mm: np.ndarray
    bead_lps_mm: np.ndarray


@pytest.fixture(scope="module", params=["axial", "sagittal", "coronal"])
def scan(request, tmp_path_factory) -> Scan:
    folder = tmp_path_factory.mktemp(request.param)
    spec = PhantomSpec(
        seed=5,
        levels=(VertebraLevel.L1, VertebraLevel.L2),
        spacing_xyz_mm=(2.0, 1.5, 2.5),
        orientation=request.param,
        left_marker=True,
        field_of_view_mm=220.0,
    )
    series = write_phantom(spec, folder)
    truth = json.loads((folder / "truth.json").read_text())
    volume = CTVolume.from_dicom(series)
    labels = load_labels(folder / "labels.nii.gz", volume)
    centre = next(v["centroid_lps_mm"] for v in truth["vertebrae"] if v["label"] == "L1")
    tip = np.array(centre) + TIP_MM
    place = volume.to_lps_mm(np.stack(np.indices(labels.shape), axis=-1))
    labels[(np.abs(place - tip) <= TIP_HALF_MM).all(axis=-1)] = TIP_LABEL
    mask = folder / "mask.nii.gz"
    save_labels(mask, labels, volume.affine_lps)
    config = Config(sr_writer={"outputs": ["seg", "overview"]})
    analyze_path(series, folder / "out", config, mask=mask)
    return Scan(volume, labels, folder / "out", tip, np.array(truth["left_marker_lps_mm"]))


def places(labels: np.ndarray, label: int, affine: np.ndarray) -> np.ndarray:
    """Coordinates (n, 3) of the voxels of a label."""
    return np.argwhere(labels == label) @ affine[:3, :3].T + affine[:3, 3]


def assert_same_place(found: np.ndarray, scan: Scan, label: int) -> None:
    expected = places(scan.labels, label, scan.volume.affine_lps)
    assert len(found) == len(expected)
    assert np.abs(found.mean(axis=0) - expected.mean(axis=0)).max() < 0.01
    assert np.abs(found.max(axis=0) - expected.max(axis=0)).max() < 0.01
    assert np.abs(found.min(axis=0) - expected.min(axis=0)).max() < 0.01


def test_the_bead_is_on_the_patient_s_left_in_the_dicom_series(scan):
    """Read from the files' own position, orientation and pixels."""
    bead = scan.volume.to_lps_mm(np.argwhere(scan.volume.hu > 2000)).mean(axis=0)
    assert np.abs(bead - scan.bead_lps_mm).max() < SLACK_MM
    spine = places(scan.labels, L2, scan.volume.affine_lps).mean(axis=0)
    assert bead[0] > spine[0] + 40
    assert bead[1] < spine[1]


def test_the_nifti_masks_lie_in_the_patient_where_they_were_drawn(scan):
    """Read with nibabel in its own RAS+ frame."""
    image = nib.load(scan.out / "segmentation.nii.gz")
    written = np.asarray(image.dataobj)
    assert np.allclose(image.get_sform(), image.get_qform(), atol=1e-4)
    for label in (L1, L2):
        ras = places(written, label, image.affine)
        assert_same_place(ras * [-1, -1, 1], scan, label)
    tip_ras = places(written, TIP_LABEL, image.affine)[:, 0].min()
    assert tip_ras == pytest.approx(-scan.tip_lps_mm[0] - TIP_HALF_MM, abs=SLACK_MM)
    assert places(written, L1, image.affine)[:, 2].mean() > places(written, L2, image.affine)[
        :, 2
    ].mean() + 20  # fmt: skip


def test_the_seg_lies_in_the_patient_where_it_was_drawn(scan):
    """Decoded with highdicom by the SEG's own plane positions."""
    seg = hd.seg.segread(scan.out / "vertebrae.seg.dcm")
    named = {seg.get_segment_description(n).segment_label: n for n in seg.segment_numbers}
    for name, label in (("L1", L1), ("L2", L2)):
        (number,) = [n for text, n in named.items() if name in text.split() or text == name]
        volume = seg.get_volume(segment_numbers=[number], combine_segments=True, relabel=True)
        assert_same_place(places(volume.array, 1, volume.affine), scan, label)


def test_in_the_picture_the_left_is_right_and_the_head_is_up(scan):
    """The coronal panel shows the tip of L1 right of the bodies, beside L1 and above L2."""
    findings = json.loads((scan.out / "findings.json").read_text())["vertebrae"]
    centres = np.array([v["centroid_lps_mm"] for v in findings])
    bodies = load_labels(scan.out / "bodies.nii.gz", scan.volume)
    sheets = {
        plane: curved_sheet(scan.volume, (scan.labels, bodies), centres, plane)
        for plane in (CORONAL, SAGITTAL)
    }
    coronal = sheets[CORONAL]
    rows, columns = np.nonzero(coronal.labels == TIP_LABEL)
    middle = np.nonzero(coronal.bodies == L2)
    assert columns.max() - middle[1].mean() > middle[1].mean() - columns.min() + 5
    assert columns.max() * coronal.pixel_mm + coronal.origin_mm[1] == pytest.approx(
        scan.tip_lps_mm[0] + TIP_HALF_MM, abs=SLACK_MM
    )
    assert rows.mean() < middle[0].mean()
    sagittal = sheets[SAGITTAL]
    behind = np.nonzero((sagittal.labels == L1) & (sagittal.bodies != L1))[1]
    assert behind.mean() > np.nonzero(sagittal.bodies == L1)[1].mean()
