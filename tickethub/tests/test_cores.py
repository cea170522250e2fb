"""Which core a server process works on."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.contrib.auth.hashers import Argon2PasswordHasher, make_password

from accounts import hashers
from tickethub import cores
from tickethub.tests.served import served

pytestmark = pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system pins nothing to a core")
ONE = sorted(cores.ALL)[:1]


def here():
    return sorted(os.sched_getaffinity(0))


@pytest.fixture
def pinned():
    """A thread that stays on the first core."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(cores.stay_on, 1).result()
        yield thread


def test_each_process_has_a_core_and_beyond_the_last_they_are_counted_anew():
    def stay(number):
        cores.stay_on(number)
        return here()

    count = len(cores.ALL)
    with ThreadPoolExecutor(1) as thread:
        found = [thread.submit(stay, number).result() for number in range(1, 2 * count + 1)]
    assert found == 2 * [[core] for core in sorted(cores.ALL)]


def test_what_a_thread_starts_stays_with_it(pinned):
    with pinned.submit(ThreadPoolExecutor, 1).result() as started:
        assert pinned.submit(lambda: started.submit(here).result()).result() == ONE


def test_a_password_is_hashed_wherever_there_is_room(pinned, monkeypatch, settings):
    settings.PASSWORD_HASHERS = ["accounts.hashers.Argon2PasswordHasher"]
    hashers.turns.cache_clear()
    found, encode = [], Argon2PasswordHasher.encode

    def watch(*args):
        found.append(here())
        return encode(*args)

    monkeypatch.setattr(Argon2PasswordHasher, "encode", watch)
    pinned.submit(make_password, "a password").result()
    assert found == [sorted(cores.ALL)]
    assert pinned.submit(here).result() == ONE


def test_a_thread_that_stays_nowhere_is_let_alone(monkeypatch):
    moved = []
    monkeypatch.setattr(cores, "move", lambda *where: moved.append(where))
    with cores.on_any():
        assert set(here()) == cores.ALL
    assert not moved


def test_where_the_system_allows_it_no_more_the_work_goes_on(pinned, monkeypatch):
    def refuse(*args):
        raise PermissionError

    def work():
        with cores.on_any():
            return here()

    monkeypatch.setattr(os, "sched_setaffinity", refuse)
    assert pinned.submit(work).result() == ONE


@pytest.mark.parametrize(("number", "expected"), [("1", ONE), ("", sorted(cores.ALL))])
def test_a_server_keeps_to_its_core(tmp_path, monkeypatch, number, expected):
    monkeypatch.setenv("SERVER_CORE", number)
    with served(tmp_path) as server:
        threads = [int(thread.name) for thread in Path(f"/proc/{server.process.pid}/task").iterdir()]
        found = [sorted(os.sched_getaffinity(thread)) for thread in threads]
    assert len(found) > 1
    assert found == [expected] * len(found)
