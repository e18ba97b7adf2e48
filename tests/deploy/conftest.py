"""What several deployment tests need: a plain Debian, and the wheels of this tree."""

import subprocess
from pathlib import Path

import pytest
from plain_debian import plain_debian  # noqa: F401 - fixture

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def wheelhouse(tmp_path_factory) -> Path:
    """What `make wheelhouse` makes of this tree."""
    folder = tmp_path_factory.mktemp("wheels") / "wheelhouse"
    subprocess.run(
        ["make", f"--old-file={REPOSITORY / '.venv/.installed'}", "--old-file=.venv/.installed",
         "wheelhouse", f"WHEELHOUSE={folder}"],
        cwd=REPOSITORY, check=True, capture_output=True, timeout=1200,
    )  # fmt: skip
    return folder
