"""Accounts, logins, members and invitations."""

import uuid
from contextlib import contextmanager

import pytest
from playwright.sync_api import expect

from conftest import PASSWORD, Api, fill_storage, held, register, sign_in

NEW_PASSWORD = "another horse, another battery"


def log_in(page, email, password=PASSWORD):
    form = page.locator("form[data-does=signIn]")
    form.get_by_label("Email").fill(email)
    form.get_by_label("Password").fill(password)
    form.get_by_role("button", name="Sign in", exact=True).click()


@contextmanager
def counted(page, path):
    """The methods of what is sent to a path meanwhile, what is only read aside."""
    sent = []

    def count(request):
        if request.url.endswith(f"/api/v1/{path}") and request.method != "GET":
            sent.append(request.method)

    page.on("request", count)
    yield sent
    page.remove_listener("request", count)


def test_somebody_invited_registers_accepts_and_is_seen(world, open_browser, picture):
    ada = open_browser(world.ada, f"{world.path}people/")
    email = f"ines-{uuid.uuid4().hex[:6]}@example.org"
    ada.get_by_role("button", name="Invite").click()
    ada.get_by_role("dialog").get_by_label("Email").fill(email)
    ada.get_by_role("dialog").get_by_role("button", name="Invite").click()
    link = ada.get_by_label("Link of the invitation").input_value()
    ada.get_by_role("dialog").get_by_role("button", name="Close").click()
    expect(ada.get_by_text(email, exact=True)).to_be_visible()

    ines = open_browser()
    ines.goto(link)
    ines.get_by_role("button", name="Sign in or register to accept").click()
    ines.get_by_role("button", name="Register").first.click()
    form = ines.locator("form[data-does=register]")
    form.get_by_label("Email").fill(email)
    form.get_by_label("Username").fill(email.split("@")[0])
    form.get_by_label("First name").fill("Ines")
    form.get_by_label("Password").fill(PASSWORD)
    form.get_by_role("button", name="Register").click()
    picture(ines, "invitation")
    ines.get_by_role("button", name=f"Accept as {email}").click()
    expect(ines.get_by_role("region", name="Todo")).to_be_visible()

    expect(ada.get_by_label("Role of Ines")).to_have_value("member")
    ada.get_by_label("Role of Ines").select_option("Viewer")
    expect(ines.get_by_text("You may look")).to_be_visible()
    expect(ines.get_by_role("button", name="New task", exact=True)).to_have_count(0)
    ada.locator("li", has=ada.get_by_label("Role of Ines")).get_by_role("button", name="Remove").click()
    ada.get_by_role("dialog").get_by_role("button", name="Remove").click()
    expect(ines.get_by_role("heading", name="You are no longer a member")).to_be_visible()


def test_the_invitations_are_those_that_stand(world, open_browser, url):
    ines = register(url, "Ines", "Costa")
    invite = {"project": world.project["id"], "role": "member"}
    invitation = world.ada.post("invitations/", email=ines.email, **invite)
    world.ada.post("invitations/", email="later@example.org", **invite)
    bruno = open_browser(world.bruno, f"{world.path}people/")
    expect(bruno.get_by_role("heading", name="People")).to_be_visible()
    world.ada.patch(f"memberships/{world.membership['id']}/", role="admin")
    expect(bruno.get_by_text(ines.email, exact=True)).to_be_visible()
    expect(bruno.get_by_role("button", name="Withdraw")).to_have_count(2)
    world.ada.post("invitations/", email="latest@example.org", **invite)
    bruno.evaluate("dispatchEvent(new Event('focus'))")
    expect(bruno.get_by_role("button", name="Withdraw")).to_have_count(3)

    ines.post("invitations/accept/", token=invitation["token"])

    expect(bruno.get_by_role("button", name="Withdraw")).to_have_count(2)
    expect(bruno.get_by_label("Role of Ines")).to_have_value("member")


def test_a_role_that_is_changed_by_key_keeps_the_focus(world, open_browser):
    page = open_browser(world.ada, f"{world.path}people/")
    role = page.get_by_label("Role of Bruno")
    role.focus()
    with page.expect_response("**/memberships/*/"):
        role.press("ArrowUp")
    world.ada.patch(f"projects/{world.key}/", description="Drawn anew")

    expect(page.get_by_text("Drawn anew")).to_be_visible()
    expect(role).to_have_value("viewer")
    expect(role).to_be_focused()


