"""Source headers as the results inherit them: read without pixels, normalised on copies.

Scanners and anonymisers leave out what PS3.3 requires, or write values outside the defined terms.
A PACS matches results to the study by these attributes, so identifiers are kept as they came;
only what would make a result invalid is repaired. The character set is the source's own.
"""

from __future__ import annotations

import math
import re
from datetime import date
from pathlib import Path

import pydicom
from pydicom.datadict import dictionary_VM
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.multival import MultiValue

from inference.volume import CTVolume, SourceSeries
from sr_writer.errors import SourceUnreadable
from sr_writer.provenance import ResultUIDs

STUDY_KEYWORDS = (
    "SpecificCharacterSet", "PatientName", "PatientID", "IssuerOfPatientID", "PatientBirthDate",
    "PatientSex", "PatientAge", "PatientIdentityRemoved", "DeidentificationMethod",
    "DeidentificationMethodCodeSequence", "StudyInstanceUID", "StudyDate", "StudyTime", "StudyID",
    "AccessionNumber", "ReferringPhysicianName", "StudyDescription", "TimezoneOffsetFromUTC",
)  # fmt: skip
"""What a result shares with its study."""

_IMAGE_KEYWORDS = (
    "SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "SeriesNumber", "InstanceNumber",
    "Modality", "Manufacturer", "ManufacturerModelName", "DeviceSerialNumber", "SoftwareVersions",
    "InstitutionName", "BodyPartExamined", "FrameOfReferenceUID", "PositionReferenceIndicator",
    "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness",
    "SpacingBetweenSlices", "Rows", "Columns", "NumberOfFrames", "ImageType", "AcquisitionDate",
    "AcquisitionTime", "SeriesDate", "SeriesTime", "LossyImageCompression",
    "LossyImageCompressionRatio", "LossyImageCompressionMethod", "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence", "DimensionOrganizationSequence", "DimensionIndexSequence",
)  # fmt: skip

_ALL_KEYWORDS = STUDY_KEYWORDS + _IMAGE_KEYWORDS

_PER_SLICE_KEYWORDS = (
    "SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "InstanceNumber",
    "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "Rows", "Columns",
)  # fmt: skip
"""What differs, or has to agree, between the slices of one series; the rest is read once."""

_REQUIRED_BUT_MAY_BE_EMPTY = (
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime",
    "StudyID", "AccessionNumber", "ReferringPhysicianName",
)  # fmt: skip

_NUMBERS = ("SeriesNumber", "SliceThickness", "LossyImageCompressionRatio")
"""What a result can do without, where it is no number."""

_SEX = {"M": "M", "F": "F", "O": "O", "MALE": "M", "FEMALE": "F", "W": "F", "X": "O", "D": "O"}
_DATE = re.compile(r"(\d{4})[.\-/]?(\d{2})[.\-/]?(\d{2})")
_TIME = re.compile(r"([01]\d|2[0-3])(([0-5]\d)(([0-5]\d|60)(\.\d{1,6})?)?)?")
_OFFSET = re.compile(r"[+-](0\d|1[0-4])[0-5]\d")
_AGE = re.compile(r"\d{3}[DWMY]")


class SourceHeaders:
    """Normalised headers of the slices of a volume, read when asked for.

    Parameters
    ----------
    volume
        Its `source.frames` name the files; there has to be at least one.
    uids
        Derives the Frame of Reference UID of sources that have none.
    """

    def __init__(self, volume: CTVolume, uids: ResultUIDs) -> None:
        self._source: SourceSeries = volume.source
        self._slice_spacing_mm = volume.spacing_kji_mm[0]
        self._uids = uids
        self._stored: Dataset | None = None
        self._first: Dataset | None = None
        self._read: dict[Path, Dataset] = {}

    @property
    def is_multi_frame(self) -> bool:
        """One file holds all slices."""
        return self._source.frames[0].frame_number is not None

    @property
    def stored(self) -> Dataset:
        """Header of the first slice as it lies in the file."""
        if self._stored is None:
            self._stored = read_header(self._source.frames[0].path)
        return self._stored

    @property
    def common(self) -> Dataset:
        """The same, normalised: patient, study and series are those of the whole series."""
        if self._first is None:
            self._first = normalised(self.stored, self._uids)
            if not self.is_multi_frame and not self._first.get("SliceThickness"):
                self._first.SliceThickness = f"{self._slice_spacing_mm:.6g}"
        return self._first

    def slice(self, k: int) -> Dataset:
        """Header of the file that slice `k` came from."""
        path = self._source.frames[k].path
        if self.is_multi_frame or path == self._source.frames[0].path:
            return self.common
        if path not in self._read:
            header = Dataset()
            header.update(self.common)
            header.update(read_header(path, _PER_SLICE_KEYWORDS))
            self._read[path] = header
        return self._read[path]


