"""What the documentation shows is there, and is what was run."""

import re
import subprocess
from importlib import import_module

import pytest

from tickethub.env import BASE_DIR

PAGES = sorted([*BASE_DIR.glob("*.md"), *BASE_DIR.glob("docs/*.md")], key=str)
BLOCK = re.compile(r"<!-- (docs/examples/\S+) -->\n+```\w*\n(.*?)```\n", re.DOTALL)
LINK = re.compile(r"\]\((?!https?:|#|mailto:)([^)#]+)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for target in LINK.findall(page.read_text()):
        assert (page.parent / target).exists(), target


def test_the_examples_in_the_text_are_the_files_that_were_run():
    shown = dict(BLOCK.findall((BASE_DIR / "docs/realtime.md").read_text()))
    files = {str(path.relative_to(BASE_DIR)) for path in (BASE_DIR / "docs/examples").glob("*.*")}
    assert set(shown) == files
    for name, text in shown.items():
        assert text == (BASE_DIR / name).read_text()


def test_the_readme_names_the_two_commands():
    text = (BASE_DIR / "README.md").read_text()
    assert "\n    uv run manage.py demo\n" in text
    assert "\n    uv run pytest\n" in text


# --- Backups ---

OPERATIONS = (BASE_DIR / "docs/operations.md").read_text()
DEPLOYMENT = (BASE_DIR / "docs/deployment.md").read_text()


def test_the_commands_of_a_backup_are_given_the_password_apart(tmp_path):
    settings = tmp_path / "tickethub.env"
    address = "postgres://tickethub:s3cret@localhost:5432/tickethub"
    settings.write_text(f"SECRET_KEY=x:y@z\nDATABASE_URL={address}\nREDIS_URL=redis://:other@localhost\n")
    commands = "".join(re.findall(r"^    (.*/etc/tickethub\.env\)\n)", OPERATIONS, re.M))

    shell = commands.replace("/etc/tickethub.env", str(settings)) + 'echo "$DATABASE_URL"; env | grep ^PGPASSWORD='
    told = subprocess.run(["/bin/sh", "-euc", shell], capture_output=True, text=True)

    assert told.stdout.split() == ["postgres://tickethub@localhost:5432/tickethub", "PGPASSWORD=s3cret"]


def test_no_backup_leaves_a_umask_that_keeps_the_code_from_its_user():
    backups = [line for line in OPERATIONS.splitlines() if re.match(r" {4}.*(pg_dump|VACUUM|dumpdata)", line)]

    assert len(backups) == 4
    assert all(line.startswith("    (umask 077; ") and line.endswith(")") for line in backups)
    assert OPERATIONS.count("umask 077") == len(backups)
    for block in re.findall(r"(?:^ {4}.*\n)+", DEPLOYMENT, re.M):
        assert "uv sync" not in block or block.startswith("    umask 022")


# --- The index of searches ---


def test_the_index_that_a_superuser_makes_is_that_of_the_migration():
    shown = re.search(r'-c "(CREATE INDEX CONCURRENTLY task_search .*?)"', DEPLOYMENT, re.S)[1]

    assert shown.split() == import_module("tasks.migrations.0004_search").INDEX.split()
