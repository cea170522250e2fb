"""A task's drawer: editing in place, collisions, what is related, comments, history."""

import re

import pytest
from playwright.sync_api import expect
from test_people import log_in


def edit_description(page, words):
    page.get_by_role("region", name="Description").get_by_role("button", name="Edit").click()
    page.get_by_label("Description, in Markdown").fill(words)


def save_description(page):
    page.get_by_role("region", name="Description").get_by_role("button", name="Save").click()


def test_a_task_is_edited_where_it_stands(world, drawer, picture):
    expect(drawer.get_by_role("region", name="Description").locator("em")).to_have_text("squeaks")

    drawer.get_by_label("Title").fill("Oil the gate")
    drawer.get_by_label("Title").press("Enter")
    drawer.get_by_label("Status", exact=True).focus()
    drawer.get_by_label("Status", exact=True).select_option("In progress")
    expect(drawer.locator("[data-field=status] .ring.in_progress")).to_be_visible()
    drawer.get_by_label("Priority", exact=True).select_option("Urgent")
    expect(drawer.locator("[data-field=priority] .urgent")).to_be_visible()
    drawer.get_by_label("Due date").fill("2031-05-04")
    drawer.locator("summary", has_text="Assignees:").click(delay=100)  # as a finger does: what it says is drawn anew
    drawer.get_by_role("checkbox", name="Bruno Keller").check()
    drawer.keyboard.press("Escape")
    drawer.locator("summary", has_text="Labels:").click()
    drawer.get_by_label("Name of a new label").fill("garden")
    drawer.keyboard.press("Enter")
    edit_description(drawer, "With **oil**")
    save_description(drawer)

    expect(drawer.locator(".card", has_text="Oil the gate").get_by_text("garden")).to_be_visible()
    expect(drawer.get_by_role("region", name="Description").locator("strong")).to_have_text("oil")
    expect(drawer.locator(".card.pending")).to_have_count(0)
    task = world.now(1)
    assert (task["title"], task["status"], task["priority"]) == ("Oil the gate", "in-progress", "urgent")
    assert (task["due_date"], task["description"]) == ("2031-05-04", "With **oil**")
    assert (task["assignees"], len(task["labels"])) == ([world.bruno.me["id"]], 1)
    history = drawer.get_by_role("region", name="Activity")
    for words in ("You moved it to In progress", "You assigned it to Bruno Keller", "You edited its description"):
        expect(history.get_by_text(words)).to_be_visible()
    picture(drawer, "task")


def test_changes_of_different_fields_at_once_are_both_kept(world, drawer):
    edit_description(drawer, "Oiled")
    world.bruno.patch(f"tasks/{world.key}-1/", title="Bruno's title")
    expect(drawer.get_by_label("Title")).to_have_value("Bruno's title")

    save_description(drawer)

    expect(drawer.get_by_role("region", name="Description").get_by_text("Oiled")).to_be_visible()
    expect(drawer.locator(".card.pending")).to_have_count(0)
    assert (world.now(1)["title"], world.now(1)["description"]) == ("Bruno's title", "Oiled")


@pytest.mark.parametrize(
    ("choice", "description"),
    [("Keep mine", "Ada's"), ("Take theirs", "Bruno's"), ("Save the merged text", "Both")],
)
def test_an_edit_that_collides_shows_both_and_loses_neither(world, drawer, open_browser, picture, choice, description):
    edit_description(drawer, "Ada's")
    world.bruno.patch(f"tasks/{world.key}-1/", description="Bruno's")
    expect(drawer.get_by_text("It was changed by somebody else meanwhile.")).to_be_visible()

    save_description(drawer)

    dialog = drawer.get_by_role("dialog")
    expect(dialog.locator(".theirs")).to_contain_text("Bruno's")
    expect(dialog.locator(".yours")).to_contain_text("Ada's")
    assert world.now(1)["description"] == "Bruno's"
    picture(drawer, "collision")
    if choice.startswith("Save"):
        dialog.get_by_label("Merged description").fill("Both")
    dialog.get_by_role("button", name=choice).click()
    expect(drawer.get_by_role("region", name="Description").locator(".prose")).to_have_text(description)
    expect(drawer.locator(".card.pending")).to_have_count(0)
    assert world.now(1)["description"] == description


