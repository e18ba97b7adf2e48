"""The library's upper layer thread, made to end its association when it fails."""

from __future__ import annotations

import logging

from pynetdicom.dul import DULServiceProvider

from node.foreign import attempt

LOG = logging.getLogger(__name__)


class GuardedDul(DULServiceProvider):
    """A hostile command set makes the library's decoder raise anything, past its own guards.

    Without this the thread dies with a traceback and the connection stays open.
    """

    def run_reactor(self) -> None:
        """Run the library's loop; any error closes the connection and ends the association."""
        failure = attempt(super().run_reactor)
        if failure is not None:
            LOG.error("association ended by a malformed message: %s", type(failure).__name__)
            self._kill_thread = True
            self.assoc.is_aborted = True
            self.assoc.is_established = False
            self.assoc._kill = True
            if self.socket is not None:
                self.socket.close()
