"""Every code this package writes, in one table.

Sources: PS3.16 CID 7603 (vertebrae), CID 7464 (derivations), TID 1411, TID 4019; SNOMED CT; UCUM;
IBSI reference manual for texture. What has no standard code is in the private scheme
`PRIVATE_SCHEME`, which every object that uses it identifies in Coding Scheme Identification
Sequence (PS3.3 C.12.1.1.2).
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from pydicom.dataset import Dataset

from inference.anatomy import SACRUM_LABEL, VertebraLevel
from sr_writer.explicit_vr import data_set, element

PRIVATE_SCHEME = "99SPINENODE"
PRIVATE_SCHEME_NAME = "spinenode measurement concepts"


class Code(NamedTuple):
    """A coded concept."""

    value: str
    scheme: str
    meaning: str

    def item(self) -> Dataset:
        """Return the code sequence item (PS3.3 8.8)."""
        ds = Dataset()
        ds.CodeValue = self.value
        ds.CodingSchemeDesignator = self.scheme
        ds.CodeMeaning = self.meaning
        return ds

    def encoded(self) -> bytes:
        """Return the same item as bytes."""
        return _encoded(self)


@cache
def _encoded(code: Code) -> bytes:
    return data_set(
        element("CodeValue", code.value),
        element("CodingSchemeDesignator", code.scheme),
        element("CodeMeaning", code.meaning),
    )


def _sct(value: str, meaning: str) -> Code:
    return Code(value, "SCT", meaning)


def _dcm(value: str, meaning: str) -> Code:
    return Code(value, "DCM", meaning)


def _own(value: str, meaning: str) -> Code:
    return Code(value, PRIVATE_SCHEME, meaning)


_CERVICAL = ("14806007", "39976000", "113205007", "5329002", "36978003", "36054005", "87391001")
_THORACIC = (
    "64864005", "53733008", "1626008", "73071006", "56401006", "45296009",
    "62487009", "11068009", "82687006", "7610001", "12989004", "23215003",
)  # fmt: skip
_LUMBAR = ("66794005", "14293000", "36470004", "11994002", "49668003")
VERTEBRA = _sct("51282000", "Vertebra")
SACRUM = _sct("54735007", "Sacrum")
ANATOMICAL_STRUCTURE = _sct("91723000", "Anatomical structure")


def vertebra_code(level: VertebraLevel) -> Code:
    """Code of a level; T13 and L6 are not in CID 7603 and share the code of any vertebra."""
    number = int(level.name[1:])
    values = {"C": _CERVICAL, "T": _THORACIC, "L": _LUMBAR}[level.region]
    if number > len(values):
        return VERTEBRA
    return _sct(values[number - 1], f"{level.name} vertebra")


def structure_code(label: int) -> Code:
    """Code of a VerSe label, the sacrum included."""
    return SACRUM if label == SACRUM_LABEL else vertebra_code(VertebraLevel(label))


def structure_name(label: int) -> str:
    """``L1`` for a vertebra, ``Sacrum`` for the sacrum."""
    return "Sacrum" if label == SACRUM_LABEL else VertebraLevel(label).name


# Document titles, headings and relations
IMAGING_MEASUREMENT_REPORT = _dcm("126000", "Imaging Measurement Report")
DIAGNOSTIC_IMAGING_REPORT = Code("18748-4", "LN", "Diagnostic Imaging Report")
CT_UNSPECIFIED = Code("25045-6", "LN", "CT unspecified body region")
OF_INTEREST = _dcm("113000", "Of Interest")
KEY_OBJECT_DESCRIPTION = _dcm("113012", "Key Object Description")
LANGUAGE = _dcm("121049", "Language of Content Item and Descendants")
ENGLISH = Code("en", "RFC5646", "English")
PROCEDURE_REPORTED = _dcm("121058", "Procedure reported")
IMAGE_LIBRARY = _dcm("111028", "Image Library")
IMAGE_LIBRARY_GROUP = _dcm("126200", "Image Library Group")
IMAGING_MEASUREMENTS = _dcm("126010", "Imaging Measurements")
QUALITATIVE_EVALUATIONS = Code("C0034375", "UMLS", "Qualitative Evaluations")
MEASUREMENT_GROUP = _dcm("125007", "Measurement Group")
FINDINGS_HEADING = _dcm("121070", "Findings")
FINDING = _dcm("121071", "Finding")
CONCLUSIONS_HEADING = _dcm("121076", "Conclusions")
CONCLUSION = _dcm("121077", "Conclusion")
PROCEDURE_HEADING = _dcm("121064", "Current Procedure Descriptions")
PROCEDURE_DESCRIPTION = _dcm("121065", "Procedure Description")
COMMENT = _dcm("121106", "Comment")

# Observer (TID 1002, 1004)
OBSERVER_TYPE = _dcm("121005", "Observer Type")
DEVICE = _dcm("121007", "Device")
DEVICE_UID = _dcm("121012", "Device Observer UID")
DEVICE_NAME = _dcm("121013", "Device Observer Name")
DEVICE_MANUFACTURER = _dcm("121014", "Device Observer Manufacturer")
DEVICE_MODEL = _dcm("121015", "Device Observer Model Name")
DEVICE_SERIAL = _dcm("121016", "Device Observer Serial Number")

# Measurement group (TID 1411, 1419, 4019)
TRACKING_IDENTIFIER = _dcm("112039", "Tracking Identifier")
TRACKING_UID = _dcm("112040", "Tracking Unique Identifier")
FINDING_CATEGORY = _sct("276214006", "Finding category")
FINDING_SITE = _sct("363698007", "Finding Site")
REFERENCED_SEGMENT = _dcm("121191", "Referenced Segment")
SOURCE_SERIES = _dcm("121232", "Source series for segmentation")
CENTER = _dcm("111010", "Center")
ALGORITHM_NAME = _dcm("111001", "Algorithm Name")
ALGORITHM_VERSION = _dcm("111003", "Algorithm Version")
ALGORITHM_PARAMETERS = _dcm("111002", "Algorithm Parameters")
DERIVATION = _dcm("121401", "Derivation")
MEAN = _sct("373098007", "Mean")
STANDARD_DEVIATION = _sct("386136009", "Standard Deviation")
MEDIAN = _sct("373099004", "Median")
MODALITY = _dcm("121139", "Modality")
COMPUTED_TOMOGRAPHY = _dcm("CT", "Computed Tomography")

# Frames of a segmentation (CID 7202, 7203)
SOURCE_IMAGE = _dcm("121322", "Source image for image processing operation")
SEGMENTATION = _dcm("113076", "Segmentation")

# Equipment and algorithm family
PROCESSING_EQUIPMENT = _dcm("109102", "Processing Equipment")
ARTIFICIAL_INTELLIGENCE = _dcm("123110", "Artificial Intelligence")

# Units (UCUM)
NO_UNITS = Code("1", "UCUM", "no units")
GRADE = Code("{grade}", "UCUM", "grade")
PERCENT = Code("%", "UCUM", "Percent")
MILLIMETER = Code("mm", "UCUM", "millimeter")
MILLILITER = Code("ml", "UCUM", "milliliter")
HOUNSFIELD = Code("[hnsf'U]", "UCUM", "Hounsfield unit")
MG_PER_CM3 = Code("mg/cm3", "UCUM", "milligram per cubic centimeter")
BITS = Code("bit", "UCUM", "bit")

# Measurements
HEIGHT_LOSS = _own("height-loss", "Vertebral body height loss")
GENANT_GRADE = _own("genant-grade", "Genant grade")
HEIGHT_ANTERIOR = _own("height-anterior", "Anterior height of vertebral body")
HEIGHT_MIDDLE = _own("height-middle", "Middle height of vertebral body")
HEIGHT_POSTERIOR = _own("height-posterior", "Posterior height of vertebral body")
ATTENUATION = _dcm("112031", "Attenuation Coefficient")
BMD = _own("bmd", "Volumetric bone mineral density")
VOLUME = _sct("118565006", "Volume")
LEVEL_CONFIDENCE = _own("level-confidence", "Confidence of level name")

# Coded evaluations
COMPRESSION_FRACTURE = _sct("42942008", "Compression fracture of vertebral column")
PRESENT = _sct("52101004", "Present")
ABSENT = _sct("272519000", "Absent")
GENANT_TYPE = _own("genant-type", "Type of vertebral deformity")
GENANT_TYPES = {
    "none": _own("type-none", "None"),
    "wedge": _own("type-wedge", "Wedge"),
    "biconcave": _own("type-biconcave", "Biconcave"),
    "crush": _own("type-crush", "Crush"),
}

FEATURES: dict[str, tuple[Code, Code]] = {
    "variance": (Code("CH89", "IBSI", "Intensity histogram variance"), NO_UNITS),
    "skewness": (Code("88K1", "IBSI", "Intensity histogram skewness"), NO_UNITS),
    "energy": (Code("8ZQL", "IBSI", "Angular second moment"), NO_UNITS),
    "entropy": (Code("TU9B", "IBSI", "Joint entropy"), BITS),
    "sre": (Code("22OV", "IBSI", "Short runs emphasis"), NO_UNITS),
    "lre": (Code("W4KF", "IBSI", "Long runs emphasis"), NO_UNITS),
    "rln": (Code("IC23", "IBSI", "Run length non-uniformity normalised"), NO_UNITS),
    "rp": (Code("9ZK5", "IBSI", "Run percentage"), NO_UNITS),
}
"""Feature key to concept and unit, in the order they are reported."""
