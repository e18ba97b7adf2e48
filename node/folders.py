"""The folders of series: made durable once, and their entries where the file system asks for it."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

from node.durable import make_directory, names_follow_content, sync_directory
from node.group_commit import GroupCommit


def series_folder(root: Path, key: str) -> Path:
    """Return the folder of a series; two levels keep directories small."""
    return root / "series" / key[:2] / key


class SeriesFolders:
    """Makes the folders of a spool, once each also where many threads want one."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._making = threading.Lock()
        self._made: set[str] = set()
        self._shared_flushes = (
            None if names_follow_content(root) else GroupCommit[str, bool](_sync_each)
        )

    def make(self, key: str) -> str:
        """Return the folder of a series, which is durable."""
        folder = f"{self._root}/series/{key[:2]}/{key}"
        if key in self._made:
            return folder
        with self._making:
            make_directory(Path(folder))
            self._made.add(key)
        return folder

    def settle(self, folder: str) -> None:
        """Make the entries of a folder durable, with those of others that wait for it."""
        if self._shared_flushes is not None:
            self._shared_flushes.add(folder)

    def forget(self, key: str) -> None:
        """Look again: the folder is about to go, or somebody seems to have deleted it."""
        with self._making:
            self._made.discard(key)


def _sync_each(folders: Sequence[str]) -> list[bool]:
    """Flush each folder once."""
    for folder in set(folders):
        sync_directory(folder)
    return [True] * len(folders)
