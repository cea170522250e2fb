"""Requests: tokens, waiting where the server asks for it, lists that change while they are read."""

import asyncio
import json

import httpx
import pytest
import tickethub_client
from fake import fake_server, hub_of
from tickethub_client import ApiError, SignedOut, TicketHub


@pytest.fixture
async def server():
    async with fake_server() as server:
        yield server


@pytest.fixture
async def hub(server):
    async with hub_of(server) as hub:
        yield hub


def paths(server):
    return [request.url.path.removeprefix("/api/v1/") for request in server.requests]


async def test_a_request_is_signed_and_gives_the_answer(server, hub):
    server.answers.append(httpx.Response(201, json={"id": "t9"}))
    answer = await hub.request("POST", "tasks/", json={"title": "Nine"}, headers={"X-Request-ID": "mine"})
    assert (answer.status_code, answer.json()) == (201, {"id": "t9"})
    (request,) = server.requests
    assert (str(request.url), request.method) == (f"{server.url}/api/v1/tasks/", "POST")
    assert json.loads(request.content) == {"title": "Nine"}
    assert (request.headers["Authorization"], request.headers["X-Request-ID"]) == ("Bearer a0", "mine")


async def test_many_refused_at_once_share_one_refresh(server, hub):
    server.valid.clear()
    answers = await asyncio.gather(*(hub.load("tasks/", project="DEMO") for _ in range(20)))
    assert answers == [server.project.rows["task"]] * 20
    assert server.issued == {"auth/token/refresh/": 1}
    assert (hub.access, hub.refresh) == ("a1", "r1")


async def test_a_refresh_outlives_whoever_asked_for_it(server, hub):
    server.valid.clear()
    gate, issue = asyncio.Event(), server.answer

    async def slowly(request):
        if "auth" in request.url.path:
            await gate.wait()
        return await issue(request)

    async with httpx.AsyncClient(transport=httpx.MockTransport(slowly)) as hub._http:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(hub.load("tasks/", project="DEMO"), 0.05)
        gate.set()
        assert await hub.load("tasks/", project="DEMO") == server.project.rows["task"]
    assert server.issued == {"auth/token/refresh/": 1}


async def test_a_refresh_whose_answer_was_lost_is_sent_again_with_its_key_and_each_token_has_another_one(server, hub):
    sent, answer, is_lost = [], server.answer, True

    async def lose_the_first(request):
        nonlocal is_lost
        if "auth" in request.url.path:
            sent.append(json.loads(request.content))
            if is_lost:
                is_lost = False
                raise httpx.ReadError("gone")
        return await answer(request)

    async with httpx.AsyncClient(transport=httpx.MockTransport(lose_the_first)) as hub._http:
        server.valid.clear()
        with pytest.raises(httpx.ReadError):
            await hub.load("tasks/", project="DEMO")
        for _ in range(2):
            await hub.load("tasks/", project="DEMO")
            server.valid.clear()
    lost, again, later = sent
    assert lost == again
    assert (lost["refresh"], later["refresh"]) == ("r0", "r1")
    assert len({lost["idempotency_key"], later["idempotency_key"]}) == 2


async def test_a_program_that_ended_during_a_refresh_sends_it_again_with_the_key_that_it_saved(server):
    sent, answer = [], server.answer

    async def note(request):
        if "auth" in request.url.path:
            sent.append(json.loads(request.content))
        return await answer(request)

    server.valid.clear()
    async with (
        httpx.AsyncClient(transport=httpx.MockTransport(note)) as http,
        TicketHub(server.url, refresh="r0", key="k" * 32, http=http) as hub,
    ):
        await hub.load("tasks/", project="DEMO")
        assert hub.key != "k" * 32
    assert sent == [{"refresh": "r0", "idempotency_key": "k" * 32}]


async def test_without_a_way_to_a_token_a_request_raises_signed_out(server, hub):
    server.valid.clear()
    server.refreshes.clear()
    with pytest.raises(SignedOut) as refusal:
        await hub.request("GET", "tasks/")
    assert refusal.value.status == 401


async def test_a_second_401_is_not_tried_a_third_time(server, hub):
    refused = httpx.Response(401, json={"detail": "No.", "code": "token_not_valid"})
    tokens = httpx.Response(200, json={"access": "a1", "refresh": "r1"})
    server.answers += [refused, tokens, refused]
    with pytest.raises(ApiError) as refusal:
        await hub.request("GET", "tasks/")
    assert (refusal.value.status, refusal.value.code) == (401, "token_not_valid")
    assert paths(server) == ["tasks/", "auth/token/refresh/", "tasks/"]


