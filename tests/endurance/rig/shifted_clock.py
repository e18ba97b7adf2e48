"""A wall clock that jumps, for the processes of one installation (Linux with a C compiler)."""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path

import pytest

SOURCE = Path(__file__).with_suffix(".c")


class ShiftedClock:
    """Give `environment` to the processes; `jump` then sets their clock off from the true one."""

    def __init__(self, folder: Path) -> None:
        compiler = shutil.which("cc")
        if compiler is None:
            pytest.skip("no C compiler for the library that shifts the clock (Debian's gcc)")
        self._library = folder / "shifted_clock.so"
        self._offset = folder / "offset"
        self._offset.write_bytes(struct.pack("q", 0))
        command = [compiler, "-O1", "-Wall", "-shared", "-fPIC", "-o", self._library, SOURCE]
        subprocess.run(command, check=True, capture_output=True, timeout=60)

    @property
    def environment(self) -> dict[str, str]:
        return {"LD_PRELOAD": str(self._library), "SHIFTED_CLOCK": str(self._offset)}

    def jump(self, seconds: float) -> None:
        """Let the clock be so far ahead of the true one; negative: behind it."""
        # In place: the processes have this very file mapped.
        with self._offset.open("r+b") as file:
            file.write(struct.pack("q", int(seconds)))
