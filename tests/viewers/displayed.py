"""One look per kind of result: what the viewer holds and draws against what was found."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from ohif import ViewedSlice, Viewer
from overlay import ct_correlation, overlay_dice
from PIL import Image
from studies import Study

from inference.anatomy import VertebraLevel
from sr_writer.codes import structure_name

Look = Callable[[Viewer, Study], tuple[str, list[str]]]

_LEAST_DICE = 0.97
"""The viewer draws an outline of some pixels around the mask."""
_LEAST_CORRELATION = 0.95
_TIP_PIXELS = 2.0
_DRAWING_S = 30.0
_UNITS = {
    "Vertebral body height loss": "%",
    "Genant grade": "{grade}",
    "Anterior height of vertebral body": "mm",
    "Middle height of vertebral body": "mm",
    "Posterior height of vertebral body": "mm",
    "Volumetric bone mineral density": "mg/cm3",
    "Volume": "ml",
}


def segmentation(viewer: Viewer, study: Study) -> tuple[str, list[str]]:
    """Every voxel in the viewer's memory and, on three slices, on the screen."""
    viewer.open_segmentation("Vertebrae segmentation")
    names, slices = viewer.segment_slices()
    faults = _voxel_faults(names, slices, study)
    dice, correlation = [], []
    for k in _telling_slices(study):
        frame = study.volume.source.frames[k]
        viewer.show_slice(frame.SOPInstanceUID, frame.frame_number or 1)
        _wait_for_drawing(viewer, study, k)
        dice.append(overlay_dice(viewer, study, k))
        correlation.append(ct_correlation(viewer, study, k))
    if min(dice) < _LEAST_DICE:
        faults.append(f"the overlay on the screen is not the mask: Dice {min(dice):.3f}")
    if min(correlation) < _LEAST_CORRELATION:
        faults.append(f"the picture is not the CT: correlation {min(correlation):.3f}")
    total = sum(int(np.count_nonzero(each.segments)) for each in slices)
    return (
        f"{len(names)} segments, {total} voxels held as in the mask; "
        f"on the screen Dice {min(dice):.3f}, CT correlation {min(correlation):.3f}",
        faults,
    )


def report(viewer: Viewer, study: Study) -> tuple[str, list[str]]:
    """Opens at the first flagged level, every group has its values, the arrow points right."""
    viewer.open("Spine measurements")
    groups = viewer.measurements("Spine measurements")
    vertebrae = {v["label"]: v for v in study.findings["vertebrae"]}
    faults = [
        f"{group['name']}: {text}"
        for group in groups
        for text in _value_faults(group, vertebrae.get(group["name"], {}))
    ]
    if {group["name"] for group in groups} != set(vertebrae):
        faults.append("the groups are not the vertebrae found")
    first = study.findings["spine"]["fractured_levels"][0]
    # a sagittal slice shows the arrows of several vertebrae
    texts, tips = viewer.annotations()
    loss = f"{100 * vertebrae[first]['height_loss']:.2f} %"
    if not any(loss in text for text in texts):
        faults.append(f"does not open at {first}: {texts}")
    expected = viewer.to_canvas(np.array([vertebrae[first]["centroid_lps_mm"]]))[0]
    distance = float(np.linalg.norm(tips - expected, axis=1).min(initial=np.inf))
    if not distance <= _TIP_PIXELS:
        faults.append(f"the arrow points {distance:.1f} pixels beside the body's centre")
    outcome = f"{len(groups)} groups, values equal; opens at {first}, arrow on its centre"
    return outcome, faults


def narrative(viewer: Viewer, study: Study) -> tuple[str, list[str]]:
    """The text of every vertebra is there, and no line is cut at the edge."""
    shown = viewer.document("Spine report text")
    text = shown.inner_text()
    faults = [
        f"{vertebra['label']} is not mentioned"
        for vertebra in study.findings["vertebrae"]
        if f"{vertebra['label']}: " not in text
    ]
    for wanted in ("Suspected vertebral fracture", "Research use only. Not for diagnosis."):
        if wanted not in text:
            faults.append(f"does not say: {wanted}")
    script = "node => [...node.querySelectorAll('pre')].filter(p => p.scrollWidth > p.clientWidth)"
    cut = int(shown.evaluate(f"{script[:-1]}).length"))
    if cut:
        faults.append(f"{cut} texts are wider than the window")
    return f"{len(text.splitlines())} lines, none cut", faults


