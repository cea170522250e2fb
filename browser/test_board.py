"""Two people on one board: dragging, seeing, refusals, lost lines."""

import re

import pytest
from playwright.sync_api import expect

from conftest import Api


def column(page, name):
    return page.get_by_role("region", name=name, exact=True)


def card(page, title):
    return page.locator(".board .card", has=page.get_by_role("link", name=title, exact=True))


def drag(page, source, target):
    """As a hand does, in several moves."""
    a, b = source.bounding_box(), target.bounding_box()
    page.mouse.move(a["x"] + a["width"] / 2, a["y"] + a["height"] / 2)
    page.mouse.down()
    page.mouse.move(a["x"] + a["width"] / 2 + 10, a["y"] + 10)
    page.mouse.move(b["x"] + b["width"] / 2, b["y"] + b["height"] / 2, steps=5)
    page.mouse.up()


def titles(page, name):
    return column(page, name).locator(".card h3").all_inner_texts()


def test_a_newcomer_drags_a_card_in_one_browser_and_sees_it_in_another(demo, url, open_browser, picture):
    password = re.search(r"password (\S+) as", demo.log.read_text())[1]
    ada, bruno = open_browser(), open_browser()

    ada.goto("/")
    picture(ada, "welcome")
    ada.get_by_role("button", name="Sign in as Ada Okafor").click()
    ada.get_by_role("link", name="Booking website").click()
    bruno.goto("/")
    bruno.get_by_label("Email").first.fill(re.search(r"bruno@\S+", demo.log.read_text())[0])
    bruno.get_by_label("Password").first.fill(password)
    bruno.get_by_role("button", name="Sign in", exact=True).click()
    bruno.get_by_role("link", name="Booking website").click()
    title = "Rider cannot change their mail address"
    expect(card(bruno, title)).to_be_visible()
    picture(ada, "board")
    drag(ada, card(ada, title), column(ada, "In progress").locator(".card").nth(1))

    for page in (ada, bruno):
        expect(column(page, "In progress").get_by_role("link", name=title)).to_be_visible()
    expect(bruno.get_by_role("status").filter(has_text="Ada Okafor moved WEB-42 to In progress")).to_be_visible()
    expect(card(bruno, title)).to_have_attribute("data-by", "Ada Okafor")
    picture(bruno, "board-seen")
    person = Api(url, "bruno@example.com", password)
    moved = person.get("tasks/WEB-42/")
    assert moved["status"] == "in-progress"
    assert titles(ada, "In progress") == titles(bruno, "In progress")
    order = [
        task["title"]
        for task in person.get("tasks/", project="WEB", status="in-progress", ordering="position", limit=100)["results"]
    ]
    assert titles(ada, "In progress") == order


def test_a_card_can_be_dropped_into_an_empty_column(world, open_browser):
    world.task("Alone")
    page = open_browser(world.ada, world.path)

    drag(page, card(page, "Alone"), column(page, "Done"))

    expect(column(page, "Done").locator(".card")).to_have_count(1)
    expect(column(page, "Todo").get_by_text("No tasks")).to_be_visible()


def test_a_move_that_is_refused_is_taken_back_and_told(world, open_browser):
    world.task("Stays")
    page = open_browser(world.ada, world.path)
    answer = {"detail": "Nobody moves this.", "code": "conflict"}
    page.route("**/move/", lambda route: route.fulfill(status=409, json=answer))

    drag(page, card(page, "Stays"), column(page, "Done"))

    expect(page.get_by_text("Nobody moves this.")).to_be_visible()
    expect(column(page, "Todo").locator(".card")).to_have_count(1)
    expect(column(page, "Done").locator(".card")).to_have_count(0)
    assert world.now(1)["version"] == 1


def test_a_card_is_moved_by_keyboard_alone(world, open_browser):
    for title in ("First", "Second", "Third"):
        world.task(title)
    page = open_browser(world.ada, world.path)
    page.get_by_role("link", name="First").focus()
    spoken = page.locator("[aria-live=assertive]")

    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("link", name="Second")).to_be_focused()
    page.keyboard.press("Space")
    expect(spoken).to_contain_text("Lifted")
    page.keyboard.press("ArrowDown")
    expect(spoken).to_have_text("Todo, 3 of 3.")
    page.keyboard.press("Escape")
    expect(spoken).to_contain_text("Put back")
    assert titles(page, "Todo") == ["First", "Second", "Third"]
    assert world.now(2)["version"] == 1

    page.keyboard.press("Space")
    page.keyboard.press("ArrowRight")
    expect(spoken).to_have_text("In progress, 1 of 1.")
    page.keyboard.press("Space")
    expect(spoken).to_have_text("Dropped. In progress, 1 of 1.")
    expect(page.get_by_role("link", name="Second")).to_be_focused()
    expect(column(page, "In progress").get_by_role("link", name="Second")).to_be_visible()
    expect(page.locator(".card.pending")).to_have_count(0)
    assert world.now(2)["status"] == "in-progress"

    page.keyboard.press("Enter")
    expect(page.get_by_role("complementary")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("link", name="Second")).to_be_focused()


