"""A task's fields in its drawer, while others change them too."""

import re

import pytest
from playwright.sync_api import expect
from test_people import counted


@pytest.fixture
def drawer(world, open_browser):
    world.task("Fix the gate", due_date="2031-05-04")
    page = open_browser(world.ada, f"{world.path}?task={world.key}-1", locale="en-US")
    expect(page.get_by_label("Due date")).to_have_value("2031-05-04")
    return page


def test_a_due_date_that_is_typed_is_saved_once_and_as_a_whole(world, drawer):
    due = drawer.get_by_label("Due date")
    with counted(drawer, f"tasks/{world.now(1)['id']}/") as sent:
        due.press_sequentially("06052032")
        assert sent == []
        with drawer.expect_response("**/tasks/*/"):
            due.press("Enter")
        drawer.get_by_label("Title").focus()
        drawer.evaluate("new Promise(requestAnimationFrame)")  # until the fields that were left are drawn anew
        due.press_sequentially("07")
        with drawer.expect_response("**/tasks/*/"):
            drawer.get_by_label("Title").focus()
    assert sent == ["PATCH", "PATCH"]
    assert world.now(1)["due_date"] == "2032-07-05"


@pytest.mark.parametrize(("typed", "key"), [("06050202", "Enter"), ("Backspace", "Tab"), ("0608", "Escape")])
def test_a_due_date_that_is_none_or_given_up_is_put_back(world, drawer, typed, key):
    due = drawer.get_by_label("Due date")
    due.focus()
    if typed.isdigit():
        due.press_sequentially(typed)
    else:
        due.press(typed)

    due.press(key)
    drawer.get_by_label("Title").focus()

    expect(drawer.get_by_text("The due date was not changed.")).to_have_count(0 if key == "Escape" else 1)
    expect(due).to_have_value("2031-05-04")
    assert world.now(1)["version"] == 1


def test_an_old_due_date_that_nobody_touches_stays(world, open_browser):
    world.task("Old", due_date="1815-06-18")
    page = open_browser(world.ada, f"{world.path}?task={world.key}-1")
    page.get_by_label("Due date").focus()
    page.get_by_label("Title").focus()

    expect(page.get_by_label("Due date")).to_have_value("1815-06-18")
    expect(page.get_by_text("The due date was not changed.")).to_have_count(0)


def test_a_due_date_of_somebody_else_is_shown_and_not_overwritten(world, drawer):
    drawer.get_by_label("Priority", exact=True).focus()
    world.bruno.patch(f"tasks/{world.key}-1/", due_date="2031-06-01")
    due = drawer.get_by_label("Due date")
    expect(due).to_have_value("2031-06-01")

    due.focus()
    world.bruno.patch(f"tasks/{world.key}-1/", due_date="2031-07-01")
    expect(drawer.locator(".card time")).to_have_attribute("datetime", "2031-07-01")
    due.fill("2031-08-01")

    dialog = drawer.get_by_role("dialog")
    expect(dialog.locator(".theirs")).to_contain_text("2031-07-01")
    expect(dialog.locator(".yours")).to_contain_text("2031-08-01")
    assert world.now(1)["due_date"] == "2031-07-01"
    dialog.get_by_role("button", name="Take theirs").click()
    expect(due).to_have_value("2031-07-01")


def test_who_is_made_a_viewer_in_the_middle_of_it_can_change_nothing_more(world, open_browser):
    world.task("Fix the gate")
    page = open_browser(world.bruno, f"{world.path}?task={world.key}-1")
    priority = page.get_by_label("Priority", exact=True)
    priority.focus()

    world.ada.patch(f"memberships/{world.membership['id']}/", role="viewer")

    expect(priority).to_be_disabled()
    expect(page.get_by_role("complementary")).to_be_focused()


def test_what_others_make_is_offered_to_who_is_in_the_fields(world, drawer):
    status = drawer.get_by_label("Status", exact=True)
    status.focus()
    world.ada.post(
        "statuses/", project=world.project["id"], name="On hold", slug="on-hold", category="todo", position=9
    )
    world.ada.patch(f"tasks/{world.key}-1/", status="on-hold")
    expect(status).to_have_value("on-hold")

    drawer.locator("summary", has_text="Labels:").click()
    world.ada.post("labels/", project=world.project["id"], name="garden", color="#2da44e")
    expect(drawer.get_by_role("checkbox", name="garden")).to_be_visible()


def test_a_label_that_is_refused_is_not_checked(world, drawer):
    world.ada.post("labels/", project=world.project["id"], name="garden", color="#2da44e")
    drawer.locator("summary", has_text="Labels:").click()
    drawer.route(
        "**/tasks/*/", lambda route: route.fulfill(status=409, json={"detail": "Not now.", "code": "conflict"})
    )
    box = drawer.get_by_role("checkbox", name="garden")

    box.click()

    expect(drawer.get_by_text("Not now.")).to_be_visible()
    expect(box).not_to_be_checked()


def test_words_beside_a_box_can_be_clicked(world, drawer):
    world.ada.post("labels/", project=world.project["id"], name="garden", color="#2da44e")
    drawer.locator("summary", has_text="Labels:").click()
    drawer.locator(".panel label", has_text="garden").click()
    expect(drawer.locator(".card", has_text="garden")).to_be_visible()

    drawer.get_by_role("main").locator("summary", has_text="Priority").click()
    drawer.locator(".panel label", has_text="High").click()
    expect(drawer).to_have_url(re.compile(r"[?&]priority=high"))
