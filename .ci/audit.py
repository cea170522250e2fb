"""Look the locked packages up among known vulnerabilities, by pip-audit: `uv run python .ci/audit.py`.

It fails when one is vulnerable, and when only some could be looked up. Where none could, because no source of the data
is within reach, it says so and passes: that is for the network to mend, not for the change under test.
"""

import json
import re
import subprocess
import sys
import tempfile

PIP_AUDIT = "pip-audit==2.10.1"
SOURCES = ("pypi", "osv")
AWAY = re.compile(r"ConnectionError|ConnectTimeout|ReadTimeout|ProxyError|NameResolutionError|SSLError")


class Away(Exception):
    """A source of the data that cannot be asked from here."""


def look_up(source, requirements):
    """pip-audit's report on a requirements file. Raises Away, or SystemExit where pip-audit itself fails."""
    command = ["uvx", PIP_AUDIT, "-s", source, "-f", "json", "-r", requirements, "--no-deps", "--disable-pip"]
    done = subprocess.run([*command, "--progress-spinner", "off"], capture_output=True, text=True)
    return read(done.stdout, done.stderr)


def read(output, errors):
    """The report among what pip-audit said. A source that has heard of no package at all is as good as away."""
    try:
        packages = json.loads(output)["dependencies"]
    except ValueError:
        last = (errors.strip().splitlines() or ["no output"])[-1]
        if AWAY.search(errors):
            raise Away(last) from None
        sys.exit(f"pip-audit failed: {last}")
    if packages and all("skip_reason" in package for package in packages):
        raise Away(packages[0]["skip_reason"])
    return packages


def judge(packages):
    """What is wrong with the packages of a report, a line each."""
    wrong = []
    for package in packages:
        if "skip_reason" in package:
            wrong.append(f"{package['name']} was not looked up: {package['skip_reason']}")
        for found in package.get("vulns", ()):
            mended = ", ".join(found["fix_versions"]) or "no version yet"
            wrong.append(f"{package['name']} {package['version']} has {found['id']}, mended in {mended}")
    return wrong


def main():
    with tempfile.NamedTemporaryFile("w+", suffix=".txt") as file:
        subprocess.run(["uv", "export", "--locked", "--no-hashes", "--quiet", "-o", file.name], check=True)
        for source in SOURCES:
            try:
                packages = look_up(source, file.name)
            except Away as away:
                print(f"{source} cannot be asked: {away}")
                continue
            if wrong := judge(packages):
                sys.exit("\n".join(wrong))
            print(f"{len(packages)} packages looked up at {source}: no known vulnerability")
            return
    print("NOT AUDITED: no source of vulnerability data is within reach of this machine. Nothing was found out.")


if __name__ == "__main__":
    main()