def test_a_project_is_made_and_its_settings_changed(ada, open_browser):
    page = open_browser(ada)
    key = f"N{uuid.uuid4().hex[:5]}".upper()
    page.get_by_role("button", name="New project").click()
    page.get_by_label("Name", exact=True).fill("New one")
    page.get_by_label("Key", exact=True).fill(key)
    with counted(page, "projects/") as sent:
        page.locator("dialog form").evaluate("form => [1, 2].forEach(() => form.requestSubmit())")
        expect(page.get_by_role("region", name="Backlog")).to_be_visible()
    assert sent == ["POST"]
    page.keyboard.press("n")
    page.get_by_label("Title").fill("First of all")
    page.get_by_role("button", name="Make the task").click()
    expect(page.locator(".card", has_text="First of all")).to_be_visible()

    page.get_by_role("link", name="People").click()
    page.get_by_role("button", name="Edit the project").click()
    expect(page.get_by_label("Name", exact=True)).to_be_focused()
    page.get_by_label("Name", exact=True).fill("Newer one")
    page.keyboard.press("Enter")
    expect(page).to_have_title("Newer one · TicketHub")
    page.locator("summary", has_text="Project: ").click()
    expect(page.locator(".option", has_text=key)).to_contain_text("Newer one")
    page.keyboard.press("Escape")
    page.get_by_role("link", name="Board").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Newer one")
    page.get_by_role("link", name="People").click()
    page.get_by_role("button", name="Archive the project").click()
    expect(page.get_by_text("Archived: read only")).to_be_visible()
    page.get_by_role("button", name="Restore the project").click()
    page.get_by_role("button", name="Delete the project").click()
    page.get_by_role("dialog").get_by_label("Type").fill(key)
    page.get_by_role("dialog").get_by_role("button", name="Delete the project").click()
    expect(page.get_by_role("heading", name="This project was deleted")).to_be_visible()


def test_settings_undo_nothing_that_others_made_of_them_meanwhile(world, open_browser):
    world.ada.patch(f"memberships/{world.membership['id']}/", role="admin")
    page = open_browser(world.ada, f"{world.path}people/")
    page.get_by_role("button", name="Edit the project").click()
    page.get_by_label("Description").fill("Ada's description")
    world.bruno.patch(f"projects/{world.key}/", name="Bruno's name")

    page.get_by_role("dialog").get_by_role("button", name="Save").click()

    expect(page.get_by_role("heading", name="Bruno's name")).to_be_visible()
    expect(page.get_by_text("Ada's description")).to_be_visible()
    assert world.ada.get(f"projects/{world.key}/")["name"] == "Bruno's name"


def test_all_of_one_s_open_tasks_are_shown_and_what_is_counted_is_said(world, open_browser, url):
    person = register(url, "Ines", "Costa")
    world.let_in(person, "member")
    ids = [world.task(f"Task {number}")["id"] for number in range(21)]
    world.ada.post("tasks/bulk/", ids=ids, set={"assignees": [person.me["id"]]})
    world.ada.patch(f"projects/{world.key}/", archived=True)
    page = open_browser(person)
    expect(page.get_by_role("heading", name="Your 21 open tasks")).to_be_visible()
    expect(page.get_by_text("Those of archived projects, too.")).to_be_visible()
    expect(page.locator(".mine a")).to_have_count(20)

    page.get_by_role("button", name="Show more").press("Enter")

    expect(page.locator(".mine a")).to_have_count(21)
    expect(page.locator(".mine a").last).to_be_focused()
    expect(page.get_by_role("button", name="Show more")).to_be_hidden()


def test_a_wrong_password_is_told_and_a_right_one_opens_the_address_that_was_asked(world, open_browser):
    world.task("Asked for")
    page = open_browser()
    page.goto(f"{world.path}?task={world.key}-1")
    log_in(page, world.ada.email, "wrong")
    expect(page.get_by_role("alert").filter(has_text="No active account")).to_be_visible()
    expect(page.get_by_role("button", name="Sign in", exact=True)).to_be_focused()

    log_in(page, world.ada.email)

    expect(page.get_by_label("Title")).to_have_value("Asked for")


def change_password(page):
    page.locator("summary", has_text="Your account:").click()
    page.get_by_role("button", name="Password").click()
    page.get_by_label("Password now").fill(PASSWORD)
    page.get_by_label("New password").fill(NEW_PASSWORD)
    page.get_by_role("button", name="Change it").click()