def test_what_was_written_is_not_lost_when_saving_fails_or_the_drawer_closes(world, drawer):
    edit_description(drawer, "A long text")
    drawer.route("**/tasks/*/", lambda route: route.abort())
    save_description(drawer)
    expect(drawer.get_by_text("The server could not be reached.")).to_be_visible()
    drawer.unroute("**/tasks/*/")
    drawer.get_by_role("button", name="Close the task").click()
    drawer.get_by_role("link", name="Fix the gate").click()

    expect(drawer.get_by_label("Description, in Markdown")).to_have_value("A long text")
    save_description(drawer)

    expect(drawer.get_by_role("region", name="Description").locator(".prose")).to_have_text("A long text")
    assert world.now(1)["description"] == "A long text"


def test_what_was_written_outlives_a_login_that_ends_elsewhere(world, drawer):
    edit_description(drawer, "A long text")
    drawer.get_by_label("Write a comment").fill("A long comment")
    tab = drawer.context.new_page()
    for person in (world.bruno, world.ada):
        tab.goto("/password/reset/done/")
        tab.evaluate("localStorage.removeItem('tickethub.tokens')")
        log_in(drawer, person.email)
        is_own = person is world.ada
        expect(drawer.get_by_label("Description, in Markdown")).to_have_count(1 if is_own else 0)
        expect(drawer.get_by_label("Write a comment")).to_have_value("A long comment" if is_own else "")

    expect(drawer.get_by_label("Description, in Markdown")).to_have_value("A long text")
    save_description(drawer)
    drawer.get_by_role("button", name="Comment", exact=True).click()
    expect(drawer.locator(".comment")).to_contain_text("A long comment")
    expect(drawer.locator(".card.pending")).to_have_count(0)
    assert world.now(1)["description"] == "A long text"
    drawer.reload()
    expect(drawer.locator(".comment")).to_contain_text("A long comment")
    expect(drawer.get_by_label("Description, in Markdown")).to_have_count(0)
    expect(drawer.get_by_label("Write a comment")).to_have_value("")


def test_a_comment_that_meets_the_end_of_the_login_is_kept(world, drawer):
    box = drawer.get_by_label("Write a comment")
    box.fill("Said too late")
    drawer.route("**/comments/", lambda route: route.fulfill(status=401, json={"code": "token_not_valid"}), times=1)
    drawer.get_by_role("button", name="Comment", exact=True).click()

    log_in(drawer, world.ada.email)

    expect(box).to_have_value("Said too late")


def test_assignees_that_two_add_at_once_are_both_there(world, drawer):
    drawer.route("**/ws/**", lambda route: route.abort())
    drawer.locator("summary", has_text="Assignees:").click()
    # Behind the page's back: the answer to its If-Match will be 412.
    drawer.route(
        "**/tasks/*/",
        lambda route: (world.bruno.patch(f"tasks/{world.key}-1/", assignees=[world.bruno.me["id"]]), route.continue_()),
        times=1,
    )

    drawer.get_by_role("checkbox", name="Ada Okafor").check()

    expect(drawer.locator(".card .faces .avatar")).to_have_count(2)
    assert set(world.now(1)["assignees"]) == {world.ada.me["id"], world.bruno.me["id"]}


def test_comments_of_others_come_at_once_and_one_s_own_can_be_edited(world, drawer):
    activity = drawer.get_by_role("region", name="Activity")
    world.bruno.post("comments/", task=world.now(1)["id"], body="Which **gate**, @ada?")
    expect(activity.locator(".comment", has_text="Which gate")).to_be_visible()
    expect(activity.locator(".comment .mention")).to_have_text("@ada")

    activity.get_by_label("Write a comment").fill("The old one")
    activity.get_by_role("button", name="Comment", exact=True).click()
    own = activity.locator(".comment", has_text="The old one")
    own.get_by_role("button", name="Edit").click()
    expect(drawer.get_by_label("Comment, in Markdown", exact=True)).to_be_focused()
    drawer.get_by_label("Comment, in Markdown", exact=True).fill("The green one")
    old = world.ada.get("comments/", task=f"{world.key}-1")["results"][1]
    world.ada.patch(f"comments/{old['id']}/", body="The red one")
    expect(activity.get_by_text("The red one")).to_be_visible()
    drawer.get_by_role("dialog").get_by_role("button", name="Save").click()
    expect(drawer.get_by_role("dialog").get_by_role("alert")).to_contain_text("The red one")
    drawer.get_by_role("dialog").get_by_role("button", name="Save").click()

    expect(activity.locator(".comment", has_text="The green one")).to_contain_text("edited")
    own = activity.locator(".comment", has_text="The green one")
    own.get_by_role("button", name="Delete the comment").click()
    expect(drawer.get_by_role("button", name="Cancel", exact=True)).to_be_focused()
    drawer.get_by_role("dialog").get_by_role("button", name="Delete", exact=True).click()
    expect(own).to_have_count(0)
    assert drawer.evaluate("document.activeElement !== document.body")
    assert [one["body"] for one in world.ada.get("comments/", task=f"{world.key}-1")["results"]] == [
        "Which **gate**, @ada?"
    ]


