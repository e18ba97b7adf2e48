"""Steps of jobs wait while the received images cannot be reached, instead of judging them.

A share that is not mounted for a while says nothing about a series: neither "not analysable" nor
"failed" would be true, and the one would be sent to the archives. The folders of the jobs lie on
the same share: what ends a job and what delivers its results waits too.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final, ParamSpec, TypeVar

from inference import InputUnavailable, UnreadableInput
from service.errors import RetryableError
from service.tenancy import NotOurs
from sr_writer import SourceUnreadable

log = logging.getLogger(__name__)
P = ParamSpec("P")
T = TypeVar("T")

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
        self._was_there = _is_there(folder)
        self._stopping = threading.Event()

    def stop(self) -> None:
        """Let nothing wait any longer: what waits goes on after the next start."""
        self._stopping.set()

    def problems(self) -> dict[str, str]:
        """Why steps wait now, by component; empty while they do not."""
        if self._is_away():
            text = f"folder {self._folder.name} is not there: analyses and deliveries wait for it"
            return {"images": text}
        return {}

    def judge(
        self, error: UnreadableInput | SourceUnreadable | OSError, files: tuple[Path, ...]
    ) -> None:
        """Return if the images of a job can be reached: then an error is about them.

        Raises
        ------
        ImagesUnreachable
            They cannot, and a later attempt may succeed.
        """
        if self._is_away():
            raise ImagesUnreachable("the folder of the images is not there") from error
        if _of_the_system(error) and not any(map(_is_gone, files)):
            raise ImagesUnreachable(str(error)) from error

    def patient(self, step: Callable[P, T]) -> Callable[P, T]:
        """Return a step that waits for the images; it has to bear being run again."""

        def run(*args: P.args, **kwargs: P.kwargs) -> T:
            pauses = iter(PAUSES_SECONDS)
            while True:
                self._wait_for_folder()
                try:
                    return step(*args, **kwargs)
                except (ImagesUnreachable, OSError) as error:
                    if self._is_away():
                        continue
                    pause = next(pauses, None) if isinstance(error, ImagesUnreachable) else None
                    if pause is None:
                        raise
                    log.warning("images cannot be read: %s", error)
                    self._pause(pause)

        return run

    def _wait_for_folder(self) -> None:
        """Wait as long as it takes."""
        if not self._is_away():
            return
        log.error("the folder of the images is not there: steps wait for it")
        while self._is_away():
            self._pause(LOOK_SECONDS)
        log.info("the folder of the images is there again")

    def _is_away(self) -> bool:
        """Whether the folder was there once and is not now."""
        there = _is_there(self._folder)
        self._was_there |= there
        return self._was_there and not there

    def _pause(self, seconds: float) -> None:
        if self._stopping.wait(seconds):
            raise NotOurs("stopping while images cannot be reached")


def _is_there(folder: Path) -> bool:
    """Whether a folder can be reached: a share that is away may answer with any error."""
    try:
        return folder.is_dir()
    except OSError:
        return False


def _of_the_system(error: UnreadableInput | SourceUnreadable | OSError) -> bool:
    """Whether the system did not give the bytes, whatever they are."""
    if isinstance(error, SourceUnreadable):
        return isinstance(error.__cause__, OSError)
    return isinstance(error, InputUnavailable)


def _is_gone(file: Path) -> bool:
    """Whether a file is surely deleted, and not only out of reach."""
    try:
        file.stat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False
