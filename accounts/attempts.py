"""How often a wrong password may be tried for one account, from wherever.

Failures alone count, in a window that passes by itself. Yet whoever goes on guessing would use it up all day, and keep
the owner out. So the address that somebody logged in from, or set a new password from by a mailed link, has an
allowance of its own for that account: the owner comes in from where they always do, and from anywhere by a mailed link.
Nothing here depends on whether there is such an account.
"""

from tickethub import throttling
from tickethub.throttling import address_of, give_back, is_limited, name_of, take, unless_away

SCOPE = "account"
TRUSTED_FOR = 30 * 24 * 3600  # seconds


def place(email, request):
    return name_of("trusted", email.lower(), address_of(request))


@unless_away
def is_trusted(key):
    return throttling.counters().get(key)


@unless_away
def remember(key):
    throttling.counters().set(key, True, TRUSTED_FOR)


def trust(email, request):
    """Let the place that this request comes from have an allowance of its own for this account."""
    if is_limited(SCOPE):
        remember(place(email, request))


def begin(email, request):
    """Count an attempt before its password is looked at; give who it counts for. Raises Throttled if it is too many."""
    if not is_limited(SCOPE):
        return None
    key = place(email, request)
    who = key if is_trusted(key) else email.lower()
    take(SCOPE, who)
    return who


def counted(email, request, compare):
    """Give what comparing a password gives, and count that if it is nothing. Raises Throttled if it is too many."""
    who = begin(email, request)
    try:
        found = compare()
    except Exception:
        give_back(SCOPE, who)  # the password was not looked at
        raise
    if found:
        give_back(SCOPE, who)
        trust(email, request)
    return found
