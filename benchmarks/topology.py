"""TicketHub as docs/deployment.md has it, on this machine alone: nginx with TLS, several servers under production
settings, PostgreSQL and Redis.

    uv run python benchmarks/topology.py start --servers 3   start all, and print what `env` prints
    eval "$(uv run python benchmarks/topology.py env)"       set URL, PLAIN_URL, SSL_CERT_FILE, SERVICES_DIR and PIDS
    uv run python benchmarks/topology.py roll --times 5      start one server after another anew, in order
    uv run python benchmarks/topology.py kill 2              end a server as a crash does
    uv run python benchmarks/topology.py up 2                start it again
    uv run python benchmarks/topology.py stop                end all and delete it

nginx runs deploy/nginx.conf.template. PostgreSQL and Redis come from .ci/services (whose `down` and `up` break them),
unless DATABASE_URL and REDIS_URL name others. THROTTLING is on unless it is set to off. What it notes is in .topology/,
or where TOPOLOGY_DIR says.
"""

import argparse
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from string import Template

import httpx
from serving import ROOT, free_ports

SERVICES = ROOT / ".ci/services"
PATIENCE = 60  # seconds that a server may take to be ready
ORDERLY = 30  # seconds that it may take to end
NGINX = """\
{user}
worker_processes 2;
worker_rlimit_nofile 20000;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log;
events {{ worker_connections 8192; }}
http {{
    include /etc/nginx/mime.types;
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/site.conf;
}}
"""


def tell(words):
    print(words, file=sys.stderr, flush=True)


