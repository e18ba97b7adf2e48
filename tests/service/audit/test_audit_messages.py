"""Each message obeys the schema of PS3.15 A.5.1 and its own table of A.5.3."""

from __future__ import annotations

import base64
from datetime import date
from io import BytesIO
from types import SimpleNamespace

import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from node import DeliveryResult, Destination, Outcome, ReceivedInstance, ReceivedSeries
from node.query import StudyKeys, StudyWindow
from service.audit import AuditedQuery, PageAuditor, Peer, Transfer
from service.audit.codes import APPLICATION_ACTIVITY, NODE_ID
from service.audit.message import Action, AuditedObject, AuditMessage, Event, Participant
from service.request import Request
from service.workspace import Workspace
from sr_writer import WrittenObject

STUDY = "1.2.826.0.1.3680043.8.498.1"
SEG, SR = "1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.88.34"


@pytest.fixture
def image(tmp_path):
    """One CT image of Ágota Qponm."""
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID = CTImageStorage
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID = f"{STUDY}.7"
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.PatientName, ds.PatientID = "Qponm^Ágota", "P&<4711>"
    path = tmp_path / "image.dcm"
    ds.save_as(path, enforce_file_format=True)
    return path


@pytest.fixture
def series(image):
    file = ReceivedInstance(image, f"{STUDY}.7", "0" * 64)
    return ReceivedSeries(STUDY, f"{STUDY}.1", image.parent, (file,), "d", "CT1", "quiet")


def test_start_and_stop_are_application_activity(audited):
    audited.recorder.started()
    audited.recorder.stopped()
    messages = audited.messages()
    assert [m.event for m in messages] == ["Application Activity"] * 2
    assert [m.kinds for m in messages] == [["Application Start"], ["Application Stop"]]
    for message in messages:
        assert message.participants == [("4711", "Application")]
        process = message.tree.find("ActiveParticipant")
        assert process.get("AlternativeUserID") == "AETITLES=SPINENODE"
        source = message.tree.find("AuditSourceIdentification")
        assert source.get("AuditEnterpriseSiteID") == "St. Elsewhere"


def test_a_received_series_names_sender_study_and_number_of_instances(audited, series):
    audited.recorder.received(series, Peer("CT1", "192.0.2.10"))
    message = audited.only()
    assert message.event == "DICOM Instances Transferred"
    assert message.get("EventActionCode") == "C"
    assert message.participants == [("CT1", "Source Role ID"), ("4711", "Destination Role ID")]
    sender = message.tree.find("ActiveParticipant")
    assert sender.get("NetworkAccessPointID") == "192.0.2.10"
    assert sender.get("NetworkAccessPointTypeCode") == "2"
    study = message.object("Study Instance UID")
    assert study.get("ParticipantObjectID") == STUDY
    sop_class = study.find("ParticipantObjectDescription/SOPClass")
    assert (sop_class.get("UID"), sop_class.get("NumberOfInstances")) == (CTImageStorage, "1")


def test_patients_are_named_only_where_the_site_wants_it(audited, audited_by_name, series):
    for each in (audited, audited_by_name):
        each.recorder.received(series, Peer("CT1", "192.0.2.10"))
    anonymous = audited.only().object("Patient Number")
    assert anonymous.get("ParticipantObjectID") == ""
    assert not anonymous.find("ParticipantObjectName").text
    named = audited_by_name.only().object("Patient Number")
    assert named.get("ParticipantObjectID") == "P&<4711>"
    assert named.find("ParticipantObjectName").text == "Qponm^Ágota"


def test_sending_is_begun_and_ended_with_success_and_failure_apart(audited, image):
    objects = [
        WrittenObject("seg", image, SEG, "1.2.3", "1.2"),
        WrittenObject("sr", image, SR, "1.2.4", "1.2"),
    ]
    archive = Destination("pacs", "PACS", "pacs.example.org", 104)
    transfer = Transfer(audited.recorder, request(image), archive, objects)
    transfer.ended(
        [
            DeliveryResult(image, "1.2.3", SEG, 0, Outcome.SENT, ""),
            DeliveryResult(image, "1.2.4", SR, 0x0122, Outcome.REFUSED, "Patient Qponm?"),
        ]
    )
    begun, arrived, refused = audited.messages()
    assert begun.event == "Begin Transferring DICOM Instances"
    assert begun.get("EventActionCode") == "E"
    assert begun.participants == [("4711", "Source Role ID"), ("PACS", "Destination Role ID")]
    assert classes(begun) == {SEG, SR}
    assert (arrived.get("EventOutcomeIndicator"), classes(arrived)) == ("0", {SEG})
    assert (refused.get("EventOutcomeIndicator"), classes(refused)) == ("8", {SR})
    receiver = begun.tree.findall("ActiveParticipant")[1]
    assert receiver.get("NetworkAccessPointTypeCode") == "1", "a host name is no IP address"


