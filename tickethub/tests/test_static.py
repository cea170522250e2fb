"""Static files as production has them: with hashes in their names, also where modules import each other."""

import json
import re
import subprocess
import sys

import pytest
from django.conf import settings

IMPORT = re.compile(r'\b(?:import|from)\s*\(?"(\.[^"]+)"')


@pytest.fixture(scope="module")
def collected(tmp_path_factory):
    """The folder that `collectstatic` fills under production's settings."""
    folder = tmp_path_factory.mktemp("static")
    program = f"""
import django
from django.conf import settings
from django.core.management import call_command
django.setup()
settings.STATIC_ROOT = {str(folder)!r}
call_command("collectstatic", interactive=False, verbosity=0)
"""
    environment = {
        "ALLOWED_HOSTS": "localhost",
        "DATABASE_URL": "sqlite:///nothing.sqlite3",
        "DJANGO_SETTINGS_MODULE": "tickethub.settings",
        "ENV_FILE": "/dev/null",
        "PUBLIC_URL": "https://localhost",
        "SECRET_KEY": "x" * 40,
    }
    subprocess.run([sys.executable, "-c", program], cwd=settings.BASE_DIR, env=environment, check=True)
    return folder


def test_every_import_of_the_collected_board_leads_to_a_file_with_a_hash(collected):
    names = json.loads((collected / "staticfiles.json").read_text())["paths"]
    modules = [
        collected / names[f"tickethub/board/{path.name}"] for path in (settings.BASE_DIR / "clients/board").glob("*.js")
    ]

    imported = {(module.parent / name).resolve() for module in modules for name in IMPORT.findall(module.read_text())}

    assert (collected / names["tickethub/js/tickethub.js"]).resolve() in imported
    assert {path.relative_to(collected) for path in imported if not path.exists()} == set()
    hashed = {(collected / name).resolve() for name in names.values()}
    assert imported <= hashed
    assert len(imported) > 15
