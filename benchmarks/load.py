"""Measure TicketHub under load, and compare with what it has to reach. Exit code 1 where a figure is missed.

    DATABASE_URL=postgres://… REDIS_URL=redis://… uv run python benchmarks/load.py [--small] [fan-out latency …]

Without a name all are run, on an otherwise idle machine about twelve minutes. `--small` is for CI, on a machine
that has other things to do: it takes less than a minute, and asks for a third of each figure. Rows are left behind.
"""

import asyncio
import statistics
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import stock
import writers
from client import check
from processes import FORKSERVER, Cost, MemoryWatch, pool, servers
from rawclients import Clients
from report import delays_of, main, note, percentile, pooled, spread
from writers import Scene

HERE = Path(__file__).resolve().parent
KB, MB = 1000, 1_000_000
DESCRIPTION = 40_000  # characters; an event has it three times: before, after and in the object


# --- fan-out ---


@dataclass(frozen=True)
class FanOut:
    sockets: int = 1000
    seconds: float = 10
    stock_seconds: float = 4
    windows: tuple = (1, 4, 16, 64)

    def run(self, report):
        ours, text = self.tickethub()
        stock = max(self.stock(layer, text) for layer in ("core", "pubsub"))
        report.at_least("fan-out", ours, 25_000, "deliveries a second from one process")
        report.at_least("fan-out", ours / stock, 7, "times stock Channels")

    def tickethub(self):
        """The deliveries a second of one server process, and the text of an event."""
        scene = Scene.make(people=max(1, self.sockets // 10))
        with ExitStack() as stack:
            started = stack.enter_context(servers(1))
            clients = stack.enter_context(Clients())
            clients.open([started[0].port], scene.tokens, self.sockets)
            clients.subscribe(scene.project)
            is_over = FORKSERVER.Event()
            arguments = (scene, clients.delivered, self.sockets, 200, is_over)
            writer = FORKSERVER.Process(target=writers.write_ahead, args=arguments, name="writer", daemon=True)
            writer.start()
            stack.callback(writer.join, 10)
            stack.callback(is_over.set)
            check(clients.wait_for(10 * self.sockets), "Nothing is delivered")
            time.sleep(1)  # until the writer is ahead
            cost, before, began = Cost(started), clients.delivered.value, time.monotonic()
            time.sleep(self.seconds)
            rate = (clients.delivered.value - before) / (time.monotonic() - began)
            text = clients.sample()
            note(f"fan-out: {self.sockets} sockets, {rate:,.0f} deliveries/s of {len(text.encode())} bytes; {cost}")
            seen = clients.seen()
            check(not any(one.wrong or one.code for one in seen), "A socket was cut, or missed an event")
        return rate, text

    def stock(self, layer, text):
        """The best rate at which stock Channels delivers such texts without losing one."""
        with ExitStack() as stack:
            arguments = {"application": "stock:application", "module": "daphne", "cwd": HERE}
            started = stack.enter_context(servers(1, **arguments, STOCK_LAYER=layer))
            clients = stack.enter_context(Clients())
            clients.open([started[0].port], [], self.sockets, "/")
            rates = [self.stock_rate(clients, started, layer, text, window) for window in self.windows]
        return max(rates)

    def stock_rate(self, clients, started, layer, text, window):
        cost, before, began = Cost(started), clients.delivered.value, time.monotonic()
        sent = asyncio.run(send_to_group(layer, text, clients.delivered, self.sockets, window, self.stock_seconds))
        is_complete = clients.wait_for(before + sent * self.sockets, 5)
        rate = (clients.delivered.value - before) / (time.monotonic() - began)
        lost = before + sent * self.sockets - clients.delivered.value
        words = f"{rate:,.0f} deliveries/s" if is_complete else f"lost {lost:,} of {sent * self.sockets:,}"
        note(
            f"stock Channels on {stock.LAYERS[layer].rpartition('.')[2]}, {window} messages under way: {words}; {cost}"
        )
        return rate if is_complete else 0


async def send_to_group(layer_name, text, delivered, sockets, window, seconds):
    """Send to the group while at most `window` messages are not with everybody yet; give how many were sent."""
    layer = stock.layer(layer_name)
    sent, before, end = 0, delivered.value, time.monotonic() + seconds
    while time.monotonic() < end:
        if sent - (delivered.value - before) / sockets < window:
            await layer.group_send(stock.GROUP, {"type": "news", "text": text})
            sent += 1
        else:
            await asyncio.sleep(0.0005)
    return sent


# --- latency ---


@dataclass(frozen=True)
class Latency:
    loads: tuple = ((60, 30, 50), (1000, 16, 400))  # sockets, commits a second, milliseconds required at p99
    seconds: float = 20

    def run(self, report):
        for sockets, rate, required in self.loads:
            p99 = self.measure(sockets, rate)
            report.at_most(f"latency of {sockets} sockets at {rate} commits/s, p99", p99, required, "ms")

    def measure(self, sockets, rate):
        scene = Scene.make(people=max(1, sockets // 10))
        with servers(2) as started, Clients() as clients, pool(1) as writer:
            clients.open([server.port for server in started], scene.tokens, sockets)
            clients.subscribe(scene.project)
            writer.submit(writers.write_paced, scene, rate, 1).result()
            check(clients.wait_for(rate * sockets), "Not all of the first second was delivered")
            clients.record()
            cost = Cost(started)
            committed = writer.submit(writers.write_paced, scene, rate, self.seconds).result()
            check(clients.wait_for((rate + len(committed)) * sockets), "Not all was delivered")
            words = str(cost)
            delays = delays_of(committed, *clients.recorded())
        check(len(delays) == len(committed) * sockets, "Not every event came to every socket once")
        note(f"latency: {sockets} sockets, {len(committed) / self.seconds:.0f} commits/s: {spread(delays)}; {words}")
        return percentile(delays, 99)


# --- memory ---


@dataclass(frozen=True)
class Memory:
    sockets: int = 1000

    def run(self, report):
        scene = Scene.make(people=max(1, self.sockets // 10))
        with servers(1) as [server], Clients() as warm_up, Clients() as clients:
            warm_up.open([server.port], scene.tokens, 20)  # what is loaded and opened once
            warm_up.subscribe(scene.project)
            first = settled(server)
            clients.open([server.port], scene.tokens, self.sockets)
            authenticated = settled(server)
            clients.subscribe(scene.project)
            subscribed = settled(server)
        note(f"memory: {first / MB:.1f} MB, {authenticated / MB:.1f} authenticated, {subscribed / MB:.1f} subscribed")
        for state, memory in [("authenticated", authenticated), ("authenticated and subscribed", subscribed)]:
            report.at_most(f"memory of a socket, {state}", (memory - first) / self.sockets / KB, 45, "KB")


def settled(server):
    """The memory of a server once it does nothing."""
    time.sleep(2)
    return server.memory()


# --- stall ---


@dataclass(frozen=True)
class Stall:
    others: int = 50
    rate: float = 20
    seconds: float = 20
    rounds: int = 5
    backlog: int = 200 * MB
    closes_within: float = 75  # seconds until a reader that stalls while it catches up is closed; 0 waits for no end

    def run(self, report):
        calm, large = Scene.make(people=5), Scene.make(people=5)
        old = large.cursor()
        with pool(2) as pair, servers(1) as [server], Clients("clients") as others, Clients("clients 2") as fellow:
            pair.submit(writers.write_bulk, large, self.backlog // (3 * DESCRIPTION), DESCRIPTION).result()
            others.open([server.port], calm.tokens, self.others)
            others.subscribe(calm.project)
            fellow.open([server.port], large.tokens, 1)  # reads what the stalled one does not, so that the hub does too
            fellow.subscribe(large.project, old)
            check(fellow.wait_for(large.head() - int(old.partition(".")[0]), 120), "The backlog was not delivered")
            play = partial(self.play, pair, others, calm, large)
            play(self.seconds / 2)  # a warm-up: the server's memory grows by what such a load needs
            self.compare(report, server, play, large, old)
            self.follow_to_the_end(report, server, play, large, old)

    def play(self, pair, others, calm, large, seconds):
        """Both projects change for so long; give the delays of the calm one's events."""
        others.record()
        expected = others.delivered.value + int(self.rate * seconds) * self.others
        writing = pair.submit(writers.write_paced, large, 5, seconds, DESCRIPTION)
        committed = pair.submit(writers.write_paced, calm, self.rate, seconds).result()
        writing.result()
        check(others.wait_for(expected), "The others did not get all")
        return delays_of(committed, *others.recorded())

    def compare(self, report, server, play, large, old):
        """The others' delays and the server's memory, in turn without and with readers that stall."""
        without, beside, growths = [], [], []
        for _ in range(self.rounds):
            without.append(play(self.seconds))
            with MemoryWatch(server) as memory, stalled(server, large, None), stalled(server, large, old):
                beside.append(play(self.seconds))
            growths.append(memory.growth / MB)
        for words, rounds in [("without", without), ("beside", beside)]:
            each = ", ".join(f"{percentile(delays, 99):.1f}" for delays in rounds)
            note(f"stall: the others {words} stalled readers: {spread(pooled(rounds))}; p99 by round: {each}")
        note(f"stall: the server grew by {', '.join(f'{growth:.1f}' for growth in growths)} MB")
        report.at_most("stall, growth of the server", statistics.median(growths), 5, "MB")
        before, after = (percentile(pooled(rounds), 99) for rounds in (without, beside))
        report.at_most(
            "stall, growth of the others' p99", 100 * (after / before - 1), 10 if report.slack == 1 else 100, "%"
        )

    def follow_to_the_end(self, report, server, play, large, old):
        """Stall until closed, read what was sent, and come back."""
        for kind, cursor, seconds in [("live", None, self.seconds), ("catching up", old, self.closes_within)]:
            start = large.head() if cursor is None else int(old.partition(".")[0])
            with MemoryWatch(server) as memory, stalled(server, large, cursor) as reader:
                play(seconds)
                reader.resume()
                seen = self.read_on(reader, large.head())
            words = f"read {seen.events} events of {seen.size / MB:.1f} MB, then {seen.code or 'nothing new'}"
            note(f"stall, {kind}: {words}; the server grew by {memory.growth / MB:.1f} MB")
            if seconds:
                report.true(f"stall, {kind}", seen.code == 4408, f"closed with {seen.code}; required: 4408")
            self.come_back(report, kind, server, large, seen, start)

    def read_on(self, reader, head):
        """Wait until the reader has read all, or the end of its line; give what it saw."""
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            [seen] = reader.seen()
            if seen.code or seen.seq == head:
                break
            time.sleep(0.1)
        return seen

    def come_back(self, report, kind, server, large, seen, start):
        missing = large.head() - (seen.seq or start)
        with Clients() as again:
            again.open([server.port], large.tokens, 1)
            again.subscribe(large.project, seen.cursor)
            arrived = again.wait_for(missing, 120)
            [rest] = again.seen()
        words = f"came back for {rest.events} events of {rest.size / MB:.1f} MB, of {missing} that it lacked"
        is_lossless = arrived and rest.events == missing and not (rest.wrong or seen.wrong)
        report.true(f"stall, {kind}", is_lossless and seen.events == (seen.seq or start) - start, words)


@contextmanager
def stalled(server, scene, cursor):
    """A client that subscribes and reads no more."""
    with Clients("clients 3") as reader:
        reader.open([server.port], scene.tokens, 1)
        reader.subscribe(scene.project, cursor)
        reader.stall()
        yield reader


# --- writes ---


@dataclass(frozen=True)
class Writes:
    writers: int = 16
    seconds: float = 8

    def run(self, report):
        scene = Scene.make(tasks=self.writers)
        barrier = FORKSERVER.Barrier(self.writers)
        with pool(self.writers, initializer=writers.wait_at, initargs=(barrier,)) as crowd:
            for kind in writers.KINDS:
                rate = self.measure(scene, crowd, kind)
                if kind == "mix":
                    report.at_least("writes to one project, mixed", rate, 500, "changes with their events a second")

    def measure(self, scene, crowd, kind):
        before = scene.head()
        done = [crowd.submit(writers.write_fast, scene, kind, place, self.seconds) for place in range(self.writers)]
        time.sleep(0.5)
        cost = Cost([])
        counts = [future.result() for future in done]
        words = str(cost)
        began, ended = min(begin for begin, _, _ in counts), max(end for _, end, _ in counts)
        events = scene.head() - before - self.writers  # each wrote one before it began
        check(events == sum(count for _, _, count in counts), f"{kind}: {events} events of {counts} changes")
        rate = events / (ended - began)
        queries = len(writers.queries_of(scene, kind))
        note(f"writes, {kind}: {rate:,.0f} changes/s by {self.writers} processes, {queries} queries each; {words}")
        return rate


# --- The program ---

LARGE = {"fan-out": FanOut(), "latency": Latency(), "memory": Memory(), "stall": Stall(), "writes": Writes()}
SMALL = {
    "fan-out": FanOut(sockets=200, seconds=2, stock_seconds=1, windows=(4, 16)),
    "latency": Latency(loads=((60, 30, 50), (200, 16, 400)), seconds=3),
    "memory": Memory(sockets=200),
    "stall": Stall(others=20, seconds=3, rounds=1, backlog=10 * MB, closes_within=0),
    "writes": Writes(writers=4, seconds=1),
}


if __name__ == "__main__":
    main(__doc__, LARGE, SMALL)
