"""HL7 and FHIR receivers get the result under the patient's own identifiers, exactly once."""

from __future__ import annotations

import json
import threading

import pytest
from fhir.resources.R4B.diagnosticreport import DiagnosticReport
from hl7apy.core import Message
from hl7apy.mllp import AbstractHandler, MLLPServer
from hl7apy.parser import parse_message
from notified_job import JOB, STUDY, NoArchives, findings

from service.notifications import Notifier
from service.notifications.errors import NotReached, NotTaken
from service.notifications.oru import escaped


def notifier(config) -> Notifier:
    return Notifier(config, NoArchives(), lambda *_: None)


class Engine:
    """An interface engine made of hl7apy's own MLLP server."""

    def __init__(self) -> None:
        self.received: list[str] = []
        self.code, self.about = "AA", ""
        engine = self

        class Acknowledge(AbstractHandler):
            def reply(self) -> str:
                engine.received.append(self.incoming_message)
                control_id = parse_message(self.incoming_message).msh.msh_10.value
                answer = Message("ACK", version="2.5.1")
                answer.msh.msh_9 = "ACK^R01^ACK"
                answer.msh.msh_10 = "1"
                answer.msa.msa_1, answer.msa.msa_2 = engine.code, engine.about or control_id
                return answer.to_mllp()

        handlers = {"ORU^R01^ORU_R01": (Acknowledge,)}
        self.server = MLLPServer("127.0.0.1", 0, handlers, timeout=10)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def engine():
    made = Engine()
    yield made
    made.close()


def hl7(engine, **changes):
    return {"hl7": {"host": "127.0.0.1", "port": engine.port, **changes}}


def test_an_oru_message_files_the_finding_under_patient_and_order(make_job, engine):
    config = make_job(
        findings("L2"), hl7(engine, receiving_application="RIS", receiving_facility="ST|E")
    )
    told = notifier(config)
    assert told.destinations(JOB) == ["notify:hl7"]
    told.deliver(JOB, "notify:hl7")
    (text,) = engine.received
    message = parse_message(text)
    assert message.validate()
    assert message.msh.msh_10.value == JOB
    assert message.msh.msh_5.value == "RIS"
    result = message.oru_r01_patient_result
    pid = result.oru_r01_patient.pid
    assert pid.pid_3.to_er7() == "P-4711^^^ST_ELSEWHERE"
    assert pid.pid_5.to_er7() == "Qponm\\F\\\\T\\Sons^Ágota^M^MD^Dr."
    assert (pid.pid_7.value, pid.pid_8.value) == ("19440321", "F")
    order = result.oru_r01_order_observation
    assert order.obr.obr_2.value == "PLAC88"
    assert order.obr.obr_3.value == "FILL99"
    assert order.obr.obr_18.value == "ACC0815"
    assert order.obr.obr_7.value == "20261120101112"
    assert order.obr.obr_25.value == "P", "nobody has read the images: preliminary"
    rows = {
        (row.obx_3.obx_3_1.value, row.obx_4.to_er7()): row.obx_5.value
        for row in (each.obx for each in order.oru_r01_observation)
    }
    assert rows[("110180", "")] == STUDY
    assert rows[("vertebral-fracture", "L2")] == "wedge, Genant grade 2"
    assert rows[("vertebral-height-loss", "L2")] == "33.1"
    assert rows[("spine-bone-density", "")] == "101.5"
    assert "Not for diagnosis" in rows[("notice", "")]
    numbers = [row.obx.obx_1.value for row in order.oru_r01_observation]
    assert numbers == [str(n) for n in range(1, len(numbers) + 1)]


def test_delimiters_in_names_cannot_add_fields():
    assert escaped("a|b^c&d~e\\f\r\n") == ("a\\F\\b\\S\\c\\T\\d\\R\\e\\E\\f\\.br\\\\.br\\")


@pytest.mark.parametrize(
    ("code", "error"),
    [("AE", NotTaken), ("CE", NotTaken), ("AR", NotReached), ("CR", NotReached)],
)
def test_an_error_is_final_and_a_rejection_is_tried_again(make_job, engine, code, error):
    engine.code = code
    with pytest.raises(error, match=code):
        notifier(make_job(findings("L2"), hl7(engine))).deliver(JOB, "notify:hl7")


def test_an_acknowledgement_of_another_message_counts_for_nothing(make_job, engine):
    engine.about = "another"
    with pytest.raises(NotReached, match="another message"):
        notifier(make_job(findings("L2"), hl7(engine))).deliver(JOB, "notify:hl7")


def test_an_engine_that_is_down_is_tried_again(make_job, engine):
    engine.close()
    with pytest.raises(NotReached):
        notifier(make_job(findings("L2"), hl7(engine))).deliver(JOB, "notify:hl7")


def fhir(receiver, **changes):
    return {"fhir": {"url": f"{receiver.url}/fhir/", "patient_system": "urn:oid:1.2.3", **changes}}


def test_a_diagnostic_report_is_created_once_and_valid(make_job, web_receiver):
    config = make_job(findings("L2"), fhir(web_receiver, authorization="Bearer t0ken"))
    notifier(config).deliver(JOB, "notify:fhir")
    ((path, headers, body),) = web_receiver.requests
    assert path == "/fhir/DiagnosticReport"
    assert headers["If-None-Exist"] == f"identifier=urn:spinenode:job|{JOB}"
    assert headers["Authorization"] == "Bearer t0ken"
    assert headers["Content-Type"] == "application/fhir+json"
    document = json.loads(body)
    report = DiagnosticReport.model_validate(document)
    assert report.status == "preliminary"
    patient, fracture, loss, density = document["contained"]
    assert patient["identifier"] == [{"system": "urn:oid:1.2.3", "value": "P-4711"}]
    assert patient["name"][0]["family"] == "Qponm|&Sons"
    assert patient["name"][0]["given"] == ["Ágota", "M"]
    assert patient["birthDate"] == "1944-03-21"
    assert patient["gender"] == "female"
    assert fracture["valueString"] == "wedge, Genant grade 2"
    assert fracture["bodySite"]["text"] == "L2"
    assert loss["valueQuantity"]["value"] == pytest.approx(33.1)
    assert density["valueQuantity"]["code"] == "mg/cm3"
    assert [each["reference"] for each in document["result"]] == [
        f"#{each['id']}" for each in (fracture, loss, density)
    ]
    study = document["imagingStudy"][0]["identifier"]
    assert study == {"system": "urn:dicom:uid", "value": f"urn:oid:{STUDY}"}
    assert document["basedOn"][0]["identifier"]["value"] == "ACC0815"
    assert "Not for diagnosis" in document["conclusion"]


@pytest.mark.parametrize(("status", "error"), [(500, NotReached), (422, NotTaken)])
def test_a_fhir_server_may_be_broken_or_refuse(make_job, web_receiver, status, error):
    web_receiver.answers.append(status)
    with pytest.raises(error):
        notifier(make_job(findings("L2"), fhir(web_receiver))).deliver(JOB, "notify:fhir")


def test_every_series_is_reported_where_the_site_wants_it(make_job, web_receiver, engine):
    wanted = {**fhir(web_receiver, when="always"), **hl7(engine)}
    assert notifier(make_job(findings(), wanted)).destinations(JOB) == ["notify:fhir"]
    notifier(make_job(findings(status="not_analysable"), wanted)).deliver(JOB, "notify:fhir")
    document = json.loads(web_receiver.requests[0][2])
    assert "could not be analysed" in document["conclusion"]
    assert DiagnosticReport.model_validate(document)
