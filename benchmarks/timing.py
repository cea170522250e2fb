"""Ask whether answers tell known addresses from unknown ones by the time they take.

A server with the real hasher, and a mail server that takes 300 ms for a mail. Logging in with a wrong password and
asking for a mailed link, known and unknown addresses by turns. Medians that differ by more than 5 % end this with exit
code 1.

    uv run python benchmarks/timing.py
    uv run python benchmarks/timing.py --small
"""

import argparse
import asyncio
import os
import secrets
import socketserver
import statistics
import sys
import threading
import time

import httpx
from client import Failure, check, tell
from serving import served

MOST = 5  # percent
SLOWNESS = 0.3  # seconds for a mail
API = "/api/v1/auth/"


class Mailbox(socketserver.StreamRequestHandler):
    """As much of SMTP as takes a mail, slowly."""

    taken = 0

    def handle(self):
        self.say(220)
        for line in self.rfile:
            match line[:4].upper():
                case b"DATA":
                    self.say(354)
                    while self.rfile.readline() not in {b".\r\n", b""}:
                        pass
                    time.sleep(SLOWNESS)
                    Mailbox.taken += 1
                    self.say(250)
                case b"QUIT":
                    self.say(221)
                    return
                case _:
                    self.say(250)

    def say(self, code):
        self.wfile.write(f"{code} ok\r\n".encode())


async def measure(client, path, pause, known, unknown, rounds, **body):
    """The seconds that each answer took, for known addresses and for unknown ones.

    A pause lets what one answer left to do be done before the next, so that it shows in its own time if anywhere.
    """
    seconds, answers = {True: [], False: []}, set()
    for number in range(2 * rounds + 10):
        is_known = (number + number // 2) % 2 == 0  # known, unknown, unknown, known: neither always follows the other
        email = known if is_known else unknown
        await asyncio.sleep(pause)
        began = time.perf_counter()
        answer = await client.post(API + path, json={"email": email, **body})
        if number >= 10:  # the first ones warm up
            seconds[is_known].append(time.perf_counter() - began)
        answers.add((answer.status_code, answer.content))
    check(len(answers) == 1, f"{path}: the answers differ: {answers}")
    return seconds[True], seconds[False]


async def main(rounds):
    mailbox = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Mailbox)
    mailbox.daemon_threads = True
    threading.Thread(target=mailbox.serve_forever, daemon=True).start()
    host, port = mailbox.server_address
    os.environ |= {"EMAIL_HOST": host, "EMAIL_PORT": str(port), "EMAIL_USE_TLS": "false"}
    known, unknown, password = "known@example.org", "other@example.org", secrets.token_urlsafe(20)
    async with served(1) as [url], httpx.AsyncClient(base_url=url, timeout=60, trust_env=False) as client:
        person = {"email": known, "username": "known", "password": password}
        (await client.post(f"{API}register/", json=person)).raise_for_status()
        wrong = secrets.token_urlsafe(20)
        worst = 0
        for path, pause, body in [("token/", 0, {"password": wrong}), ("password/reset/", SLOWNESS + 0.2, {})]:
            pair = await measure(client, path, pause, known, unknown, rounds, **body)
            medians = [1000 * statistics.median(each) for each in pair]
            difference = 100 * abs(medians[0] / medians[1] - 1)
            tell(f"{path}: known {medians[0]:.2f} ms, unknown {medians[1]:.2f} ms: {difference:.1f} % apart")
            worst = max(worst, difference)
    check(Mailbox.taken > rounds, f"{Mailbox.taken} mails came")
    check(worst <= MOST, f"The medians are more than {MOST} % apart")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="30 of each in place of 200, and allow 20 %%")
    arguments = parser.parse_args()
    if arguments.small:
        MOST = 20
    try:
        asyncio.run(main(30 if arguments.small else 200))
    except Failure as failure:
        sys.exit(str(failure))
