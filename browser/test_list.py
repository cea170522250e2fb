"""The list with the API's filters, its state in the address, and changes in bulk."""

import re

import pytest
from playwright.sync_api import expect


def rows(page):
    return page.locator("tbody tr .title a")


def test_the_list_is_filtered_searched_and_ordered_by_the_api_and_by_its_address(world, open_browser, picture):
    label = world.ada.post("labels/", project=world.project["id"], name="bug", color="#d73a4a")
    world.task("One bolt", priority="low", labels=[label["id"]], assignees=[world.ada.me["id"]])
    world.task("Two bolts", priority="urgent")
    world.task("Three nuts", priority="high", status="done", assignees=[world.bruno.me["id"]])
    page = open_browser(world.ada, world.path)
    page.get_by_role("link", name="List").click()
    expect(rows(page)).to_have_text(["Three nuts", "Two bolts", "One bolt"])

    page.get_by_label("Order").select_option("Most urgent")
    expect(rows(page)).to_have_text(["Two bolts", "Three nuts", "One bolt"])
    page.get_by_label("Search tasks").fill("bolt")
    expect(rows(page)).to_have_text(["Two bolts", "One bolt"])
    expect(page.get_by_role("status").filter(has_text="2 tasks")).to_be_visible()
    assert page.url.endswith(f"{world.path}list/?search=bolt&ordering=-priority")

    page.locator("summary", has_text="Label").click()
    page.get_by_role("checkbox", name="bug").check()
    expect(rows(page)).to_have_text(["One bolt"])
    picture(page, "list")
    page.reload()
    expect(rows(page)).to_have_text(["One bolt"])
    page.go_back()
    expect(rows(page)).to_have_text(["Two bolts", "One bolt"])
    page.get_by_role("link", name="Board").click()
    expect(page.locator(".card")).to_have_count(2)
    page.get_by_role("button", name="Clear").click()
    expect(page.locator(".card")).to_have_count(3)
    page.goto(f"{world.path}list/?assignee=none&assignee=me&status=todo")
    expect(rows(page)).to_have_text(["Two bolts", "One bolt"])


def test_the_list_follows_what_others_do(world, open_browser):
    world.task("Old name")
    page = open_browser(world.ada)
    page.clock.install()
    page.goto(f"{world.path}list/?search=name")
    expect(rows(page)).to_have_text(["Old name"])
    page.clock.fast_forward(180_000)
    expect(page.locator("td.changed")).to_contain_text("3 min. ago")

    world.bruno.patch(f"tasks/{world.key}-1/", title="New name")
    expect(rows(page)).to_have_text(["New name"])
    world.task("Another name")
    expect(rows(page)).to_have_text(["Another name", "New name"])
    world.bruno.patch(f"tasks/{world.key}-1/", title="Else")
    expect(rows(page)).to_have_text(["Another name"])


def test_a_search_that_was_just_typed_closes_no_dialog(world, open_browser):
    page = open_browser(world.ada, world.path)
    page.get_by_label("Search tasks").fill("bolt")
    page.get_by_role("button", name="New task", exact=True).click()

    page.wait_for_url("**/?search=bolt")
    expect(page.get_by_role("dialog")).to_be_visible()


def test_back_takes_what_is_no_longer_searched_out_of_its_box(world, open_browser):
    world.task("One bolt", priority="low")
    world.task("Another")
    page = open_browser(world.ada, world.path)
    search = page.get_by_role("searchbox")
    page.locator("summary", has_text="Priority").click()
    page.get_by_role("checkbox", name="Low").check()
    search.press_sequentially("bolt ")
    expect(page).to_have_url(re.compile("search=bolt"))
    expect(search).to_have_value("bolt ")

    page.go_back()

    expect(page.locator(".card")).to_have_count(2)
    expect(search).to_have_value("")


def test_a_list_that_could_not_be_loaded_anew_stays_and_can_be_tried_again(world, open_browser):
    world.task("Old name")
    page = open_browser(world.ada, f"{world.path}list/")
    expect(rows(page)).to_have_text(["Old name"])
    page.route("**/tasks/?**", lambda route: route.abort(), times=1)
    world.task("Another")
    again = page.get_by_role("button", name="Try again")
    expect(again).to_be_visible()
    expect(rows(page)).to_have_text(["Old name"])

    again.press("Enter")

    expect(rows(page)).to_have_text(["Another", "Old name"])
    expect(page.get_by_role("main")).to_be_focused()
    page.goto(f"{world.path}list/?status=unknown")
    expect(page.get_by_text("The list could not be loaded.")).to_be_visible()
    expect(again).to_have_count(0)


def test_a_menu_closes_behind_who_tabs_out_of_it(world, open_browser):
    page = open_browser(world.ada, f"{world.path}list/")
    page.locator("summary", has_text="Due").click()
    week = page.get_by_role("checkbox", name="Within a week")
    expect(week).to_be_visible()

    page.keyboard.press("Tab")
    expect(week).to_be_focused()
    page.keyboard.press("Tab")

    expect(week).to_have_count(0)