async def test_a_failing_token_endpoint_is_no_sign_out(server, hub):
    server.valid.clear()
    server.answers += [httpx.Response(401), httpx.Response(500)]
    with pytest.raises(ApiError) as failure:
        await hub.request("GET", "tasks/")
    assert (type(failure.value), failure.value.status, hub.refresh) == (ApiError, 500, "r0")


async def test_an_account_can_be_made_without_one(server):
    async with TicketHub(server.url, http=server.client) as hub:
        server.answers.append(httpx.Response(201, json={}))
        await hub.request("POST", "auth/register/", json={})
        with pytest.raises(SignedOut):
            await hub.login()
    assert "Authorization" not in server.requests[0].headers


@pytest.mark.parametrize("status", [429, 503])
async def test_it_waits_as_long_as_the_server_says(server, hub, status, monkeypatch):
    waits = []

    async def note(seconds):
        waits.append(seconds)

    server.answers += [
        httpx.Response(status, headers={"Retry-After": "7"}),
        httpx.Response(status),
        httpx.Response(status, headers={"Retry-After": "Mon, 23 Nov 2026 12:00:00 GMT"}),
        httpx.Response(200, json={}),
    ]
    monkeypatch.setattr(tickethub_client.asyncio, "sleep", note)
    assert (await hub.request("POST", "tasks/", json={})).status_code == 200
    assert [low <= wait <= 1.25 * low for low, wait in zip((7, 5, 5), waits, strict=True)] == [True] * 3


@pytest.mark.parametrize(
    ("response", "status", "code", "detail"),
    [
        (httpx.Response(409, json={"detail": "Archived.", "code": "archived"}), 409, "archived", "Archived."),
        (httpx.Response(502, text="<h1>Bad gateway</h1>"), 502, "error", "<h1>Bad gateway</h1>"),
        (httpx.Response(400, json=["odd"]), 400, "error", '["odd"]'),
    ],
)
async def test_other_refusals_are_raised(server, hub, response, status, code, detail):
    server.answers.append(response)
    with pytest.raises(ApiError) as refusal:
        await hub.request("PATCH", "tasks/t1/", json={})
    error = refusal.value
    assert (error.status, error.code, error.detail, error.response) == (status, code, detail, response)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("method", "failure", "asked"),
    [("GET", httpx.ReadError, 2), ("POST", httpx.ConnectError, 2), ("POST", httpx.ReadError, 1)],
)
async def test_another_server_is_asked_where_that_does_no_harm(server, hub, method, failure, asked):
    hub.urls = ["http://one", "http://two"]
    server.answers += [failure, httpx.Response(200, json={})]
    if asked == 2:
        assert (await hub.request(method, "tasks/")).status_code == 200
    else:
        with pytest.raises(failure):
            await hub.request(method, "tasks/")
    assert len({request.url.host for request in server.requests}) == len(server.requests) == asked


async def test_a_connection_that_fails_everywhere_is_raised(server, hub):
    hub.urls = ["http://one", "http://two"]
    server.answers += [httpx.ConnectError, httpx.ConnectError]
    with pytest.raises(httpx.ConnectError):
        await hub.request("GET", "tasks/")


async def test_an_import_is_waited_for_longer_and_each_request_for_as_long_as_is_said(server, hub):
    for path, options in [("tasks/", {}), ("projects/DEMO/import/", {}), ("tasks/", {"timeout": 7})]:
        server.answers.append(httpx.Response(200))
        await hub.request("POST", path, json={}, **options)
    usual, importing, said = [request.extensions["timeout"] for request in server.requests]
    assert usual["read"] < 60 < 300 < importing["read"]
    assert importing["connect"] < 60
    assert said["read"] == 7


async def test_a_list_is_whole_although_rows_go_while_it_is_read(server, hub):
    rows = server.project.rows["task"] = {f"t{n}": {"id": f"t{n}"} for n in range(260)}
    stay = set(rows) - {f"t{n}" for n in range(80)}
    answer = server.rest

    def and_delete(path, params):
        page = answer(path, params)
        for key in list(rows)[:20] if len(rows) > 180 else ():
            del rows[key]
        return page

    server.rest = and_delete
    assert stay <= set(await hub.load("tasks/", project="DEMO"))
    assert set(rows) == stay
