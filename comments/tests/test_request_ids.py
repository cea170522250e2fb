"""Requests that follow one another, each in a transaction of its own."""

import pytest

from tasks.tests.conftest import make_cast

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def cast(transactional_db):
    """Made anew: a module's own is one transaction."""
    return make_cast()


def test_requests_that_share_a_request_id_are_told_of_one_by_one(told, api, comment):
    """A client may send the same X-Request-ID with all that belongs together."""
    events = [told("patch", f"/api/v1/comments/{comment.pk}/", {"body": body}, "same") for body in ("One", "Two")]
    assert [event["changes"]["body"][1] for event in events] == ["One", "Two"]
    assert events[0]["seq"] + 1 == events[1]["seq"]