def read_header(path: Path, keywords: tuple[str, ...] = _ALL_KEYWORDS) -> Dataset:
    """Read the attributes results need, pixel data untouched.

    Raises
    ------
    SourceUnreadable
        If the file is gone or no DICOM file.
    """
    try:
        return pydicom.dcmread(
            path,
            stop_before_pixels=True,
            force=False,
            specific_tags=list(keywords),
        )
    except (OSError, InvalidDicomError) as error:
        raise SourceUnreadable("an image of the series can no longer be read") from error


def functional_group(header: Dataset, frame_number: int, keyword: str) -> Dataset:
    """Group that holds for a frame (C.7.6.16): its own, or the one shared by all; empty without."""
    shared = header.get("SharedFunctionalGroupsSequence") or [Dataset()]
    own = header.PerFrameFunctionalGroupsSequence[frame_number - 1]
    items = own.get(keyword) or shared[0].get(keyword)
    return items[0] if items else Dataset()


def normalised(header: Dataset, uids: ResultUIDs) -> Dataset:
    """Return a copy in which every attribute a result inherits is valid.

    `header` stays as it is, its elements not decoded.
    """
    ds = Dataset()
    ds.update(header)
    for keyword in _NUMBERS:
        if keyword in ds and not _is_numeric(ds, keyword):
            del ds[keyword]
    for keyword in _REQUIRED_BUT_MAY_BE_EMPTY:
        if ds.get(keyword) is None:
            setattr(ds, keyword, "")
    ds.PatientSex = _sex(str(ds.PatientSex))
    ds.PatientBirthDate = _date(str(ds.PatientBirthDate))
    ds.StudyDate = _date(str(ds.StudyDate))
    ds.StudyTime = _time(str(ds.StudyTime))
    if "TimezoneOffsetFromUTC" in ds and not _OFFSET.fullmatch(str(ds.TimezoneOffsetFromUTC)):
        del ds.TimezoneOffsetFromUTC
    if not _AGE.fullmatch(str(ds.get("PatientAge", ""))) and "PatientAge" in ds:
        del ds.PatientAge
    if not ds.get("FrameOfReferenceUID"):
        ds.FrameOfReferenceUID = uids.frame_of_reference(str(ds.SeriesInstanceUID))
    for keyword in ("ImageType", "PositionReferenceIndicator", "StudyDescription"):
        if keyword in ds and ds.get(keyword) is None:
            setattr(ds, keyword, "")
    return ds


def _sex(value: str) -> str:
    return _SEX.get(value.strip().upper(), "")


def _date(value: str) -> str:
    found = _DATE.fullmatch(value.strip())
    if not found:
        return ""
    year, month, day = found.groups()
    try:
        date(int(year), int(month), int(day))
    except ValueError:
        return ""
    return year + month + day


def _is_numeric(ds: Dataset, keyword: str) -> bool:
    """Whether an element holds finite numbers, and no more than one where there may be one."""
    try:
        value = ds[keyword].value
        values = value if isinstance(value, MultiValue) else [value or 0]
        finite = all(math.isfinite(float(each)) for each in values)
    except (ValueError, TypeError, OverflowError):
        return False
    return finite and (len(values) == 1 or dictionary_VM(keyword) != "1")


def _time(value: str) -> str:
    candidate = value.strip().replace(":", "")
    return candidate if _TIME.fullmatch(candidate) else ""
