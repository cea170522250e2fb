"""The configuration: every setting explained, and told plainly what is missing or wrong."""

import ast
import os
import re
import subprocess
import sys

import pytest
from django.core.exceptions import ImproperlyConfigured

from tickethub import env
from tickethub.env import BASE_DIR

EXAMPLE = (BASE_DIR / ".env.example").read_text()
READERS = {"text", "flag", "number", "words", "rate", "url", "choice", "database"}
READERS |= {"hosts", "origin", "origins", "sender", "redis"}
PRODUCTION = {
    "SECRET_KEY": "a secret for this test alone, as long as Django wants it",
    "ALLOWED_HOSTS": "tickets.example.org",
    "PUBLIC_URL": "https://tickets.example.org",
}


@pytest.fixture
def environment(monkeypatch, tmp_path):
    """An environment of this test's own, with a `.env` to be."""
    environment = {"ENV_FILE": str(tmp_path / ".env")}
    monkeypatch.setattr(os, "environ", environment)
    return environment


def settings_read():
    """{name: default} of each setting that settings.py reads; None for a default that is worked out."""
    tree = ast.parse((BASE_DIR / "tickethub" / "settings.py").read_text())
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in READERS:
            name, *rest = [*node.args, *(keyword.value for keyword in node.keywords)]
            default = rest[0] if rest else ast.Constant("")
            found[name.value] = default.value if isinstance(default, ast.Constant) else None
    return found


def run(*command, **settings):
    """What a command says, started with these settings and no others."""
    path = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    environment = path | {"ENV_FILE": os.devnull} | settings
    return subprocess.run(
        [sys.executable, *command], cwd=BASE_DIR, env=environment, capture_output=True, text=True, timeout=120
    )


# --- .env.example ---


def test_the_example_names_every_setting_that_is_read_and_no_other():
    named = re.findall(r"^(?:# )?([A-Z_]+)=", EXAMPLE, re.M)

    assert sorted(named) == sorted(settings_read())


def test_the_example_shows_the_defaults():
    shown = dict(re.findall(r"^# ([A-Z_]+)=(.*)$", EXAMPLE, re.M))
    read = {name: str(default) for name, default in settings_read().items() if default is not None}

    assert {name: value.lower() for name, value in shown.items() if name in read} == {
        name: default.lower() for name, default in read.items() if name in shown
    } | {name: "false" for name in shown if name in {"BEHIND_PROXY", "ENABLE_SILK"}}


def test_the_example_holds_no_secret():
    assert "\nSECRET_KEY=\n" in EXAMPLE


# --- The secret of a development machine ---


def test_a_copy_of_the_example_gets_a_secret_that_stays(environment):
    env.path().write_text(EXAMPLE)

    env.fill_in_secret_key()

    secret = environment["SECRET_KEY"]
    assert len(secret) > 50
    assert env.path().read_text() == EXAMPLE.replace("\nSECRET_KEY=\n", f"\nSECRET_KEY={secret}\n")
    assert env.path().stat().st_mode & 0o777 == 0o600


def test_a_second_start_leaves_the_secret_alone(environment):
    env.path().write_text(EXAMPLE)
    env.fill_in_secret_key()
    text = env.path().read_text()
    del environment["SECRET_KEY"]

    env.fill_in_secret_key()

    assert env.path().read_text() == text


@pytest.mark.parametrize("lines", ["DEBUG=false\nSECRET_KEY=\n", "DEBUG=true\nSECRET_KEY=mine\n", "SECRET_KEY=\n"])
def test_no_secret_is_made_for_production_or_in_place_of_another(environment, lines):
    env.path().write_text(lines)

    env.fill_in_secret_key()

    assert env.path().read_text() == lines


def test_no_secret_is_written_where_the_environment_has_one(environment):
    env.path().write_text("DEBUG=true\nSECRET_KEY=\n")
    environment["SECRET_KEY"] = "from outside"

    env.fill_in_secret_key()

    assert env.path().read_text() == "DEBUG=true\nSECRET_KEY=\n"


def test_a_development_file_is_for_its_owner_and_never_in_place_of_another(environment):
    assert not env.is_configured()

    env.write_development_file()
    env.load()

    assert env.is_configured()
    assert env.path().stat().st_mode & 0o777 == 0o600
    assert len(environment["SECRET_KEY"]) > 40
    with pytest.raises(FileExistsError):
        env.write_development_file()


