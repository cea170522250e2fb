"""Django's caches, which also count what comes within a window of time: atomically, and on Redis in one round trip."""

import time
from contextlib import suppress

from django.core.cache.backends import locmem, redis
from django.utils.functional import cached_property

# Whoever counts first begins the window. What is counted tells of itself when that ends.
COUNT = """
    local number = redis.call('INCRBY', KEYS[1], ARGV[1])
    if redis.call('PTTL', KEYS[1]) < 0 then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
    return {number, redis.call('PTTL', KEYS[1])}
"""


class RedisCache(redis.RedisCache):
    @cached_property
    def script(self):
        return self._cache.get_client(write=True).register_script(COUNT)

    def count(self, key, duration, by=1):
        """Count so many more in a window of so many seconds; give how many there are, and the seconds left of it."""
        number, left = self.script(keys=[self.make_and_validate_key(key)], args=[by, 1000 * duration])
        return number, left / 1000


class LocMemCache(locmem.LocMemCache):
    def count(self, key, duration, by=1):
        """As on Redis."""
        now = time.time()
        end = self.get_or_set(key, now + duration, duration)
        counter = f"{key}:{end}"  # lives longer than what names it, so that counting never makes one that has no end
        for _ in range(2):
            with suppress(ValueError):  # there is none yet
                return self.incr(counter, by), end - now
            self.add(counter, 0, 2 * duration)
        return by, duration  # the cache was emptied in between
