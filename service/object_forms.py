"""Other forms of a result, for archives that do not take it as it was written.

They lie beside the results of the job, so that whatever sends again finds them.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import pydicom
from pydicom.uid import ImplicitVRLittleEndian

from sr_writer import WrittenObject
from sr_writer.inherited_text import TEXT_KEYWORDS
from sr_writer.key_images import without_close_ups

_FOLDER = "forms"


def in_implicit_vr(written: WrittenObject, workspace: Path) -> WrittenObject:
    """The same object in the transfer syntax that every DICOM system takes (PS3.5 Section 10.1)."""
    path = _place(workspace, f"implicit-{written.path.name}")
    if not path.is_file():
        ds = pydicom.dcmread(written.path)
        ds.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
        _keep_texts(ds)
        _save(ds, path)
    return replace(written, path=path)


def of_slices_only(written: WrittenObject, workspace: Path) -> WrittenObject:
    """Key images that do not name the close-ups, which the archive does not have."""
    path = _place(workspace, f"slices-{written.path.name}")
    ds = without_close_ups(pydicom.dcmread(written.path))
    if not path.is_file():
        _save(ds, path)
    return replace(written, path=path, SOPInstanceUID=str(ds.SOPInstanceUID))


def _keep_texts(ds: pydicom.Dataset) -> None:
    """Let texts be written as the bytes they are: they may not fit their character set.

    Implicit VR names no VR, so that the one given here shows nowhere.
    """
    for keyword in TEXT_KEYWORDS:
        if keyword in ds:
            ds.add_new(keyword, "UN", ds.get_item(keyword).value or b"")


def _place(workspace: Path, name: str) -> Path:
    folder = workspace / _FOLDER
    folder.mkdir(exist_ok=True)
    return folder / name


def _save(ds: pydicom.Dataset, path: Path) -> None:
    """Deliveries to several archives may make the same form at the same time."""
    with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as part:
        pydicom.dcmwrite(part, ds, enforce_file_format=True)
    Path(part.name).rename(path)