def test_what_could_not_be_loaded_of_a_task_is_not_shown_by_half(world, open_browser):
    task = world.task("Fix the gate")
    for words in ("One", "Two"):
        world.bruno.post("comments/", task=task["id"], body=words)
    page = open_browser(world.ada, world.path)
    page.route("**/comments/?**", lambda route: route.abort())
    activity = page.get_by_role("region", name="Activity")
    page.get_by_role("link", name="Fix the gate").click()
    expect(activity.get_by_text("It could not be loaded.")).to_be_visible()
    with page.expect_event("requestfailed"):
        world.bruno.post("comments/", task=task["id"], body="Three")
    expect(activity.get_by_text("It could not be loaded.")).to_be_visible()
    expect(activity.locator(".comment")).to_have_count(0)

    page.unroute("**/comments/?**")
    activity.get_by_role("button", name="Try again").click()

    expect(activity.locator(".comment")).to_have_count(3)


def test_who_edits_a_comment_keeps_the_focus_when_somebody_comments(world, drawer):
    task = world.now(1)["id"]
    world.ada.post("comments/", task=task, body="Mine")
    edit = drawer.locator(".comment", has_text="Mine").get_by_role("button", name="Edit")
    edit.focus()

    world.bruno.post("comments/", task=task, body="Another")

    expect(drawer.locator(".comment")).to_have_count(2)
    expect(edit).to_be_focused()


def test_a_comment_is_sent_once_and_what_cannot_be_sent_stays(world, drawer):
    activity = drawer.get_by_role("region", name="Activity")
    box = activity.get_by_label("Write a comment")
    box.fill("Said once")
    box.evaluate("box => [1, 2].forEach(() => box.form.requestSubmit())")
    expect(activity.locator(".comment")).to_have_count(1)

    drawer.route("**/comments/", lambda route: route.abort())
    box.fill("Said in vain")
    box.press("Control+Enter")
    expect(drawer.get_by_text("The server could not be reached.")).to_be_visible()
    expect(box).to_have_value("Said in vain")
    assert [one["body"] for one in world.ada.get("comments/", task=f"{world.key}-1")["results"]] == ["Said once"]


def test_an_open_task_names_the_page_and_back_leaves_its_dialogs(world, drawer):
    drawer.locator("summary", has_text="Priority").first.click()
    drawer.get_by_role("checkbox", name="None").check()
    expect(drawer.locator("summary.on")).to_have_count(1)
    expect(drawer).to_have_title(f"{world.key}-1 · TicketHub")
    drawer.locator("summary", has_text="More").click()
    drawer.get_by_role("button", name="Delete").click()
    expect(drawer.get_by_role("dialog")).to_be_visible()

    drawer.go_back()

    expect(drawer.get_by_role("dialog")).to_have_count(0)
    drawer.get_by_role("button", name="Close the task").click()
    expect(drawer).to_have_title(f"{world.project['name']} · TicketHub")


def test_a_task_that_is_opened_before_its_event_came_is_shown_once_it_has(world, open_browser):
    page = open_browser(world.ada)
    kept = []

    def hold(line):
        server = line.connect_to_server()
        server.on_message(lambda frame: kept.append(frame) if '"task.created"' in frame else line.send(frame))
        kept.append(line)

    page.route_web_socket("**/ws/v1/", hold)
    page.goto(world.path)
    expect(page.get_by_role("status").filter(has_text="Loading")).to_have_count(0)
    page.get_by_role("button", name="New task", exact=True).click()
    page.get_by_label("Title").fill("Fix the gate")
    page.get_by_role("button", name="Make the task").click()
    page.get_by_role("button", name="Open", exact=True).click()
    drawer = page.get_by_role("complementary")
    expect(drawer).to_contain_text("There is no")

    line, event = kept
    line.send(event)

    expect(drawer.get_by_label("Title")).to_have_value("Fix the gate")
    expect(drawer).to_be_focused()


