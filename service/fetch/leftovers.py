"""Images that a fetch left behind: of a series that never became whole, or after a kill.

They are kept for the next run, and deleted like all other images when there is none.
"""

from __future__ import annotations

import time
from contextlib import closing
from datetime import timedelta

from node import Permanent, Spool, SpoolSettings
from service.config import Config
from service.layout import fetched_images_folder


def purge_leftovers(config: Config, age: timedelta) -> int:
    """Delete series that nothing was added to for so long; return how many."""
    folder = fetched_images_folder(config)
    if not folder.is_dir():
        return 0
    try:
        spool = Spool(SpoolSettings(folder, min_free_gib=0.0))
    except Permanent:
        return 0  # a fetch is running
    with closing(spool):
        return sum(_purge_if_old(spool, key, age) for key in spool.index.unhanded_series())


def _purge_if_old(spool: Spool, key: str, age: timedelta) -> bool:
    record = spool.index.record(key)
    if record is None:
        return False
    series = spool.describe_series(record, "")
    latest = max((f.path.stat().st_mtime for f in series.files if f.path.is_file()), default=0.0)
    if time.time() - latest < age.total_seconds():
        return False
    return spool.purge(record.StudyInstanceUID, record.SeriesInstanceUID)
