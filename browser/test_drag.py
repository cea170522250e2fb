"""Cards that are held while filters, and others, change what is around them."""

import pytest
from playwright.sync_api import expect
from test_board import card, column, drag, titles


def hold(page, title, name, y):
    """Carry a card over a column, and keep it in the hand."""
    a, b = card(page, title).bounding_box(), column(page, name).bounding_box()
    page.mouse.move(a["x"] + a["width"] / 2, a["y"] + a["height"] / 2)
    page.mouse.down()
    page.mouse.move(a["x"] + a["width"] / 2 + 20, a["y"] + 20, steps=3)
    page.mouse.move(b["x"] + b["width"] / 2, y, steps=5)


def test_a_filter_takes_nothing_out_of_a_hand(world, open_browser):
    world.task("By hand")
    world.task("By key")
    page = open_browser(world.ada, f"{world.path}?status=todo")

    with page.expect_response("**/move/"):
        drag(page, card(page, "By hand"), column(page, "Done"))
    assert titles(page, "Todo") == ["By key"]
    assert world.now(1)["status"] == "done"

    link = page.get_by_role("link", name="By key")
    link.focus()
    for key in ("Space", "ArrowRight", "ArrowRight"):
        page.keyboard.press(key)
        expect(link).to_be_focused()
    with page.expect_response("**/move/"):
        page.keyboard.press("Space")
    expect(page.locator(".card")).to_have_count(0)
    assert world.now(2)["status"] == "in-review"


def test_where_the_card_with_the_focus_goes_the_one_beside_it_has_it(world, open_browser):
    for title in ("First", "Second"):
        world.task(title, priority="high")
    world.task("Done", priority="high", status="done")
    page = open_browser(world.ada, f"{world.path}?priority=high")
    page.get_by_role("link", name="First").focus()

    for number, title in enumerate(("Second", "Done"), start=1):
        world.bruno.patch(f"tasks/{world.key}-{number}/", priority="low")
        expect(page.get_by_role("link", name=title)).to_be_focused()


def test_escape_puts_back_what_a_mouse_carries(world, open_browser):
    world.task("Carried")
    page = open_browser(world.ada, world.path)
    hold(page, "Carried", "Done", 400)
    expect(column(page, "Done").locator(".card.lifted")).to_have_count(1)

    page.keyboard.press("Escape")
    page.mouse.move(700, 500, steps=3)

    expect(page.locator(".card.lifted, .card.ghost")).to_have_count(0)
    page.mouse.up()
    assert titles(page, "Todo") == ["Carried"]
    assert world.now(1)["version"] == 1


def test_a_finger_carries_a_card_past_the_next_column_to_the_one_below_it(world, open_browser):
    world.task("Carried", status="in-progress")
    page = open_browser(world.ada, world.path, viewport={"width": 390, "height": 844}, has_touch=True)
    page.get_by_role("link", name="Carried").scroll_into_view_if_needed()
    touch = page.context.new_cdp_session(page)
    box = card(page, "Carried").bounding_box()

    def finger(kind, *points):
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    finger("touchStart", {"x": box["x"] + 100, "y": box["y"] + 20})
    expect(page.locator(".card.ghost")).to_be_visible()
    finger("touchMove", {"x": 385, "y": box["y"] + 100})
    board = page.locator(".board").element_handle()
    page.wait_for_function("board => board.scrollLeft > board.scrollWidth - board.clientWidth - 2", arg=board)
    board.dispatch_event("pointerup", {"pointerId": 99})  # another finger's tap
    expect(page.locator(".card.ghost")).to_be_visible()
    with page.expect_response("**/move/"):
        finger("touchEnd")

    assert world.now(1)["status"] == "cancelled"


@pytest.mark.parametrize("gone", ["deleted", "moved"])
def test_a_card_is_dropped_where_it_is_shown_though_its_neighbour_went(world, open_browser, gone):
    world.task("Carried")
    stays = world.task("Stays", status="in-progress")
    goes = world.task("Goes", status="in-progress")
    page = open_browser(world.ada, world.path)
    page.get_by_role("link", name="Carried").focus()
    for key in ("Space", "ArrowRight", "ArrowDown", "ArrowDown"):
        page.keyboard.press(key)
    assert titles(page, "In progress") == ["Stays", "Goes", "Carried"]

    if gone == "deleted":
        world.ada.delete(f"tasks/{goes['id']}/")
    else:
        world.bruno.post(f"tasks/{goes['id']}/move/", status="done")
    expect(column(page, "In progress").locator(".card")).to_have_count(2)
    page.keyboard.press("Space")

    expect(page.locator("[aria-live=assertive]")).to_have_text("Dropped. In progress, 2 of 2.")
    expect(page.locator(".card.pending")).to_have_count(0)
    assert world.now(1)["status"] == "in-progress"
    assert world.now(1)["position"] > stays["position"]


@pytest.mark.parametrize("how", ["key", "hand"])
def test_a_held_card_that_is_deleted_leaves_the_hand_free(world, open_browser, how):
    task = world.task("Gone")
    world.task("Next")
    page = open_browser(world.ada, world.path)
    if how == "key":
        page.get_by_role("link", name="Gone").focus()
        page.keyboard.press("Space")
    else:
        hold(page, "Gone", "In progress", 400)
    expect(page.locator(".card.lifted")).to_have_count(1)

    world.ada.delete(f"tasks/{task['id']}/")
    expect(page.locator(".card")).to_have_count(1)
    if how == "key":
        expect(page.get_by_role("link", name="Next")).to_be_focused()
    page.mouse.move(700, 500, steps=3)
    page.mouse.up()
    page.keyboard.press("Escape")

    drag(page, card(page, "Next"), column(page, "Done"))
    expect(column(page, "Done").get_by_role("link", name="Next")).to_be_visible()
    expect(page.locator(".card.pending")).to_have_count(0)
    assert world.now(2)["status"] == "done"
