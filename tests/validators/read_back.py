"""Readers of other projects give back the very voxels and numbers that were written."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import highdicom as hd
import nibabel as nib
import numpy as np
import numpy.typing as npt
from objects import ObjectSet
from result import Result

from inference.anatomy import VertebraLevel
from sr_writer.codes import structure_name
from sr_writer.vertebra_group import measurements

Points = npt.NDArray[np.float64]
_GRID_TOLERANCE = 0.01
"""Fractions of a voxel."""


def highdicom_seg(objects: ObjectSet) -> Result:
    seg = hd.seg.segread(objects.path("seg"))
    sources = [frame.SOPInstanceUID for frame in objects.volume.source.frames]
    stacked = seg.get_pixels_by_source_instance(
        sources, combine_segments=False, assert_missing_frames_are_empty=True
    )
    found = {
        str(description.segment_label): np.argwhere(stacked[..., number])
        for number, description in enumerate(
            d for d in seg.SegmentSequence if int(d.SegmentNumber) != 0
        )
    }
    return _compared("highdicom", objects, found)


def dcmqi_seg(objects: ObjectSet, programs: Path, scratch: Path) -> Result:
    scratch.mkdir(parents=True, exist_ok=True)
    program = programs / "segimage2itkimage"
    error = _call(
        program, "--inputDICOM", objects.path("seg"), "--outputDirectory", scratch,
        "-t", "nifti", "-p", "seg",
    )  # fmt: skip
    if error:
        return Result("dcmqi segimage2itkimage", objects.name, "SEG", "", (error,))
    described = json.loads((scratch / "seg-meta.json").read_text())["segmentAttributes"]
    found = {}
    for number, group in enumerate(described, start=1):
        image = nib.load(scratch / f"seg-{number}.nii.gz")
        values = np.asarray(image.dataobj)
        for attributes in group:
            ijk = np.argwhere(values == attributes["labelID"])
            ras = nib.affines.apply_affine(image.affine, ijk)
            found[attributes["SegmentLabel"]] = _indices(objects, ras * (-1, -1, 1))
    return _compared("dcmqi segimage2itkimage", objects, found)


def pydicom_seg(objects: ObjectSet, programs: Path, scratch: Path) -> Result:
    scratch.mkdir(parents=True, exist_ok=True)
    reader = Path(__file__).with_name("pydicom_seg_reader.py")
    target = scratch / "pydicom-seg.npz"
    error = _call(programs / "python", reader, objects.path("seg"), target)
    if error:
        return Result("pydicom-seg", objects.name, "SEG", "", (error,))
    found = {}
    with np.load(target) as arrays:
        for name in {key.partition("/")[0] for key in arrays}:
            ijk = np.argwhere(arrays[f"{name}/mask"])[:, ::-1]
            lps = ijk @ arrays[f"{name}/steps"].T + arrays[f"{name}/origin"]
            found[name] = _indices(objects, lps)
    return _compared("pydicom-seg", objects, found)


def highdicom_sr(objects: ObjectSet) -> Result:
    report = hd.sr.srread(objects.path("sr"))
    found = {}
    for group in report.content.get_volumetric_roi_measurement_groups():
        found[group.tracking_identifier] = [
            (item.name.value, float(item.value), item.unit.value)
            for item in group.get_measurements()
        ]
    return _same_numbers("highdicom", objects, found)


def dcmqi_sr(objects: ObjectSet, programs: Path, scratch: Path) -> Result:
    scratch.mkdir(parents=True, exist_ok=True)
    target = scratch / "tid1500.json"
    error = _call(
        programs / "tid1500reader", "--inputDICOM", objects.path("sr"), "--outputMetadata", target
    )
    if error:
        return Result("dcmqi tid1500reader", objects.name, "SR", "", (error,))
    found = {
        group["TrackingIdentifier"]: [
            (item["quantity"]["CodeValue"], float(item["value"]), item["units"]["CodeValue"])
            for item in group["measurementItems"]
        ]
        for group in json.loads(target.read_text())["Measurements"]
    }
    return _same_numbers("dcmqi tid1500reader", objects, found)


def _indices(objects: ObjectSet, points_lps_mm: Points) -> npt.NDArray[np.intp]:
    """Voxel indices of points that have to be voxel centres; (0, 3) if they are not."""
    index = objects.volume.to_index_kji(points_lps_mm)
    rounded = np.rint(index)
    if len(index) and float(np.abs(index - rounded).max()) > _GRID_TOLERANCE:
        return np.empty((0, 3), dtype=np.intp)
    return rounded.astype(np.intp)


def _compared(tool: str, objects: ObjectSet, found: dict[str, npt.NDArray[np.intp]]) -> Result:
    return Result(tool, objects.name, "SEG", _voxels(found), tuple(_differences(objects, found)))


def _voxels(found: dict[str, npt.NDArray[np.intp]]) -> str:
    total = sum(len(index) for index in found.values())
    return f"{len(found)} segments, {total} voxels, all at their place"


def _differences(objects: ObjectSet, found: dict[str, npt.NDArray[np.intp]]) -> Iterator[str]:
    assert objects.segmentation is not None
    labels = objects.segmentation.labels
    expected = {structure_name(int(v)): int(v) for v in np.unique(labels) if v != 0}
    if set(found) != set(expected):
        yield f"segments {sorted(found)}, the mask has {sorted(expected)}"
        return
    for name, index in found.items():
        read = np.zeros(labels.shape, dtype=bool)
        inside = ((index >= 0) & (index < labels.shape)).all(axis=1)
        read[tuple(index[inside].T)] = True
        wrong = int(np.count_nonzero(read != (labels == expected[name])))
        if wrong or not inside.all():
            yield f"{name}: {wrong} voxels differ, {int((~inside).sum())} outside the volume"


def _same_numbers(
    tool: str, objects: ObjectSet, found: dict[str, list[tuple[str, float, str]]]
) -> Result:
    expected = {
        vertebra.label: [
            (concept.value, float(value), unit.value)
            for concept, value, unit, _ in measurements(vertebra)
            if value is not None
        ]
        for vertebra in objects.findings.vertebrae
    }
    faults = [
        f"{name}: {found.get(name)} instead of {expected.get(name)}"
        for name in sorted(set(found) | set(expected), key=lambda n: VertebraLevel[n].rank)
        if found.get(name) != expected.get(name)
    ]
    count = sum(len(values) for values in found.values())
    outcome = f"{len(found)} groups, {count} numbers with their units, all equal"
    return Result(tool, objects.name, "SR", outcome, tuple(faults))


def _call(*command: str | Path) -> str:
    run = subprocess.run(
        [str(part) for part in command],
        capture_output=True, text=True, errors="replace", check=False, timeout=120,
    )  # fmt: skip
    return "" if run.returncode == 0 else f"ended with {run.returncode}: {run.stderr[-400:]}"
