"""Key Object Selection of the flagged levels (PS3.3 A.35.4, PS3.16 TID 2010)."""

from __future__ import annotations

from copy import deepcopy

from pydicom.dataset import Dataset
from pydicom.uid import UID

from inference.volume import CTVolume
from sr_writer import codes, wording
from sr_writer.content_items import CONTAINS, image_item, set_root, text_item
from sr_writer.explicit_vr import set_encoded
from sr_writer.instance import ResultContext, new_instance
from sr_writer.provenance import KEY_IMAGES, OVERVIEW, derived_uid
from sr_writer.references import (
    evidence,
    instance_reference,
    slice_instance,
    slice_reference,
    sop_reference,
)
from sr_writer.sr import observer_items
from sr_writer.vertebra_group import centre_slice


def build_key_images(volume: CTVolume, close_ups: list[Dataset], context: ResultContext) -> Dataset:
    """Return the selection of the slices on which flagged bodies are centred, and of close-ups.

    `context.findings.flagged` has at least one entry.
    """
    flagged = context.findings.flagged
    slices = sorted({centre_slice(vertebra, volume) for vertebra in flagged})
    description = f"{wording.conclusion(context.findings)} {wording.RESEARCH_USE}"
    children = [
        *observer_items(context),
        text_item(CONTAINS, codes.KEY_OBJECT_DESCRIPTION, description),
        *(image_item(CONTAINS, None, slice_reference(volume.source, k)) for k in slices),
        *(
            image_item(CONTAINS, None, sop_reference(str(ds.SOPClassUID), str(ds.SOPInstanceUID)))
            for ds in close_ups
        ),
    ]
    ds = new_instance(KEY_IMAGES, context)
    set_root(ds, codes.OF_INTEREST, children, "2010")
    ds.ReferencedPerformedProcedureStepSequence = []
    references = [slice_instance(volume.source, k) for k in slices]
    references += [instance_reference(close_up) for close_up in close_ups]
    set_encoded(ds, "CurrentRequestedProcedureEvidenceSequence", evidence(references))
    return ds


def without_close_ups(key_images: Dataset) -> Dataset:
    """Return the same selection of slices for an archive that has no close-ups.

    It is another object: its UID derives from that of `key_images`.
    """
    ds = deepcopy(key_images)
    study = ds.CurrentRequestedProcedureEvidenceSequence[0]
    series = [s for s in study.ReferencedSeriesSequence if not _of_pictures(s)]
    study.ReferencedSeriesSequence = series
    kept = {r.ReferencedSOPInstanceUID for s in series for r in s.ReferencedSOPSequence}
    ds.ContentSequence = [item for item in ds.ContentSequence if _references_only(item, kept)]
    uid = UID(derived_uid(None, str(key_images.SOPInstanceUID), "without close-ups"))
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = uid
    return ds


def _of_pictures(series: Dataset) -> bool:
    return any(
        r.ReferencedSOPClassUID == OVERVIEW.SOPClassUID for r in series.ReferencedSOPSequence
    )


def _references_only(item: Dataset, instance_uids: set[str]) -> bool:
    references = item.get("ReferencedSOPSequence", ())
    return all(reference.ReferencedSOPInstanceUID in instance_uids for reference in references)
