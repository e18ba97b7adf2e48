"""Logging set-up: readable lines on a terminal, one JSON object per line everywhere else.

Records of the standard library (node, dbos, uvicorn) take the same road as our own. Patient
identifiers never enter: messages carry job ids, UIDs and counts only. Libraries print attribute
values: the loggers of the DICOM libraries are silenced below errors, and of a Python warning only
its kind and place are logged.
"""

from __future__ import annotations

import logging
import sys
import warnings
from pathlib import Path
from typing import TextIO

import structlog

_LOUD_LIBRARIES = ("pydicom", "pynetdicom", "highdicom", "nibabel", "matplotlib", "numba", "PIL")


def set_level(level: str) -> None:
    """Let records of this level and above through."""
    logging.getLogger().setLevel(level.upper())


def adopt_logger(name: str) -> None:
    """Let a library's own logger, handlers removed, take the same road as ours."""
    logger = logging.getLogger(name)
    logger.handlers = []
    logger.propagate = True
    logger.setLevel(logging.WARNING)


def _log_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Stand in for `warnings.showwarning`: the text may quote the patient and is left out."""
    del message, file, line
    place = f"{Path(filename).name}:{lineno}"
    logging.getLogger(__name__).debug(
        "a library warns", extra={"kind": category.__name__, "place": place}
    )


def set_up_logging(level: str, stream: TextIO | None = None) -> None:
    """Send every record to `stream` (stderr unless given).

    Parameters
    ----------
    level
        ``debug``, ``info``, ``warning`` or ``error``.
    """
    stream = stream or sys.stderr
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer(colors=True)
        if stream.isatty()
        else structlog.processors.JSONRenderer()
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    warnings.showwarning = _log_warning
    root = logging.getLogger()
    root.handlers = [handler]
    set_level(level)
    for name in _LOUD_LIBRARIES:
        logging.getLogger(name).setLevel(logging.ERROR)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "dbos"):
        adopt_logger(name)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