def test_profile_and_password_are_changed_and_other_logins_end(url, open_browser):
    person = register(url, "Greta", "Lind")
    page, other = open_browser(), open_browser(person)
    page.goto("/")
    log_in(page, person.email)
    page.locator("summary", has_text="Your account:").click()
    page.get_by_role("button", name="Profile").click()
    page.get_by_label("First name").fill("Margareta")
    person.patch("users/me/", last_name="Lindqvist")  # from another window
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("img", name="Margareta Lindqvist")).to_be_visible()

    change_password(page)
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.get_by_role("heading", name="Projects")).to_be_visible()
    assert "another horse" not in str(page.evaluate("({...localStorage})"))
    other.reload()
    expect(other.get_by_role("heading", name="Sign in")).to_be_visible()


@pytest.fixture
def greta(url):
    return register(url, "Greta", "Lind")


@pytest.fixture
def board(greta, open_browser):
    """Greta's board, where she has signed in by the form."""
    project = greta.post("projects/", key=f"G{greta.me['id'][-6:]}".upper(), name="Greta's")
    page = open_browser()
    page.goto(f"/{project['key']}/")
    log_in(page, greta.email)
    expect(page.get_by_role("heading", name="Greta's")).to_be_visible()
    return page


def test_a_login_that_is_made_anew_slowly_is_kept_in_all_tabs(url, greta, board):
    tab = board.context.new_page()
    tab.goto(board.url)
    expect(tab.get_by_role("heading", name="Greta's")).to_be_visible()
    greta.patch("users/me/", email=f"new-{greta.email}", current_password=PASSWORD)  # from another window
    with held(board, "**/auth/token/") as routes:
        change_password(board)
    expect(tab.get_by_role("heading", name="Sign in")).to_be_visible()  # for its line was closed
    with board.expect_event("load"):
        routes[0].continue_()
    for each in (board, tab):
        expect(each.get_by_role("heading", name="Greta's")).to_be_visible()
        assert each.evaluate("JSON.parse(localStorage['tickethub.tokens']).login")
    Api(url, f"new-{greta.email}", NEW_PASSWORD)


def test_who_signs_out_while_the_login_is_made_anew_is_signed_out(board):
    with held(board, "**/auth/token/") as routes:
        change_password(board)
    board.keyboard.press("Escape")
    board.locator("summary", has_text="Your account:").click()
    board.get_by_role("button", name="Sign out").click()
    with board.expect_event("load"):
        routes[0].continue_()
    expect(board.get_by_role("heading", name="Sign in")).to_be_visible()
    assert board.evaluate("localStorage['tickethub.tokens'] ?? null") is None


def test_a_login_of_somebody_else_is_kept_while_one_is_made_anew(bruno, board):
    tab = board.context.new_page()
    with held(board, "**/auth/token/"):
        change_password(board)
    with board.expect_event("load"):
        sign_in(tab, bruno)
    tab.goto("/")
    expect(tab.get_by_role("heading", name="Projects")).to_be_visible()
    assert bruno.access in tab.evaluate("localStorage['tickethub.tokens']")


def test_a_password_that_is_changed_is_told_where_the_login_is_not_made_anew(greta, open_browser):
    page = open_browser(greta)
    page.route("**/auth/token/", lambda route: route.abort())
    change_password(page)
    expect(page.get_by_text("The password is changed. Sign in with it.")).to_be_visible()
    page.unroute("**/auth/token/")
    log_in(page, greta.email, NEW_PASSWORD)
    expect(page.get_by_role("heading", name="Projects")).to_be_visible()


def test_a_login_that_the_browser_cannot_keep_is_told(ada, open_browser):
    page = open_browser()
    page.goto("/")
    fill_storage(page, "localStorage")
    log_in(page, ada.email)
    expect(page.get_by_text("This browser's storage is full")).to_be_visible()


def test_tabs_share_a_login_renew_it_once_and_end_it_together(ada, url, open_browser):
    page = open_browser()
    page.goto("/")
    log_in(page, ada.email)
    expect(page.get_by_role("heading", name="Projects")).to_be_visible()
    tab = page.context.new_page()
    tab.goto("/")
    expect(tab.get_by_role("heading", name="Projects")).to_be_visible()
    renewals = []
    page.context.on("request", lambda request: request.url.endswith("auth/token/refresh/") and renewals.append(request))

    kept = page.evaluate("localStorage['tickethub.tokens']")
    spoilt = kept.replace('"access":"', '"access":"spoilt')
    page.evaluate("tokens => localStorage.setItem('tickethub.tokens', tokens)", spoilt)
    page.evaluate("setTimeout(() => location.reload())")
    tab.reload()
    for one in (page, tab):
        expect(one.get_by_role("heading", name="Projects")).to_be_visible()
    assert len(renewals) == 1

    refresh = page.evaluate("JSON.parse(localStorage['tickethub.tokens']).refresh")
    page.locator("summary", has_text="Your account:").click()
    page.get_by_role("button", name="Sign out").click()
    for one in (page, tab):
        expect(one.get_by_role("heading", name="Sign in")).to_be_visible()
    assert page.request.post(f"{url}/api/v1/auth/token/refresh/", data={"refresh": refresh}).status == 401


