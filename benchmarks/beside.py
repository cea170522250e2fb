"""Measure a change: this checkout beside another one, in turns, on one database.

    git worktree add ../before COMMIT
    DATABASE_URL=postgres://… REDIS_URL=redis://… uv run python benchmarks/beside.py ../before ["one task" create …]

Both run with the packages of this one. It wants what fill.py made, and asks what speed.py asks; without a name, of
all. The schema has to be the same. Rows are left behind. To measure a setting, name this checkout itself, and what the
other one has: `beside.py . --at-once 8 --there SERVER_CORE=`. How long a list takes while many write:
`beside.py ../before "list of 50" --meanwhile patch`; the CPU is then that of both.
"""

import argparse
from dataclasses import dataclass, field
from pathlib import Path

import wrk
from processes import servers
from report import tell
from stage import PRODUCTION, Rounds, Side, world

OTHERS = 16  # that ask for something else meanwhile


@dataclass(frozen=True)
class BesetSide(Side):
    """One whose server is asked for something else as well, all the while."""

    others: list = field(default_factory=list)

    def drive(self, connections, seconds):
        if not self.others:
            return super().drive(connections, seconds)
        others = wrk.Run(self.server.url, self.others, OTHERS, seconds, self.headers)
        found = super().drive(connections, seconds)
        others.result()
        return found


def compare(before, names, at_once, settings, meanwhile):
    wrk.install()
    with servers(1, cwd=before, **PRODUCTION | settings) as [old], servers(1, **PRODUCTION) as [new]:
        columns = "".join(f" {f'{figure} before':>11} {'now':>10} {'times':>6}" for figure in ("p50", "CPU", "rate"))
        tell(f"{'':22}{columns}")
        everything = world().everything()
        others = [request for asked in everything if asked.name == meanwhile for request in asked.ours]
        for asked in everything:
            if not names or asked.name in names:
                sides = [BesetSide(server, asked.ours, world().headers, others) for server in (old, new)]
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
    parser.add_argument("--meanwhile", metavar="NAME", help=f"what {OTHERS} others ask for all the while")
    arguments = parser.parse_intermixed_args()
    settings = dict(setting.split("=", 1) for setting in arguments.there)
    compare(arguments.before.resolve(), set(arguments.names), arguments.at_once, settings, arguments.meanwhile)
