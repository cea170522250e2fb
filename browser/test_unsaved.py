"""What is written and not saved yet: nobody loses it, and it overwrites nothing unasked."""

import re

import pytest
from playwright.sync_api import expect
from test_task import edit_description, save_description

from conftest import fill_storage, held


def test_what_is_written_while_it_is_saved_is_kept(world, drawer):
    area = drawer.get_by_label("Description, in Markdown")
    edit_description(drawer, "One")
    with held(drawer, "**/tasks/*/") as routes:
        area.press("Control+Enter")
        area.press_sequentially(" and two")
        area.press("Control+Enter")  # which collides with nothing of one's own
    routes[0].continue_()
    expect(drawer.locator(".card.pending")).to_have_count(0)
    expect(area).to_have_value("One and two")

    save_description(drawer)

    expect(drawer.get_by_role("region", name="Description").locator(".prose")).to_have_text("One and two")
    expect(drawer.locator(".card.pending")).to_have_count(0)
    assert world.now(1)["description"] == "One and two"


def test_a_title_that_collided_failed_or_met_a_reload_overwrites_nothing_unasked(world, drawer):
    title, dialog = drawer.get_by_label("Title", exact=True), drawer.get_by_role("dialog")
    title.fill("Ada's")
    world.bruno.patch(f"tasks/{world.key}-1/", title="Bruno's")
    title.press("Enter")
    expect(dialog).to_be_visible()
    drawer.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(title).to_have_value("Ada's")

    for _ in ("as it stands", "after a reload"):
        title.focus()
        title.press("Tab")
        expect(dialog.locator(".theirs")).to_contain_text("Bruno's")
        assert world.now(1)["title"] == "Bruno's"
        drawer.keyboard.press("Escape")
        drawer.reload()
        expect(title).to_have_value("Ada's")
    title.focus()
    title.press("Escape")
    expect(title).to_have_value("Bruno's")

    title.fill("Ada's second")
    with drawer.expect_event("requestfailed"):
        drawer.route("**/tasks/*/", lambda route: route.abort(), times=1)
        title.press("Enter")
    world.bruno.patch(f"tasks/{world.key}-1/", title="Bruno's second")
    expect(drawer.get_by_role("link", name="Bruno's second")).to_be_visible()
    title.focus()
    title.press("Tab")
    dialog.get_by_role("button", name="Take theirs").click()
    expect(title).to_have_value("Bruno's second")
    assert world.now(1)["title"] == "Bruno's second"


def test_a_comment_whose_answer_is_lost_is_kept_until_it_is_seen(world, drawer):
    activity = drawer.get_by_role("region", name="Activity")
    box = activity.get_by_label("Write a comment")
    box.fill("Not sent")
    with held(drawer, "**/comments/"):
        box.press("Control+Enter")
    drawer.reload()
    expect(box).to_have_value("Not sent")

    with held(drawer, "**/comments/") as routes:
        box.press("Control+Enter")
    drawer.get_by_role("button", name="Close the task").click()
    drawer.get_by_role("link", name="Fix the gate").click()
    box.fill("Not sent\n\nAnd another")
    routes[0].abort()
    expect(drawer.get_by_text("The comment was not sent.")).to_be_visible()
    drawer.reload()
    expect(box).to_have_value("Not sent\n\nAnd another")

    box.fill("Arrived")
    drawer.route("**/comments/", lambda route: (route.fetch(), route.abort()), times=1)
    with drawer.expect_event("requestfailed"):
        box.press("Control+Enter")
    expect(activity.locator(".comment")).to_contain_text("Arrived")
    expect(box).to_have_value("")


def test_an_edit_of_a_comment_is_kept_until_it_is_saved_or_cancelled(world, drawer):
    comment = world.ada.post("comments/", task=world.now(1)["id"], body="Oil it.")
    item = drawer.locator("li.comment")
    body = drawer.get_by_label("Comment, in Markdown", exact=True)
    item.get_by_role("button", name="Edit").click()
    body.fill("Oil it, and its hinges.")
    drawer.keyboard.press("Escape")
    expect(body).to_have_count(0)
    drawer.reload()
    world.ada.patch(f"comments/{comment['id']}/", body="Paint it.")
    expect(item).to_contain_text("Paint it.")

    item.get_by_role("button", name="Edit").click()
    expect(body).to_have_value("Oil it, and its hinges.")
    drawer.get_by_role("button", name="Save").click()
    expect(drawer.get_by_role("alert").filter(has_text="in another window")).to_be_visible()
    drawer.get_by_role("button", name="Save").click()
    expect(item).to_contain_text("Oil it, and its hinges.")

    item.get_by_role("button", name="Edit").click()
    body.fill("No.")
    drawer.get_by_role("button", name="Cancel", exact=True).click()
    item.get_by_role("button", name="Edit").click()
    expect(body).to_have_value("Oil it, and its hinges.")


