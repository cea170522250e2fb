"""Measure a change: this checkout beside another one, in turns, on one database.

    git worktree add ../before COMMIT
    DATABASE_URL=postgres://… REDIS_URL=redis://… uv run python benchmarks/beside.py ../before ["one task" create …]

Both run with the packages of this one. It wants what fill.py made, and asks what speed.py asks; without a name, of
all. The schema has to be the same. Rows are left behind.
"""

import argparse
from pathlib import Path

import wrk
from processes import servers
from report import tell
from stage import PRODUCTION, Rounds, Side, world


def compare(before, names):
    wrk.install()
    with servers(1, cwd=before, **PRODUCTION) as [old], servers(1, **PRODUCTION) as [new]:
        tell(f"{'':22} {'p50 before':>10} {'now':>10} {'times':>6} {'CPU before':>10} {'now':>10} {'times':>6}")
        for asked in world().everything():
            if not names or asked.name in names:
                sides = [Side(server, asked.ours, world().headers) for server in (old, new)]
                was, now = Rounds().compare(1, *sides)
                tell(f"{asked.name:22} {told(was.p50, now.p50)} {told(was.cpu, now.cpu)}")


def told(before, now):
    return f"{before:7.1f} ms {now:7.1f} ms {now / before:6.2f}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before", type=Path, help="the folder of the other checkout")
    parser.add_argument("names", nargs="*", help="of what speed.py's table has")
    arguments = parser.parse_args()
    compare(arguments.before.resolve(), set(arguments.names))
