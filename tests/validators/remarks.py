"""Remarks of validators that are not faults of the objects, each with its reason."""

from __future__ import annotations

import re
from typing import NamedTuple


class Remark(NamedTuple):
    """A known remark: which tool, on which set of objects (None: any), and why it may stay."""

    tool: str
    objects: str | None
    pattern: str
    reason: str


KNOWN = (
    Remark(
        "dciodvfy", None, r"Unrecognized defined term <99SPINENODE>",
        "private coding scheme, identified in Coding Scheme Identification Sequence",
    ),
    Remark(
        "dciodvfy", "label map", r"Error - Information Object Not found",
        "the 2022 release does not know Label Map Segmentation Storage (added 2024)",
    ),
    Remark(
        "dciodvfy", "label map", r"Error - SegmentNumber not monotonically increasing .* of 0$",
        "a label map describes its background as segment 0 (PS3.3 C.8.20.2)",
    ),
    Remark(
        "dciodvfy", "label map",
        r"Error - Shall not be present for Referenced SOP Class that is not segmentation",
        "the same: the referenced SOP class is a segmentation it does not know",
    ),
    Remark(
        "dcentvfy", None, r"Element=<PatientComments> IE=<Patient>",
        "the source's free comment; not copied, and optional",
    ),
    Remark(
        "dcentvfy", None, r"Element=<AccessionNumber> IE <Study> versus <Series>",
        "also an attribute of the request sequences of SR and KO, which it files under the series",
    ),
    Remark(
        "dcentvfy", "label map", r"Unrecognized SOP Class - [0-9.]+\.66\.7 |IE <Unknown>",
        "the 2022 release does not know Label Map Segmentation Storage",
    ),
    Remark(
        "dsrdump", "label map", r"Reading content item|error \(Invalid Value\)",
        "DCMTK 3.6.7 reads no report that refers to a segment of a SOP class it does not know",
    ),
    Remark(
        "dsr2html", "label map", r"Reading content item|error \(Invalid Value\)",
        "DCMTK 3.6.7 reads no report that refers to a segment of a SOP class it does not know",
    ),
    Remark(
        "PixelMed SR validator", None,
        r'\(276214006,SCT|\(11100[123],DCM|\(111010,DCM|\(42942008,SCT|\(genant-type,99SPINENODE',
        "TID 1411 is extensible; the 2022 rules predate its TID 4019 rows; Center is for OHIF",
    ),
)  # fmt: skip


def reason(tool: str, objects: str, line: str) -> str | None:
    """Why a line of a tool's output may stay; None for a fault."""
    for known in KNOWN:
        applies = known.tool == tool and known.objects in (None, objects)
        if applies and re.search(known.pattern, line):
            return known.reason
    return None
