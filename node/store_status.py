"""What a C-STORE status means, in our own words (PS3.4 Table B.2-1, PS3.7 Annex C).

The Error Comment of the other side is kept nowhere: archives name patients in it.
"""

from __future__ import annotations

_EXACT = {
    0x0000: "",
    0x0105: "no such attribute",
    0x0106: "invalid attribute value",
    0x0110: "processing failure",
    0x0111: "duplicate SOP instance",
    0x0117: "invalid SOP instance",
    0x0122: "SOP class not supported",
    0x0124: "not authorized",
    0x0210: "duplicate invocation",
    0x0211: "unrecognized operation",
    0x0212: "mistyped argument",
    0x0213: "resource limitation",
    0xB000: "coercion of data elements",
    0xB006: "elements discarded",
    0xB007: "data set does not match SOP class",
}
_BY_FIRST_DIGITS = {
    0xA7: "out of resources",
    0xA9: "data set does not match SOP class",
}
_CANNOT_UNDERSTAND = 0xC


def meaning(status: int) -> str:
    """Return the meaning of a status; empty for success and for what no table lists."""
    if status in _EXACT:
        return _EXACT[status]
    if status >> 12 == _CANNOT_UNDERSTAND:
        return "cannot understand"
    return _BY_FIRST_DIGITS.get(status >> 8, "")
