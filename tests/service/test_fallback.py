"""Archives that refuse a class or an encoding: what goes instead, and what is remembered."""

from datetime import UTC, datetime
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian, generate_uid

import service.delivery
from node import LoopbackArchive
from service.config import Config, DestinationConfig, NodeConfig
from service.delivery import Deliverer, DeliveryRefused
from service.layout import jobs_folder, ledger_location
from service.metrics import Metrics
from service.object_forms import in_implicit_vr
from service.refusals import Encoding, Refusals
from service.request import Request
from service.workspace import Workspace
from sr_writer import WrittenObject

CLASSES = {
    "seg": "1.2.840.10008.5.1.4.1.1.66.4",
    "sr": "1.2.840.10008.5.1.4.1.1.88.34",
    "narrative": "1.2.840.10008.5.1.4.1.1.88.22",
    "overview": "1.2.840.10008.5.1.4.1.1.7",
    "closeup": "1.2.840.10008.5.1.4.1.1.7",
    "key_images": "1.2.840.10008.5.1.4.1.1.88.59",
    "pdf": "1.2.840.10008.5.1.4.1.1.104.1",
}
SLICE = "1.2.840.10008.5.1.4.1.1.2"
JOB = "job1"


def item(**elements) -> Dataset:
    ds = Dataset()
    for keyword, value in elements.items():
        setattr(ds, keyword, value)
    return ds


def reference(sop_class, uid):
    return item(ReferencedSOPClassUID=sop_class, ReferencedSOPInstanceUID=uid)


def save(ds: Dataset, folder: Path, kind: str) -> WrittenObject:
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = CLASSES[kind]
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    ds.StudyInstanceUID, ds.SeriesInstanceUID = "1.2.3", generate_uid()
    ds.Modality = "OT"
    path = folder / f"{kind}.dcm"
    ds.save_as(path, enforce_file_format=True)
    return WrittenObject(kind, path, ds.SOPClassUID, ds.SOPInstanceUID, ds.SeriesInstanceUID)


def key_images_of(close_up: WrittenObject) -> Dataset:
    """One slice of the CT and one close-up, referred to as `sr_writer` does."""
    references = [reference(SLICE, "1.9.1"), reference(CLASSES["closeup"], close_up.SOPInstanceUID)]
    series = [
        item(SeriesInstanceUID=f"1.8.{n}", ReferencedSOPSequence=[each])
        for n, each in enumerate(references)
    ]
    content = [item(ValueType="TEXT", TextValue="L2")]
    content += [item(ValueType="IMAGE", ReferencedSOPSequence=[each]) for each in references]
    evidence = [item(StudyInstanceUID="1.2.3", ReferencedSeriesSequence=series)]
    return item(CurrentRequestedProcedureEvidenceSequence=evidence, ContentSequence=content)


class Site:
    """A job with one object of each kind, and a deliverer to one archive."""

    def __init__(self, tmp_path, archive, **options):
        destination = DestinationConfig(
            name="pacs", ae_title="ARCHIVE", host="127.0.0.1", port=archive.port, **options
        )
        self.config = Config(node=NodeConfig(spool=tmp_path / "spool"), destinations=(destination,))
        self.workspace = Workspace(jobs_folder(self.config) / JOB)
        self.workspace.results.mkdir(parents=True, exist_ok=True)
        self.workspace.put_request(Request(JOB, (), datetime.now(UTC).isoformat()))
        self.write()
        self.metrics = Metrics(dict, tmp_path)
        self.archive = archive
        self.deliverer = Deliverer(self.config, self.metrics)

    def write(self):
        folder = self.workspace.results
        kinds = [kind for kind in CLASSES if kind != "key_images"]
        self.written = {kind: save(Dataset(), folder, kind) for kind in kinds}
        key_images = save(key_images_of(self.written["closeup"]), folder, "key_images")
        self.written["key_images"] = key_images
        self.workspace.put_written(tuple(self.written.values()))

    def deliver(self):
        return self.deliverer.deliver(JOB, "pacs")

    def arrived(self):
        uids = {each.SOPInstanceUID: kind for kind, each in self.written.items()}
        return {uids.get(uid, uid) for uid in self.archive.stores}


