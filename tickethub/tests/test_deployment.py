"""What deploy/ and docs/deployment.md name is there, and their numbers fit each other."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from importlib.util import find_spec

import pytest
import yaml
from django.conf import settings
from django.core.management import get_commands
from django.test import RequestFactory

from tickethub import probes
from tickethub.env import BASE_DIR
from tickethub.server import END_WITHIN
from tickethub.tests.test_env import settings_read

DEPLOY = BASE_DIR / "deploy"
FILES = [path for path in DEPLOY.rglob("*") if path.is_file()]
TEXTS = {path.name: path.read_text() for path in [*FILES, BASE_DIR / "docs/deployment.md"]}
NGINX = TEXTS["nginx.conf.template"]
COMPOSE = yaml.safe_load(TEXTS["compose.yaml"])
SERVICES = COMPOSE["services"]
UNITS = DEPLOY / "systemd"
PACKAGES = ["tickethub", "accounts", "projects", "tasks", "comments", "realtime"]


@pytest.mark.parametrize("name", TEXTS)
def test_every_command_is_one(name):
    commands = set(re.findall(r"manage\.py ([a-z_]+)", TEXTS[name]))
    modules = set(re.findall(r"python\W+-m\W+(tickethub[\w.]*)", TEXTS[name]))

    assert commands <= get_commands().keys()
    assert all(map(find_spec, modules))


def test_the_scheduled_commands_are_scheduled_everywhere():
    for command in ("prune_sessions", "prune_events", "recount_tasks"):
        for name in ("deployment.md", "compose.yaml", "tickethub-daily.service"):
            assert f"manage.py {command}" in TEXTS[name]


def test_every_setting_is_one():
    named = set(re.findall(r"^    ([A-Z][A-Z_]+)=", TEXTS["deployment.md"], re.M))
    named |= set(re.findall(r"\b(SECRET_KEY|ALLOWED_\w+|PUBLIC_\w+)=", TEXTS["Dockerfile"]))
    for service in SERVICES.values():
        named |= service.get("environment", {}).keys()
    own = {"NAME", "POSTGRES_USER", "POSTGRES_PASSWORD", *words_of_nginx()}  # of the files themselves

    assert {"SECRET_KEY", "DATABASE_URL", "BEHIND_PROXY"} <= named
    assert named - own <= settings_read().keys()


# --- nginx ---


def words_of_nginx():
    return set(re.findall(r"\$\{([A-Z_]+)\}", NGINX))


def seconds(name):
    return int(re.search(rf"^ *{name} (\d+)s;", NGINX, re.M)[1])


def test_every_word_of_the_template_is_filled_in():
    words = words_of_nginx() - {"WORDS"}

    assert words <= SERVICES["proxy"]["environment"].keys()
    assert all(re.search(rf"\b{word}=", TEXTS["deployment.md"]) for word in words)


def test_nginx_lets_through_whatever_django_takes():
    usual, imports = [int(most) * 1024**2 for most in re.findall(r"client_max_body_size (\d+)m;", NGINX)]
    assert usual > settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    assert imports > settings.IMPORT_MAX_SIZE


def test_nginx_waits_longer_than_a_socket_is_silent():
    assert seconds("proxy_read_timeout") > 2 * settings.WEBSOCKET["PING_EVERY"]
    assert seconds("proxy_send_timeout") > settings.WEBSOCKET["ROOM_WITHIN"]


def test_nginx_leaves_the_etags_strong():
    assert re.search(r"^    gzip off;$", NGINX, re.M)


def test_nginx_lets_nobody_say_where_the_application_stands():
    assert 'proxy_set_header Daphne-Root-Path "";' in NGINX


def test_nginx_repeats_nothing_that_may_not_be_repeated():
    assert "non_idempotent" not in NGINX
    assert set(re.findall(r"^ *proxy_next_upstream (.*);", NGINX, re.M)) == {"error", "error http_404"}


def test_nginx_refuses_by_itself_in_the_shape_of_the_api():
    told = {}
    for codes, place in re.findall(r"^ *error_page ([\d ]+) (\S+);", NGINX, re.M):
        location = re.search(rf"location (?:= )?{re.escape(place)} {{(.*?)}}'?;\n    }}", NGINX, re.S)[1]
        status, body = re.search(r"return (\d+) '({.*)", location).groups()
        body = json.loads(body + "}")
        assert body.keys() == {"detail", "code"}
        assert "application/json" in location
        assert "X-Request-ID $request_id always" in location
        told |= {int(code): (int(status), body["code"]) for code in codes.split()}

    assert told == {
        400: (400, "bad_request"),
        494: (400, "bad_request"),
        501: (400, "bad_request"),
        413: (413, "payload_too_large"),
        414: (414, "uri_too_long"),
        502: (502, "unavailable"),
        504: (504, "timeout"),
    }


def test_what_is_installed_is_readable_for_the_user():
    installed = re.findall(r"^    (\S+/uv sync .*)$", TEXTS["deployment.md"], re.M)

    assert len(installed) == 2
    assert all("--managed-python" in command for command in installed)  # or it may be one in root's folder


# --- systemd ---


def test_systemd_waits_for_the_server_to_end():
    assert int(re.search(r"TimeoutStopSec=(\d+)", TEXTS["tickethub@.service"])[1]) > END_WITHIN


def test_systemd_gives_each_process_a_core_of_its_own():
    unit = TEXTS["tickethub@.service"]
    assert "Environment=SERVER_CORE=%i\n" in unit
    filters = re.findall(r"SystemCallFilter=(.*)", unit)
    assert filters.index("sched_setaffinity") > filters.index("~@privileged @resources")


@pytest.mark.parametrize(
    ("missing", "passes"),
    [(None, True), ("channel_layer", True), ("database", False), ("migrations", False), ("serving", False)],
)
def test_a_start_waits_for_what_the_process_cannot_do_without(monkeypatch, tmp_path, missing, passes):
    checks = dict.fromkeys(["database", "migrations", "channel_layer", "serving"], True) | {missing: False}
    monkeypatch.setattr(probes.readiness, "look", lambda: {name: checks[name] for name in probes.readiness.found})
    request = RequestFactory().get("/readyz")
    request.scope = {"state": {"is_draining": not checks["serving"]}}
    answer = probes.readyz(request)
    (tmp_path / "body").write_bytes(answer.content)
    assert answer.status_code == (503 if missing else 200)

    ask = f"(cat {tmp_path}/body; exit {22 if answer.status_code == 503 else 0})"
    assert started(ask).returncode == (0 if passes else 1)


def test_a_start_does_not_wait_for_a_process_that_has_ended_before_it_answered():
    assert started("false").returncode == 1


def started(ask):
    """What the unit's wait for the server comes to, with `ask` in the place of curl, and a process that has ended."""
    ended = subprocess.Popen([sys.executable, "--version"], stdout=subprocess.DEVNULL)
    ended.wait()
    shell, option, wait = shlex.split(re.search(r"^ExecStartPost=(.*)$", TEXTS["tickethub@.service"], re.M)[1])
    wait, count = re.subn(r"/usr/bin/curl .*?/readyz", ask, wait)
    assert count == 1
    return subprocess.run([shell, option, wait], env=os.environ | {"MAINPID": str(ended.pid)}, timeout=10)


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not there")
def test_the_units_are_what_systemd_understands(tmp_path):
    python = tmp_path / "python"
    python.touch(mode=0o755)  # where /opt/tickethub has one
    for unit in UNITS.iterdir():
        text = unit.read_text().replace("/opt/tickethub/.venv/bin/python", str(python))
        (tmp_path / unit.name.replace("@", "@1")).write_text(text.replace("/usr/bin/curl", str(python)))

    units = sorted(path for path in tmp_path.iterdir() if path.suffix in {".service", ".timer"})
    command = [shutil.which("systemd-analyze"), "verify", "--man=no", *units]
    verified = subprocess.run(command, capture_output=True, text=True, timeout=60)

    ours = [line for line in verified.stderr.splitlines() if "tickethub" in line]
    assert (len(units), verified.returncode, ours) == (3, 0, [])