def test_a_task_is_related_by_its_title_and_what_is_refused_stays_written(world, drawer):
    for title in ("Buy oil", "Twice", "Twice"):
        world.task(title)
    related = drawer.get_by_role("region", name="Related tasks")
    other = related.get_by_label("The other task")
    related.get_by_role("button", name="Relate", exact=True).click()
    for kind, words, told in (
        ("blocks", "twice", "2 tasks are called “twice”: give a key."),
        ("blocks", "Thrice", "There is no task Thrice."),
        ("parent", f"{world.key}-1", f"{world.key}-1 was not changed."),
    ):
        related.get_by_label("How it relates").select_option(kind)
        other.fill(words)
        other.press("Enter")
        expect(drawer.get_by_text(told)).to_be_visible()
        expect(other).to_have_value(words)

    other.fill("buy OIL")
    other.press("Enter")

    expect(related.get_by_role("listitem")).to_contain_text("Is a subtask of")
    expect(other).to_be_hidden()


def test_tasks_are_related_and_divided(world, drawer):
    world.task("Buy oil")
    related = drawer.get_by_role("region", name="Related tasks")
    related.get_by_role("button", name="Relate", exact=True).click()
    related.get_by_label("How it relates").select_option("Is blocked by")
    related.get_by_label("The other task").fill(f"{world.key}-2")
    related.get_by_role("button", name="Add").click()
    expect(related.get_by_role("listitem")).to_contain_text("Is blocked by")
    (relation,) = world.ada.get("relations/", project=world.key)["results"]
    assert relation["type"] == "blocks"
    assert relation["target"] == world.now(1)["id"]

    related.get_by_role("button", name="New subtask").click()
    drawer.get_by_role("dialog").get_by_label("Title").fill("Look at it")
    drawer.get_by_role("dialog").get_by_role("button", name="Make the task").click()
    expect(related.get_by_role("link", name="Look at it")).to_be_visible()
    expect(drawer.locator(".card", has_text="Fix the gate").get_by_text("0/1")).to_be_visible()

    related.get_by_role("button", name="Take back: Is blocked by").click()
    expect(related.get_by_role("listitem")).to_have_count(1)
    related.get_by_role("link", name="Look at it").click()
    expect(drawer.get_by_label("Title")).to_have_value("Look at it")
    drawer.go_back()
    expect(drawer.get_by_label("Title")).to_have_value("Fix the gate")


@pytest.mark.parametrize("role", ["viewer", "member"])
def test_who_made_a_task_may_delete_it_unless_they_only_look(world, open_browser, role):
    world.task("Ada's")
    world.bruno.post("tasks/", project=world.project["id"], title="Bruno's")
    world.ada.patch(f"memberships/{world.membership['id']}/", role=role)
    for number, offered in ((1, 0), (2, int(role == "member"))):
        page = open_browser(world.bruno, f"{world.path}?task={world.key}-{number}")
        page.locator("summary", has_text="More").click()
        expect(page.get_by_role("button", name="Copy the link")).to_be_visible()
        expect(page.get_by_role("button", name="Delete", exact=True)).to_have_count(offered)


def test_a_link_that_cannot_be_copied_is_shown(world, drawer):
    drawer.evaluate("Object.defineProperty(navigator, 'clipboard', { value: undefined })")  # as on plain HTTP
    drawer.locator("summary", has_text="More").click()
    drawer.get_by_role("button", name="Copy the link").click()

    link = drawer.get_by_role("dialog").get_by_label("The link")
    expect(link).to_have_value(re.compile(rf"{world.path}\?task={world.key}-1$"))
    assert drawer.evaluate("getSelection().toString()") == link.input_value()
    expect(drawer.get_by_text("The link is copied.")).to_have_count(0)


def test_a_deleted_task_leaves_the_board_and_says_so_in_an_open_drawer(world, drawer, open_browser):
    other = open_browser(world.bruno, f"{world.path}?task={world.key}-1")
    expect(other.get_by_label("Title")).to_have_value("Fix the gate")
    edit_description(other, "A long text")
    other.get_by_label("Write a comment").fill("A long comment")
    drawer.locator("summary", has_text="More").click()
    drawer.get_by_role("button", name="Delete").click()
    drawer.get_by_role("dialog").get_by_role("button", name="Delete").click()

    expect(drawer.locator(".card")).to_have_count(0)
    expect(drawer.get_by_role("complementary")).to_have_count(0)
    expect(drawer.get_by_role("main")).to_be_focused()
    expect(other.get_by_text(f"{world.key}-1 was deleted.")).to_be_visible()
    for left, words in zip(other.get_by_label("Not saved").all(), ["A long text", "A long comment"], strict=True):
        expect(left).to_have_value(words)
    left.select_text()
    world.ada.post("tasks/", project=world.project["id"], title="The next one")
    expect(other.get_by_role("link", name="The next one")).to_be_visible()
    assert other.evaluate("getSelection().toString()") == "A long comment"


