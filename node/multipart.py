"""Read a multipart/related body part by part, in bounded memory (RFC 2387, RFC 2046 5.1)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from node.errors import NotAcceptable

CANNOT_UNDERSTAND = 0xC000
CHUNK_BYTES = 2**18
LONGEST_HEADER_BYTES = 16_384
BOUNDARY = re.compile(r'boundary\s*=\s*(?:"([^"]{1,200})"|([^\s;,]{1,200}))', re.IGNORECASE)

Read = Callable[[int], bytes]


def boundary_of(content_type: str) -> bytes | None:
    """Return the boundary that a Content-Type names, or None if it names none."""
    match = BOUNDARY.search(content_type)
    return None if match is None else (match[1] or match[2]).encode("latin-1", "replace")


class MultipartReader:
    """The parts of one body, one after the other.

    Parameters
    ----------
    read
        Returns at most so many of the next bytes, and nothing at the end.
    """

    def __init__(self, read: Read, boundary: bytes) -> None:
        self._read = read
        self._delimiter = b"\r\n--" + boundary
        # The first delimiter may stand at the very beginning, without the line break before it.
        self._buffer = b"\r\n"

    def parts(self) -> Iterator[Iterator[bytes]]:
        """Yield the content of each part as pieces; take all of one before the next.

        Raises
        ------
        NotAcceptable
            The body is no multipart body, or ends early.
        """
        for _ in self._until_delimiter():
            pass
        while not self._is_last():
            self._skip_part_header()
            yield self._until_delimiter()

    def _is_last(self) -> bool:
        """Whether the closing delimiter was just taken."""
        self._fill(2)
        return self._buffer.startswith(b"--")

    def _skip_part_header(self) -> None:
        """Step over the header lines and the empty line behind them."""
        while b"\r\n\r\n" not in self._buffer:
            if len(self._buffer) > LONGEST_HEADER_BYTES:
                raise NotAcceptable(CANNOT_UNDERSTAND, "Part header is too long")
            self._fill(len(self._buffer) + 1)
        self._buffer = self._buffer.partition(b"\r\n\r\n")[2]

    def _until_delimiter(self) -> Iterator[bytes]:
        """Yield what comes before the next delimiter, and take the delimiter."""
        while True:
            at = self._buffer.find(self._delimiter)
            if at >= 0:
                piece, self._buffer = self._buffer[:at], self._buffer[at + len(self._delimiter) :]
                if piece:
                    yield piece
                return
            # The last bytes may be the beginning of a delimiter.
            safe = len(self._buffer) - len(self._delimiter) + 1
            if safe > 0:
                piece, self._buffer = self._buffer[:safe], self._buffer[safe:]
                yield piece
            self._fill(len(self._buffer) + 1)

    def _fill(self, least: int) -> None:
        while len(self._buffer) < least:
            more = self._read(CHUNK_BYTES)
            if not more:
                raise NotAcceptable(CANNOT_UNDERSTAND, "Multipart body ends early")
            self._buffer += more
