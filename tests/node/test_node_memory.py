"""The receiver holds no more memory after many instances than after some."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
GROWTH_MIB = 8


@pytest.mark.slow
def test_memory_stays_flat_over_many_instances(tmp_path):
    """Half a megabyte each; what one instance leaks would be hundreds of megabytes."""
    if not (REPOSITORY / "benchmarks").is_dir():
        pytest.skip("the benchmarks are not beside the tests")
    command = [sys.executable, "-m", "benchmarks.receive", "--memory", "2000"]
    run = subprocess.run(
        [*command, "--stores", str(tmp_path)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
        timeout=550,
    )
    resident = [float(mib) for mib in re.findall(r"instances: ([\d.]+) MiB", run.stdout)]
    assert len(resident) == 10
    assert max(resident) - resident[1] < GROWTH_MIB
    assert "answered with success 2000, lost 0" in run.stdout
