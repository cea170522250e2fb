"""Which of the machine's cores a server process works on.

Of Python's threads one runs at a time, and each request goes from one to another and back. On one core that costs a
fraction of what it does from core to core, where each has to wake the other and finds nothing in its caches.
"""

import os
from contextlib import contextmanager, suppress

# Where the process may work as it starts; nothing on a system that does not say.
ALL = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()


def stay_on(number):
    """Keep this thread, and those that it starts, to one of the cores; beyond the last they are counted anew."""
    if ALL:
        move(sorted(ALL)[(number - 1) % len(ALL)])


@contextmanager
def on_any():
    """Within this the thread works wherever there is room: for what needs no Python for long."""
    if not ALL or (own := os.sched_getaffinity(0)) == ALL:
        yield
        return
    move(*ALL)
    try:
        yield
    finally:
        move(*own)


def move(*cores):
    with suppress(OSError):  # the system may allow it no more
        os.sched_setaffinity(0, cores)