def overview(viewer: Viewer, study: Study) -> tuple[str, list[str]]:
    return _picture(viewer, study, "Spine overview", "overview.png")


def close_up(viewer: Viewer, study: Study) -> tuple[str, list[str]]:
    level = study.findings["spine"]["fractured_levels"][0]
    return _picture(viewer, study, "Flagged vertebrae close-up", f"closeup-{level}.png")


def pdf(viewer: Viewer, study: Study) -> tuple[str, list[str]]:
    """The browser gets the very document."""
    document = viewer.pdf("Spine report PDF")
    same = document.rstrip(b"\0") == (study.results / "report.pdf").read_bytes()
    # the browser's own reader draws in another process: nothing in the page tells when
    deadline = time.monotonic() + _DRAWING_S
    while not _has_paper(viewer) and time.monotonic() < deadline:
        viewer.page.wait_for_timeout(200)
    faults = [] if same else ["another document than report.pdf"]
    if not _has_paper(viewer):
        faults.append("no page is drawn")
    return f"{len(document)} bytes as in report.pdf, page drawn", faults


LOOKS: dict[str, Look] = {
    "SEG": segmentation,
    "SR": report,
    "narrative SR": narrative,
    "overview SC": overview,
    "close-up SC": close_up,
    "PDF": pdf,
}


def _voxel_faults(names: dict[int, str], slices: list[ViewedSlice], study: Study) -> list[str]:
    sources = {
        (frame.SOPInstanceUID, frame.frame_number or 1): k
        for k, frame in enumerate(study.volume.source.frames)
    }
    lookup = np.zeros(256, dtype=np.uint8)
    for number, name in names.items():
        lookup[number] = 26 if name == "Sacrum" else int(VertebraLevel.from_name(name))
    held = np.zeros_like(study.labels)
    for each in slices:
        held[sources[each.instance, each.frame]] = lookup[each.segments]
    return [
        f"{structure_name(int(label))}: {int(np.count_nonzero(held == label))} voxels held, "
        f"{int(np.count_nonzero(study.labels == label))} in the mask"
        for label in np.unique([held, study.labels])
        if label and ((held == label) != (study.labels == label)).any()
    ]


def _telling_slices(study: Study) -> list[int]:
    """Three slices across the part of the volume that holds most of the mask."""
    covered = np.count_nonzero(study.labels, axis=(1, 2))
    busy = np.flatnonzero(covered > 0.5 * covered.max())
    return [int(busy[0]), int(busy[len(busy) // 2]), int(busy[-1])]


def _wait_for_drawing(viewer: Viewer, study: Study, k: int) -> None:
    """Until the overlay fits, or it is clear that it never will."""
    deadline = time.monotonic() + _DRAWING_S
    while overlay_dice(viewer, study, k) < _LEAST_DICE and time.monotonic() < deadline:
        viewer.page.wait_for_timeout(200)


def _value_faults(group: dict, vertebra: dict) -> list[str]:
    shown = {each["label"]: each["value"] for each in group["labels"]}
    heights = vertebra.get("heights_mm", {})
    loss = vertebra.get("height_loss")
    expected = {
        "Vertebral body height loss": None if loss is None else 100 * loss,
        "Genant grade": vertebra.get("genant", {}).get("grade"),
        **{f"{n.title()} height of vertebral body": value for n, value in heights.items()},
        "Volumetric bone mineral density": vertebra.get("bmd_mg_cm3"),
        "Volume": vertebra.get("volume_ml"),
    }
    faults = []
    for name, value in expected.items():
        # the viewer prints nothing for a zero
        words = None if value is None else f"{f'{value:.2f}' if value else ''} {_UNITS[name]}"
        if shown.get(name) != words:
            faults.append(f"{name} is shown as {shown.get(name)!r}, expected {words!r}")
    return faults


def _picture(viewer: Viewer, study: Study, series: str, file: str) -> tuple[str, list[str]]:
    held = viewer.picture(series)
    written = np.array(Image.open(study.results / file).convert("RGB"))
    same = held.shape == written.shape and bool((held == written).all())
    rows, columns = written.shape[:2]
    return f"{columns} x {rows} pixels as in {file}", [] if same else [f"another picture: {file}"]


def _has_paper(viewer: Viewer) -> bool:
    """A white page takes up a good part of the right half of the window."""
    picture = viewer.window()
    right = picture[:, picture.shape[1] // 2 :]
    return float((right.min(axis=2) > 240).mean()) > 0.3
