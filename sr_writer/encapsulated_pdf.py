"""Encapsulated PDF (PS3.3 A.45.1): the report for people, as a DICOM object."""

from __future__ import annotations

from pydicom.dataset import Dataset

from sr_writer import codes
from sr_writer.instance import ResultContext, new_instance
from sr_writer.provenance import PDF


def build_encapsulated_pdf(document: bytes, context: ResultContext) -> Dataset:
    """Return a PDF document as an object; its pages name the patient."""
    ds = new_instance(PDF, context)
    ds.ConversionType = "WSD"
    ds.AcquisitionDateTime = ""
    ds.BurnedInAnnotation = "YES"
    ds.DocumentTitle = "Spine CT report"
    ds.ConceptNameCodeSequence = [codes.DIAGNOSTIC_IMAGING_REPORT.item()]
    ds.MIMETypeOfEncapsulatedDocument = "application/pdf"
    ds.EncapsulatedDocument = document + b"\x00" * (len(document) % 2)
    ds.EncapsulatedDocumentLength = len(document)
    return ds
