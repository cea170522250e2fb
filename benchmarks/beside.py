"""Measure a change: this checkout beside another one, in turns, on one database.

    git worktree add ../before COMMIT
    DATABASE_URL=postgres://… REDIS_URL=redis://… uv run python benchmarks/beside.py ../before ["one task" create …]

Both run with the packages of this one. It wants what fill.py made, and asks what speed.py asks; without a name, of
all. The schema has to be the same. Rows are left behind. To measure a setting, name this checkout itself, and what the
other one has: `beside.py . --at-once 8 --there SERVER_CORE=`.
"""

import argparse
from pathlib import Path

import wrk
from processes import servers
from report import tell
from stage import PRODUCTION, Rounds, Side, world


def compare(before, names, at_once, settings):
    wrk.install()
    with servers(1, cwd=before, **PRODUCTION | settings) as [old], servers(1, **PRODUCTION) as [new]:
        columns = "".join(f" {f'{figure} before':>11} {'now':>10} {'times':>6}" for figure in ("p50", "CPU", "rate"))
        tell(f"{'':22}{columns}")
        for asked in world().everything():
            if not names or asked.name in names:
                sides = [Side(server, asked.ours, world().headers) for server in (old, new)]
                was, now = Rounds().compare(at_once, *sides)
                pairs = [(was.p50, now.p50, "ms"), (was.cpu, now.cpu, "ms"), (was.rate, now.rate, "/s")]
                tell(f"{asked.name:22}{''.join(map(told, pairs))}")


def told(pair):
    before, now, unit = pair
    return f" {before:8.1f} {unit} {now:7.1f} {unit} {now / before:6.2f}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before", type=Path, help="the folder of the other checkout")
    parser.add_argument("names", nargs="*", help="of what speed.py's table has")
    parser.add_argument("--at-once", type=int, default=1, metavar="N", help="how many requests are under way")
    parser.add_argument("--there", action="append", default=[], metavar="NAME=VALUE", help="a setting of the other one")
    arguments = parser.parse_intermixed_args()
    settings = dict(setting.split("=", 1) for setting in arguments.there)
    compare(arguments.before.resolve(), set(arguments.names), arguments.at_once, settings)
