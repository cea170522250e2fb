"""The errors that TicketHub raises beyond Django REST framework's."""

from rest_framework import exceptions, status


class Busy(exceptions.APIException):
    """503: more was asked for at once than can be done."""

    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_detail = "The server is busy. Try again shortly."
    default_code = "busy"


class Conflict(exceptions.APIException):
    """409: what was asked contradicts the present state."""

    status_code = status.HTTP_409_CONFLICT
    default_detail = "This conflicts with the present state."
    default_code = "conflict"


class Overtaken(exceptions.PermissionDenied):
    """What a write rests on went while the write waited. Done again, it gets the answer of now."""


class Crowded(Busy, Overtaken):
    """Others hold what a write needs, and may wait for this one. It is done again once `first` has waited for them."""

    def __init__(self, first):
        super().__init__()
        self.first = first


class Gone(exceptions.APIException):
    """410 `resync`: the log does not reach back that far."""

    status_code = status.HTTP_410_GONE
    default_detail = "The log no longer reaches back to this cursor. Load anew."
    default_code = "resync"


class PayloadTooLarge(exceptions.APIException):
    """413: the body is over the limit."""

    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_detail = "The body is too large."
    default_code = "payload_too_large"


class PreconditionFailed(exceptions.APIException):
    """412: the object changed since the client read it. `current` is what it is now, as GET gives it."""

    status_code = status.HTTP_412_PRECONDITION_FAILED
    default_detail = "This changed since you read it."
    default_code = "precondition_failed"

    def __init__(self, current):
        super().__init__()
        self.current = current
