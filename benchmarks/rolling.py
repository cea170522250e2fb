"""Start all servers of a topology anew, one after another and many times, while people read and write and one follows.

No request may fail, no write be lost or done twice, and the one who follows may miss nothing; exit code 1 otherwise.

    uv run python benchmarks/topology.py start --servers 3
    uv run python benchmarks/rolling.py --times 5
"""

import argparse
import asyncio
import os
import secrets
import sys
import time
from collections import Counter

from client import Api, Failure, Follower, check, tell
from topology import Topology

PAUSE = 0.05  # seconds that each person takes between two requests


async def write(api, project, stop, done):
    """Make a task and look at the newest, again and again."""
    while not stop.is_set():
        began = time.monotonic()
        try:
            await api.make("tasks/", project=project, title=f"Task {secrets.token_hex(4)}")
            await api.call("GET", "tasks/", project=project, limit=1)
            done["passed"] += 2
        except Exception as error:
            done["failed"] += 1
            tell(f"FAILED: {type(error).__name__}: {error}")
        done["longest"] = max(done["longest"], time.monotonic() - began)
        await asyncio.sleep(PAUSE)


async def run(topology, times, people):
    owner = Api(topology.url)
    await owner.register()
    project = (await owner.make("projects/", key=f"R{secrets.token_hex(4).upper()}", name="Rolling"))["id"]
    follower, stop, done = Follower(owner, project), asyncio.Event(), Counter()
    await follower.open()
    follower.cuts = sys.maxsize  # its line breaks with each server, and that is allowed
    load = [asyncio.create_task(write(owner, project, stop, done)) for _ in range(people)]
    await asyncio.sleep(1)
    began = time.monotonic()
    longest = 0
    for _ in range(times):
        longest = max(longest, await asyncio.to_thread(topology.roll))
        owner.hub.access = follower.hub.access = None  # or they would end at some time, which counts as a failure here
    elapsed = time.monotonic() - began
    stop.set()
    await asyncio.gather(*load)
    made = (await owner.call("GET", "tasks/", project=project, limit=1)).json()["count"]
    tell(
        f"{times} times {topology.count} servers anew in {elapsed:.0f} s, the longest end {longest:.1f} s. Meanwhile"
        f" {done['passed']} requests passed, {done['failed']} failed; the slowest pair took {done['longest']:.1f} s;"
        f" the follower's line broke {follower.hub.closes.total()} times."
    )
    check(not done["failed"], f"{done['failed']} requests failed")
    check(made == done["passed"] / 2, f"{done['passed'] / 2:.0f} tasks were made, and {made} are there")
    await follower.compare()
    await follower.leave()
    await owner.http.aclose()


async def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--people", type=int, default=4, help="who make a task and read, twenty times a second or less")
    options = parser.parse_args()
    topology = Topology.started()
    os.environ["SSL_CERT_FILE"] = str(topology.folder / "fullchain.pem")
    try:
        await run(topology, options.times, options.people)
    except Failure as failure:
        tell(f"FAILED: {failure}")
        sys.exit(1)
    tell("Nothing was cut off, lost or done twice.")


if __name__ == "__main__":
    asyncio.run(main())
