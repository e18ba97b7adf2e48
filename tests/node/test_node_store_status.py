"""A refusal is explained by its status, never by what the archive says in its own words."""

from __future__ import annotations

import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE, evt

from node import Destination, Outcome, send_files
from node.store_status import meaning


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (0x0000, ""),
        (0x0122, "SOP class not supported"),
        (0xA700, "out of resources"),
        (0xA7FF, "out of resources"),
        (0xA901, "data set does not match SOP class"),
        (0xB000, "coercion of data elements"),
        (0xC123, "cannot understand"),
        (0xFE00, ""),
    ],
)
def test_a_status_has_the_meaning_of_the_standard(status, words):
    assert meaning(status) == words


def test_what_an_archive_says_of_the_patient_is_not_kept(tmp_path):
    def refuse(event):
        answer = Dataset()
        answer.Status, answer.ErrorComment = 0xC000, "no such patient Qponm^Agota"
        return answer

    image = Dataset()
    image.SOPClassUID = uid = "1.2.840.10008.5.1.4.1.1.2"
    image.SOPInstanceUID = image.StudyInstanceUID = image.SeriesInstanceUID = "1.2.3"
    image.file_meta = meta = Dataset()
    meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
    image.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    ae = AE(ae_title="ARCHIVE")
    ae.add_supported_context(uid)
    server = ae.start_server(
        ("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, refuse)]
    )
    archive = Destination("a", "ARCHIVE", "127.0.0.1", server.server_address[1])
    (result,) = send_files([tmp_path / "a.dcm"], archive)
    ae.shutdown()
    assert result.outcome is Outcome.REFUSED
    assert (result.status, result.comment) == (0xC000, "cannot understand")