def test_a_lost_line_is_told_heals_and_says_what_was_missed(demo, other_server, world, open_browser, picture):
    task = world.task("Meanwhile")
    page = open_browser(world.ada, world.path)
    expect(card(page, "Meanwhile")).to_be_visible()

    demo.kill()
    expect(page.get_by_text("The connection is lost")).to_be_visible()
    picture(page, "lost")
    bruno = Api(other_server.url, world.bruno.email)
    bruno.patch(f"tasks/{task['id']}/", title="Changed meanwhile")
    bruno.patch(f"tasks/{task['id']}/", status="done")
    demo.__enter__()

    expect(page.get_by_text("You missed 2 changes, by Bruno Keller.")).to_be_visible(timeout=30_000)
    expect(page.get_by_text("The connection is lost")).not_to_be_visible()
    expect(column(page, "Done").get_by_role("link", name="Changed meanwhile")).to_be_visible()


def test_who_was_away_for_longer_than_the_log_tells_has_it_all_loaded_anew(demo, other_server, world, open_browser):
    task = world.task("Meanwhile")
    page = open_browser(world.ada, f"{world.path}?task={world.key}-1")
    expect(page.get_by_label("Title")).to_have_value("Meanwhile")
    found = open_browser(world.ada, f"{world.path}list/?search=again").locator("tbody")
    expect(found).to_be_empty()

    demo.kill()
    expect(page.get_by_text("The connection is lost")).to_be_visible()
    bruno = Api(other_server.url, world.bruno.email)
    bruno.post("comments/", task=task["id"], body="Are you there?")
    for title in ("Changed meanwhile", "And again"):
        bruno.patch(f"tasks/{task['id']}/", title=title)
    other_server.forget_events(world.project["id"])
    demo.__enter__()

    expect(page.get_by_text("You were away for long: the board is loaded anew.")).to_be_visible()
    expect(card(page, "And again")).to_be_visible()
    expect(page.get_by_label("Title")).to_have_value("And again")
    expect(page.get_by_role("region", name="Activity").locator(".comment")).to_contain_text("Are you there?")
    expect(found).to_contain_text("And again")


def test_the_board_of_a_removed_member_closes(world, open_browser, picture):
    world.task("Secret")
    page = open_browser(world.bruno, f"{world.path}?task={world.key}-1")
    expect(page.get_by_role("complementary")).to_be_visible()

    world.ada.delete(f"memberships/{world.membership['id']}/")

    expect(page.get_by_role("heading", name="You are no longer a member of this project")).to_be_visible()
    expect(page.get_by_text("Secret")).to_have_count(0)
    picture(page, "removed")
    page.get_by_role("link", name="Your projects", exact=True).click()
    expect(page.get_by_role("heading", name="Projects")).to_be_visible()
    expect(page.get_by_text(world.project["name"])).to_have_count(0)


@pytest.mark.parametrize("role", ["viewer", "member"])
def test_who_may_only_look_cannot_lift_a_card(world, open_browser, role):
    world.task("Heavy")
    world.ada.patch(f"memberships/{world.membership['id']}/", role=role)
    page = open_browser(world.bruno, world.path)
    page.get_by_role("link", name="Heavy").focus()

    page.keyboard.press("Space")

    expect(page.locator(".card.lifted")).to_have_count(0 if role == "viewer" else 1)
    expect(page.get_by_role("button", name="New task", exact=True)).to_have_count(0 if role == "viewer" else 1)


@pytest.mark.parametrize("view", ["", "list/"])
def test_a_board_that_stays_open_overnight_tells_what_is_late_by_then(world, open_browser, view):
    world.task("Fix the gate", due_date="2026-03-10")
    page = open_browser(world.ada)
    page.clock.install(time="2026-03-10T12:00:00")
    page.goto(world.path + view)
    task = page.locator(".card, tbody tr")
    expect(task).to_contain_text("Due Mar 10")

    page.clock.fast_forward("24:00:00")

    expect(task).to_contain_text("Overdue: Mar 10")


def test_an_answer_of_before_does_not_cover_what_is_loaded_anew(world, demo, open_browser):
    world.task("Old")
    page = open_browser(world.ada)
    lines, is_up = [], [True]

    def hold(line):
        if is_up[0]:
            lines.append(line)
            line.connect_to_server()
        else:
            line.close(code=1001)

    page.route_web_socket("**/ws/v1/", hold)
    page.goto(world.path + f"?task={world.key}-1")
    title = page.get_by_label("Title")
    expect(title).to_have_value("Old")
    is_up[0] = False
    lines[0].close(code=1001)
    expect(page.get_by_text("The connection is lost.")).to_be_visible()
    title.fill("By Ada")
    with page.expect_response("**/tasks/*/"):
        title.press("Enter")
    world.bruno.patch(f"tasks/{world.key}-1/", title="By Bruno")
    world.bruno.patch(f"tasks/{world.key}-1/", title="By Bruno at last")
    demo.forget_events(world.project["id"])
    is_up[0] = True
    expect(page.get_by_text("the board is loaded anew")).to_be_visible()
    expect(page.locator(".card")).to_contain_text("By Bruno at last")


def test_a_card_shows_no_subtask_once_the_last_has_gone(world, open_browser):
    parent = world.task("The whole")
    parts = [world.task(name, parent=parent["id"]) for name in ("One part", "Another part")]
    page = open_browser(world.ada, world.path)
    shown = page.locator(".card", has_text="The whole").locator(".sum")
    expect(shown).to_have_text("0/2")

    world.bruno.patch(f"tasks/{parts[0]['id']}/", parent=None)
    expect(shown).to_have_text("0/1")
    world.ada.delete(f"tasks/{parts[1]['id']}/")

    expect(shown).to_have_count(0)
