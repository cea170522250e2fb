"""Django REST framework's throttles, which let requests pass while the cache that counts them is away."""

import logging

from redis.exceptions import RedisError
from rest_framework.throttling import AnonRateThrottle, ScopedRateThrottle, UserRateThrottle

logger = logging.getLogger(__name__)


class SurvivesCache:
    def allow_request(self, request, view):
        try:
            return super().allow_request(request, view)
        except RedisError as error:
            logger.warning("Not throttling, the cache is away: %s", error)
            return True


class AnonThrottle(SurvivesCache, AnonRateThrottle):
    pass


class UserThrottle(SurvivesCache, UserRateThrottle):
    pass


class ScopedThrottle(SurvivesCache, ScopedRateThrottle):
    pass