def test_an_archive_that_is_down_is_a_failed_transfer(audited, image):
    objects = [WrittenObject("seg", image, SEG, "1.2.3", "1.2")]
    Transfer(audited.recorder, request(image), Destination("p", "P", "h", 1), objects).failed()
    _, failed = audited.messages()
    assert failed.get("EventOutcomeIndicator") == "8"
    assert failed.tree.find("EventIdentification/EventOutcomeDescription").text


@pytest.mark.parametrize(
    ("what", "kind", "outcome"),
    [
        ("accepted", "Login", "0"),
        ("logout", "Logout", "0"),
        ("refused", "Login", "4"),
        ("delayed", "Login", "8"),
    ],
)
def test_logins_are_user_authentication(audited, tmp_path, what, kind, outcome):
    PageAuditor(audited.recorder, tmp_path).audit_login("", "192.0.2.99", what)
    message = audited.only()
    assert message.event == "User Authentication"
    assert (message.kinds, message.get("EventOutcomeIndicator")) == ([kind], outcome)
    assert message.participants[0][0] == "unknown"


def test_a_look_at_identifiers_is_an_access_to_the_study(audited_by_name, tmp_path, image):
    workspace = Workspace(tmp_path / "jobs" / "job1")
    workspace.put_request(request(image))
    auditor = PageAuditor(audited_by_name.recorder, tmp_path / "jobs")
    auditor.audit_access("anna", "job1", "identifiers")
    auditor.audit_action("otto", "job1", "retry")
    auditor.audit_access("anna", "no-such-job", "identifiers")
    looked, steered = audited_by_name.messages()
    assert looked.event == "DICOM Instances Accessed"
    assert looked.get("EventActionCode") == "R"
    assert looked.participants == [("anna", None)]
    assert looked.object("Study Instance UID").get("ParticipantObjectID") == STUDY
    assert looked.object("Patient Number").get("ParticipantObjectID") == "P&<4711>"
    assert (steered.participants[0][0], steered.get("EventActionCode")) == ("otto", "U")


def test_a_refused_peer_is_a_security_alert_and_a_port_scan_is_none(audited):
    recorder = audited.recorder
    recorder.refused_peer(Peer("EVIL\x00\ud800", "192.0.2.66"), "calling_ae_title_not_recognised")
    recorder.refused_peer(Peer("", "192.0.2.67"), "closed_early")
    recorder.refused_peer(Peer("CT1", "192.0.2.10"), "too_many_associations")
    message = audited.only()
    assert (message.event, message.kinds) == ("Security Alert", ["Node Authentication"])
    assert message.get("EventOutcomeIndicator") != "0"
    assert message.participants[1][0] == "EVIL\ufffd\ufffd"
    detail = message.object("Node ID").find("ParticipantObjectDetail")
    assert detail.get("type") == "Alert Description"
    assert base64.b64decode(detail.get("value")) == b"calling_ae_title_not_recognised"


def test_a_refused_page_is_a_security_alert(audited, tmp_path):
    PageAuditor(audited.recorder, tmp_path).audit_denied("anna", "/jobs/1/retry", "role")
    message = audited.only()
    assert message.kinds == ["Use of Restricted Function"]
    assert message.object("URI").get("ParticipantObjectID") == "/jobs/1/retry"


@pytest.mark.parametrize(("names", "number"), [(False, ""), (True, "ACC4711")])
def test_a_question_to_an_archive_is_a_query(audited, audited_by_name, names, number):
    chosen = audited_by_name if names else audited
    answers = object()
    archive = SimpleNamespace(studies=lambda _keys: answers)
    query = AuditedQuery(archive, Peer("PACS", "192.0.2.20"), chosen.recorder)
    window = StudyWindow(date(2026, 11, 21))
    assert query.studies(StudyKeys(AccessionNumber="ACC4711", window=window)) is answers
    message = chosen.only()
    assert message.event == "Query"
    asked = message.object("SOP Class UID")
    assert asked.get("ParticipantObjectID") == "1.2.840.10008.5.1.4.1.2.2.1"
    encoded = base64.b64decode(asked.find("ParticipantObjectQuery").text)
    identifier = pydicom.filereader.read_dataset(
        BytesIO(encoded), is_implicit_VR=False, is_little_endian=True
    )
    assert identifier.QueryRetrieveLevel == "STUDY"
    assert identifier.AccessionNumber == number
    assert identifier.StudyDate == "20261121"


@settings(max_examples=60, deadline=None)
@given(st.text(), st.text(), st.text())
def test_no_text_of_a_peer_breaks_the_xml(user, address, subject):
    message = AuditMessage(
        Event(APPLICATION_ACTIVITY, Action.EXECUTE, description=subject),
        (Participant(user, True, ae_title=user, name=user, address=address),),
        (AuditedObject(subject, NODE_ID, "2", "13", name=user),),
        "SPINENODE",
        site=subject,
    )
    xml = message.to_xml()
    assert b"\n" not in xml
    etree.fromstring(xml)


def request(image) -> Request:
    return Request("job1", (image,), "2026-11-21T00:00:00+00:00", StudyInstanceUID=STUDY)


def classes(message) -> set[str]:
    study = message.object("Study Instance UID")
    return {each.get("UID") for each in study.iter("SOPClass")}
