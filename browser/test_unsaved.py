"""What is written and not saved yet: nobody loses it, and it overwrites nothing unasked."""

from contextlib import contextmanager

from playwright.sync_api import expect
from test_task import edit_description, save_description


@contextmanager
def held(page, path):
    """What is sent there meanwhile, to go on later."""
    routes = []
    page.route(path, lambda route: routes.append(route), times=1)
    with page.expect_request(path):
        yield routes


def test_what_is_written_while_it_is_saved_is_kept(world, drawer):
    area = drawer.get_by_label("Description, in Markdown")
    edit_description(drawer, "One")
    with held(drawer, "**/tasks/*/") as routes:
        area.press("Control+Enter")
        area.press_sequentially(" and two")
    routes[0].continue_()
    expect(drawer.locator(".card.pending")).to_have_count(0)
    expect(area).to_have_value("One and two")

    save_description(drawer)

    expect(drawer.get_by_role("region", name="Description").locator(".prose")).to_have_text("One and two")
    expect(drawer.locator(".card.pending")).to_have_count(0)
    assert world.now(1)["description"] == "One and two"