class Topology:
    """All of it. What is noted in its folder outlives this process."""

    def __init__(self, folder=None):
        self.folder = Path(folder or os.environ.get("TOPOLOGY_DIR") or ROOT / ".topology").resolve()
        self.notes = self.folder / "notes.json"
        if self.notes.exists():
            self.__dict__.update(json.loads(self.notes.read_text()))

    @classmethod
    def started(cls):
        """The one that runs; ends this program where none does."""
        topology = cls()
        return topology if topology.notes.exists() else sys.exit(f"Nothing is started in {topology.folder}")

    # --- Start and stop ---

    def start(self, count=2):
        """Start it with `count` servers; what fails leaves nothing running."""
        if self.notes.exists():
            sys.exit(f"{self.folder} has one already: stop it first")
        self.folder.mkdir(parents=True, mode=0o700, exist_ok=True)
        plain, port = free_ports(2)
        self.count, self.url, self.plain_url = count, f"https://127.0.0.1:{port}", f"http://127.0.0.1:{plain}"
        self.services_dir = os.environ.get("SERVICES_DIR") or str(self.folder / "services")
        self.owns_services = not {"DATABASE_URL", "REDIS_URL"} <= os.environ.keys()
        self.settings = {}
        self.note()
        try:
            self.settings = self.production()
            self.note()
            self.prepare(plain, port)
            for number in self.numbers:
                self.up(number, wait=False)
            for number in self.numbers:
                self.wait(number)
            self.nginx("-t", "-q")
            self.nginx()
        except BaseException:
            self.stop()
            raise

    def note(self):
        self.notes.touch(0o600)
        self.notes.write_text(json.dumps({name: value for name, value in vars(self).items() if name not in PATHS}))

    def production(self):
        """The settings of an installation for a team; all others have their defaults."""
        settings = {
            "ENV_FILE": os.devnull,
            "DEBUG": "false",
            "SECRET_KEY": secrets.token_urlsafe(48),
            "ALLOWED_HOSTS": "127.0.0.1,localhost",
            "PUBLIC_URL": self.url,
            "BEHIND_PROXY": "true",
            "THROTTLING": os.environ.get("THROTTLING", "on"),
        }
        words = [f"{name}={os.environ.get(name, '')}" for name in ("DATABASE_URL", "REDIS_URL")]
        if self.owns_services:
            words = self.services("start").split()[1:]
        return settings | dict(word.split("=", 1) for word in words)

    def services(self, *arguments):
        environment = os.environ | {"SERVICES_DIR": self.services_dir}
        return subprocess.run(
            [SERVICES, *arguments], env=environment, check=True, stdout=subprocess.PIPE, text=True
        ).stdout

    def prepare(self, plain, port):
        """All that has to be there before the servers are."""
        commands = [["migrate", "-v0"], ["collectstatic", "--noinput", "-v0"]]
        running = [subprocess.Popen([sys.executable, "manage.py", *words], **self.options()) for words in commands]
        install_nginx()
        certify(self.folder)
        servers = "\n    ".join(f"server unix:{self.socket(number)} max_fails=0;" for number in self.numbers)
        site = Template((ROOT / "deploy/nginx.conf.template").read_text()).safe_substitute(
            PUBLIC_URL=self.url,
            SERVER_NAME="127.0.0.1 localhost",
            HTTP=f"127.0.0.1:{plain}",
            HTTPS=f"127.0.0.1:{port}",
            CERTIFICATE_FOLDER=self.folder,
            SERVERS=servers,
        )
        (self.folder / "site.conf").write_text(site)
        user = "" if os.geteuid() else "user root;"  # who can enter the folder
        (self.folder / "nginx.conf").write_text(NGINX.format(folder=self.folder, user=user))
        for process, words in zip(running, commands, strict=True):
            if process.wait():
                sys.exit(f"{words[0]} failed: see {self.folder / 'log'}")

    def stop(self):
        """End all of it, and delete it."""
        if not self.notes.exists():
            tell("Nothing to stop")
            return
        if (self.folder / "nginx.pid").exists():
            self.nginx("-s", "stop")
        for number in self.numbers:
            self.signal(number, signal.SIGTERM)
        for number in self.numbers:
            self.gone(number)
        if self.owns_services:
            self.services("stop")
        shutil.rmtree(self.folder)

    # --- Servers, from number 1 ---

    @property
    def numbers(self):
        return range(1, self.count + 1)

    def socket(self, number):
        return self.folder / f"{number}.sock"

    def options(self, **settings):
        """For a process of ours, with settings of its own."""
        with (self.folder / "log").open("a") as log:
            output = os.dup(log.fileno())
        inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
        return {
            "cwd": ROOT,
            "env": inherited | self.settings | settings,
            "stdin": subprocess.DEVNULL,
            "stdout": output,
            "stderr": output,
            "start_new_session": True,
        }

    def up(self, number, *, wait=True):
        """Start a server, and wait until it is ready."""
        if self.pid(number):
            sys.exit(f"Server {number} runs already")
        address = ["-v", "0", "-u", str(self.socket(number))]
        command = [sys.executable, "-m", "tickethub.server", *address, "tickethub.asgi:application"]
        process = subprocess.Popen(command, **self.options(SERVER_CORE=str(number)))
        (self.folder / f"{number}.pid").write_text(str(process.pid))
        if wait:
            self.wait(number)

    def wait(self, number):
        deadline = time.monotonic() + PATIENCE
        with httpx.Client(transport=httpx.HTTPTransport(uds=str(self.socket(number)))) as client:
            while time.monotonic() < deadline and self.pid(number):
                with suppress(httpx.TransportError):
                    if client.get("http://localhost/readyz", timeout=10).status_code == 200:
                        return
                time.sleep(0.1)
        sys.exit(f"Server {number} is not ready: see {self.folder / 'log'}")

    def pid(self, number):
        """The number of a server's process, None while it does not run."""
        with suppress(OSError, ValueError):
            pid = int((self.folder / f"{number}.pid").read_text())
            with suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
            words = Path(f"/proc/{pid}/cmdline").read_text()
            is_dead = ") Z " in Path(f"/proc/{pid}/stat").read_text()
            # After a crash the number may be another's; in the moment of its start a process has no words yet.
            if not is_dead and (not words or str(self.socket(number)) in words):
                return pid
        return None

    def signal(self, number, what):
        if pid := self.pid(number):
            os.kill(pid, what)

    def gone(self, number):
        """Wait for its end; one that does not come to it is killed. Give how many seconds it took."""
        began = time.monotonic()
        while self.pid(number):
            if time.monotonic() > began + ORDERLY:
                tell(f"Server {number} does not end")
                self.signal(number, signal.SIGKILL)
            time.sleep(0.02)
        return time.monotonic() - began

    def kill(self, number):
        """End a server as a crash does."""
        self.signal(number, signal.SIGKILL)
        self.gone(number)

    def restart(self, number):
        """Start a server anew, in order, and wait until it is ready. Give how many seconds its end took."""
        self.signal(number, signal.SIGTERM)
        ending = self.gone(number)
        self.up(number)
        return ending

    def roll(self, times=1):
        """Start all servers anew, one after another; give how many seconds the longest end took."""
        return max(self.restart(number) for _ in range(times) for number in self.numbers)

    # --- nginx ---

    def nginx(self, *arguments):
        command = [shutil.which("nginx", path=SYSTEM_PATH), "-p", self.folder, "-c", self.folder / "nginx.conf"]
        subprocess.run([*command, "-e", self.folder / "nginx.log", *arguments], check=True, stdin=subprocess.DEVNULL)

    def __str__(self):
        pids = " ".join(str(self.pid(number) or 0) for number in self.numbers)
        return (
            f"export URL={self.url} PLAIN_URL={self.plain_url} SSL_CERT_FILE={self.folder / 'fullchain.pem'}"
            f" SERVICES_DIR={self.services_dir} PIDS='{pids}'"
        )


