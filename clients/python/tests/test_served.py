"""The client and a server as it is run."""

import asyncio

import pytest
from tickethub_client import Ended, TicketHub

from tickethub.tests.served import PERSON, served


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    with served(tmp_path_factory.mktemp("served")) as running:
        yield f"http://{running.address}"


async def test_a_replica_is_what_rest_gives_after_loading_a_broken_line_and_a_resumption(url):
    async with TicketHub(url, email=PERSON["email"], password=PERSON["password"]) as hub, asyncio.timeout(30):
        await hub.request("POST", "auth/register/", json=PERSON)
        project = (await hub.request("POST", "projects/", json={"key": "WIRE", "name": "By wire"})).json()
        task = {"project": project["id"], "title": "Grüße 🎟"}
        first = (await hub.request("POST", "tasks/", json=task)).json()
        replica = hub.follow("WIRE")
        await replica.ready()
        hub.cut()
        await hub.request("POST", "comments/", json={"task": first["id"], "body": "While the line was cut"})
        await hub.request("PATCH", f"projects/{project['id']}/", json={"name": "Renamed"})
        last = (await hub.request("POST", "tasks/", json=task)).json()
        while last["id"] not in replica.objects["task"]:
            await asyncio.sleep(0.02)
        for thing, path in {"task": "tasks/", "comment": "comments/", "status": "statuses/"}.items():
            assert replica.objects[thing] == await hub.load(path, project="WIRE")
        renamed = (await hub.request("GET", "projects/WIRE/")).json()
        assert replica.objects["project"] == {project["id"]: renamed}
        assert (replica.resumes, replica.gaps, replica.duplicates) == (1, 0, 0)
        await replica.unfollow()
        again = hub.follow("WIRE", cursor=replica.cursor, objects=replica.objects)
        await again.ready()
        await hub.request("DELETE", f"projects/{project['id']}/")
        assert await again.ended() == "deleted"
        with pytest.raises(Ended, match="not_found"):
            await hub.follow("WIRE").ready()
