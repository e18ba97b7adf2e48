"""Cost of writing and verifying every output of a long study, beside plain highdicom.

``python -m benchmarks.outputs`` makes a 600 x 512 x 512 CT with 17 vertebrae, and prints CPU
seconds, extra memory and sizes; ``--profile`` adds where the time goes. Each figure comes from a
process of its own, so that none profits from another's memory.
"""

from __future__ import annotations

import argparse
import cProfile
import multiprocessing
import pstats
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import highdicom as hd
import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sr.codedict import codes
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from inference.anatomy import VertebraLevel
from inference.report import (
    FractureFinding,
    Heights,
    LabelledVertebra,
    ModelIdentity,
    Segmentation,
    SpineReport,
    VertebraMeasurement,
)
from inference.volume import CTVolume, SourceFrame, SourceSeries
from sr_writer import SoftwareIdentity, WriterSettings, assemble, verify_outputs, write_outputs
from sr_writer.findings import Findings
from texture.report import (
    HUStatistics,
    PresetIdentity,
    SpineDensity,
    TextureReport,
    VertebraTexture,
)

SHAPE = (600, 512, 512)
SPACING_KJI_MM = (0.8, 0.75, 0.75)
LEVELS = VertebraLevel.ordered()[7:19] + VertebraLevel.ordered()[20:25]
FLAGGED = (VertebraLevel.T12, VertebraLevel.L2)
ROOT = "1.2.826.0.1.3680043.8.498.9"
FEATURES = ("variance", "skewness", "energy", "entropy", "sre", "lre", "rln", "rp")

Study = tuple[CTVolume, Segmentation, Findings]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--profile", action="store_true", help="print where the time goes")
    parser.add_argument("--ours-only", action="store_true", help="leave plain highdicom out")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        source = make_source(Path(folder))
        tasks: list[Callable[[Path], None]] = [ours]
        if arguments.profile:
            tasks = [profiled]
        elif not arguments.ours_only:
            tasks += [plain_label_map, plain_stack]
        for task in tasks:
            # fork: the study is made before, its memory is not counted
            process = multiprocessing.get_context("fork").Process(target=task, args=(source,))
            process.start()
            process.join()
            if process.exitcode:
                raise SystemExit(f"{task.__name__} ended with {process.exitcode}")


def ours(source: Path) -> None:
    volume, segmentation, findings = study(source)
    out = source / "out"
    before_kib = reset_peak_kib()
    began = time.process_time()
    written = write_outputs(findings, volume, segmentation, out, WriterSettings())
    middle = time.process_time()
    verify_outputs(written, findings, volume, segmentation)
    end = time.process_time()
    extra = (peak_kib() - before_kib) / 1024
    print(f"write {middle - began:.2f} s CPU, verify {end - middle:.2f} s CPU, ", end="")
    print(f"together {end - began:.2f} s; extra memory {extra:.0f} MiB")
    for path in sorted(out.iterdir()):
        print(f"  {path.name:24} {path.stat().st_size / 1e6:8.3f} MB")


def profiled(source: Path) -> None:
    volume, segmentation, findings = study(source)
    profile = cProfile.Profile()
    profile.enable()
    written = write_outputs(findings, volume, segmentation, source / "out", WriterSettings())
    verify_outputs(written, findings, volume, segmentation)
    profile.disable()
    pstats.Stats(profile).sort_stats("cumulative").print_stats(45)


def plain_label_map(source: Path) -> None:
    volume, segmentation, _ = study(source)
    labels = np.searchsorted([0, *map(int, LEVELS)], segmentation.labels).astype(np.uint8)
    _plain("3-D label map", source, volume, lambda: labels)


def plain_stack(source: Path) -> None:
    volume, segmentation, _ = study(source)

    def stack() -> np.ndarray:
        return np.stack([segmentation.labels == int(v) for v in LEVELS], axis=-1).astype(np.uint8)

    _plain("4-D stack", source, volume, stack)