def test_a_comment_that_is_deleted_while_it_is_loaded_is_not_shown(world, open_browser):
    task = world.task("Fix the gate")
    comment = world.bruno.post("comments/", task=task["id"], body="To be gone")
    page = open_browser(world.ada, world.path)
    kept = []
    page.route("**/comments/?**", lambda route: kept.append((route, route.fetch())), times=1)
    with page.expect_request("**/comments/?**"):
        page.get_by_role("link", name="Fix the gate").click()
    world.bruno.delete(f"comments/{comment['id']}/")
    expect(page.locator(".toast").first).to_contain_text("comment")
    route, response = kept[0]
    route.fulfill(response=response)
    activity = page.get_by_role("region", name="Activity")
    expect(activity.get_by_text("deleted")).to_be_visible()
    expect(activity.locator(".comment")).to_have_count(0)


def test_an_answer_does_not_bring_back_a_comment_that_was_deleted_meanwhile(world, open_browser):
    task = world.task("Fix the gate")
    page = open_browser(world.bruno, world.path + f"?task={task['key']}")
    activity = page.get_by_role("region", name="Activity")
    expect(activity.get_by_text("Loading")).to_have_count(0)
    kept = []
    page.route("**/comments/", lambda route: kept.append((route, route.fetch())), times=1)
    box = activity.get_by_label("Write a comment")
    box.fill("Said and gone")
    with page.expect_request("**/comments/"):
        box.press("Control+Enter")
    expect(activity.locator(".comment")).to_have_count(1)
    [row] = world.ada.get("comments/", task=task["id"])["results"]
    world.ada.delete(f"comments/{row['id']}/")
    expect(activity.locator(".comment")).to_have_count(0)
    route, response = kept[0]
    route.fulfill(response=response)
    page.wait_for_timeout(300)  # for what should not come
    expect(activity.locator(".comment")).to_have_count(0)


def test_an_answer_that_is_overtaken_by_a_later_edit_of_a_comment_is_dropped(world, open_browser):
    task = world.task("Fix the gate")
    row = world.bruno.post("comments/", task=task["id"], body="v1")
    page = open_browser(world.bruno, world.path + f"?task={task['key']}")
    activity = page.get_by_role("region", name="Activity")
    activity.locator(".comment").get_by_role("button", name="Edit").click()
    kept = []
    page.route("**/comments/*/", lambda route: kept.append((route, route.fetch())), times=1)
    page.get_by_label("Comment, in Markdown", exact=True).fill("v2")
    with page.expect_request("**/comments/*/"):
        page.get_by_role("dialog").get_by_role("button", name="Save").click()
    expect(activity.locator(".comment")).to_contain_text("v2")
    world.bruno.patch(f"comments/{row['id']}/", body="v3")
    expect(activity.locator(".comment")).to_contain_text("v3")
    route, response = kept[0]
    route.fulfill(response=response)
    page.wait_for_timeout(300)  # for what should not come
    expect(activity.locator(".comment")).to_contain_text("v3")


def test_the_end_of_a_relation_is_in_the_history_at_once(world, drawer):
    others = [world.task(name) for name in ("Another one", "A third one")]
    source = world.now(1)["id"]
    ids = [world.ada.post("relations/", source=source, target=other["id"], type="blocks")["id"] for other in others]
    drawer.reload()
    history = drawer.get_by_role("region", name="Activity").locator(".event")
    expect(history).to_have_count(3)
    ids.append(world.ada.post("relations/", source=others[0]["id"], target=source, type="relates_to")["id"])
    expect(history).to_have_count(4)

    for one in ids:
        world.bruno.delete(f"relations/{one}/")

    expect(history).to_have_count(7)
    said = history.all_inner_texts()
    drawer.reload()
    expect(history).to_have_count(7)
    assert [words.split(" · ")[0] for words in history.all_inner_texts()] == [words.split(" · ")[0] for words in said]
