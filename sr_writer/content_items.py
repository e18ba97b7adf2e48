"""SR content items (PS3.3 C.17.3) as plain data sets: small, fast, no validation beyond types."""

from __future__ import annotations

from collections.abc import Iterable

from pydicom.dataset import Dataset

from sr_writer.codes import Code

CONTAINS = "CONTAINS"
HAS_CONCEPT_MOD = "HAS CONCEPT MOD"
HAS_OBS_CONTEXT = "HAS OBS CONTEXT"
HAS_ACQ_CONTEXT = "HAS ACQ CONTEXT"
INFERRED_FROM = "INFERRED FROM"
SELECTED_FROM = "SELECTED FROM"

_MAX_DS_LENGTH = 16


def code_item(relation: str, name: Code, value: Code) -> Dataset:
    """CODE item."""
    ds = _item(relation, "CODE", name)
    ds.ConceptCodeSequence = [value.item()]
    return ds


def text_item(relation: str, name: Code, text: str) -> Dataset:
    """TEXT item."""
    ds = _item(relation, "TEXT", name)
    ds.TextValue = text
    return ds


def uid_item(relation: str, name: Code, uid: str) -> Dataset:
    """UIDREF item."""
    ds = _item(relation, "UIDREF", name)
    ds.UID = uid
    return ds


def number_item(name: Code, value: float, unit: Code, children: Iterable[Dataset] = ()) -> Dataset:
    """NUM item under a measurement group.

    Numeric Value is a decimal string of at most 16 characters; the rounding of
    `sr_writer.rounding` keeps every value within them.
    """
    text = repr(value)
    if len(text) > _MAX_DS_LENGTH:
        text = f"{value:.10g}"
    measured = Dataset()
    measured.NumericValue = text
    measured.MeasurementUnitsCodeSequence = [unit.item()]
    ds = _item(CONTAINS, "NUM", name)
    ds.MeasuredValueSequence = [measured]
    _add_children(ds, children)
    return ds


def image_item(relation: str, name: Code | None, reference: Dataset) -> Dataset:
    """IMAGE item; `reference` is an item of Referenced SOP Sequence."""
    ds = _item(relation, "IMAGE", name)
    ds.ReferencedSOPSequence = [reference]
    return ds


def point_item(name: Code, column_row: tuple[float, float], image: Dataset) -> Dataset:
    """SCOORD POINT on an image, in image coordinates (PS3.3 C.18.6: 0.5 is a pixel's centre)."""
    ds = _item(CONTAINS, "SCOORD", name)
    ds.GraphicData = [float(column_row[0]), float(column_row[1])]
    ds.GraphicType = "POINT"
    _add_children(ds, [image_item(SELECTED_FROM, None, image)])
    return ds


def container_item(
    relation: str, name: Code, children: Iterable[Dataset], template: str | None = None
) -> Dataset:
    """CONTAINER item whose children are shown separately, each with its name."""
    ds = _item(relation, "CONTAINER", name)
    ds.ContinuityOfContent = "SEPARATE"
    if template is not None:
        ds.ContentTemplateSequence = [template_item(template)]
    _add_children(ds, children)
    return ds


def template_item(identifier: str) -> Dataset:
    """Item of Content Template Sequence for a DCMR template."""
    ds = Dataset()
    ds.MappingResource = "DCMR"
    ds.TemplateIdentifier = identifier
    return ds


def with_children(item: Dataset, children: Iterable[Dataset]) -> Dataset:
    """Return the item with children appended."""
    _add_children(item, children)
    return item


def _item(relation: str, value_type: str, name: Code | None) -> Dataset:
    ds = Dataset()
    ds.RelationshipType = relation
    ds.ValueType = value_type
    if name is not None:
        ds.ConceptNameCodeSequence = [name.item()]
    return ds


def _add_children(ds: Dataset, children: Iterable[Dataset]) -> None:
    listed = list(children)
    if listed:
        ds.ContentSequence = [*ds.get("ContentSequence", []), *listed]
