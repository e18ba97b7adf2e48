"""SR content items (PS3.3 C.17.3) as encoded data sets: a report has thousands of them."""

from __future__ import annotations

from collections.abc import Iterable

from pydicom.dataset import Dataset

from sr_writer.codes import Code
from sr_writer.explicit_vr import data_set, element, sequence, sequence_value, set_encoded

CONTAINS = "CONTAINS"
HAS_CONCEPT_MOD = "HAS CONCEPT MOD"
HAS_OBS_CONTEXT = "HAS OBS CONTEXT"
HAS_ACQ_CONTEXT = "HAS ACQ CONTEXT"
SELECTED_FROM = "SELECTED FROM"

_MAX_DS_LENGTH = 16


def code_item(relation: str, name: Code, value: Code) -> bytes:
    """CODE item."""
    return _item(relation, "CODE", name, sequence("ConceptCodeSequence", [value.encoded()]))


def text_item(relation: str, name: Code, text: str) -> bytes:
    """TEXT item."""
    return _item(relation, "TEXT", name, element("TextValue", text))


def uid_item(relation: str, name: Code, uid: str) -> bytes:
    """UIDREF item."""
    return _item(relation, "UIDREF", name, element("UID", uid))


def number_item(name: Code, value: float, unit: Code, children: Iterable[bytes] = ()) -> bytes:
    """NUM item under a measurement group.

    Numeric Value is a decimal string of at most 16 characters; the rounding of
    `sr_writer.rounding` keeps every value within them.
    """
    text = repr(value)
    if len(text) > _MAX_DS_LENGTH:
        text = f"{value:.10g}"
    measured = data_set(
        element("NumericValue", text),
        sequence("MeasurementUnitsCodeSequence", [unit.encoded()]),
    )
    return _item(
        CONTAINS, "NUM", name, sequence("MeasuredValueSequence", [measured]), *_content(children)
    )


def image_item(relation: str, name: Code | None, reference: bytes) -> bytes:
    """IMAGE item; `reference` is an item of Referenced SOP Sequence."""
    return _item(relation, "IMAGE", name, sequence("ReferencedSOPSequence", [reference]))


def point_item(name: Code, column_row: tuple[float, float], image: bytes) -> bytes:
    """SCOORD POINT on an image, in image coordinates (PS3.3 C.18.6: 0.5 is a pixel's centre)."""
    return _item(
        CONTAINS,
        "SCOORD",
        name,
        element("GraphicData", *column_row),
        element("GraphicType", "POINT"),
        *_content([image_item(SELECTED_FROM, None, image)]),
    )


def container_item(
    relation: str, name: Code, children: Iterable[bytes], template: str | None = None
) -> bytes:
    """CONTAINER item whose children are shown separately, each with its name."""
    return _item(
        relation,
        "CONTAINER",
        name,
        element("ContinuityOfContent", "SEPARATE"),
        *([] if template is None else [sequence("ContentTemplateSequence", [_template(template)])]),
        *_content(children),
    )


def set_root(ds: Dataset, title: Code, children: Iterable[bytes], template: str) -> None:
    """Make a data set the root container of a document (PS3.3 C.17.3)."""
    ds.ValueType = "CONTAINER"
    ds.ConceptNameCodeSequence = [title.item()]
    ds.ContinuityOfContent = "SEPARATE"
    set_encoded(ds, "ContentTemplateSequence", sequence_value([_template(template)]))
    set_encoded(ds, "ContentSequence", sequence_value(children))


def _template(identifier: str) -> bytes:
    """Item of Content Template Sequence for a DCMR template."""
    return data_set(element("MappingResource", "DCMR"), element("TemplateIdentifier", identifier))


def _item(relation: str, value_type: str, name: Code | None, *elements: bytes) -> bytes:
    return data_set(
        element("RelationshipType", relation),
        element("ValueType", value_type),
        *([] if name is None else [sequence("ConceptNameCodeSequence", [name.encoded()])]),
        *elements,
    )


def _content(children: Iterable[bytes]) -> list[bytes]:
    """Content Sequence, unless there are no children."""
    listed = list(children)
    return [sequence("ContentSequence", listed)] if listed else []
