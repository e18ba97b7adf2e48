"""A small archive on loopback for the demo and the tests: a storage SCP that counts.

It is a separate implementation on purpose: pynetdicom's own server, decoding nothing of ours.
"""

from __future__ import annotations

import hashlib
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Self

from pydicom.dataset import Dataset
from pynetdicom import AE, evt
from pynetdicom.events import Event
from pynetdicom.transport import ThreadedAssociationServer

from node.sop_classes import (
    CT_TRANSFER_SYNTAXES,
    SENT_SOP_CLASSES,
    VERIFICATION,
    VERIFICATION_TRANSFER_SYNTAXES,
)

StatusChooser = Callable[[str], int]


def _success(_sop_class_uid: str) -> int:
    return 0x0000


class LoopbackArchive:
    """Stores what `node` sends into `folder`, one file per SOPInstanceUID.

    Parameters
    ----------
    sop_classes
        Accepted at negotiation, in `transfer_syntaxes`; all that the node writes if not given.
    status_for
        Status to answer for a SOP class; anything but success and warnings stores nothing.
    """

    def __init__(
        self,
        folder: Path,
        port: int = 0,
        ae_title: str = "ARCHIVE",
        sop_classes: Iterable[str] = SENT_SOP_CLASSES,
        status_for: StatusChooser = _success,
        transfer_syntaxes: Iterable[str] = CT_TRANSFER_SYNTAXES,
    ) -> None:
        self.folder = folder
        self.ae_title = ae_title
        self.port = port
        self.status_for = status_for
        self._lock = threading.Lock()
        self._stores: Counter[str] = Counter()
        self._ae = AE(ae_title=ae_title)
        self._ae.add_supported_context(VERIFICATION, list(VERIFICATION_TRANSFER_SYNTAXES))
        for sop_class_uid in sop_classes:
            self._ae.add_supported_context(sop_class_uid, list(transfer_syntaxes))
        self._server: ThreadedAssociationServer | None = None

    def start(self) -> Self:
        """Listen on 127.0.0.1; `port` tells where if it was 0."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._server = self._ae.start_server(
            ("127.0.0.1", self.port), block=False, evt_handlers=[(evt.EVT_C_STORE, self._store)]
        )
        if self._server is not None:
            self.port = int(self._server.server_address[1])
        return self

    def stop(self) -> None:
        """Stop listening and abort what is open."""
        if self._server is not None:
            self._ae.shutdown()
            self._server = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def stores(self) -> Mapping[str, int]:
        """How often each SOPInstanceUID was stored."""
        with self._lock:
            return MappingProxyType(dict(self._stores))

    def path_of(self, sop_instance_uid: str) -> Path:
        """Return where an instance is stored."""
        return self.folder / f"{hashlib.sha256(sop_instance_uid.encode()).hexdigest()[:32]}.dcm"

    def _store(self, event: Event) -> Dataset:
        sop_instance_uid = str(event.file_meta.MediaStorageSOPInstanceUID)
        answer = Dataset()
        answer.Status = self.status_for(str(event.file_meta.MediaStorageSOPClassUID))
        if answer.Status == 0x0000 or answer.Status & 0xF000 == 0xB000:
            with self._lock:
                self.path_of(sop_instance_uid).write_bytes(event.encoded_dataset())
                self._stores[sop_instance_uid] += 1
        return answer