# --- What a setting can be ---


# Addresses with a port or a host that cannot be.
WRONG = ("https://h:99999", "https://[1]", "https://[::1::2]", "https://a_b", "https://bücher.example")


@pytest.mark.parametrize(
    ("value", "read", "expected"),
    [
        ("Yes", lambda: env.flag("X"), True),
        ("off", lambda: env.flag("X", default=True), False),
        ("", lambda: env.flag("X", default=True), True),
        ("", lambda: env.number("X", 7), 7),
        ("1000000", lambda: env.number("X", 7), 1_000_000),
        (" a, b,,c ", lambda: env.words("X"), ["a", "b", "c"]),
        ("5/hour", lambda: env.rate("X", "1/s"), "5/hour"),
        ("", lambda: env.url("X", ["redis"]), ""),
        ("redis://h", lambda: env.url("X", ["redis"]), "redis://h"),
        ("", lambda: env.origin("X"), ""),
        ("https://h:8443/", lambda: env.origin("X"), "https://h:8443"),
        ("https://[2001:DB8::1]", lambda: env.origin("X"), "https://[2001:DB8::1]"),
        ("http://[::1]:8000, app://h/", lambda: env.origins("X"), ["http://[::1]:8000", "app://h"]),
        ("h.example, .h-1.example,[::1],*", lambda: env.hosts("X"), ["h.example", ".h-1.example", "[::1]", "*"]),
        ("", lambda: env.sender("X", "TicketHub <t@localhost>"), "TicketHub <t@localhost>"),
        ("t@h", lambda: env.sender("X", ""), "t@h"),
        ("", lambda: env.redis("X"), ""),
        *(
            (address, lambda: env.redis("X"), address)
            for address in (
                *["redis://h", "redis://h:1/0", "redis://u:p%23@[::1]:1/0", "unix:///run/redis.sock?db=1"],
                *[
                    "rediss://:p@h?ssl_ca_certs=/etc/ca.pem",
                    "unix://u:p@/run/redis.sock",
                    "redis://h:1/0/",
                    "redis:///0",
                ],
            )
        ),
        ("debug", lambda: env.choice("X", "INFO", ["DEBUG", "INFO"]), "DEBUG"),
        ("postgres://u:p@h:1/n", lambda: env.database("X", "sqlite:///x")["HOST"], "h"),
        ("", lambda: env.database("X", "sqlite:///x")["NAME"], "x"),
    ],
)
def test_a_setting_is_read(environment, value, read, expected):
    environment["X"] = value

    assert read() == expected


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("maybe", lambda: env.flag("X")),
        ("0", lambda: env.number("X", 1)),
        ("-5", lambda: env.number("X", 1)),
        ("1000001", lambda: env.number("X", 1)),
        ("11", lambda: env.number("X", 1, most=10)),
        ("٣", lambda: env.number("X", 1)),
        ("many", lambda: env.rate("X", "1/s")),
        ("5/fortnight", lambda: env.rate("X", "1/s")),
        ("localhost:6379", lambda: env.url("X", ["redis"])),
        ("redis", lambda: env.url("X", ["redis"])),
        *(
            (hosts, lambda: env.hosts("X"))
            for hosts in ("https://h", "h:443", "h, h/", "a b", "http://*", "a_b", "bücher")
        ),
        *(
            (address, lambda: env.origin("X"))
            for address in ("h", "ftp://h", "https://", "https://h/path", "https://h?x", "https://[::1", *WRONG)
        ),
        *((listed, lambda: env.origins("X")) for listed in ("h", "https://h, h", "https://h/path", "https://", *WRONG)),
        *((given, lambda: env.sender("X", "")) for given in ("garbage", "a, b <a@h>", "a@", "A <a b@h>", "@h")),
        ("LOUD", lambda: env.choice("X", "INFO", ["DEBUG", "INFO"])),
        ("mysql://h/n", lambda: env.database("X", "sqlite:///x")),
        ("postgres://u:hidden@h:99999/n", lambda: env.database("X", "sqlite:///x")),
        ("postgres://u:hidden#rest@h/n", lambda: env.database("X", "sqlite:///x")),
        *(
            (address, lambda: env.database("X", "sqlite:///x"))
            for address in (
                *["sqlite://", "sqlite:///", "sqlite:////", "sqlite:////missing/db.sqlite3", "sqlite:////tmp"],
                f"sqlite:////{'x' * 300}/x",
            )
        ),
        *(
            (address, lambda: env.redis("X"))
            for address in (
                *["redis://:hidden#rest@h:1/0", "redis://:1#hidden@h:1/0", "redis://:1?hidden@h", "redis://h:hidden/0"],
                *["redis://h:1/x", "redis://h:99999/0", "redis://", "unix://", "unix:///x?db=x", "localhost:6379"],
                *["redis://:hidden@h/0?nonsense=1", "rediss://h/0?protocol=9"],
            )
        ),
    ],
)
def test_a_setting_that_cannot_be_is_named(environment, value, read):
    environment["X"] = value

    with pytest.raises(ImproperlyConfigured, match=r"^X ") as refusal:
        read()

    assert "hidden" not in str(refusal.value)
    assert refusal.value.__context__ is None or refusal.value.__suppress_context__  # which has it


