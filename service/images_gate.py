"""Steps of jobs wait while the received images cannot be reached, instead of judging them.

A share that is not mounted for a while says nothing about a series: neither "not analysable" nor
"failed" would be true, and the one would be sent to the archives.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from inference import InputUnavailable, UnreadableInput
from service.errors import RetryableError
from service.tenancy import NotOurs

log = logging.getLogger(__name__)

LOOK_SECONDS: Final = 2.0
PAUSES_SECONDS: Final = (1.0, 5.0, 15.0, 30.0, 60.0)
"""Between attempts at single files that the disk does not give, while the others are there."""


class ImagesUnreachable(RetryableError):
    """The images of a job cannot be read at the moment."""


class ImagesGate:
    """Tells images that are gone from images that are away, and runs steps again that they stopped.

    Parameters
    ----------
    folder
        Holds the received images.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stopping = threading.Event()
        self._waiting = 0

    def stop(self) -> None:
        """Let nothing wait any longer: what waits goes on after the next start."""
        self._stopping.set()

    def problems(self) -> dict[str, str]:
        """Why steps wait now, by component; empty while they do not."""
        if self._waiting and not self._folder.is_dir():
            return {"images": f"folder {self._folder.name} is not there: analyses wait for it"}
        return {}

    def judge(self, error: UnreadableInput | OSError, files: tuple[Path, ...]) -> None:
        """Return if the images of a job can be reached: then an error is about them.

        Raises
        ------
        ImagesUnreachable
            They cannot, and a later attempt may succeed.
        """
        received = any(file.is_relative_to(self._folder) for file in files)
        if received and not self._folder.is_dir():
            raise ImagesUnreachable("the folder of the images is not there") from error
        if isinstance(error, InputUnavailable) and all(file.exists() for file in files):
            raise ImagesUnreachable(str(error)) from error

    def patient(self, step: Callable[[str, str], None]) -> Callable[[str, str], None]:
        """Return a step that waits for the images; it has to bear being run again."""

        def run(job_id: str, name: str) -> None:
            pauses = iter(PAUSES_SECONDS)
            while True:
                try:
                    return step(job_id, name)
                except ImagesUnreachable as error:
                    log.warning("images cannot be reached: %s", error, extra={"job": job_id})
                    self._wait(next(pauses, None), error)

        return run

    def _wait(self, pause: float | None, error: ImagesUnreachable) -> None:
        """Wait for the folder as long as it takes; for single files, only so often."""
        if self._folder.is_dir():
            if pause is None:
                raise error
            self._pause(pause)
            return
        self._waiting += 1
        try:
            while not self._folder.is_dir():
                self._pause(LOOK_SECONDS)
        finally:
            self._waiting -= 1
        log.info("the folder of the images is there again")

    def _pause(self, seconds: float) -> None:
        if self._stopping.wait(seconds):
            raise NotOurs("stopping while images cannot be reached")
