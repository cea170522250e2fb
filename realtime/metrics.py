"""What Prometheus is told of live updates. The hub counts on its way, in its one thread; the rest is looked up."""

import time
from weakref import WeakSet

from prometheus_client import REGISTRY, Counter, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

CODES = {1000, 1001, 1005, 1006, 1009, 1011, 1012, 4401, 4408, 4429}  # a client may close with any other

LAG = Histogram(
    "tickethub_delivery_lag_seconds",
    "From the moment an event was written to that when this process had passed it to its live subscriptions.",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 1.5, 2.5, 5, 10),
)
CLOSES = Counter("tickethub_sockets_closed", "WebSockets that ended, by close code.", ["code"])
UNRUNG = Counter("tickethub_bells_failed", "Bells that this process could not ring.")


class Tally:
    """How often what happened, since the process began."""

    def __init__(self):
        self.events = self.bytes = self.batches = self.resyncs = self.bells = self.healed = 0


TOLD = {
    "events": ("tickethub_events_delivered", "Events passed to subscriptions, each as often as there were some."),
    "bytes": ("tickethub_socket_sent_bytes", "Bytes passed to WebSockets."),
    "batches": ("tickethub_log_batches", "Batches of events read from the log."),
    "resyncs": ("tickethub_resyncs", "Subscriptions that were sent back to load anew."),
    "bells": ("tickethub_bells_heard", "Bells that named a project followed here."),
    "healed": ("tickethub_bells_missed", "Events found by the look each second, before a bell told of them."),
}

tally = Tally()
hubs = WeakSet()  # one, but for tests


def delivered(batch):
    """Note that a batch of new events has reached everybody live."""
    now = time.time()
    for frame in batch.frames:
        LAG.observe(now - frame.at)


def closed(code):
    CLOSES.labels(code if code in CODES else "other").inc()


class Sockets:
    """What there is of sockets now, and the tally, asked when Prometheus asks."""

    def describe(self):
        return []

    def collect(self):
        lines = [line for hub in tuple(hubs) for line in tuple(hub.lines)]
        gauge = GaugeMetricFamily
        yield gauge("tickethub_sockets", "WebSockets that are open.", value=len(lines))
        people = sum(line.person is not None for line in lines)
        yield gauge("tickethub_sockets_authenticated", "Those of them that said who they are.", value=people)
        followed = sum(len(line.subscriptions) for line in lines)
        yield gauge("tickethub_subscriptions", "Projects followed, by each WebSocket.", value=followed)
        feeds = sum(len(hub.feeds) for hub in tuple(hubs))
        yield gauge("tickethub_feeds", "Projects that somebody follows here.", value=feeds)
        for name, words in TOLD.items():
            yield CounterMetricFamily(*words, value=getattr(tally, name))


REGISTRY.register(Sockets())
