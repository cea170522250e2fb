"""Follow a project of TicketHub live and keep a replica of it.

    python follow.py http://localhost:8000 EMAIL PASSWORD PROJECT-KEY

Python 3.11 or newer; `pip install httpx websockets` first, and copy clients/python/tickethub_client.py.
"""

import asyncio
import sys
from contextlib import suppress
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "clients/python"))
from tickethub_client import TicketHub


async def main(url, email, password, project):
    async with TicketHub(url, email=email, password=password) as hub:
        replica = hub.follow(project)
        async for change in replica.changes():
            event = change.event or {}
            words = event.get("type"), event.get("id"), event.get("changes"), change.reason
            print(change.kind, *filter(None, words), f"({len(replica.objects['task'])} tasks)", flush=True)


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        asyncio.run(main(*sys.argv[1:]))
