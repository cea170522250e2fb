"""Check what the nginx of a topology adds: TLS, redirects, headers, limits, static files, sockets; else exit code 1.

uv run python benchmarks/topology.py start
uv run python benchmarks/proxy.py
"""

import asyncio
import json
import re
import ssl
import sys
from http.client import HTTPSConnection

import httpx
from client import Failure, check, tell
from topology import Topology
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

API = "/api/v1/projects/"
HEADERS = {
    "strict-transport-security": "max-age=31536000; includeSubDomains; preload",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "server": "nginx",
}


def check_redirect(client, topology):
    """Plain HTTP leads to the same place by HTTPS, and does nothing else."""
    for method in ("GET", "POST"):
        answer = client.request(method, f"{topology.plain_url}{API}?limit=1")
        told = (answer.status_code, answer.headers["location"])
        check(told == (308, f"{topology.url}{API}?limit=1"), f"Plain HTTP gave {told}")


def check_pages(client):
    home = client.get("/")
    wrong = {name: home.headers.get(name) for name, value in HEADERS.items() if home.headers.get(name) != value}
    check(home.status_code == 200 and not wrong, f"The home page came with {home.status_code} and {wrong}")
    check("default-src 'self'" in home.headers["content-security-policy"], "The home page has no policy")
    for path in set(re.findall(r'"(/static/[^"]+)"', home.text)):
        file = client.get(path)
        check(file.status_code == 200 and "immutable" in file.headers["cache-control"], f"{path}: {file.headers}")
    login = client.get("/admin/login/?next=/admin/")
    attributes = set(login.headers["set-cookie"].lower().split("; "))
    check({"secure", "httponly", "samesite=lax"} <= attributes, f"The cookie of the admin has {attributes}")
    for path in ("/swagger/", "/redoc/"):
        check(client.get(path).headers.get("location") == f"/admin/login/?next={path}", f"{path} is open to all")
    for path, status in (("/swagger.json", 403), ("/silk/", 404), ("/readyz", 200), (API, 401)):
        answer = client.get(path)
        check(answer.status_code == status, f"{path} gave {answer.status_code}")
    check(client.get("/", headers={"Host": "evil.example"}).status_code == 400, "A foreign host is answered")


def check_limits(client):
    """A body that is too long gets the same words from Django and from nginx, which has its say above 3 MiB. What
    else cannot be read nginx alone refuses, in the same shape.
    """
    for size in (2_700_000, 3_200_000):
        answer = client.post("/api/v1/auth/token/", json={"email": "x" * size})
        check(answer.status_code == 413, f"A body of {size} bytes gave {answer.status_code}")
        check(answer.json() == {"detail": "The body is too large.", "code": "payload_too_large"}, answer.text)
        check(answer.headers["x-request-id"], "A refused body has no id")
    for status, code, options in (
        (414, "uri_too_long", {"params": {"search": "x" * 10_000}}),
        (400, "bad_request", {"headers": {"X-Long": "x" * 10_000}}),
    ):
        answer = client.get(API, **options)
        check((answer.status_code, answer.json()["code"]) == (status, code), f"What is refused gave {answer.text}")
        check(answer.headers["x-request-id"], "What is refused has no id")


def check_encoding(topology, trust):
    """An encoding that nginx does not know, which httpx would not send."""
    line = HTTPSConnection(topology.url.removeprefix("https://"), context=trust, timeout=20)
    line.request("POST", API, headers={"Transfer-Encoding": "rot13"})
    answer = line.getresponse()
    check((answer.status, json.load(answer)["code"]) == (501, "bad_request"), f"It gave {answer.status}")
    line.close()


async def check_sockets(topology, trust):
    """Programs and own pages are let in by wss, and foreign pages are not."""
    address = f"wss{topology.url.removeprefix('https')}/ws/v1/"
    for origin in (None, topology.url):
        async with connect(address, ssl=trust, origin=origin, proxy=None) as line:
            await line.send('{"type": "authenticate", "token": "nonsense"}')
            check("token_not_valid" in await line.recv(), "A socket does not answer")
    try:
        async with connect(address, ssl=trust, origin="https://evil.example", proxy=None):
            raise Failure("A socket of a foreign page is let in")
    except InvalidStatus as refusal:
        check(refusal.response.status_code == 403, f"A foreign page gets {refusal.response.status_code}")


def main():
    topology = Topology.started()
    trust = ssl.create_default_context(cafile=topology.folder / "fullchain.pem")
    try:
        with httpx.Client(base_url=topology.url, verify=trust, trust_env=False) as client:
            check_redirect(client, topology)
            check_pages(client)
            check_limits(client)
        check_encoding(topology, trust)
        asyncio.run(check_sockets(topology, trust))
    except Failure as failure:
        tell(f"FAILED: {failure}")
        sys.exit(1)
    tell("nginx does what it should.")


if __name__ == "__main__":
    main()