@pytest.fixture
def start(tmp_path):
    """Start an archive that takes everything but some kinds, and a site that sends to it."""
    archives = []

    def start(refuses=(), syntaxes=(ExplicitVRLittleEndian,), **options):
        taken = [uid for kind, uid in CLASSES.items() if kind not in refuses]
        taken = [uid for uid in taken if uid not in {CLASSES[kind] for kind in refuses}]
        archive = LoopbackArchive(
            tmp_path / "archive", sop_classes=taken, transfer_syntaxes=syntaxes
        ).start()
        archives.append(archive)
        return Site(tmp_path, archive, **options)

    yield start
    for archive in archives:
        archive.stop()


@pytest.fixture
def sent(monkeypatch):
    """Names of the files of each association that a deliverer opens."""
    calls = []
    send = service.delivery.send

    def spy(paths, *others):
        calls.append([path.name for path in paths])
        return send(paths, *others)

    monkeypatch.setattr(service.delivery, "send", spy)
    return calls


@pytest.mark.parametrize(
    ("wanted", "refuses", "arrived"),
    [
        ("seg", ["seg"], {"overview"}),
        ("sr", ["sr"], {"narrative"}),
        ("sr", ["sr", "narrative"], {"pdf"}),
        ("sr", ["sr", "narrative", "pdf"], {"overview"}),
        ("pdf", ["pdf"], {"overview"}),
        ("overview", ["overview"], {"pdf"}),
    ],
)
def test_what_is_refused_is_replaced_by_what_says_the_same(start, wanted, refuses, arrived):
    site = start(refuses, outputs=(wanted,))
    site.deliver()
    assert site.arrived() == arrived


def test_what_was_replaced_is_said_and_counted(start):
    site = start(["seg"], outputs=("seg",))
    assert "seg refused" in site.deliver()
    assert "overview sent instead" in site.workspace.delivery_note("pacs")
    line = 'fallbacks_total{destination="pacs",instead="overview",refused="seg"} 1.0'
    assert line in site.metrics.exposition().decode()


def test_a_report_that_names_a_refused_segmentation_is_sent_as_it_is_and_this_is_said(start):
    site = start(["seg"], outputs=("seg", "sr"))
    assert site.deliver().endswith("overview sent instead; the sr still refers to it")
    assert "sr" in site.arrived()
    assert "still refers to it" in site.workspace.delivery_note("pacs")


def test_where_nothing_is_taken_somebody_has_to_look(start):
    site = start([kind for kind in CLASSES if kind != "key_images"], outputs=("seg", "sr"))
    with pytest.raises(DeliveryRefused, match="SOP class or transfer syntax not accepted"):
        site.deliver()


def test_an_archive_of_implicit_vr_gets_everything_in_implicit_vr(start):
    site = start(syntaxes=(ImplicitVRLittleEndian,))
    assert site.deliver() == "delivered"
    assert site.arrived() == set(site.written)
    stored = pydicom.dcmread(site.archive.path_of(site.written["seg"].SOPInstanceUID), force=True)
    assert stored.file_meta.TransferSyntaxUID == ImplicitVRLittleEndian
    assert stored.SeriesInstanceUID == site.written["seg"].SeriesInstanceUID


def test_a_name_that_does_not_fit_its_character_set_is_the_same_in_implicit_vr(start):
    """Latin 1 under UTF-8, as some scanners write it."""
    site = start()
    ds = Dataset()
    ds.SpecificCharacterSet, ds.PatientName, ds.StudyID = "ISO_IR 192", "M?ller^J?rgen", ""
    written = save(ds, site.workspace.results, "pdf")
    written.path.write_bytes(written.path.read_bytes().replace(b"?", "ü".encode("latin-1")))
    stored = pydicom.dcmread(in_implicit_vr(written, site.workspace.folder).path)
    assert stored.get_item("PatientName").value == "Müller^Jürgen".encode("latin-1") + b" "
    assert stored["PatientName"].VR == "PN"
    assert stored["StudyID"].is_empty


