"""A node on a free loopback port, small CT files, and a way to wait without sleeping blindly."""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from private_postgresql import postgresql_server, postgresql_url  # noqa: F401 - fixtures
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, generate_uid
from pynetdicom.dsutils import encode
from raw_peer import raw_peer  # noqa: F401 - a fixture
from tls_files import loopback_tls, tls_files  # noqa: F401 - fixtures
from waiting import wait_for

from node import (
    Destination,
    ListenerLimits,
    ListenerSettings,
    NodeServer,
    ReceivedSeries,
    ReceivePath,
    SeriesSettings,
    Spool,
    SpoolSettings,
    StoreRequest,
)

CT = "1.2.840.10008.5.1.4.1.1.2"


def _make_instance(
    study_uid: str,
    series_uid: str,
    sop_class_uid: str = CT,
    transfer_syntax: UID = ExplicitVRLittleEndian,
    pixel_seed: int = 0,
    sop_instance_uid: str | None = None,
) -> Dataset:
    dataset = Dataset()
    dataset.SOPClassUID = sop_class_uid
    dataset.SOPInstanceUID = sop_instance_uid or generate_uid()
    dataset.StudyInstanceUID = study_uid
    dataset.SeriesInstanceUID = series_uid
    dataset.Modality = "CT"
    dataset.PatientName = "Nobody^Synthetic"
    dataset.PatientID = "SYNTHETIC"
    dataset.Rows = dataset.Columns = 16
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit = 15
    dataset.PixelRepresentation = 0
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    pixels = np.random.default_rng(pixel_seed).integers(0, 4096, (16, 16), dtype=np.uint16)
    if transfer_syntax.is_encapsulated:
        # The node never decodes: any fragment will do.
        from pydicom.encaps import encapsulate

        dataset.PixelData = encapsulate([pixels.tobytes()])
        dataset["PixelData"].VR = "OB"
        dataset["PixelData"].is_undefined_length = True
    else:
        if not transfer_syntax.is_little_endian:
            pixels = pixels.byteswap()
        dataset.add_new("PixelData", "OW", pixels.tobytes())
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.MediaStorageSOPClassUID = sop_class_uid
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.file_meta.TransferSyntaxUID = transfer_syntax
    return dataset


def _write_series(folder: Path, count: int = 5, **options) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    study_uid, series_uid = generate_uid(), generate_uid()
    paths = []
    for number in range(count):
        path = folder / f"slice{number:03d}.dcm"
        _make_instance(study_uid, series_uid, pixel_seed=number, **options).save_as(
            path, enforce_file_format=True
        )
        paths.append(path)
    return paths


@pytest.fixture(scope="session")
def wait_until():
    return partial(wait_for, seconds=10.0)


@pytest.fixture(scope="session")
def make_instance():
    return _make_instance


@pytest.fixture(scope="session")
def write_series():
    return _write_series


class Encoded(NamedTuple):
    """What `Spool.store` takes."""

    request: StoreRequest
    data_set: bytes


@pytest.fixture
def incoming(make_instance):
    """Build an instance as it arrives; `more_bytes` (even) makes it longer."""

    def build(
        study="1.2.3", series="1.2.3.4", calling="SCANNER", more_bytes=0, **options
    ) -> Encoded:
        dataset = make_instance(study, series, **options)
        if more_bytes:
            dataset.EncapsulatedDocument = b"x" * more_bytes
        request = StoreRequest(
            str(ExplicitVRLittleEndian),
            str(dataset.SOPClassUID),
            str(dataset.SOPInstanceUID),
            calling,
        )
        return Encoded(request, encode(dataset, False, True))

    return build


@pytest.fixture
def open_spool(tmp_path):
    """Open the same folder as a spool, as often as wanted after closing it."""
    opened = []

    folder = tmp_path / "spool"

    def opener(min_free_gib=0.0) -> Spool:
        spool = Spool(SpoolSettings(folder, min_free_gib))
        opened.append(spool)
        return spool

    opener.folder = folder
    yield opener
    for spool in opened:
        spool.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def location(request, tmp_path):
    """Where the ledger is kept: on every kind of database it has to behave the same."""
    if request.param == "postgresql":
        return request.getfixturevalue("postgresql_url")
    return tmp_path / "deliveries.sqlite"


@dataclass
class RunningNode:
    """A started node with what it handed over."""

    server: NodeServer
    spool: Spool
    completed: queue.Queue[ReceivedSeries] = field(default_factory=queue.Queue)

    @property
    def destination(self) -> Destination:
        return Destination("node", "SPINENODE", "127.0.0.1", self.server.port)


@pytest.fixture(params=list(ReceivePath))
def receive_path(request) -> ReceivePath:
    """Every test with a node runs on both receive paths."""
    return request.param


@pytest.fixture
def start_node(tmp_path: Path, receive_path: ReceivePath) -> Iterator[Callable[..., RunningNode]]:
    """Start a node; keyword arguments override listener settings."""
    running: list[RunningNode] = []

    def start(
        series: SeriesSettings | None = None,
        consumer: Callable[[ReceivedSeries], None] | None = None,
        observer=None,
        spool: Spool | None = None,
        on_commitment=None,
        **listener,
    ) -> RunningNode:
        listener = {"receive_path": receive_path, **listener}
        settings = ListenerSettings(host="127.0.0.1", port=0, **listener)
        spool = spool or Spool(SpoolSettings(tmp_path / "spool", min_free_gib=0.0))
        completed: queue.Queue[ReceivedSeries] = queue.Queue()
        server = NodeServer(
            settings,
            spool,
            series or SeriesSettings(quiet_seconds=0.3, max_wait_seconds=60),
            consumer or completed.put,
            observer,
            on_commitment,
        )
        server.start()
        node = RunningNode(server, spool, completed)
        running.append(node)
        return node

    yield start
    for node in running:
        node.server.stop(drain_seconds=2)
        node.spool.close()


@pytest.fixture
def quick_limits() -> ListenerLimits:
    return ListenerLimits(handshake_seconds=1.0, idle_seconds=2.0)
