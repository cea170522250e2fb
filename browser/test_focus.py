"""Who uses keys, or hears the page, is never left without a place on it."""

import pytest
from playwright.sync_api import expect

from conftest import held


def choose(page, summary, option):
    """Choose from a menu by keys."""
    summary.press("Enter")
    page.get_by_role("button", name=option).press("Enter")


@pytest.fixture
def related(world):
    """Three tasks, of which the first blocks the others."""
    first, *others = [world.task(title) for title in ("First", "Second", "Third")]
    for other in others:
        world.ada.post("relations/", source=first["id"], target=other["id"], type="blocks")
    return first


def test_a_task_keeps_the_focus_when_what_had_it_goes(world, related, open_browser):
    page = open_browser(world.ada, f"{world.path}?task={world.key}-1")
    drawer = page.get_by_role("complementary")
    tasks = page.get_by_role("region", name="Related tasks")
    more = drawer.locator("header summary")
    choose(page, more, "Copy the link")
    expect(more).to_be_focused()

    tasks.get_by_role("link", name="Second").focus()
    world.bruno.patch(f"tasks/{world.key}-2/", title="Renamed")
    expect(tasks.get_by_role("link", name="Renamed")).to_be_focused()
    tasks.get_by_role("button", name=f"Take back: Blocks {world.key}-2").press("Enter")
    expect(tasks.get_by_role("listitem")).to_have_count(1)
    expect(drawer).to_be_focused()
    relate = tasks.get_by_role("button", name="Relate", exact=True)
    relate.press("Enter")
    tasks.get_by_label("The other task").fill(f"{world.key}-2")
    tasks.get_by_label("The other task").press("Enter")
    expect(relate).to_be_focused()

    page.goto(f"{world.path}?priority=none&task={world.key}-1")
    expect(drawer).to_be_focused()
    world.bruno.patch(f"tasks/{world.key}-1/", priority="low")
    expect(page.locator(".card", has_text="First")).to_have_count(0)
    page.keyboard.press("Escape")
    expect(page.get_by_role("main")).to_be_focused()


def test_the_views_keep_the_focus_when_what_had_it_goes(world, related, open_browser):
    page = open_browser(world.ada)
    main = page.get_by_role("main")
    page.locator(f".projects a[href='{world.path}']").press("Enter")
    expect(page.locator(".card")).to_have_count(3)
    expect(main).to_be_focused()

    page.goto(f"{world.path}?priority=none")
    page.get_by_role("button", name="Clear").press("Enter")
    expect(page.get_by_label("Search tasks")).to_be_focused()
    for end in ("Select none", "Low"):
        page.get_by_role("link", name="First").press("x")
        bar = page.get_by_role("region", name="Selected tasks")
        if end == "Low":
            choose(page, bar.locator("summary", has_text="Priority"), end)
            expect(bar.locator("summary", has_text="Priority")).to_be_focused()
        else:
            bar.get_by_role("button", name=end).press("Enter")
            expect(main).to_be_focused()


def test_a_card_s_box_is_checked_and_unchecked_by_key_and_lifts_nothing(world, open_browser):
    world.task("First")
    page = open_browser(world.ada, world.path)
    box = page.get_by_role("checkbox", name=f"Select {world.key}-1")
    selected = page.get_by_role("region", name="Selected tasks")
    box.press("Space")
    expect(selected).to_be_visible()
    expect(box).to_be_focused()

    world.bruno.patch(f"tasks/{world.key}-1/", priority="low")
    expect(page.locator(".card")).to_contain_text("Priority: low")
    page.keyboard.press("Space")

    expect(selected).to_be_hidden()
    expect(page.locator(".lifted")).to_have_count(0)


def test_a_note_waits_for_who_is_at_it_and_each_is_heard_once(world, open_browser):
    world.task("First")
    page = open_browser(world.ada)
    page.clock.install()
    page.goto(world.path)
    expect(page.locator(".card")).to_have_count(1)
    world.bruno.patch(f"tasks/{world.key}-1/", title="Renamed")
    note = page.locator(".toast", has_text="renamed")
    close = note.get_by_role("button", name="Close this note")
    close.focus()
    page.clock.fast_forward(7_000)
    expect(note).to_be_visible()
    expect(page.locator(".toasts")).to_have_attribute("aria-atomic", "false")

    close.press("Enter")

    expect(page.get_by_role("main")).to_be_focused()
    expect(note).to_have_count(0)


def test_keys_of_an_input_method_save_and_close_nothing(world, open_browser):
    world.task("First")
    page = open_browser(world.ada, f"{world.path}?task={world.key}-1")
    for label, key in (("Title", "Enter"), ("Write a comment", "Escape")):
        box = page.get_by_label(label)
        box.fill("ni")
        box.evaluate(
            "(box, key) => box.dispatchEvent(new KeyboardEvent('keydown', { key, isComposing: true, bubbles: true }))",
            key,
        )
        expect(box).to_be_focused()


def test_what_is_selected_of_a_comment_outlives_what_else_happens_to_the_task(world, open_browser):
    task = world.task("First")
    world.bruno.post("comments/", task=task["id"], body="Copy this")
    page = open_browser(world.ada, f"{world.path}?task={world.key}-1")
    page.get_by_text("Copy this").select_text()

    world.bruno.patch(f"tasks/{world.key}-1/", priority="low")

    expect(page.get_by_text("set its priority to low")).to_be_visible()
    assert page.evaluate("getSelection().toString()") == "Copy this"


def test_an_answer_takes_no_focus_from_who_writes_elsewhere_by_then(world, drawer):
    world.task("Other")
    related = drawer.get_by_role("region", name="Related tasks")
    related.get_by_role("button", name="Relate", exact=True).click()
    other, box = related.get_by_label("The other task"), drawer.get_by_label("Write a comment")
    other.fill(f"{world.key}-2")
    with held(drawer, "**/relations/") as routes:
        other.press("Enter")
        box.press_sequentially("Hello ")
    routes[0].continue_()
    expect(related.get_by_role("link", name="Other")).to_be_visible()
    expect(other).to_be_hidden()
    expect(box).to_be_focused()


def test_who_leaves_a_project_with_its_task_open_has_the_focus_on_what_comes(world, open_browser):
    world.task("One")
    page = open_browser(world.ada)
    page.locator(f".projects a[href='{world.path}']").click()
    page.get_by_role("link", name="One").click()
    expect(page.get_by_role("complementary")).to_be_focused()

    page.evaluate("history.go(-2)")

    expect(page.get_by_role("main")).to_be_focused()