def test_two_deliveries_may_make_the_same_form_at_the_same_time(start, monkeypatch):
    """The second begins before the first has given its file a name; either has a whole one."""
    site = start()
    written, rename = site.written["seg"], Path.rename
    forms = []

    def late(part, path):
        if not forms:
            forms.append(None)
            forms[0] = in_implicit_vr(written, site.workspace.folder)
        rename(part, path)

    monkeypatch.setattr(Path, "rename", late)
    forms.append(in_implicit_vr(written, site.workspace.folder))
    for form in forms:
        assert pydicom.dcmread(form.path).SOPInstanceUID == written.SOPInstanceUID
    assert list(forms[0].path.parent.glob("*.part")) == []


def test_a_refusal_is_remembered_for_the_next_job(start, sent):
    site = start(["seg"], outputs=("seg", "pdf"))
    site.deliver()
    assert sent == [["seg.dcm", "pdf.dcm"], ["implicit-seg.dcm"], ["overview.dcm"]]
    sent.clear()
    site.write()
    assert "overview sent instead" in site.deliver()
    assert sent == [["pdf.dcm"], ["overview.dcm"]]


def test_a_site_may_have_every_refusal_tried_again(start, sent):
    site = start(["seg"], outputs=("seg",), refusals_remembered_hours=0)
    site.deliver()
    sent.clear()
    site.write()
    site.deliver()
    assert sent == [["seg.dcm"], ["implicit-seg.dcm"], ["overview.dcm"]]


def test_one_bad_object_is_no_reason_to_refuse_its_class(start):
    """0xC000 is about the object (PS3.4 Table B.2-1), not about its SOP class."""
    site = start(outputs=("seg", "pdf"))
    site.archive.status_for = lambda uid: 0xC000 if uid == CLASSES["seg"] else 0
    assert "overview sent instead" in site.deliver()
    memory = Refusals(ledger_location(site.config))
    assert memory.known("pacs", 3600) == {}


def test_key_images_name_close_ups_that_the_archive_has(start):
    site = start()
    site.deliver()
    assert {"key_images", "closeup"} <= site.arrived()


@pytest.mark.parametrize(
    ("refuses", "outputs"),
    [(["overview"], ("overview", "key_images", "pdf")), ([], ("key_images",))],
    ids=["pictures refused", "pictures not wanted"],
)
def test_key_images_name_no_close_up_that_the_archive_lacks(start, refuses, outputs):
    site = start(refuses, outputs=outputs)
    site.deliver()
    site.deliver()
    (uid,) = site.arrived() - set(site.written)
    assert site.archive.stores[uid] == 1
    stored = pydicom.dcmread(site.archive.path_of(uid), force=True)
    assert stored.SOPClassUID == CLASSES["key_images"]
    assert stored.SOPInstanceUID == uid
    (study,) = stored.CurrentRequestedProcedureEvidenceSequence
    (series,) = study.ReferencedSeriesSequence
    assert [r.ReferencedSOPInstanceUID for r in series.ReferencedSOPSequence] == ["1.9.1"]
    named = [r for c in stored.ContentSequence for r in c.get("ReferencedSOPSequence", ())]
    assert [r.ReferencedSOPInstanceUID for r in named] == ["1.9.1"]
    assert stored.ContentSequence[0].TextValue == "L2"


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_refusals_are_kept_by_archive_and_forgotten_after_a_while(request, tmp_path, database):
    location = tmp_path / "memory.sqlite"
    if database == "postgresql":
        location = request.getfixturevalue("postgresql_url")
    now = [1000.0]
    memory = Refusals(location, lambda: now[0])
    seg = Encoding(CLASSES["seg"], "1.2")
    memory.remember("pacs", seg, "no")
    memory.remember("pacs", seg, "still no")
    assert memory.known("pacs", 60) == {seg: "still no"}
    assert memory.known("other", 60) == {}
    now[0] += 61
    assert memory.known("pacs", 60) == {}
    memory.remember("pacs", seg, "no")
    memory.forget("pacs")
    assert memory.known("pacs", 60) == {}
    memory.close()


def test_what_was_refused_is_no_longer_said_once_everything_arrived(start):
    site = start(outputs=("seg", "pdf", "overview"))
    site.archive.status_for = lambda _sop_class_uid: 0xC123
    with pytest.raises(DeliveryRefused):
        site.deliver()
    assert "refused" in site.workspace.delivery_note("pacs")
    site.archive.status_for = lambda _sop_class_uid: 0x0000
    site.deliver()
    assert site.workspace.delivery_note("pacs") == ""
