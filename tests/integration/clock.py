"""clock - a program's wall clock, set by the test through libfaketime; its monotonic clock goes on as it was.
SPDX-License-Identifier: MIT

The library is preloaded itself: the `faketime` command names a semaphore by its process number, and ends when it finds one that a
killed process of the same number left."""
import contextlib
import os
import pathlib

LIBRARY = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1"
AVAILABLE = os.path.exists(LIBRARY)


def environment(offset=None, file=None):
    """For a program whose clock is off by `offset` ("-5s"), or by what `file` says at each look."""
    told = {"FAKETIME": offset} if file is None else {"FAKETIME_TIMESTAMP_FILE": str(file)}
    return {"LD_PRELOAD": LIBRARY, "FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1", **told}


def clear(pid):
    """What the library leaves in shared memory of a process that was killed."""
    for name in (f"sem.faketime_sem_{pid}", f"faketime_shm_{pid}"):
        with contextlib.suppress(FileNotFoundError):
            (pathlib.Path("/dev/shm") / name).unlink()