def _plain(name: str, source: Path, volume: CTVolume, pixels: Callable[[], np.ndarray]) -> None:
    before_kib = reset_peak_kib()
    began = time.process_time()
    images = [pydicom.dcmread(f.path, stop_before_pixels=True) for f in volume.source.frames]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        seg = hd.seg.Segmentation(
            images, pixels(), "BINARY", [_description(n) for n in range(1, len(LEVELS) + 1)],
            hd.UID(), 1, hd.UID(), 1, "m", "m", "1", "1",
        )  # fmt: skip
        seg.save_as(source / "plain.dcm")
    seconds = time.process_time() - began
    size = (source / "plain.dcm").stat().st_size / 1e6
    extra = (peak_kib() - before_kib) / 1024
    print(f"plain highdicom, SEG alone, {name}: {seconds:.2f} s CPU, ", end="")
    print(f"{extra:.0f} MiB, {size:.1f} MB, not verified")


def _description(number: int) -> hd.seg.SegmentDescription:
    return hd.seg.SegmentDescription(
        number, LEVELS[number - 1].name, codes.SCT.AnatomicalStructure, codes.SCT.Bone, "AUTOMATIC",
        hd.AlgorithmIdentificationSequence("a", codes.DCM.ArtificialIntelligence, "1"),
    )  # fmt: skip


def reset_peak_kib() -> int:
    """Forget the largest memory so far (Linux) and return the present one."""
    Path("/proc/self/clear_refs").write_text("5")
    return _status_kib("VmRSS")


def peak_kib() -> int:
    """Largest memory of this process since `reset_peak_kib`."""
    return _status_kib("VmHWM")