def test_another_date_takes_the_place_of_the_one_in_the_address(world, open_browser):
    world.task("Soon", due_date="2020-01-01")
    page = open_browser(world.ada, f"{world.path}list/?due_before=1999-12-31")
    expect(page.get_by_role("status").filter(has_text="0 tasks")).to_be_visible()

    page.locator("summary", has_text="Due").click()
    page.get_by_role("checkbox", name="Within a week").check()

    expect(rows(page)).to_have_text(["Soon"])
    assert page.url.count("due_before") == 1


@pytest.mark.parametrize(("zone", "last"), [("Pacific/Kiritimati", "2026-03-19"), ("Pacific/Pago_Pago", "2026-03-17")])
def test_a_week_is_that_of_the_person_s_own_calendar(world, open_browser, zone, last):
    page = open_browser(world.ada, f"{world.path}list/", timezone_id=zone)
    page.clock.set_fixed_time("2026-03-10T10:30:00Z")

    page.locator("summary", has_text="Due").click()
    page.get_by_role("checkbox", name="Within a week").check()

    expect(page).to_have_url(re.compile(f"due_before={last}"))


def test_many_tasks_are_changed_and_deleted_at_once(world, open_browser, picture):
    bug, ui = (
        world.ada.post("labels/", project=world.project["id"], name=name, color="#d73a4a")["id"]
        for name in ("bug", "ui")
    )
    for title in ("One", "Two", "Three"):
        world.task(title, labels=[bug])
    page = open_browser(world.ada, f"{world.path}list/")
    for number in (1, 2):
        page.get_by_label(f"Select {world.key}-{number}").check()
    bar = page.get_by_role("region", name="Selected tasks")
    expect(bar).to_contain_text("2 selected")

    bar.locator("summary", has_text="Status").click()
    bar.get_by_role("button", name="In review").click()
    expect(page.get_by_text("2 tasks changed.")).to_be_visible()
    expect(page.locator("tbody td.status", has_text="In review")).to_have_count(2)
    picture(page, "bulk")
    bar.locator("summary", has_text="Set label to").click()  # in place of those that are there, as the words say
    bar.get_by_role("button", name="ui").click()
    expect(page.locator("tbody .chip", has_text="ui")).to_have_count(2)
    expect(page.locator("tbody tr.pending")).to_have_count(0)
    assert [world.now(number)["labels"] for number in (1, 2, 3)] == [[ui], [ui], [bug]]
    assert [world.now(number)["status"] for number in (1, 2, 3)] == ["in-review", "in-review", "todo"]

    page.get_by_role("link", name="Board").click()
    expect(bar).to_contain_text("2 selected")
    bar.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.locator(".card")).to_have_count(1)
    expect(bar).to_be_hidden()
    assert world.ada.get("tasks/", project=world.key)["count"] == 1


def test_only_what_is_seen_stays_selected(world, open_browser):
    world.task("Low", priority="low")
    world.task("High", priority="high")
    page = open_browser(world.ada, f"{world.path}list/")
    expect(rows(page)).to_have_count(2)
    page.get_by_label("Select all shown").check()
    bar = page.get_by_role("region", name="Selected tasks")
    expect(bar).to_contain_text("2 selected")

    page.get_by_role("link", name="People").click()
    expect(page.get_by_role("heading", name="People")).to_be_visible()
    expect(bar).to_have_count(0)
    page.get_by_role("link", name="List").click()
    expect(bar).to_contain_text("2 selected")
    page.locator("summary", has_text="Priority").first.click()
    page.get_by_role("checkbox", name="High").check()

    expect(bar).to_contain_text("1 selected")
    world.bruno.patch(f"tasks/{world.key}-2/", priority="low")
    expect(bar).to_be_hidden()


def test_selecting_all_says_that_100_can_be_changed_at_once(world, open_browser):
    for number in range(101):
        world.task(f"Task {number}")
    page = open_browser(world.ada, f"{world.path}list/")
    page.get_by_role("button", name="Show more").press("Enter")
    expect(rows(page)).to_have_count(101)
    expect(rows(page).last).to_be_focused()

    page.get_by_label("Select all shown").click()

    expect(page.get_by_text("At most 100 tasks can be changed at once.")).to_be_visible()
    expect(page.get_by_role("region", name="Selected tasks")).to_contain_text("100 selected")


def test_a_change_in_bulk_that_is_refused_changes_nothing(world, open_browser):
    world.task("Stays")
    page = open_browser(world.bruno, world.path)
    page.get_by_role("link", name="Stays").focus()
    page.keyboard.press("x")
    page.get_by_role("region", name="Selected tasks").get_by_role("button", name="Delete").click()

    page.get_by_role("dialog").get_by_role("button", name="Delete").click()

    expect(page.get_by_role("dialog").get_by_role("alert")).not_to_be_empty()
    assert world.now(1)["title"] == "Stays"