# --- Containers ---


def test_compose_waits_for_the_server_to_end():
    for name in ("one", "two"):
        assert int(SERVICES[name]["stop_grace_period"].rstrip("s")) > END_WITHIN


def test_compose_gives_each_process_a_core_of_its_own():
    assert [SERVICES[name]["environment"]["SERVER_CORE"] for name in ("one", "two")] == [1, 2]


def test_compose_waits_for_a_database_that_is_set_up():
    """While the image sets it up, a server answers that is on a Unix socket alone, and ends."""
    assert "--host 127.0.0.1" in SERVICES["postgres"]["healthcheck"]["test"]


def test_compose_names_nothing_that_is_not_there():
    for service in SERVICES.values():
        assert service.get("depends_on", {}).keys() <= SERVICES.keys()
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert source in COMPOSE["volumes"] or source in {"./nginx.conf.template", "./certificates"}


def test_nginx_knows_each_process_of_compose():
    sockets = set(re.findall(r"unix:(\S+)", SERVICES["proxy"]["environment"]["SERVERS"]))
    names = {
        service["environment"]["NAME"] for service in SERVICES.values() if "NAME" in service.get("environment", {})
    }

    assert sockets == {f"/run/tickethub/{name}.sock" for name in names}
    assert names <= SERVICES["proxy"]["depends_on"].keys()


def test_the_image_has_what_it_is_built_of():
    ignored = (BASE_DIR / ".dockerignore").read_text()
    let_in = re.findall(r"^!(\S+)$", ignored, re.M)

    assert set(PACKAGES) <= set(let_in)
    for path in [*let_in, *re.findall(r"^COPY ([^-].*?) \S+$", TEXTS["Dockerfile"], re.M)[0].split()]:
        assert (BASE_DIR / path).exists()
    built = {name: service["build"] for name, service in SERVICES.items() if "build" in service}
    assert built == {"migrate": {"context": "..", "dockerfile": "deploy/Dockerfile"}}  # by one, or each has its own


def test_what_runs_does_without_the_tests_that_the_image_lacks():
    sources = [path for package in PACKAGES for path in (BASE_DIR / package).rglob("*.py") if "tests" not in path.parts]

    assert len(sources) > 50
    assert not [path for path in sources if re.search(r"^\s*(from|import) .*\.tests\b", path.read_text(), re.M)]
