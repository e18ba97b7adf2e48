"""QIDO-RS and WADO-RS against a small DICOMweb service on a free port."""

from __future__ import annotations

import io
import socket
import threading
import time
from datetime import date

import pytest
import uvicorn
from hypothesis import given
from hypothesis import strategies as st
from pydicom.uid import JPEGLSLossless, generate_uid
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from node import NotAcceptable, Permanent, Retryable, Spool, SpoolSettings, WebDestination
from node.multipart import MultipartReader, boundary_of
from node.query import StudyKeys, StudyWindow
from node.query_qido import QidoQuery
from node.received import series_key
from node.retrieve_wado import get_instances

DAY = date(2024, 3, 5)


class WebArchive:
    """QIDO-RS and WADO-RS over data sets in memory; `most` is the largest page it gives."""

    def __init__(self):
        self.instances = []
        self.requests: list[Request] = []
        self.most = 1000
        self.authorization = None
        self.status_of: dict[str, int] = {}
        self.served_instead: dict[str, str] = {}
        self.multipart = True
        self.app = Starlette(
            routes=[
                Route("/dw/studies", self.studies),
                Route("/dw/studies/{study}/series", self.series),
                Route("/dw/studies/{study}/series/{series}/instances", self.list_instances),
                Route("/dw/studies/{study}/series/{series}/instances/{uid}", self.retrieve),
            ]
        )

    def answer(self, request, items):
        self.requests.append(request)
        if self.authorization not in (None, request.headers.get("authorization")):
            return Response(status_code=401)
        offset, limit = (int(request.query_params[name]) for name in ("offset", "limit"))
        page = items[offset : offset + min(limit, self.most)]
        return JSONResponse(page) if page else Response(status_code=204)

    async def studies(self, request):
        wanted = request.query_params
        keys = ("StudyInstanceUID", "AccessionNumber", "StudyDate")
        found = {
            i.StudyInstanceUID: {
                "0020000D": {"vr": "UI", "Value": [i.StudyInstanceUID]},
                "00080050": {"vr": "SH", "Value": [i.AccessionNumber]},
                "00080020": {"vr": "DA", "Value": [i.StudyDate]},
                "00080061": {"vr": "CS", "Value": [i.Modality]},
            }
            for i in self.instances
            if all(i.get(key) == wanted[key] for key in keys if key in wanted)
        }
        return self.answer(request, list(found.values()))

    async def series(self, request):
        study = request.path_params["study"]
        own = [i for i in self.instances if i.StudyInstanceUID == study]
        found = [
            {
                "0020000E": {"vr": "UI", "Value": [uid]},
                "00080060": {"vr": "CS", "Value": ["CT"]},
                "0008103E": {"vr": "LO", "Value": ["Wirbelsäule 1.0"]},
                "00201209": {
                    "vr": "IS",
                    "Value": [sum(i.SeriesInstanceUID == uid for i in own)],
                },
                "00200011": {"vr": "IS"},
            }
            for uid in sorted({i.SeriesInstanceUID for i in own})
        ]
        return self.answer(request, found)

    async def list_instances(self, request):
        found = [
            {"00080018": {"Value": [i.SOPInstanceUID]}, "00080016": {"Value": [i.SOPClassUID]}}
            for i in self.instances
            if i.SeriesInstanceUID == request.path_params["series"]
        ]
        return self.answer(request, found)

    async def retrieve(self, request):
        self.requests.append(request)
        uid = request.path_params["uid"]
        status = self.status_of.get(uid, 200)
        if status != 200:
            return Response(status_code=status)
        uid = self.served_instead.get(uid, uid)
        instance = next(i for i in self.instances if i.SOPInstanceUID == uid)
        file = io.BytesIO()
        instance.save_as(file, enforce_file_format=True)
        if not self.multipart:
            return Response(file.getvalue(), media_type="application/dicom")
        body = (
            b"--b?1\r\nContent-Type: application/dicom\r\n\r\n" + file.getvalue() + b"\r\n--b?1--"
        )
        return Response(
            body, media_type='multipart/related; type="application/dicom"; boundary="b?1"'
        )


@pytest.fixture(scope="module")
def served():
    archive = WebArchive()
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        config = uvicorn.Config(archive.app, log_level="error", lifespan="off")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        yield archive, listening.getsockname()[1]
        server.should_exit = True
        thread.join(10)


@pytest.fixture
def archive(served):
    archive, port = served
    fresh = WebArchive()
    archive.__dict__.update({k: v for k, v in fresh.__dict__.items() if k != "app"})
    archive.peer = WebDestination("web", f"http://127.0.0.1:{port}/dw/")
    return archive


@pytest.fixture
def query(archive):
    query = QidoQuery(archive.peer)
    yield query
    query.close()


@pytest.fixture
def series(archive, make_instance):
    study, series = generate_uid(), generate_uid()
    for number in range(5):
        instance = make_instance(study, series, pixel_seed=number)
        instance.AccessionNumber, instance.StudyDate = "A1", "20240305"
        archive.instances.append(instance)
    return study, series


@pytest.fixture
def spool(tmp_path):
    spool = Spool(SpoolSettings(tmp_path / "spool", min_free_gib=0.0))
    yield spool
    spool.close()


def uids(archive):
    return [instance.SOPInstanceUID for instance in archive.instances]