def test_back_shows_nothing_of_a_login_that_has_ended(ada, open_browser):
    page = open_browser(ada)
    expect(page.get_by_role("heading", name="Projects")).to_be_visible()
    page.evaluate(
        """() => {
            localStorage.removeItem("tickethub.tokens"); // as another page of this tab did
            dispatchEvent(new PageTransitionEvent("pageshow", { persisted: true }));
        }"""
    )

    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_a_tab_that_is_told_late_of_a_renewal_does_not_renew_with_what_is_spent(ada, open_browser):
    page = open_browser()
    page.goto("/")
    log_in(page, ada.email)
    expect(page.get_by_role("heading", name="Projects")).to_be_visible()
    spent = page.evaluate("localStorage['tickethub.tokens']").replace('"access":"', '"access":"spoilt')
    for _ in ("renewed with it", "as another tab may still see it"):
        page.evaluate("tokens => localStorage.setItem('tickethub.tokens', tokens)", spent)
        page.reload()
        expect(page.get_by_role("heading", name="Projects")).to_be_visible()


def test_a_login_that_the_server_ended_leads_to_the_sign_in(url, open_browser):
    person = register(url, "Hiro", "Tanaka")
    page = open_browser(person)
    expect(page.get_by_role("heading", name="Projects")).to_be_visible()
    person.post("auth/password/change/", current_password=PASSWORD, new_password=NEW_PASSWORD)

    page.get_by_role("button", name="New project").click()
    page.get_by_label("Name", exact=True).fill("Never")
    page.get_by_label("Key", exact=True).fill("NEVER")
    page.get_by_role("button", name="Make the project").click()

    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_a_login_survives_a_renewal_whose_answer_is_lost(world, open_browser):
    page = open_browser()
    page.goto(world.path)
    log_in(page, world.ada.email)
    expect(page.get_by_role("region", name="Todo")).to_be_visible()
    page.evaluate(
        """() => {
            const tokens = JSON.parse(localStorage.getItem("tickethub.tokens"));
            const stale = { ...tokens, access: "stale", turn: tokens.turn + 1 };
            localStorage.setItem("tickethub.tokens", JSON.stringify(stale));
        }"""
    )
    page.route("**/auth/token/refresh/", lambda route: (route.fetch(), route.abort()), times=1)

    page.reload()
    page.get_by_role("button", name="Try again").click()

    expect(page.get_by_role("region", name="Todo")).to_be_visible()


def test_who_has_to_wait_for_long_is_told_and_what_is_cancelled_is_not_sent_later(world, open_browser):
    page = open_browser(world.ada, f"{world.path}people/")

    def refuse(route):
        body = {"detail": "Too many for now.", "code": "throttled"}
        route.fulfill(status=429, json=body, headers={"Retry-After": seconds})

    for seconds in ("3600", "3"):
        page.get_by_role("button", name="Invite").click()
        page.get_by_label("Email").fill("ines@example.org")
        page.route("**/invitations/", refuse, times=1)
        with page.expect_response("**/invitations/"):
            page.get_by_role("dialog").get_by_role("button", name="Invite").click()
        if seconds == "3600":
            expect(page.get_by_role("dialog").get_by_role("alert")).to_have_text("Too many for now.")
        page.get_by_role("dialog").get_by_role("button", name="Cancel").click()

    with counted(page, "invitations/") as sent:
        page.wait_for_timeout(4000)
    assert sent == []


def test_one_s_own_name_that_was_changed_elsewhere_is_shown(world, url, open_browser):
    cleo = register(url, "Cleo", "Lang")
    world.let_in(cleo, "member")
    world.task("Fix the gate", assignees=[cleo.me["id"]])
    page = open_browser(cleo, world.path)
    expect(page.locator(".card .avatar")).to_have_accessible_name("Cleo Lang")

    cleo.patch("users/me/", first_name="Zoe")

    expect(page.locator(".card .avatar")).to_have_accessible_name("Zoe Lang")
    expect(page.locator("header .avatar")).to_have_text("ZL")
