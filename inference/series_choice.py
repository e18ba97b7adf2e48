"""Which of the received objects are the CT volume, and which slices of it are localizers.

Everything left out is named in a warning; whatever could be more than one volume is refused.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np
from pydicom.uid import (
    CTImageStorage,
    EnhancedCTImageStorage,
    LegacyConvertedEnhancedCTImageStorage,
)

from inference import multiframe
from inference.dicom_files import DicomHeader
from inference.errors import NotAnalysable
from inference.headers import (
    FrameHeader,
    element_value,
    frame_count,
    image_type,
    single_frame,
    text,
)
from inference.volume import Notice

MIN_SLICES = 8
"""Fewest slices of a volume: at 5 mm they just hold one lumbar vertebra."""

MAX_OUTLIERS = 3
"""Most images of a deviating orientation that are taken for unmarked localizers."""

OUTLIER_FRACTION = 0.1
"""Largest share of a series that may be unmarked localizers."""

OUTLIER_ANGLE_DEG = 30.0
"""Smallest angle between the normals of a localizer and of the volume's slices."""

_CT_CLASSES = (CTImageStorage, EnhancedCTImageStorage, LegacyConvertedEnhancedCTImageStorage)


def choose_series(headers: Sequence[DicomHeader]) -> tuple[list[DicomHeader], list[Notice]]:
    """Pick the files of the one CT volume.

    Raises
    ------
    NotAnalysable
        ``not_ct`` if nothing is a CT image; ``localizer_only`` if every CT image is one;
        ``mixed_series`` if several series could be the volume.
    """
    ct_series: dict[tuple[str | None, str | None], list[DicomHeader]] = defaultdict(list)
    for header in headers:
        if is_ct(header):
            uids = (
                text(header.dataset, "StudyInstanceUID"),
                text(header.dataset, "SeriesInstanceUID"),
            )
            ct_series[uids].append(header)
    if not ct_series:
        raise NotAnalysable("not_ct", f"no CT image among {_kinds(headers)}")
    slices = {uids: _volume_slices(members) for uids, members in ct_series.items()}
    candidates = [uids for uids, count in slices.items() if count > 0]
    if not candidates:
        count = sum(map(len, ct_series.values()))
        raise NotAnalysable(
            "localizer_only", f"all {count} CT image(s) are scout views (ImageType LOCALIZER)"
        )
    if len(candidates) > 1:
        candidates = [uids for uids in candidates if slices[uids] >= MIN_SLICES] or candidates
    if len(candidates) > 1:
        counts = ", ".join(str(slices[uids]) for uids in candidates)
        raise NotAnalysable(
            "mixed_series",
            f"{len(candidates)} CT series of {counts} slices came together: one is expected"
            " (SeriesInstanceUID)",
        )
    chosen = ct_series[candidates[0]]
    ignored = len(headers) - len(chosen)
    if not ignored:
        return chosen, []
    return chosen, [
        Notice("other_objects_ignored", f"{ignored} object(s) outside the CT series were ignored")
    ]


def frames_of_series(headers: Sequence[DicomHeader]) -> list[FrameHeader]:
    """All frames of the chosen files.

    Raises
    ------
    NotAnalysable
        ``no_pixel_data`` if an object has none.
    """
    without = [header for header in headers if not header.has_pixel_data]
    if without:
        raise NotAnalysable(
            "no_pixel_data",
            f"{len(without)} of {len(headers)} object(s) hold no image (PixelData)",
        )
    frames: list[FrameHeader] = []
    for header in headers:
        if multiframe.is_multi_frame(header):
            frames.extend(multiframe.frames_of(header))
        elif frame_count(header) > 1:
            raise NotAnalysable(
                "no_geometry",
                "a multi-frame object does not say where its slices lie"
                " (PerFrameFunctionalGroupsSequence)",
            )
        elif not _is_marked_localizer(image_type(header.dataset)):
            frames.append(single_frame(header))
    return frames


