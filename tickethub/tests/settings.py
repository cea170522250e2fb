"""The settings that tests run under: nothing configured, but for DATABASE_URL and REDIS_URL where they are set."""

import os

os.environ |= {
    "ENV_FILE": os.devnull,
    "DEBUG": "true",
    "SECRET_KEY": "a secret for tests alone, which sign nothing that counts",
    "THROTTLING": "off",
    "ENABLE_SILK": "false",
    "API_PAGES": "public",
    "LOG_LEVEL": "ERROR",
}

from tickethub.settings import *  # noqa: F403 the environment comes first

INSTALLED_APPS += ["silk"]  # noqa: F405 its tables; test_silk.py switches it on for itself alone
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # the real one costs each test 50 ms
MAIL_THREADS = 0
REFRESH_HELD_FOR = timedelta(0)  # noqa: F405
LOGGERS = LOGGING["loggers"] | {"django.request": {"level": "CRITICAL"}}  # noqa: F405 refusals are what is tested
LOGGING = LOGGING | {"loggers": LOGGERS}  # noqa: F405
# A test database is dropped at the end, which connections waiting in a pool would prevent.
DATABASES["default"]["OPTIONS"].pop("pool", None)  # noqa: F405
