"""An archive that remembers every store and misbehaves on request."""

from __future__ import annotations

import hashlib
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Self

from pydicom.dataset import Dataset
from pynetdicom import AE, evt

from node import CT_TRANSFER_SYNTAXES, SENT_SOP_CLASSES

VERIFICATION = "1.2.840.10008.1.1"


class RememberingArchive:
    """A storage SCP on loopback that keeps a digest of everything it acknowledged.

    Attributes
    ----------
    stores
        SHA-256 of each acknowledged data set, by SOPInstanceUID, in order of arrival.
    studies
        StudyInstanceUID of everything stored.
    status_for
        Chooses the status to answer for a SOP class.
    before_answer
        Called with the association before a store is answered, to cut it or to wait.
    """

    def __init__(self, port: int = 0, sop_classes: Iterable[str] = SENT_SOP_CLASSES) -> None:
        self.port = port
        self.sop_classes = tuple(sop_classes)
        self.stores: dict[str, list[str]] = defaultdict(list)
        self.studies: set[str] = set()
        self.status_for: Callable[[str], int] = lambda _sop_class_uid: 0x0000
        self.before_answer: Callable[[evt.Event], None] = lambda _event: None
        self._lock = threading.Lock()
        self._ae: AE | None = None

    def __enter__(self) -> Self:
        ae = AE(ae_title="ARCHIVE")
        ae.maximum_associations = 50
        for sop_class_uid in (VERIFICATION, *self.sop_classes):
            ae.add_supported_context(sop_class_uid, list(CT_TRANSFER_SYNTAXES))
        handlers = [(evt.EVT_C_STORE, self._store)]
        server = ae.start_server(("127.0.0.1", self.port), block=False, evt_handlers=handlers)
        self.port = int(server.server_address[1])
        self._ae = ae
        return self

    def __exit__(self, *_: object) -> None:
        if self._ae is not None:
            self._ae.shutdown()
            self._ae = None

    def _store(self, event: evt.Event) -> Dataset:
        answer = Dataset()
        answer.Status = self.status_for(str(event.request.AffectedSOPClassUID))
        if answer.Status == 0x0000 or answer.Status & 0xF000 == 0xB000:
            digest = hashlib.sha256(event.request.DataSet.getbuffer()).hexdigest()
            with self._lock:
                self.stores[str(event.request.AffectedSOPInstanceUID)].append(digest)
                self.studies.add(str(event.dataset.StudyInstanceUID))
        self.before_answer(event)
        return answer
