"""SOP classes and transfer syntaxes of the node: the one list behind code and conformance.

What we receive is CT only. Everything we write ourselves (SEG, SR, SC, PDF, KOS) is absent
from the list on purpose: results that come back are refused at negotiation.
"""

from __future__ import annotations

from typing import Final

from pydicom import uid

VERIFICATION: Final = "1.2.840.10008.1.1"

RECEIVED_SOP_CLASSES: Final[dict[str, str]] = {
    "1.2.840.10008.5.1.4.1.1.2": "CT Image Storage",
    "1.2.840.10008.5.1.4.1.1.2.1": "Enhanced CT Image Storage",
    "1.2.840.10008.5.1.4.1.1.2.2": "Legacy Converted Enhanced CT Image Storage",
}

SENT_SOP_CLASSES: Final[dict[str, str]] = {
    "1.2.840.10008.5.1.4.1.1.66.4": "Segmentation Storage",
    "1.2.840.10008.5.1.4.1.1.66.7": "Label Map Segmentation Storage",
    "1.2.840.10008.5.1.4.1.1.88.34": "Comprehensive 3D SR Storage",
    "1.2.840.10008.5.1.4.1.1.88.22": "Enhanced SR Storage",
    "1.2.840.10008.5.1.4.1.1.7": "Secondary Capture Image Storage",
    "1.2.840.10008.5.1.4.1.1.104.1": "Encapsulated PDF Storage",
    "1.2.840.10008.5.1.4.1.1.88.59": "Key Object Selection Document Storage",
    **RECEIVED_SOP_CLASSES,
}

# In the order of preference of the SCP: what costs least to read comes first.
CT_TRANSFER_SYNTAXES: Final[tuple[uid.UID, ...]] = (
    uid.ExplicitVRLittleEndian,
    uid.ImplicitVRLittleEndian,
    uid.ExplicitVRBigEndian,
    uid.DeflatedExplicitVRLittleEndian,
    uid.RLELossless,
    uid.JPEGLosslessSV1,
    uid.JPEGLossless,
    uid.JPEGLSLossless,
    uid.JPEGLSNearLossless,
    uid.JPEG2000Lossless,
    uid.JPEG2000,
    uid.HTJ2KLossless,
    uid.HTJ2KLosslessRPCL,
    uid.HTJ2K,
    uid.JPEGBaseline8Bit,
    uid.JPEGExtended12Bit,
)

VERIFICATION_TRANSFER_SYNTAXES: Final[tuple[uid.UID, ...]] = (
    uid.ImplicitVRLittleEndian,
    uid.ExplicitVRLittleEndian,
)
