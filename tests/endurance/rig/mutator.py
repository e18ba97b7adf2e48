"""A seeded mutator: the same integer gives the same damage on every machine."""

from __future__ import annotations

import random
import struct

EXTREMES = (
    0,
    1,
    0x7F,
    0x80,
    0xFF,
    0x7FFF,
    0x8000,
    0xFFFE,
    0xFFFF,
    0x7FFFFFFF,
    0xFFFFFFFE,
    2**32 - 1,
)
HOSTILE_TEXTS = (
    b"../../../../../../tmp/spinenode-was-here",
    b"..\\..\\..\\windows\\system32",
    b"/etc/passwd",
    b"1.2.3/../../4",
    b"%2e%2e%2f",
    b"\0\0\0\0",
    b"\r\n0000-00-00 forged log line\r\n",
    b"' OR 1=1; DROP TABLE instance; --",
    b"9" * 300,
    b"\x1b[31m",
)
LONGEST_COPY = 512


class Mutator:
    """Damages bytes in one to four ways."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self._ways = (
            self._flip,
            self._extreme,
            self._extreme,
            self._cut,
            self._remove,
            self._repeat,
            self._insert,
            self._hostile_text,
        )

    def mutate(self, sound: bytes) -> bytes:
        """Return a damaged copy."""
        damaged = bytearray(sound)
        for _ in range(self.rng.randint(1, 4)):
            if damaged:
                self.rng.choice(self._ways)(damaged)
        return bytes(damaged)

    def _at(self, damaged: bytearray) -> int:
        return self.rng.randrange(len(damaged))

    def _flip(self, damaged: bytearray) -> None:
        damaged[self._at(damaged)] ^= 1 << self.rng.randrange(8)

    def _extreme(self, damaged: bytearray) -> None:
        """Lengths and counts are where parsers go wrong."""
        form = self.rng.choice(("<H", ">H", "<L", ">L"))
        size = struct.calcsize(form)
        value = self.rng.choice(EXTREMES) & (256**size - 1)
        at = self._at(damaged)
        damaged[at : at + size] = struct.pack(form, value)

    def _cut(self, damaged: bytearray) -> None:
        del damaged[self._at(damaged) :]

    def _remove(self, damaged: bytearray) -> None:
        at = self._at(damaged)
        del damaged[at : at + self.rng.randint(1, 64)]

    def _repeat(self, damaged: bytearray) -> None:
        at = self._at(damaged)
        piece = damaged[at : at + self.rng.randint(1, LONGEST_COPY)]
        damaged[at:at] = piece * self.rng.randint(1, 8)

    def _insert(self, damaged: bytearray) -> None:
        damaged[self._at(damaged) : 0] = self.rng.randbytes(self.rng.randint(1, 32))

    def _hostile_text(self, damaged: bytearray) -> None:
        """Over the value of a UID if there is one, anywhere else if not."""
        text = self.rng.choice(HOSTILE_TEXTS)
        at = damaged.find(b"1.2.", self._at(damaged))
        at = self._at(damaged) if at < 0 else at
        damaged[at : at + len(text)] = text