# --- Starting ---


@pytest.mark.parametrize("missing", [*PRODUCTION, "all"])
def test_the_server_does_not_start_without_what_production_needs(missing):
    settings = {name: value for name, value in PRODUCTION.items() if missing not in {name, "all"}}

    server = run("-m", "tickethub.server", "-p", "0", "tickethub.asgi:application", **settings)

    assert server.returncode == 1
    said = server.stderr.splitlines()[-1]
    assert [name for name in PRODUCTION if name in said] == (list(PRODUCTION) if missing == "all" else [missing])


@pytest.mark.parametrize(
    ("url", "hosts", "expected"),
    [
        ("https://tickets.example.org:8443", ["else.example.org", ".example.org"], True),
        ("http://[::1]:8000", ["[::1]"], True),
        ("https://tickets.example.org", ["*"], True),
        ("https://tickets.example.org", ["localhost", "10.1.2.3"], False),
        ("https://example.org", ["tickets.example.org"], False),
    ],
)
def test_an_address_is_of_the_hosts_under_which_it_is_answered(url, hosts, expected):
    assert env.is_of(url, hosts) is expected


def test_the_address_in_mails_is_one_that_is_answered_in_production():
    settings = PRODUCTION | {"ALLOWED_HOSTS": "10.1.2.3"}

    assert "without: ALLOWED_HOSTS that have the host of PUBLIC_URL. " in run("manage.py", "check", **settings).stderr
    assert run("manage.py", "check", **settings, DEBUG="true").returncode == 0


def test_a_short_secret_is_no_secret():
    command = run("manage.py", "check", **PRODUCTION | {"SECRET_KEY": "short"})

    assert command.returncode == 1
    assert "SECRET_KEY" in command.stderr


@pytest.mark.parametrize("key", ["short", PRODUCTION["SECRET_KEY"]])
def test_the_key_of_the_tokens_is_long_and_another_than_the_secret(key):
    command = run("manage.py", "check", **PRODUCTION, JWT_SIGNING_KEY=key)

    assert command.returncode == 1
    assert "JWT_SIGNING_KEY" in command.stderr
    assert key == "short" or key not in command.stderr


@pytest.mark.parametrize("token", ["short", "ein-langer-schlüssel"])
def test_the_token_for_the_metrics_is_long_and_fits_into_a_header(token):
    command = run("manage.py", "check", **PRODUCTION, METRICS_TOKEN=token)

    assert command.returncode == 1
    assert "METRICS_TOKEN" in command.stderr


def test_a_command_says_what_is_wrong_in_one_line():
    command = run("manage.py", "migrate", **PRODUCTION, PAGE_SIZE="many")

    assert command.returncode == 1
    assert command.stderr == "PAGE_SIZE must be a whole number from 1 to 1000000, not 'many'.\n"


def test_production_settings_pass_the_checks():
    command = run("manage.py", "check", "--deploy", "--fail-level", "WARNING", **PRODUCTION, ENABLE_SILK="true")

    assert (command.returncode, command.stderr) == (0, "")
