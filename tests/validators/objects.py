"""The objects that are validated: a synthetic spine, its true masks, the program's own writer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import texture
from inference.analysis import measure_segmentation
from inference.anatomy import VertebraLevel
from inference.nifti import load_labels
from inference.phantom.dicom import write_phantom
from inference.phantom.fractures import Fracture
from inference.phantom.spec import PhantomSpec
from inference.report import LabelledVertebra, ModelIdentity, Segmentation
from inference.volume import CTVolume, Notice
from sr_writer import (
    Findings,
    SoftwareIdentity,
    WriterSettings,
    WrittenObject,
    assemble,
    not_analysable,
    verify_outputs,
    write_not_analysable,
    write_outputs,
)

SOFTWARE = SoftwareIdentity("spinenode", "validation")
CREATED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@dataclass(frozen=True)
class ObjectSet:
    """One result and what it was written from; no masks where the series was not analysed."""

    name: str
    source: Path
    written: tuple[WrittenObject, ...]
    findings: Findings
    volume: CTVolume
    segmentation: Segmentation | None = None

    def path(self, kind: str) -> Path:
        return next(item.path for item in self.written if item.kind == kind)


def make_objects(out: Path) -> tuple[ObjectSet, ...]:
    """A result with a fracture, one of a single vertebra, a label map, and a refusal."""
    spine = PhantomSpec(
        seed=4,
        levels=(VertebraLevel.L1, VertebraLevel.L2, VertebraLevel.L3),
        fractures=(Fracture(VertebraLevel.L2, "wedge", 0.32),),
        spacing_xyz_mm=(1.2, 1.2, 2.0),
        field_of_view_mm=120.0,
    )
    single = PhantomSpec(
        seed=5,
        levels=(VertebraLevel.L3,),
        orientation="sagittal",
        spacing_xyz_mm=(2.0, 1.2, 1.2),
        field_of_view_mm=110.0,
    )
    return (
        _analysed("spine", spine, out, WriterSettings(created=CREATED)),
        _analysed("one vertebra", single, out, WriterSettings(created=CREATED), only="L3"),
        _analysed(
            "label map", spine, out, WriterSettings(created=CREATED, seg_encoding="labelmap")
        ),
        _refused("refused", out / f"phantom-{spine.seed}" / "dicom", out / "refused"),
    )


def _analysed(
    name: str, spec: PhantomSpec, out: Path, settings: WriterSettings, only: str = ""
) -> ObjectSet:
    folder = out / name.replace(" ", "-")
    phantom = out / f"phantom-{spec.seed}"
    source = phantom / "dicom"
    if not source.is_dir():
        write_phantom(spec, phantom)
    volume = CTVolume.from_dicom(source)
    segmentation = _true_masks(volume, phantom, only)
    report = measure_segmentation(volume, segmentation)
    densities = texture.extract(volume, segmentation, report.vertebrae)
    findings = assemble(volume, report, densities, SOFTWARE)
    written = write_outputs(findings, volume, segmentation, folder, settings)
    verify_outputs(written, findings, volume, segmentation)
    return ObjectSet(name, source, written, findings, volume, segmentation)


def _true_masks(volume: CTVolume, folder: Path, only: str) -> Segmentation:
    labels = load_labels(folder / "labels.nii.gz", volume)
    bodies = load_labels(folder / "bodies.nii.gz", volume)
    if only:
        kept = labels == int(VertebraLevel.from_name(only))
        labels, bodies = labels * kept, bodies * kept
    present = {int(label) for label in set(bodies[bodies > 0].tolist())}
    vertebrae = tuple(
        LabelledVertebra(level, 1.0, complete=True)
        for level in VertebraLevel.ordered()
        if int(level) in present
    )
    return Segmentation(labels, bodies, vertebrae, ModelIdentity("true masks", "1", "0" * 64))


def _refused(name: str, source: Path, out: Path) -> ObjectSet:
    volume = CTVolume.from_dicom(source)
    reason = Notice("no_vertebra", "No vertebra was found in this series.")
    findings = not_analysable(volume.source, (reason,), SOFTWARE)
    written = write_not_analysable(findings, source, out, WriterSettings(created=CREATED))
    return ObjectSet(name, source, written, findings, volume)
