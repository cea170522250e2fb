"""What the documentation shows is there, and is what was run."""

import re

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
