"""Send every operation of the API what schemathesis makes of its schema.

    uv run python benchmarks/fuzz.py
    uv run python benchmarks/fuzz.py --examples 1000 --people owner member
    DATABASE_URL=postgres://… uv run python benchmarks/fuzz.py

As an owner, a member, a viewer and somebody unknown, in four phases: the examples of the schema, the limits of each
field, chance, and chains of requests. The API is called in two processes, without a server; what a request changes is
undone after it, or after its chain. It ends with exit code 1 on an answer of 500 or more, on one that the schema does
not have, on a refusal of another shape or one that changed something, on bad input that is taken and good input that
is not, and where the owner never got through.
"""

import argparse
import gc
import multiprocessing
import os
import sys
import tempfile
import time
import traceback
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

from serving import ROOT

PEOPLE = ["owner", "member", "viewer", "anonymous"]
# What is one task for a process, the longest first.
PHASES = [["fuzzing"], ["examples", "coverage"], ["stateful"]]
SEED = 20261125
PROCESSES = 2
SHOWN = 40  # failures; the rest are counted


@contextmanager
def application():
    """The API over a database of this process alone."""
    sys.path.insert(0, str(ROOT))
    os.environ |= {"DJANGO_SETTINGS_MODULE": "tickethub.tests.settings", "ACCESS_TOKEN_MINUTES": "1440"}
    import django
    from django.conf import settings
    from django.test.utils import setup_databases, setup_test_environment, teardown_databases

    with tempfile.TemporaryDirectory() as folder:
        test = settings.DATABASES["default"].setdefault("TEST", {})
        is_file = settings.DATABASES["default"]["ENGINE"].endswith("sqlite3")
        test["NAME"] = str(Path(folder) / "fuzz.sqlite3") if is_file else f"fuzz_{os.getpid()}"
        django.setup()
        setup_test_environment(debug=False)
        databases = setup_databases(verbosity=0, interactive=False)
        from fuzzworld import Undone

        undone = Undone()
        gc.freeze()
        try:
            yield undone
        finally:
            undone.close()
            teardown_databases(databases, verbosity=0)


def work(tasks, results, options):
    """Take tasks until there are no more; put a person, what they got, and an error or None."""
    try:
        with application() as undone:
            from fuzzed import Run

            for name, phases in iter(tasks.get, None):
                results.put((name, Run(undone, name, phases, **options)(), None))
    except BaseException:
        results.put((None, None, traceback.format_exc()))


def send_all(people, options):
    """Give by person the statuses of each operation, and the failures."""
    context = multiprocessing.get_context("spawn")
    tasks, results = context.SimpleQueue(), context.SimpleQueue()
    todo = [(name, phases) for phases in PHASES for name in people]
    for task in [*todo, *[None] * PROCESSES]:
        tasks.put(task)
    workers = [context.Process(target=work, args=(tasks, results, options), daemon=True) for _ in range(PROCESSES)]
    for worker in workers:
        worker.start()
    seen = {name: ({}, {}) for name in people}
    for _ in todo:
        name, got, error = results.get()
        if error:
            sys.exit(f"A process ended:\n{error}")
        for label, statuses in got[0].items():
            seen[name][0].setdefault(label, Counter()).update(statuses)
        seen[name][1].update(got[1])
    for worker in workers:
        worker.join()
    return seen


def tell(name, statuses, failures):
    """Print what a person got."""
    total = sum(statuses.values(), Counter())
    kinds = Counter(
        {kind: sum(count for status, count in total.items() if status // 100 == kind) for kind in (2, 3, 4, 5)}
    )
    figures = ", ".join(f"{kind}xx {count:,}" for kind, count in kinds.items())
    print(f"{name}: {len(statuses)} operations, {total.total():,} requests: {figures}; {len(failures)} failures")
    for words, repeat in list(failures.items())[:SHOWN]:
        print(f"\n- {words}\n  {repeat}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--examples", type=int, default=100, help="so many by chance for each operation, and chains: 100"
    )
    parser.add_argument("--seed", type=int, default=SEED, help="another one makes other examples")
    parser.add_argument("--people", nargs="+", choices=PEOPLE, default=PEOPLE, help="all unless some are named")
    options = parser.parse_args()
    sys.stdout.reconfigure(errors="backslashreplace")
    began = time.monotonic()
    print(f"{options.examples} examples for each operation, seed {options.seed}", flush=True)
    seen = send_all(options.people, {"examples": options.examples, "seed": options.seed})
    if "owner" in seen:
        statuses, failures = seen["owner"]
        for label, counts in statuses.items():
            if not any(200 <= status < 300 for status in counts):
                failures[f"{label}: the owner never got through: {dict(counts)}"] = ""
    for name, (statuses, failures) in seen.items():
        tell(name, statuses, failures)
    print(f"That took {time.monotonic() - began:.0f} s")
    sys.exit(any(failures for _, failures in seen.values()))


if __name__ == "__main__":
    main()
