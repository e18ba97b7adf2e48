"""The two command sets of C-STORE, read and written without a general parser.

Command sets are Implicit VR Little Endian (PS3.7 Section 6.3.1). Built and parsed by the library
they cost more CPU than half a megabyte of pixels.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

C_STORE_RQ: Final = 0x0001
C_STORE_RSP: Final = 0x8001
NO_DATA_SET: Final = 0x0101
ELEMENT: Final = struct.Struct("<HHI")
US: Final = struct.Struct("<H")
FIXED_ANSWER: Final = struct.Struct("<" + 4 * "HHIH")
"""Four elements of one number each."""

AFFECTED_SOP_CLASS_UID: Final = 0x0002
COMMAND_FIELD: Final = 0x0100
MESSAGE_ID: Final = 0x0110
MESSAGE_ID_BEING_RESPONDED_TO: Final = 0x0120
COMMAND_DATA_SET_TYPE: Final = 0x0800
STATUS: Final = 0x0900
ERROR_COMMENT: Final = 0x0902
AFFECTED_SOP_INSTANCE_UID: Final = 0x1000


@dataclass(frozen=True)
class StoreCommand:
    """What a C-STORE request (PS3.7 Section 9.3.1.1) says; UIDs without padding."""

    message_id: int
    sop_class_uid: str
    sop_instance_uid: str


def parse_store_request(command_set: bytes) -> StoreCommand | None:
    """Return the request, or None if this is anything but a proper C-STORE request with data."""
    values = _elements(command_set)
    if values is None or _number(values, COMMAND_FIELD) != C_STORE_RQ:
        return None
    if _number(values, COMMAND_DATA_SET_TYPE) in (None, NO_DATA_SET):
        return None
    message_id = _number(values, MESSAGE_ID)
    sop_class_uid = _uid(values, AFFECTED_SOP_CLASS_UID)
    sop_instance_uid = _uid(values, AFFECTED_SOP_INSTANCE_UID)
    if message_id is None or not sop_class_uid or not sop_instance_uid:
        return None
    return StoreCommand(message_id, sop_class_uid, sop_instance_uid)


def store_response(command: StoreCommand, status: int, error_comment: str = "") -> bytes:
    """Return the command set of the C-STORE response (PS3.7 Section 9.3.1.2)."""
    body = (
        _element(AFFECTED_SOP_CLASS_UID, command.sop_class_uid.encode("ascii"), b"\0")
        + FIXED_ANSWER.pack(
            *(0, COMMAND_FIELD, US.size, C_STORE_RSP),
            *(0, MESSAGE_ID_BEING_RESPONDED_TO, US.size, command.message_id),
            *(0, COMMAND_DATA_SET_TYPE, US.size, NO_DATA_SET),
            *(0, STATUS, US.size, status),
        )
        + _comment(error_comment)
        + _element(AFFECTED_SOP_INSTANCE_UID, command.sop_instance_uid.encode("ascii"), b"\0")
    )
    return ELEMENT.pack(0, 0, 4) + struct.pack("<I", len(body)) + body


def _comment(text: str) -> bytes:
    return _element(ERROR_COMMENT, text.encode("ascii", "replace"), b" ") if text else b""


def _elements(command_set: bytes) -> dict[int, bytes] | None:
    """Return the values by element number; None if the encoding is broken."""
    values: dict[int, bytes] = {}
    at, end = 0, len(command_set)
    while at < end:
        if at + ELEMENT.size > end:
            return None
        group, element, length = ELEMENT.unpack_from(command_set, at)
        at += ELEMENT.size
        if group != 0 or length > end - at:
            return None
        values[element] = command_set[at : at + length]
        at += length
    return values


def _number(values: dict[int, bytes], element: int) -> int | None:
    value = values.get(element, b"")
    return int(US.unpack(value)[0]) if len(value) == US.size else None


def _uid(values: dict[int, bytes], element: int) -> str:
    value = values.get(element, b"")
    return value.decode("ascii").strip("\0 ") if value.isascii() else ""


def _element(element: int, value: bytes, padding: bytes = b"") -> bytes:
    if len(value) % 2:
        value += padding
    return ELEMENT.pack(0, element, len(value)) + value