def _status_kib(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


def study(source: Path) -> Study:
    with np.load(source / "masks.npz") as arrays:
        labels, bodies, hu = arrays["labels"], arrays["bodies"], arrays["hu"]
    affine = affine_lps()
    frames = tuple(
        SourceFrame(source / f"{k:04d}.dcm", f"{ROOT}.1.2.{k + 1}", None, position_lps_mm(k))
        for k in range(SHAPE[0])
    )
    series = SourceSeries(f"{ROOT}.1", f"{ROOT}.1.2", CTImageStorage, f"{ROOT}.1.9", frames)
    volume = CTVolume(hu, affine, series)
    vertebrae = tuple(LabelledVertebra(level, 0.97, True) for level in LEVELS)
    segmentation = Segmentation(labels, bodies, vertebrae, ModelIdentity("m", "1", "ab" * 32))
    return volume, segmentation, _findings(volume, segmentation)


def position_lps_mm(k: int) -> tuple[float, float, float]:
    """Image Position (Patient) of a slice as its header states it."""
    return 0.0, 0.0, round(k * SPACING_KJI_MM[0], 4)


def affine_lps() -> np.ndarray:
    affine = np.eye(4)
    affine[:3, :3] = np.array([[0, 0, 1], [0, 1, 0], [1, 0, 0]]) * SPACING_KJI_MM
    return affine


def make_source(folder: Path) -> Path:
    """Write one DICOM file per slice, and the masks of a curved column of rounded vertebrae."""
    labels = np.zeros(SHAPE, dtype=np.uint8)
    bodies = np.zeros(SHAPE, dtype=np.uint8)
    for n, level in enumerate(LEVELS):
        _add_vertebra(labels, bodies, int(level), centre_kji(n))
    rng = np.random.default_rng(1)
    hu = np.tile(rng.normal(40, 20, SHAPE[1:]).astype(np.int16), (SHAPE[0], 1, 1))
    hu[labels > 0] += 220
    np.savez(folder / "masks.npz", labels=labels, bodies=bodies, hu=hu)
    for k in range(SHAPE[0]):
        _write_slice(folder, hu[k], k)
    return folder


def centre_kji(n: int) -> tuple[int, int, int]:
    """Head first: the highest slices are the head's."""
    return SHAPE[0] - 20 - round((n + 0.5) * 33), 230 + round(30 * np.sin(n / 3)), 256


def _add_vertebra(
    labels: np.ndarray, bodies: np.ndarray, label: int, centre: tuple[int, int, int]
) -> None:
    """An elliptic body, an arch with a slanting process that overlaps the level below."""
    k, j, i = np.ogrid[-18:50, -30:90, -60:60]
    corner = tuple(c + edge for c, edge in zip(centre, (-18, -30, -60), strict=True))
    body = (abs(k) <= 14) & ((j / 22.0) ** 2 + (i / 27.0) ** 2 <= 1)
    ring = ((j - 36) / 22.0) ** 2 + (i / 26.0) ** 2
    arch = (abs(k) <= 9) & (ring <= 1) & (ring >= 0.45) & ~body
    process = (j > 50) & (j < 85) & (abs(i) < 4) & (abs(-k + 0.6 * (j - 50)) < 8)
    wings = (abs(k) < 5) & (abs(j - 36) < 6) & (abs(i) > 20) & (abs(i) < 55)
    place = tuple(
        slice(max(c, 0), min(c + n, size))
        for c, n, size in zip(corner, (68, 120, 120), SHAPE, strict=True)
    )
    # the first index is the slice, counted from the feet: `k` runs to the feet
    k_reversed = slice(max(2 * centre[0] - place[0].stop + 1, 0), 2 * centre[0] - corner[0] + 1)
    flip = np.flip(body | arch | process | wings, axis=0)
    target = labels[k_reversed, place[1], place[2]]
    part = flip[-len(target) :]
    target[part & (target == 0)] = label
    body_part = np.flip(body & np.ones_like(flip), axis=0)[-len(target) :]
    target_bodies = bodies[k_reversed, place[1], place[2]]
    target_bodies[body_part & (target == label)] = label


def _write_slice(folder: Path, hu: np.ndarray, k: int) -> None:
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID = CTImageStorage
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID = f"{ROOT}.1.2.{k + 1}"
    ds.PatientName, ds.PatientID, ds.PatientBirthDate = "Synthetic", "B-1", "19500101"
    ds.PatientSex, ds.StudyID, ds.AccessionNumber = "O", "1", "A1"
    ds.StudyDate, ds.StudyTime, ds.ReferringPhysicianName = "20260101", "101010", ""
    ds.StudyInstanceUID, ds.SeriesInstanceUID = f"{ROOT}.1", f"{ROOT}.1.2"
    ds.FrameOfReferenceUID, ds.PositionReferenceIndicator = f"{ROOT}.1.9", ""
    ds.Modality, ds.Manufacturer, ds.SeriesNumber, ds.InstanceNumber = "CT", "m", 2, k + 1
    ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    ds.ImagePositionPatient = list(position_lps_mm(k))
    ds.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    ds.PixelSpacing, ds.SliceThickness = list(SPACING_KJI_MM[1:]), SPACING_KJI_MM[0]
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.Rows, ds.Columns = hu.shape
    ds.BitsAllocated = ds.BitsStored = 16
    ds.HighBit, ds.PixelRepresentation = 15, 1
    ds.RescaleSlope, ds.RescaleIntercept = 1, 0
    ds.PixelData = hu.tobytes()
    ds.save_as(folder / f"{k:04d}.dcm", enforce_file_format=True)


def _findings(volume: CTVolume, segmentation: Segmentation) -> Findings:
    measured, textured = [], []
    for n, level in enumerate(LEVELS):
        x, y, z = (float(v) for v in volume.to_lps_mm(centre_kji(n)))
        flagged = level in FLAGGED
        loss = 0.28 if flagged else 0.03 + n / 1000
        fracture = FractureFinding(
            loss, 2 if flagged else 0, "wedge" if flagged else "none", 23.0, "posterior",
            f"{level.name}: anterior height 28 % below posterior 23.0 mm." if flagged else "",
        )  # fmt: skip
        heights = Heights(23.0 * (1 - loss), 22.5, 23.0)
        measured.append(
            VertebraMeasurement(level, 0.97, True, (x, y, z), 25.3 + n, heights, fracture)
        )
        values = dict.fromkeys(FEATURES, 0.123456 + n)
        textured.append(VertebraTexture(level, HUStatistics(140.0, 139.0, 50.0), 110.0, values))
    texture = TextureReport(
        PresetIdentity("goller2023", 1.0, 1000, 64),
        tuple(textured),
        SpineDensity(110.0, LEVELS[-5:-2], "osteopenia", "generic line for 120 kVp", "none"),
        (),
    )
    report = SpineReport(segmentation, tuple(measured))
    return assemble(volume, report, texture, SoftwareIdentity("spinenode", "0.1.0"))


if __name__ == "__main__":
    main()