def test_a_comment_is_told_from_an_older_one_of_the_same_words(world, drawer):
    world.ada.post("comments/", task=world.now(1)["id"], body="Done.")
    box, again = drawer.get_by_label("Write a comment"), drawer.get_by_role("button", name="Try again")
    drawer.route("**/comments/**", lambda route: route.abort())
    drawer.reload()
    expect(again).to_be_visible()
    with drawer.expect_event("requestfailed"):
        box.fill("Done.")
        box.press("Control+Enter")
    expect(box).to_have_value("Done.")
    drawer.unroute("**/comments/**")

    again.click()

    expect(drawer.locator(".comment")).to_have_count(1)
    expect(box).to_have_value("Done.")


def test_of_two_comments_under_way_the_one_whose_answer_is_lost_is_not_sent_again(world, drawer):
    drawer.add_init_script("""
        const real = fetch;
        const parked = (window.parked = []);
        const park = (...asked) => new Promise((go, fail) => parked.push({ fail, go: () => go(real(...asked)) }));
        const isNew = (url, { method }) => method === "POST" && String(url).endsWith("/comments/");
        window.fetch = (...asked) => (isNew(...asked) ? park : real)(...asked);
    """)
    drawer.reload()
    box = drawer.get_by_label("Write a comment")
    expect(drawer.get_by_role("region", name="Activity")).to_contain_text("made it")
    for words in ("One", "Two"):
        box.fill(words)
        box.press("Control+Enter")
    drawer.evaluate("parked[0].fail(new TypeError('lost'))")
    expect(box).to_have_value("One")
    drawer.evaluate("parked[1].go()")
    expect(drawer.locator(".comment")).to_have_count(1)
    world.ada.post("comments/", task=world.now(1)["id"], body="One")  # it arrives late

    expect(box).to_have_value("")


def test_a_comment_under_way_is_not_sent_from_a_drawer_opened_anew(world, drawer):
    box = drawer.get_by_label("Write a comment")
    expect(drawer.get_by_text("Loading…")).to_have_count(0)  # or it knows not which comments are new
    with held(drawer, "**/comments/") as routes:
        box.fill("Slow")
        box.press("Control+Enter")
    drawer.get_by_role("button", name="Close the task").click()
    drawer.get_by_role("link", name="Fix the gate").click()
    expect(box).to_have_value("Slow")

    box.press("Control+Enter")
    routes[0].continue_()

    expect(box).to_have_value("")
    expect(drawer.locator(".comment")).to_have_count(1)
    assert world.ada.get("comments/", task=world.now(1)["id"])["count"] == 1


def test_a_task_whose_answer_was_lost_is_corrected(world, open_browser):
    page = open_browser(world.ada, world.path)
    dialog = page.get_by_role("dialog")
    title = dialog.get_by_label("Title")
    page.get_by_role("button", name="New task", exact=True).click()
    title.fill("Misspelt")
    with held(page, "**/tasks/") as routes:
        title.press("Enter")
    page.keyboard.type("lost")
    expect(title).to_have_value("Misspelt")
    routes[0].fetch()
    routes[0].abort()
    expect(title).to_be_focused()
    title.fill("Spelt")
    title.press("Enter")

    expect(page.get_by_role("link", name="Spelt", exact=True)).to_be_visible()
    expect(dialog).to_have_count(0)
    assert [task["title"] for task in world.ada.get("tasks/", project=world.key)["results"]] == ["Spelt"]


def test_a_new_task_that_was_not_made_is_kept_until_it_is_cancelled(world, open_browser):
    page = open_browser(world.ada, world.path)
    dialog = page.get_by_role("dialog")
    title = dialog.get_by_label("Title")
    page.get_by_role("button", name="New task", exact=True).click()
    title.fill("Half")
    page.keyboard.press("Escape")
    page.reload()
    page.get_by_role("button", name="New task in Done").click()
    expect(title).to_have_value("Half")
    expect(dialog.get_by_label("Status")).to_have_value("done")

    dialog.get_by_role("button", name="Cancel").click()
    page.keyboard.press("n")

    expect(title).to_have_value("")


def test_a_storage_that_is_full_loses_nothing(world, drawer):
    fill_storage(drawer, "sessionStorage")

    edit_description(drawer, "Written without storage")
    expect(drawer.get_by_text("This browser's storage is full")).to_have_count(1)
    save_description(drawer)
    expect(drawer.get_by_role("region", name="Description").locator(".prose")).to_have_text("Written without storage")
    drawer.get_by_label("Write a comment").fill("So was this")
    drawer.get_by_role("button", name="Comment", exact=True).click()

    expect(drawer.locator(".comment")).to_have_text(re.compile("So was this"))
    assert world.now(1)["description"] == "Written without storage"


@pytest.mark.parametrize("path", ["/", "/invitations/accept/"])
def test_a_storage_that_is_denied_is_told(chromium, url, path):
    """As Firefox and Safari do where somebody lets no site keep data."""
    context = chromium.new_context(base_url=url)
    context.add_init_script("""
        const get = () => { throw new DOMException("The operation is insecure.", "SecurityError"); };
        for (const name of ["localStorage", "sessionStorage"]) Object.defineProperty(window, name, { get });
    """)
    page = context.new_page()
    page.goto(path)
    expect(page.get_by_text("This page needs your browser's storage")).to_be_visible()
    context.close()
