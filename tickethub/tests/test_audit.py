"""What CI makes of pip-audit's reports: no data is not the same as no vulnerability."""

import json
import runpy

import pytest

from tickethub.env import BASE_DIR

audit = runpy.run_path(str(BASE_DIR / ".ci/audit.py"))

SOUND = {"name": "django", "version": "6.1.3", "vulns": []}
SKIPPED = {"name": "django", "skip_reason": "Dependency not found on PyPI and could not be audited: django (6.1.3)"}
VULNERABLE = {
    "name": "daphne",
    "version": "1.0",
    "vulns": [{"id": "PYSEC-1", "fix_versions": ["1.1"], "aliases": [], "description": ""}],
}


def report(*packages):
    return audit["read"](json.dumps({"dependencies": packages, "fixes": []}), "")


def test_sound_packages_pass():
    assert audit["judge"](report(SOUND, SOUND)) == []


def test_a_vulnerable_package_fails_with_the_version_that_mends_it():
    assert audit["judge"](report(SOUND, VULNERABLE)) == ["daphne 1.0 has PYSEC-1, mended in 1.1"]


def test_one_that_was_not_looked_up_fails_among_others_that_were():
    assert len(audit["judge"](report(SOUND, SKIPPED))) == 1


def test_a_source_that_knows_no_package_is_away():
    with pytest.raises(audit["Away"], match="could not be audited"):
        report(SKIPPED, SKIPPED)


def test_a_source_that_does_not_answer_is_away():
    with pytest.raises(audit["Away"]):
        audit["read"]("", "Traceback…\nrequests.exceptions.ConnectionError: Max retries exceeded")


def test_a_pip_audit_that_fails_otherwise_fails():
    with pytest.raises(SystemExit, match="no such option"):
        audit["read"]("", "pip-audit: error: no such option")
