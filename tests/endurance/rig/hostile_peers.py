"""Peers that send damaged conversations and damaged objects, one for every seed."""

from __future__ import annotations

import struct
import zlib
from collections import Counter
from io import BytesIO

import numpy as np
from pydicom.dataset import Dataset
from pydicom.filebase import DicomFileLike
from pydicom.filewriter import write_dataset
from pydicom.sequence import Sequence

from rig.dicom_bytes import (
    ACCEPT,
    COMMAND,
    CONTEXTS,
    DEFLATED,
    LAST,
    RELEASE_RQ,
    RawPeer,
    associate_rq,
    p_data,
    store_command,
)
from rig.mutator import Mutator

SUCCESS = 0x0000
SOP_INSTANCE_UID = "1.2.3.4"


def data_set(syntax: bytes, uid: str = SOP_INSTANCE_UID) -> bytes:
    """Encode a small CT image with a nested sequence before its pixels."""
    ds = Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.2", uid
    ds.StudyInstanceUID, ds.SeriesInstanceUID = "1.2.5", "1.2.6"
    ds.Modality, ds.PatientID = "CT", "SYNTHETIC"
    inner = Dataset()
    inner.ReferencedSOPInstanceUID = "1.2.7"
    ds.ReferencedImageSequence = Sequence([inner])
    ds.Rows = ds.Columns = 16
    ds.BitsAllocated = ds.BitsStored = 16
    ds.HighBit, ds.PixelRepresentation, ds.SamplesPerPixel = 15, 0, 1
    ds.PhotometricInterpretation = "MONOCHROME2"
    ds.add_new("PixelData", "OW", np.arange(256, dtype=np.uint16).tobytes())
    buffer = DicomFileLike(BytesIO())
    buffer.is_little_endian = not syntax.endswith(b"1.2.2")
    buffer.is_implicit_VR = syntax.endswith(b"10008.1.2")
    write_dataset(buffer, ds)
    encoded: bytes = buffer.parent.getvalue()
    if syntax == DEFLATED:
        packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
        return packer.compress(encoded) + packer.flush()
    return encoded


def damaged_conversation(port: int, seed: int) -> str:
    """Ask for an association, store and release, with one or more PDUs damaged."""
    mutator = Mutator(seed)
    context_id = mutator.rng.choice(list(CONTEXTS))
    pdus = [
        associate_rq(),
        p_data(context_id, COMMAND | LAST, store_command(SOP_INSTANCE_UID)),
        p_data(context_id, LAST, data_set(CONTEXTS[context_id][1])),
        RELEASE_RQ,
    ]
    first = mutator.rng.choice((0, 0, 1, 1, 1, 2, 3))
    for number in {first, mutator.rng.choice((first, 2, 3))}:
        pdus[number] = mutator.mutate(pdus[number])
    peer = RawPeer(port)
    outcome = "cut off"
    if peer.send(pdus[0]):
        answer = peer.answer() if first else b""
        outcome = f"answered {answer[0]}" if answer else "unanswered"
        for pdu in pdus[1:]:
            peer.send(pdu)
    peer.finish()
    return outcome


class DamagedStores:
    """Stores damaged data sets over sound PDUs, and counts the statuses that come back."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._peer: RawPeer | None = None
        self.statuses: Counter[str] = Counter()

    def store(self, seed: int) -> None:
        """Store the mutant of one seed, under the UIDs it announces."""
        mutator = Mutator(seed)
        context_id = mutator.rng.choice(list(CONTEXTS))
        syntax = CONTEXTS[context_id][1]
        mutant = mutator.mutate(data_set(syntax, f"1.2.3.{seed}"))
        if syntax == DEFLATED and seed % 2:
            mutant = _deflate(mutator.mutate(_inflate(data_set(syntax, f"1.2.3.{seed}"))))
        peer = self._associated()
        peer.send(p_data(context_id, COMMAND | LAST, store_command(f"1.2.3.{seed}")))
        peer.send(p_data(context_id, LAST, mutant))
        answer = peer.answer()
        if not answer or answer[0] != 4:
            self.statuses["association ended"] += 1
            self.close()
        else:
            self.statuses[f"0x{_status(answer):04X}"] += 1

    def close(self) -> None:
        if self._peer is not None:
            self._peer.finish()
            self._peer = None

    def _associated(self) -> RawPeer:
        if self._peer is None:
            self._peer = RawPeer(self._port)
            self._peer.send(associate_rq(b"DAMAGED"))
            assert self._peer.answer()[:1] == bytes((ACCEPT,))
        return self._peer


def _status(answer: bytes) -> int:
    """Return Status (0000,0900) of a response in one PDU."""
    at = answer.find(b"\0\0\0\x09\x02\0\0\0")
    assert at > 0, "a response without status"
    return int(struct.unpack_from("<H", answer, at + 8)[0])


def _inflate(data: bytes) -> bytes:
    return zlib.decompress(data, -zlib.MAX_WBITS)


def _deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()
