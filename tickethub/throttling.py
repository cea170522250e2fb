"""How much one may ask for: counted in the cache, by all processes together, before anything that costs much.

A window begins with the first request and has a fixed length. Each counts itself before it looks whether it may pass,
so that of many at once never more pass than may. Where the cache is away, all may pass.
"""

import hashlib
import ipaddress
import logging
import math
import time
from functools import cache, wraps

from django.core.cache import caches
from django.shortcuts import render
from redis.exceptions import RedisError
from rest_framework.exceptions import Throttled
from rest_framework.throttling import (
    AnonRateThrottle,
    BaseThrottle,
    ScopedRateThrottle,
    SimpleRateThrottle,
    UserRateThrottle,
)

AWAY_FOR = 5  # seconds until a cache that was away is asked again: a hanging one costs whoever asks a second

logger = logging.getLogger(__name__)


@cache
def counters():
    """The cache, kept: Django's own proxy would connect anew for each request under ASGI."""
    return caches.create_connection("default")


class Patience:
    away_until = 0.0


def unless_away(ask):
    """Make a function that asks the cache give None while that is away."""

    @wraps(ask)
    def attempt(*args, **kwargs):
        if time.monotonic() < Patience.away_until:
            return None
        try:
            return ask(*args, **kwargs)
        except RedisError as error:
            Patience.away_until = time.monotonic() + AWAY_FOR
            logger.warning("Not throttling, the cache is away: %s", error)
            return None

    return attempt


def name_of(*words):
    """A key for the cache, which tells nobody whose address it stands for, and is short whatever was sent."""
    return "throttle:" + hashlib.sha256(repr(words).encode(errors="replace")).hexdigest()


@unless_away
def count(key, duration, by=1):
    """Count one more in a window of so many seconds; give how many there are, and the seconds until the window ends."""
    return counters().count(key, duration, by)


def excess(key, most, duration, by=1):
    """Count one more, or with 0 for `by` none; give the whole seconds to wait where one is too many, else None."""
    number, left = count(key, duration, by) or (0, 0)
    return min(max(math.ceil(left), 1), duration) if number + 1 - by > most else None


class CountedThrottle(SimpleRateThrottle):
    """Django REST framework's throttle, which would read, then write: of many at once it counts one."""

    def allow_request(self, request, view):
        key = self.rate and self.get_cache_key(request, view)
        self.seconds = excess(name_of(key), self.num_requests, self.duration) if key else None
        return self.seconds is None

    def wait(self):
        return self.seconds

    def get_ident(self, request):
        return address_of(request)


class AnonThrottle(AnonRateThrottle, CountedThrottle):
    """For an address that is not logged in, where there is no limit of its own."""

    def get_cache_key(self, request, view):
        return None if getattr(view, "throttle_scope", None) else super().get_cache_key(request, view)


class StrangerThrottle(AnonRateThrottle, CountedThrottle):
    """For an address that asks for what one has to be logged in for: a limit of the view's own never comes to it."""


class UserThrottle(UserRateThrottle, CountedThrottle):
    """For a person, wherever they come from."""

    def get_cache_key(self, request, view):
        return super().get_cache_key(request, view) if request.user.is_authenticated else None


class ScopedThrottle(ScopedRateThrottle, CountedThrottle):
    """For a view's `throttle_scope`: by the person, or by the address."""


class Limit(CountedThrottle):
    """The rate of a scope, for what no view asks."""

    def __init__(self, scope):
        self.scope = scope
        super().__init__()

    def key(self, who):
        return name_of(self.cache_format % {"scope": self.scope, "ident": who})


def is_limited(scope):
    return Limit(scope).rate is not None


def take(scope, who, by=1):
    """Count one more of a scope for an address, or whoever else is named. Raises Throttled where that is too many."""
    limit = Limit(scope)
    if limit.rate and (seconds := excess(limit.key(who), limit.num_requests, limit.duration, by)):
        raise Throttled(seconds)


def look(scope, who):
    """Raises Throttled where one more would be too many, and counts none."""
    take(scope, who, by=0)


def give_back(scope, who):
    """Have one that was taken not count."""
    limit = Limit(scope)
    if limit.rate:
        count(limit.key(who), limit.duration, by=-1)


def address_of(request):
    """Where a request comes from, by NUM_PROXIES. Who has one IPv6 address has a whole network: that counts as one."""
    address = BaseThrottle().get_ident(request)
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return address
    if ip.version == 4:
        return address
    return str(ip.ipv4_mapped or ipaddress.ip_network((ip, 64), strict=False))


def refusal_of_stranger(request, view):
    """Throttled where an address without a good token has asked too often, else None."""
    throttle = StrangerThrottle()
    return None if throttle.allow_request(request, view) else Throttled(throttle.wait())


def limited(scope):
    """Limit a page by address. Also answer what it finds to be too much itself."""

    def decorate(view):
        @wraps(view)
        def answer(request, *args, **kwargs):
            try:
                if request.method == "POST":
                    take(scope, address_of(request))
                return view(request, *args, **kwargs)
            except Throttled as refusal:
                page = render(request, "tickethub/too_many.html", {"seconds": refusal.wait}, status=429)
                page["Retry-After"] = str(refusal.wait)
                return page

        return answer

    return decorate