def test_studies_series_and_counts(query, series):
    (study,) = query.studies(StudyKeys(AccessionNumber="A1", window=StudyWindow(DAY))).items
    assert (study.StudyInstanceUID, study.ModalitiesInStudy) == (series[0], ("CT",))
    (found,) = query.series(series[0]).items
    assert (found.SeriesInstanceUID, found.images) == (series[1], 5)
    assert (found.SeriesDescription, found.SeriesNumber) == ("Wirbelsäule 1.0", "")
    assert query.count(*series) == 5
    assert query.count(series[0], generate_uid()) is None
    assert len(query.instances(*series).items) == 5


def test_nothing_found_is_an_empty_list(query):
    assert query.studies(StudyKeys(AccessionNumber="NONE")).items == ()


def test_a_service_that_gives_small_pages_is_asked_until_nothing_is_new(
    query, archive, make_instance
):
    for number in range(7):
        instance = make_instance(generate_uid(), generate_uid())
        instance.AccessionNumber, instance.StudyDate = f"A{number}", "20240305"
        archive.instances.append(instance)
    archive.most = 3
    assert len(query.studies(StudyKeys()).items) == 7


def test_no_attribute_of_the_patient_is_asked_for(query, series, archive):
    query.studies(StudyKeys(AccessionNumber="A1"))
    query.series(series[0])
    for request in archive.requests:
        assert "Patient" not in str(request.url)
        assert "=0010" not in str(request.url)


def test_the_authorization_is_shown_and_its_refusal_named(archive, series):
    archive.authorization = "Bearer secret"
    shown = WebDestination("web", archive.peer.dicomweb_url, authorization="Bearer secret")
    assert len(QidoQuery(shown).series(series[0]).items) == 1
    with pytest.raises(Permanent, match=r"web refuses us \(HTTP 401\)"):
        QidoQuery(archive.peer).series(series[0])


def test_a_service_that_is_not_there_is_retryable():
    with pytest.raises(Retryable, match="web cannot be reached"):
        QidoQuery(WebDestination("web", "http://127.0.0.1:9/dw")).series("1.2")


@pytest.mark.parametrize("multipart", [True, False])
def test_instances_arrive_as_they_are_stored(archive, series, spool, multipart):
    archive.multipart = multipart
    seen = []
    result = get_instances(
        archive.peer, series, uids(archive), spool, lambda *counts: seen.append(counts)
    )
    assert (result.completed, result.failed, seen[-1]) == (5, 0, (5, 5))
    received = spool.received_series(*series)
    assert sorted(file.SOPInstanceUID for file in received.files) == sorted(uids(archive))


def test_compressed_instances_stay_compressed(archive, make_instance, spool):
    study, series = generate_uid(), generate_uid()
    archive.instances = [make_instance(study, series, transfer_syntax=JPEGLSLossless)]
    get_instances(archive.peer, (study, series), uids(archive), spool)
    assert spool.index.record(series_key(study, series)).instances[0].transfer_syntax_uid == (
        JPEGLSLossless
    )


def test_what_is_there_already_is_not_fetched_again(archive, series, spool):
    get_instances(archive.peer, series, uids(archive)[:3], spool)
    archive.requests.clear()
    result = get_instances(archive.peer, series, uids(archive), spool)
    assert (result.completed, len(archive.requests)) == (5, 2)


def test_an_instance_that_is_gone_counts_as_failed(archive, series, spool):
    archive.status_of = {uids(archive)[1]: 404}
    result = get_instances(archive.peer, series, uids(archive), spool)
    assert (result.completed, result.failed) == (4, 1)
    assert "HTTP 404" in result.comment


def test_a_service_that_fails_again_and_again_is_left_alone(archive, series, spool):
    archive.status_of = dict.fromkeys(uids(archive), 503)
    with pytest.raises(Retryable, match="HTTP 503"):
        get_instances(archive.peer, series, uids(archive), spool)


def test_another_instance_than_the_one_asked_for_is_not_kept(archive, series, spool):
    asked, other = uids(archive)[:2]
    archive.served_instead = {asked: other}
    result = get_instances(archive.peer, series, [asked], spool)
    assert (result.completed, result.failed) == (0, 1)
    assert "differs from the request" in result.comment
    assert spool.index.counts() == (0, 0)


@given(
    contents=st.lists(st.binary(max_size=300), min_size=1, max_size=4),
    chunk=st.integers(1, 64),
)
def test_multipart_bodies_come_apart_whatever_the_pieces(contents, chunk):
    boundary = b"Z9"
    parts = b"".join(b"\r\n--Z9\r\nContent-Type: x\r\n\r\n" + part for part in contents)
    if any(b"\r\n--Z9" in part for part in contents):
        return
    stream = io.BytesIO(parts[2:] + b"\r\n--Z9--\r\n")
    reader = MultipartReader(lambda most: stream.read(min(most, chunk)), boundary)
    assert [b"".join(part) for part in reader.parts()] == contents


@pytest.mark.parametrize("body", [b"", b"--Z9\r\n", b"--Z9\r\nA: b\r\n\r\nhalf a par"])
def test_a_torn_multipart_body_is_refused(body):
    reader = MultipartReader(io.BytesIO(body).read, b"Z9")
    with pytest.raises(NotAcceptable, match="ends early"):
        [b"".join(part) for part in reader.parts()]


@pytest.mark.parametrize(
    ("content_type", "boundary"),
    [
        ('multipart/related; type="application/dicom"; boundary=abc', b"abc"),
        ('multipart/related; BOUNDARY="a b"; type=x', b"a b"),
        ("application/dicom", None),
    ],
)
def test_the_boundary_is_read_from_the_content_type(content_type, boundary):
    assert boundary_of(content_type) == boundary
