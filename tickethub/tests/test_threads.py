"""The threads that answer requests: who takes what comes next."""

import asyncio
import gc
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from contextvars import ContextVar

import pytest

from accounts.tests.checks import refused
from accounts.tests.factories import UserFactory
from tickethub import threads
from tickethub.errors import Busy
from tickethub.threads import Threads, attending_loop, in_thread, turn_to_search


@pytest.fixture
def hold():
    """Give functions that run until they are let go, and tell in which thread."""
    free = threading.Event()

    def held():
        assert free.wait(10)
        return threading.current_thread()

    held.free = free.set
    yield held
    free.set()


def test_the_last_that_came_to_rest_takes_what_comes_next(hold):
    threads = Threads(4)
    calls = [threads.submit(hold) for _ in range(4)]
    hold.free()
    assert len({call.result(10) for call in calls}) == 4
    threads.wait()
    taken = set()
    for _ in range(8):
        taken.add(threads.submit(threading.current_thread).result(10))
        threads.wait()
    assert len(taken) == 1


def test_one_that_rests_is_taken_rather_than_a_new_one():
    threads = Threads(4)
    for _ in range(8):
        threads.submit(int).result(10)
        threads.wait()
    assert threads.begun == 1


def test_there_are_no_more_than_so_many(hold):
    threads = Threads(2)
    held = [threads.submit(hold) for _ in range(2)]
    waiting = [threads.submit(int) for _ in range(6)]
    assert not wait(waiting, timeout=0.05).done
    hold.free()
    assert not wait(held + waiting, timeout=10).not_done
    assert threads.begun == 2


def test_who_waits_for_a_thread_is_served_in_turn(hold):
    threads, done = Threads(1), []
    threads.submit(hold)
    waiting = [threads.submit(done.append, number) for number in range(6)]
    hold.free()
    wait(waiting, timeout=10)
    assert done == [*range(6)]


def test_one_can_wait_until_nothing_is_under_way(hold):
    threads = Threads(2)
    calls = [threads.submit(hold) for _ in range(4)]
    with ThreadPoolExecutor(1) as other:
        waiting = other.submit(threads.wait)
        assert not wait([waiting], timeout=0.05).done
        hold.free()
        waiting.result(10)
    assert all(call.done() for call in calls)


def test_what_is_cancelled_before_it_began_never_runs(hold):
    threads, done = Threads(1), []
    threads.submit(hold)
    gone, next_one = threads.submit(done.append, "gone"), threads.submit(done.append, "next")
    assert gone.cancel()
    hold.free()
    next_one.result(10)
    assert done == ["next"]


class Thing:
    """What can be seen to be gone."""

    def fail(self):
        raise ZeroDivisionError


@pytest.mark.parametrize("do", [Thing.__repr__, Thing.fail])
def test_nothing_of_a_call_is_kept(do):
    threads, gone = Threads(1), []
    gc.disable()
    try:
        for _ in range(3):
            thing = Thing()
            gone.append(weakref.ref(thing))
            wait([threads.submit(do, thing)], timeout=10)
            del thing
            threads.wait()
            assert [each() for each in gone] == [None] * len(gone)
    finally:
        gc.enable()


def test_a_thread_that_the_system_refuses_is_tried_again(monkeypatch):
    def refuse(thread):
        raise RuntimeError("can't start new thread")

    threads = Threads(1)
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        with pytest.raises(RuntimeError):
            threads.submit(int)
    assert threads.submit(int, "7").result(10) == 7
    threads.wait()


def test_an_error_goes_to_whoever_asked_and_the_thread_goes_on():
    threads = Threads(1)
    with pytest.raises(ZeroDivisionError):
        threads.submit(lambda: 1 / 0).result(10)
    assert threads.submit(int, "7").result(10) == 7
    assert threads.begun == 1


async def test_a_function_has_the_context_of_whoever_waits_for_it_and_knows_their_event_loop():
    asked = ContextVar("asked")
    asked.set("here")
    found = await in_thread(lambda *words: (*words, asked.get(), attending_loop()), "and", pool=Threads(1))
    assert found == ("and", "here", asyncio.get_running_loop())


async def test_what_a_function_puts_into_its_context_goes_with_it():
    asked, threads = ContextVar("asked"), Threads(1)
    await in_thread(asked.set, "there", pool=threads)
    assert asked.get(None) is await in_thread(asked.get, None, pool=threads) is None


def test_nobody_waits_for_a_function_whose_event_loop_has_ended():
    threads = Threads(1)

    async def ask():
        return await in_thread(attending_loop, pool=threads)

    assert asyncio.run(ask())
    assert threads.submit(attending_loop).result(10) is None


class TestSearches:
    @pytest.fixture
    def turns(self, monkeypatch):
        """One turn to search, which somebody has, and room for one who waits."""
        turns = threading.BoundedSemaphore(1)
        monkeypatch.setattr("tickethub.threads.turns_to_search", turns)
        monkeypatch.setattr("tickethub.threads.waiting_to_search", threading.BoundedSemaphore(1))
        turns.acquire()
        return turns

    def test_one_who_waits_for_others_has_no_turn_meanwhile(self, turns, monkeypatch):
        left = threading.Event()

        @contextmanager
        def aside():
            left.set()
            yield

        monkeypatch.setattr("tickethub.threads.aside", aside)
        with ThreadPoolExecutor() as pool:
            found = pool.submit(self.search)
            assert left.wait(5)
            assert not found.done()
            turns.release()
            assert found.result(5)

    def test_more_than_may_wait_are_told_to_come_back(self, turns):
        threads.waiting_to_search.acquire()
        with pytest.raises(Busy):
            self.search()

    @pytest.mark.django_db
    def test_who_does_not_search_waits_for_nobody_who_does(self, turns, as_user):
        threads.waiting_to_search.acquire()
        client = as_user(UserFactory())
        assert client.get("/api/v1/tasks/").status_code == 200
        refused(client.get("/api/v1/tasks/?search=x"), 503, "busy")

    @staticmethod
    def search():
        with turn_to_search():
            return True
