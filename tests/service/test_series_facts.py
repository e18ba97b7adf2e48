"""What headers say about a series: single-frame, multi-frame, with a scout, and unreadable."""

from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from inference.phantom.dicom import write_phantom
from inference.phantom.spec import PhantomSpec
from service.priority import HIGH_PRIORITY, STAT_PRIORITY
from service.series_facts import read_facts

AXIAL, SAGITTAL = [1, 0, 0, 0, 1, 0], [0, 1, 0, 0, 0, -1]


def save(path: Path, **elements) -> Path:
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = CTImageStorage
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    ds.Modality = "CT"
    for keyword, value in elements.items():
        setattr(ds, keyword, value)
    ds.save_as(path, enforce_file_format=True)
    return path


def slices(folder: Path, count=4, **elements):
    plane = {"ImageOrientationPatient": AXIAL, "PixelSpacing": [1, 1], "Rows": 10}
    return [
        save(folder / f"{n}.dcm", ImagePositionPatient=[0, 0, 3.0 * n], **{**plane, **elements})
        for n in range(count)
    ]


def items(**elements) -> list[Dataset]:
    item = Dataset()
    for keyword, value in elements.items():
        setattr(item, keyword, value)
    return [item]


def test_an_axial_series(tmp_path):
    facts = read_facts(
        slices(
            tmp_path,
            SliceThickness=3,
            ConvolutionKernel=["I30f", "2"],
            ImageType=["DERIVED", "PRIMARY", "AXIAL"],
            ContrastBolusAgent="Iomeprol",
            SeriesNumber=7,
        )
    )
    assert (facts.images, facts.orientation, facts.thickness_mm) == (4, "axial", 3.0)
    assert (facts.from_z_mm, facts.to_z_mm, facts.covered_mm) == (0, 9, 9)
    assert (facts.kernel, facts.contrast, facts.original) == ("I30f\\2", True, False)
    assert facts.SeriesNumber == 7


def test_a_sagittal_series_covers_the_height_of_its_slices(tmp_path):
    facts = read_facts(slices(tmp_path, ImageOrientationPatient=SAGITTAL, Rows=200))
    assert facts.orientation == "sagittal"
    assert facts.covered_mm == pytest.approx(209)


def test_a_scout_among_the_slices_does_not_speak_for_the_series(tmp_path):
    scout = save(
        tmp_path / "0scout.dcm",
        ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"],
        ImageOrientationPatient=SAGITTAL,
        ImagePositionPatient=[0, 0, 500],
        PixelSpacing=[1, 1],
        Rows=900,
        SliceThickness=50,
    )
    facts = read_facts([scout, *slices(tmp_path, SliceThickness=3)])
    assert (facts.orientation, facts.thickness_mm, facts.covered_mm) == ("axial", 3.0, 9)
    assert read_facts([scout]).orientation == "sagittal"


def test_the_functional_groups_of_an_enhanced_ct(tmp_path):
    shared = items(
        PixelMeasuresSequence=items(PixelSpacing=[1, 1], SliceThickness=2),
        PlaneOrientationSequence=items(ImageOrientationPatient=AXIAL),
        CTReconstructionSequence=items(ConvolutionKernel="B70f"),
    )
    frames = [
        items(PlanePositionSequence=items(ImagePositionPatient=[0, 0, 2.0 * n]))[0]
        for n in range(5)
    ]
    path = save(
        tmp_path / "enhanced.dcm",
        Rows=10,
        NumberOfFrames=5,
        SharedFunctionalGroupsSequence=shared,
        PerFrameFunctionalGroupsSequence=frames,
    )
    facts = read_facts([path])
    assert (facts.images, facts.orientation, facts.thickness_mm) == (5, "axial", 2.0)
    assert (facts.kernel, facts.covered_mm) == ("B70f", 8)
    assert read_facts([path, path]).images == 10


@pytest.mark.parametrize(
    ("elements", "priority"),
    [
        ({"RequestedProcedurePriority": "HIGH"}, HIGH_PRIORITY),
        (
            {"RequestAttributesSequence": items(RequestedProcedurePriority="stat ")},
            STAT_PRIORITY,
        ),
    ],
)
def test_the_priority_of_the_request(tmp_path, elements, priority):
    assert read_facts(slices(tmp_path, **elements)).priority == priority


def test_what_cannot_be_read_says_nothing(tmp_path):
    broken = tmp_path / "broken.dcm"
    broken.write_bytes(b"no DICOM at all")
    facts = read_facts([broken, tmp_path / "absent.dcm"])
    assert (facts.images, facts.Modality, facts.orientation, facts.covered_mm) == (2, "", "", None)


def test_headers_that_contradict_themselves_are_no_error(tmp_path):
    path = save(tmp_path / "a.dcm", ImageOrientationPatient=[1, 0, 0], Rows=3)
    assert read_facts([path]).orientation == ""


def test_a_phantom_is_read_as_it_was_made(tmp_path):
    folder = write_phantom(PhantomSpec(spacing_xyz_mm=(4.0, 4.0, 4.0)), tmp_path)
    facts = read_facts(sorted(folder.iterdir()))
    assert facts.orientation == "axial"
    assert facts.thickness_mm == pytest.approx(4.0)
    count = len(list(folder.iterdir()))
    assert facts.covered_mm == pytest.approx(4.0 * (count - 1), abs=0.1)
    header = pydicom.dcmread(next(folder.iterdir()), stop_before_pixels=True)
    assert facts.FrameOfReferenceUID == header.FrameOfReferenceUID
