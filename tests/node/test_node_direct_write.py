"""Writing past the page cache, and where a file system cannot."""

from __future__ import annotations

import errno
import os
import tempfile

from hypothesis import given, settings
from hypothesis import strategies as st

import node.direct_write
from node.direct_write import ALIGNMENT, WORTHWHILE_BYTES, MemoryPool, write_all
from node.incoming import MEMORY_BYTES


@settings(deadline=None)  # a busy disk
@given(size=st.integers(0, 3 * ALIGNMENT) | st.integers(WORTHWHILE_BYTES - 9, MEMORY_BYTES))
def test_what_is_written_past_the_cache_is_what_was_given(size):
    pool = MemoryPool(MEMORY_BYTES)
    memory = memoryview(pool.take())
    memory[:size] = os.urandom(size)
    with tempfile.TemporaryFile(buffering=0) as file:
        write_all(file.fileno(), memory[:size])
        assert os.pread(file.fileno(), MEMORY_BYTES + 1, 0) == memory[:size]


def test_a_file_system_without_direct_writes_takes_the_common_way(tmp_path, monkeypatch):
    def no_direct(_descriptor, _command, flags=0):
        if flags & os.O_DIRECT:
            raise OSError(errno.EINVAL, "not here")

    monkeypatch.setattr(node.direct_write.fcntl, "fcntl", no_direct)
    content = os.urandom(2 * WORTHWHILE_BYTES)
    with (tmp_path / "file").open("wb") as file:
        write_all(file.fileno(), memoryview(content))
    assert (tmp_path / "file").read_bytes() == content
