"""The Postman collection: that it has every route of the API with every method, and no other."""

import json
import re

from django.conf import settings

COLLECTION = json.loads((settings.BASE_DIR / "postman_collection.json").read_text())
SCHEMA = json.loads((settings.BASE_DIR / "docs/api/swagger.json").read_text())
OUTSIDE_THE_SCHEMA = {("GET", "/healthz"), ("GET", "/readyz")}


def requests(items):
    """The requests in folders within folders."""
    for item in items:
        if "request" in item:
            yield item
        yield from requests(item.get("item", []))


def script(item):
    """The lines that run after a request."""
    return [line for event in item.get("event", []) if event["listen"] == "test" for line in event["script"]["exec"]]


def route(request):
    """The method and path of a request, with `{}` for each variable part."""
    url = request["url"] if isinstance(request["url"], str) else request["url"]["raw"]
    path = url.removeprefix("{{baseUrl}}").partition("?")[0]
    return request["method"], re.sub(r"\{\{\w+\}\}|(?<=/):\w+", "{}", path)


def test_it_names_exactly_the_routes_and_methods_of_the_schema():
    documented = {
        (method.upper(), SCHEMA["basePath"] + re.sub(r"\{\w+\}", "{}", path))
        for path, item in SCHEMA["paths"].items()
        for method in item.keys() - {"parameters"}
    }
    named = {route(item["request"]) for item in requests(COLLECTION["item"])}
    assert named - documented == OUTSIDE_THE_SCHEMA, "The collection names what the schema does not."
    assert documented - named == set(), "The schema names what the collection does not."


def test_every_request_checks_its_answer():
    unchecked = {
        item["name"] for item in requests(COLLECTION["item"]) if not any("pm.test(" in line for line in script(item))
    }
    assert unchecked == set()
