"""`analyze`: the pipeline on one input, without queue and network."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from inference import UnreadableInput
from service.config import Config
from service.errors import UsageError
from service.pipeline import Analysis, Progress, silent
from service.request import Request
from service.toolbox import Toolbox
from service.workspace import Workspace
from sr_writer import Findings


def analyze_path(
    source: Path,
    out: Path,
    config: Config,
    mask: Path | None = None,
    progress: Progress | None = None,
) -> Findings:
    """Analyse one folder or file and leave the files of the contract in `out`.

    Raises
    ------
    UsageError
        If `source` or `mask` does not exist, or `out` is a file.
    UnreadableInput
        If `source` cannot be read as a CT.
    """
    _check_paths(source, out, mask)
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="spinenode-") as folder:
        workspace = Workspace(Path(folder))
        workspace.put_request(
            Request(
                job_id=hashlib.sha256(str(source.absolute()).encode()).hexdigest()[:16],
                files=(source.absolute(),),
                created=datetime.now(UTC).isoformat(timespec="seconds"),
                mask=mask.absolute() if mask else None,
            )
        )
        try:
            Analysis(workspace, Toolbox(config), progress or silent).run_all()
        except UnreadableInput as error:
            raise UnreadableInput(f"{source.name}: {error}") from error
        findings = workspace.findings()
        for name in sorted(path.name for path in workspace.results.iterdir()):
            shutil.copy2(workspace.results / name, out / name)
    return findings


def _check_paths(source: Path, out: Path, mask: Path | None) -> None:
    if not source.exists():
        raise UsageError(f"no such file or folder: {source}")
    if out.exists() and not out.is_dir():
        raise UsageError(f"--out {out} is a file, not a folder")
    if mask is not None and not mask.is_file():
        raise UsageError(f"no such file: {mask}")
    if source.is_file() and source.stat().st_size == 0:
        raise UnreadableInput(f"{source.name}: the file is empty")