PATHS = {"folder", "notes"}
SYSTEM_PATH = os.environ.get("PATH", "") + ":/usr/sbin"


def certify(folder):
    """Make a key, and a certificate for it by itself, which whoever is to trust it takes as that of an authority."""
    command = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -noenc -days 2 -subj /CN=tickethub"
    extensions = ["subjectAltName=DNS:localhost,IP:127.0.0.1", "keyUsage=critical,digitalSignature,keyCertSign"]
    files = ["-keyout", folder / "privkey.pem", "-out", folder / "fullchain.pem"]
    added = [word for extension in extensions for word in ("-addext", extension)]
    subprocess.run(["openssl", *command.split(), *files, *added], check=True, capture_output=True)


def install_nginx():
    """Debian's, where there is none, without its service."""
    if shutil.which("nginx", path=SYSTEM_PATH):
        return
    if os.geteuid() or not shutil.which("apt-get"):
        sys.exit("nginx is needed: install it and try again")
    policy = Path("/usr/sbin/policy-rc.d")
    is_ours = not policy.exists()
    if is_ours:
        policy.write_text("#!/bin/sh\nexit 101\n")
        policy.chmod(0o755)
    apt = ["apt-get", "-o", "DPkg::Lock::Timeout=120"]
    options = {"check": True, "stdout": sys.stderr, "env": os.environ | {"DEBIAN_FRONTEND": "noninteractive"}}
    try:
        subprocess.run([*apt, "update", "-qq"], **options)
        subprocess.run([*apt, "install", "-y", "-qq", "--no-install-recommends", "nginx-light"], **options)
    finally:
        if is_ours:
            policy.unlink()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("start", "env", "roll", "kill", "up", "stop"):
        command = commands.add_parser(name)
        command.set_defaults(arguments=[])
        if name in {"kill", "up"}:
            command.add_argument("arguments", metavar="NUMBER", nargs=1, type=int)
    commands.choices["start"].add_argument("--servers", dest="arguments", nargs=1, metavar="N", type=int)
    commands.choices["roll"].add_argument("--times", dest="arguments", nargs=1, metavar="N", type=int)
    options = parser.parse_args()
    topology = Topology() if options.command in {"start", "stop"} else Topology.started()
    if options.command != "env":
        getattr(topology, options.command)(*options.arguments)
    if options.command in {"start", "env"}:
        print(topology)


if __name__ == "__main__":
    main()
