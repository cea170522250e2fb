"""Configuration from the environment and from `.env` beside manage.py; the environment wins."""

import os
import re
import secrets
from contextlib import contextmanager
from email.utils import parseaddr
from pathlib import Path
from urllib.parse import urlsplit

import dj_database_url
from django.core.exceptions import ImproperlyConfigured
from django.http.request import split_domain_port, validate_host
from dotenv import load_dotenv, set_key
from redis.asyncio import ConnectionPool, RedisError

BASE_DIR = Path(__file__).resolve().parent.parent
TRUE = {"1", "true", "yes", "on"}
FALSE = {"0", "false", "no", "off"}
NUMBER = re.compile(r"[1-9][0-9]{0,6}", re.ASCII)
HOST = re.compile(r"\*|\.?[a-z0-9-]+(\.[a-z0-9-]+)*|\[[0-9a-f:.]+\]", re.ASCII | re.IGNORECASE)
ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://([a-z0-9.-]+|\[[0-9a-f:.]+\])(:[0-9]+)?", re.ASCII | re.IGNORECASE)
ASCII = ", with xn--… for what has other letters than a to z"
MAILBOX = re.compile(r"[^@\s]+@[^@\s]+")
REDIS = re.compile(
    r"rediss?://([^/?#]*@)?([^/?#@:][^/?#@]*(/([0-9]+/?)?)?|/[0-9]+)(\?[^#]*)?|unix://([^/?#]*@)?/[^?#]+(\?[^#]*)?"
)
RATE = re.compile(r"[1-9][0-9]*/(second|sec|s|minute|min|m|hour|h|day|d)")

DEVELOPMENT_FILE = """\
# Made by `manage.py demo` for this machine alone. .env.example explains every setting.
DEBUG=true
SECRET_KEY={secret_key}
ENABLE_SILK=true
"""


def path():
    """Where `.env` is read from: ENV_FILE, or beside manage.py."""
    return Path(os.environ.get("ENV_FILE", BASE_DIR / ".env"))


def is_configured():
    """Whether somebody has configured this installation, by file or by environment."""
    return path().exists() or "SECRET_KEY" in os.environ


def write_development_file():
    """Write a `.env` for a development machine, with a secret of its own that only its owner can read."""
    descriptor = os.open(path(), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(DEVELOPMENT_FILE.format(secret_key=secrets.token_urlsafe(48)))


def load():
    load_dotenv(path())


def fill_in_secret_key():
    """Write a secret into a `.env` for development that has none, so that it is the same at the next start."""
    load()
    if path().is_file() and flag("DEBUG") and not text("SECRET_KEY"):
        os.environ["SECRET_KEY"] = secrets.token_urlsafe(48)
        path().chmod(0o600)
        set_key(path(), "SECRET_KEY", os.environ["SECRET_KEY"], quote_mode="never", follow_symlinks=True)


# What follows reads one setting. One that is empty is as good as absent. All but `text` raise ImproperlyConfigured,
# naming the setting, for what it cannot be.


def text(name, default=""):
    return os.environ.get(name, "").strip() or default


def flag(name, default=False):
    """A yes or no."""
    value = text(name, str(default)).lower()
    if value in TRUE | FALSE:
        return value in TRUE
    raise ImproperlyConfigured(f"{name} must be true or false, not {value!r}.")


def number(name, default=None, most=1_000_000):
    """A whole number from 1 to `most`."""
    value = text(name)
    if not value:
        return default
    if NUMBER.fullmatch(value) and int(value) <= most:
        return int(value)
    raise ImproperlyConfigured(f"{name} must be a whole number from 1 to {most}, not {value!r}.")


def words(name, default=""):
    """A comma-separated list."""
    return [word.strip() for word in text(name, default).split(",") if word.strip()]


def rate(name, default):
    """So many in a time, such as 20/min."""
    value = text(name, default)
    if RATE.fullmatch(value):
        return value
    raise ImproperlyConfigured(f"{name} must be a number in a time, such as 20/min, not {value!r}.")


def url(name, schemes, default=""):
    """An address with one of the schemes, or nothing. It is not repeated where it is wrong: a password may be in it."""
    value = text(name, default)
    scheme, separator, _ = value.partition("://")
    if not value or (separator and scheme in schemes):
        return value
    raise ImproperlyConfigured(f"{name} must begin with {' or '.join(f'{scheme}://' for scheme in schemes)}.")


def origin(name, default=""):
    """An address of http or https without a path, or nothing."""
    value = url(name, ["https", "http"], default).rstrip("/")
    if not value or is_origin(value):
        return value
    raise ImproperlyConfigured(f"{name} must be an address without a path, such as https://tickets.example.org{ASCII}.")


def is_origin(value):
    try:
        return bool(ORIGIN.fullmatch(value)) and urlsplit(value).port != 0
    except ValueError:  # a port beyond the last, or an IPv6 address that is none
        return False


def origins(name):
    """A comma-separated list of addresses without a path."""
    found = [word.rstrip("/") for word in words(name)]
    return each_of(name, found, is_origin, f"addresses without a path, such as https://app.example.org{ASCII}")


def hosts(name, default=""):
    """A comma-separated list of host names, as ALLOWED_HOSTS has them."""
    what = f"host names, such as tickets.example.org, without https:// and without a port{ASCII}"
    return each_of(name, words(name, default), HOST.fullmatch, what)


def each_of(name, found, fits, what):
    for word in found:
        if not fits(word):
            raise ImproperlyConfigured(f"{name} must be a comma-separated list of {what}, not {word!r}.")
    return found


def is_of(address, hosts):
    """Whether a request to this address is answered where these hosts are allowed."""
    return validate_host(split_domain_port(urlsplit(address).netloc)[0], hosts)


def sender(name, default):
    """Whom a mail comes from: an address, with or without a name."""
    value = text(name, default)
    if MAILBOX.fullmatch(parseaddr(value)[1]):
        return value
    raise ImproperlyConfigured(f"{name} must be an address such as TicketHub <tickets@example.org>, not {value!r}.")


def choice(name, default, choices):
    """One of some words, whatever the case it is written in."""
    value = text(name, default).upper()
    if value in choices:
        return value
    raise ImproperlyConfigured(f"{name} must be one of {', '.join(choices)}, not {value!r}.")


def redis(name):
    """The address of a Redis, or nothing."""
    value = url(name, ["redis", "rediss", "unix"])
    with refusal(name, "redis://:password@host:6379/0"):
        # A connection looks at its options, and connects later.
        if value and not (REDIS.fullmatch(value) and ConnectionPool.from_url(value).make_connection()):
            raise ValueError
    return value


def database(name, default):
    """What Django's DATABASES has, from an address."""
    with refusal(name, "postgres://user:password@host:5432/name"):
        found = dj_database_url.parse(url(name, ["sqlite", "postgres", "postgresql"], default))
    file = Path(found["NAME"])
    is_file = not os.path.isdir(file) and os.path.isdir(file.parent) and file.name != ":memory:"
    if "sqlite" in found["ENGINE"] and not is_file:
        raise ImproperlyConfigured(f"{name} must name a file of a folder that is there, not {str(file)!r}.")
    return found


@contextmanager
def refusal(name, example):
    """Refuse an address that cannot be read, and tell nothing else of it: part of a password may be in that."""
    try:
        yield
    except (ValueError, TypeError, RedisError):
        raise ImproperlyConfigured(f"{name} is no address such as {example}.") from None
