"""The order in which a result is written; reads like the contract's list of files."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from pydicom.dataset import Dataset

from inference.nifti import save_labels
from inference.report import Segmentation
from inference.volume import CTVolume
from sr_writer.closeup import draw_close_up
from sr_writer.closeup_view import close_up
from sr_writer.drawing import RGBArray
from sr_writer.encapsulated_pdf import build_encapsulated_pdf
from sr_writer.files import WrittenObject, save_object, save_picture, write_findings
from sr_writer.findings_schema import Findings, VertebraFindings
from sr_writer.headers import SourceHeaders
from sr_writer.instance import ResultContext
from sr_writer.key_images import build_key_images
from sr_writer.narrative import build_narrative
from sr_writer.overview import draw_overview, draw_views
from sr_writer.panels import make_panels
from sr_writer.pdf import render_pdf
from sr_writer.provenance import (
    KEY_IMAGES,
    NARRATIVE,
    OVERVIEW,
    PDF,
    SR,
    ObjectKind,
    ResultUIDs,
    close_up_kind,
)
from sr_writer.references import can_be_named, slice_instance
from sr_writer.secondary_capture import build_close_up, build_secondary_capture
from sr_writer.seg import build_seg, seg_kind
from sr_writer.segments import segments_of
from sr_writer.settings import WriterSettings
from sr_writer.sr import build_sr
from sr_writer.vertebra_group import centre_slice
from sr_writer.wording import superseding

BuiltObject = tuple[ObjectKind, Dataset]


@dataclass(frozen=True)
class Pictures:
    """Pictures of one result; None where not among the outputs."""

    overview: RGBArray | None
    views: RGBArray | None
    close_ups: tuple[tuple[VertebraFindings, RGBArray], ...] = ()


def write_outputs(
    findings: Findings,
    volume: CTVolume,
    segmentation: Segmentation,
    out: Path,
    settings: WriterSettings,
) -> tuple[WrittenObject, ...]:
    """Write the contract's files of an analysed study.

    findings.json, features.csv and the NIfTI masks are always written; which of the rest is
    `settings.outputs`. An input that cannot be named, a NIfTI file or images without UIDs, gets no
    DICOM objects; `assemble` has warned of it.

    Returns
    -------
    tuple of WrittenObject
        The DICOM objects, in the order in which they are best sent.

    Raises
    ------
    SourceUnreadable
        If a source image has gone since it was loaded.
    """
    out.mkdir(parents=True, exist_ok=True)
    settings = replace(settings, created=settings.created_at)
    save_labels(out / "segmentation.nii.gz", segmentation.labels, volume.affine_lps)
    save_labels(out / "bodies.nii.gz", segmentation.bodies, volume.affine_lps)
    pictures = _draw(findings, volume, segmentation, settings)
    uids = ResultUIDs(findings, settings)
    objects: list[BuiltObject] = []
    header = None
    if can_be_named(volume.source):
        headers = SourceHeaders(volume, uids)
        header = headers.common
        context = ResultContext(
            findings, settings, uids, header, headers.stored, settings.created_at
        )
        objects = _measured_objects(volume, segmentation, headers, context)
        objects += _picture_objects(pictures, volume, context)
    if pictures.overview is not None:
        save_picture(pictures.overview, out / "overview.png")
    for vertebra, picture in pictures.close_ups:
        save_picture(picture, out / f"closeup-{vertebra.label}.png")
    if pictures.views is not None:
        document = render_pdf(findings, pictures.views, header, settings)
        (out / "report.pdf").write_bytes(document)
        if header is not None:
            objects.append((PDF, build_encapsulated_pdf(document, context)))
    written = tuple(save_object(kind, ds, out) for kind, ds in objects)
    write_findings(findings, written, out)
    return written


def _draw(
    findings: Findings, volume: CTVolume, segmentation: Segmentation, settings: WriterSettings
) -> Pictures:
    wanted = [name for name in ("overview", "pdf") if name in settings.outputs]
    if not wanted:
        return Pictures(None, None)
    panels = make_panels(findings, volume, segmentation)
    return Pictures(
        draw_overview(findings, panels, superseding(settings.predecessor))
        if "overview" in wanted
        else None,
        draw_views(findings, panels) if "pdf" in wanted else None,
        _draw_close_ups(findings, volume, segmentation) if "overview" in wanted else (),
    )


def _draw_close_ups(
    findings: Findings, volume: CTVolume, segmentation: Segmentation
) -> tuple[tuple[VertebraFindings, RGBArray], ...]:
    views = [close_up(v, findings, volume, segmentation) for v in findings.flagged]
    return tuple((view.vertebra, draw_close_up(view, findings)) for view in views if view)


def _picture_objects(
    pictures: Pictures, volume: CTVolume, context: ResultContext
) -> list[BuiltObject]:
    """Return overview and close-ups, then the key images, which refer to the close-ups."""
    objects: list[BuiltObject] = []
    if pictures.overview is not None:
        objects.append((OVERVIEW, build_secondary_capture(pictures.overview, context)))
    for vertebra, picture in pictures.close_ups:
        close_up_object = build_close_up(picture, vertebra, context)
        objects.append((close_up_kind(vertebra.label), close_up_object))
    if "key_images" in context.settings.outputs and context.findings.flagged:
        close_ups = [ds for kind, ds in objects if kind is not OVERVIEW]
        objects.append((KEY_IMAGES, build_key_images(volume, close_ups, context)))
    return objects


def _measured_objects(
    volume: CTVolume, segmentation: Segmentation, headers: SourceHeaders, context: ResultContext
) -> list[BuiltObject]:
    """SEG first: the SR refers to it."""
    outputs = context.settings.outputs
    objects: list[BuiltObject] = []
    segments = segments_of(segmentation.labels, context)
    seg = None
    if "seg" in outputs and segments:
        seg = build_seg(volume, segmentation.labels, segments, headers, context)
        objects.append((seg_kind(context), seg))
    if "sr" in outputs:
        objects.append((SR, build_sr(volume, seg, segments, context)))
        slices = sorted({centre_slice(v, volume) for v in context.findings.vertebrae})
        references = [slice_instance(volume.source, k) for k in slices or [0]]
        objects.append((NARRATIVE, build_narrative(references, context)))
    return objects
