"""Configuration from the environment and from `.env` beside manage.py; the environment wins."""

import os
import secrets
from pathlib import Path

from dotenv import load_dotenv

BASE_DIR = Path(__file__).resolve().parent.parent
TRUE = {"1", "true", "yes", "on"}
FALSE = {"0", "false", "no", "off", ""}

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


def text(name, default=""):
    return os.environ.get(name, default).strip()


def flag(name, default=False):
    """A yes or no; raises ValueError for a word that is neither."""
    value = text(name, "true" if default else "false").lower()
    if value in TRUE | FALSE:
        return value in TRUE
    raise ValueError(f"{name} must be true or false, not {value!r}")


def number(name, default):
    """A whole number; raises ValueError naming the setting."""
    value = text(name) or str(default)
    if value.isdecimal():
        return int(value)
    raise ValueError(f"{name} must be a whole number, not {value!r}")


def words(name, default=""):
    """A comma-separated list."""
    return [word.strip() for word in text(name, default).split(",") if word.strip()]