def count_frames(headers: Sequence[DicomHeader]) -> int:
    """Count the frames of all files, localizers included."""
    return sum(map(frame_count, headers))


def drop_localizers(
    frames: Sequence[FrameHeader], received: int
) -> tuple[list[FrameHeader], list[Notice]]:
    """Leave out marked localizers and the few images that stand across the others.

    Parameters
    ----------
    frames
        Frames of the series.
    received
        Number of frames before marked single-frame localizers were left out.

    Raises
    ------
    NotAnalysable
        ``localizer_only`` if nothing is left.
    """
    kept = [frame for frame in frames if not _is_marked_localizer(frame.ImageType)]
    if not kept:
        raise NotAnalysable("localizer_only", "all frames are scout views (ImageType LOCALIZER)")
    kept = _without_outliers(kept)
    dropped = received - len(kept)
    if not dropped:
        return kept, []
    return kept, [Notice("localizer_dropped", f"{dropped} localizer image(s) were left out")]


def choose_stack(frames: Sequence[FrameHeader]) -> tuple[list[FrameHeader], list[Notice]]:
    """Pick the one stack (StackID) that can be a volume.

    Raises
    ------
    NotAnalysable
        ``several_stacks`` if more than one can.
    """
    sizes = Counter(frame.StackID for frame in frames)
    if len(sizes) == 1:
        return list(frames), []
    large = [stack for stack, count in sizes.items() if count >= MIN_SLICES]
    if len(large) != 1:
        counts = ", ".join(str(count) for count in sizes.values())
        raise NotAnalysable(
            "several_stacks", f"{len(sizes)} stacks of {counts} slices in one object (StackID)"
        )
    kept = [frame for frame in frames if frame.StackID == large[0]]
    left_out = len(frames) - len(kept)
    return kept, [Notice("other_stacks_ignored", f"{left_out} frame(s) of other stacks left out")]


def is_ct(header: DicomHeader) -> bool:
    """Whether an object is of a CT image class and not of another modality."""
    modality = text(header.dataset, "Modality")
    return element_value(header.dataset, "SOPClassUID") in _CT_CLASSES and modality in (None, "CT")


def _kinds(headers: Sequence[DicomHeader]) -> str:
    kinds = Counter(
        f"Modality {text(header.dataset, 'Modality') or 'absent'} / {_class_name(header)}"
        for header in headers
    )
    return "; ".join(f"{count} x {kind}" for kind, count in kinds.most_common(3))


def _class_name(header: DicomHeader) -> str:
    uid = element_value(header.dataset, "SOPClassUID")
    return "no SOPClassUID" if uid is None else str(getattr(uid, "name", uid))


def _volume_slices(members: Sequence[DicomHeader]) -> int:
    return sum(
        frame_count(header)
        for header in members
        if not _is_marked_localizer(image_type(header.dataset))
    )


def _is_marked_localizer(values: Sequence[str]) -> bool:
    return "LOCALIZER" in values or "SCOUT" in values


def _without_outliers(frames: list[FrameHeader]) -> list[FrameHeader]:
    """Drop at most a few images whose normal is far from that of the majority."""
    normals = [_normal(frame) for frame in frames]
    known = [tuple(np.round(n, 2)) for n in normals if n is not None]
    if not known:
        return frames
    main = np.array(Counter(known).most_common(1)[0][0])
    limit = np.cos(np.deg2rad(OUTLIER_ANGLE_DEG))
    across = [n is not None and abs(float(n @ main)) < limit for n in normals]
    if sum(across) > min(MAX_OUTLIERS, OUTLIER_FRACTION * len(frames)):
        return frames
    return [frame for frame, is_across in zip(frames, across, strict=True) if not is_across]


def _normal(frame: FrameHeader) -> np.ndarray | None:
    cosines = frame.plane.ImageOrientationPatient
    return None if cosines is None else np.cross(cosines[:3], cosines[3:])
