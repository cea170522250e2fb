"""What one person sends of what schemathesis makes of the API's schema, and what may come back."""

import re
from collections import Counter

import schemathesis
from fuzzworld import LEFT_OVER, TRACEBACK, Aim
from schemathesis.config import SchemathesisConfig
from schemathesis.core.failures import AcceptedNegativeData
from schemathesis.engine import Status, events, from_schema
from schemathesis.hooks import GLOBAL_HOOK_DISPATCHER
from schemathesis.openapi.checks import (
    EnsureResourceAvailability,
    JsonSchemaError,
    MissingContentType,
    RejectedPositiveData,
)

from accounts.tests.checks import refused

# --- What may come ------------------------------------------------------------------------------------------------


class Seen:
    """An answer, as `accounts.tests.checks` asks for it."""

    def __init__(self, response):
        self.status_code, self.content, self.json = response.status_code, response.content, response.json
        self.headers = response.headers

    def __getitem__(self, name):
        return self.headers.get(name.lower(), [None])[0]


@schemathesis.check
def keeps_the_contract(context, response, case):
    """Refusals have their shape and leave nothing, and each answer has its id."""
    seen = Seen(response)
    assert seen["X-Request-ID"], "X-Request-ID is missing"
    assert not seen[LEFT_OVER], "A refusal changed something"
    assert response.status_code < 500, seen[TRACEBACK]
    if response.status_code >= 400:
        refused(seen, response.status_code)


# Why what the schema allows may be refused all the same: for what is there, for what was chosen badly, for blanks.
SEMANTIC = {
    *["does_not_exist", "unique", "already_member", "other_project", "circle", "fixed", "bad_link", "wrong_password"],
    *["password_too_short", "password_too_common", "password_too_similar", "password_entirely_numeric"],
    *["blank", "null_characters_not_allowed", "parse_error", "precondition_failed"],
}
# The same for one field, `non_field_errors` being what several have to be together.
SEMANTIC_FIELDS = {
    ("non_field_errors", "required"),
    ("non_field_errors", "invalid"),
    ("slug", "required"),  # where the name gives none
    ("after", "invalid"),  # a cursor is opaque; and no task stands beside itself
    ("before", "invalid"),
    ("name", "invalid"),  # a project's is one line
    ("is_default", "invalid"),  # which the default one cannot cease to be
    ("assignee", "invalid_pk_value"),  # an id or a word
    *((name, "invalid_choice") for name in ["project", "task", "status", "label", "assignee", "created_by", "parent"]),
}


# How a mutation tells that one scalar took the place of another.
SCALARS = re.compile(r"violates `type` at \S+ \(was (string|boolean|integer), became (string|integer|number)\)")
TOO_LONG = re.compile(r"in body - violates `maxLength` at /properties/(\w+)\b")


def matters(failure, case, response, *, was_deleted):
    """Whether a failure is one. `was_deleted`: whether this chain deleted anything, and what hangs from it."""
    if isinstance(failure, EnsureResourceAvailability):
        return not was_deleted
    if isinstance(failure, MissingContentType):
        return bool(response.content)
    if isinstance(failure, RejectedPositiveData):
        return not is_semantic(response.json())
    if isinstance(failure, AcceptedNegativeData):
        return not is_lenient(failure, case)
    # A file, of which Swagger cannot say more, is JSON by default, which is then taken for what was described.
    return not (isinstance(failure, JsonSchemaError) and case.operation.label == "GET /projects/{id}/export/")


def is_semantic(body):
    """Whether the schema could not have told that this would be refused: of a file to import it tells nothing."""
    told = {name: errors for name, errors in body.get("errors", {"": [body]}).items() if name.split(".")[0] != "data"}
    pairs = {(name.split(".")[-1], each["code"]) for name, errors in told.items() for each in errors}
    return all(code in SEMANTIC or (name, code) in SEMANTIC_FIELDS for name, code in pairs)


def is_lenient(failure, case):
    """Whether it is how DRF reads: a number for a text, a word for a truth, twice for once, no blanks at the ends."""
    if "Non-unique items" in failure.message or SCALARS.search(failure.message):
        return True
    if place := TOO_LONG.search(failure.message):
        return case.body[place[1]] != case.body[place[1]].strip()
    place = re.search(r"in body - (.+): Incorrect type", failure.message)
    value = case.body
    for name in place[1].split(" -> ") if place else []:
        value = value.get(name) if isinstance(value, dict) else None
    return place is not None and isinstance(value, str | int | float)


# --- A run --------------------------------------------------------------------------------------------------------

NO_POOL = {"extra-data-sources": {"responses": False}}  # of what was made, and is undone by then
PHASES = {
    "examples": NO_POOL,
    "coverage": NO_POOL,
    "fuzzing": {**NO_POOL, "error-feedback": {"enabled": False}},
    "stateful": {},
}
LABEL = "the whole"


class Run:
    """One person's. `statuses` has a Counter by operation, `failures` how each is repeated by what it says."""

    def __init__(self, application, name, phases, *, examples, seed):
        self.application, self.name, self.examples = application, name, examples
        self.statuses, self.failures = {}, {}
        self.was_deleted = False
        self.scenarios = 0 if "stateful" in phases else None
        self.config = {
            "seed": seed,
            "headers": application.do(application.world.headers, name),
            "continue-on-failure": True,
            "suppress-health-check": ["too_slow"],  # of a machine that has other things to do
            "generation": {"max-examples": examples, "database": "none"},
            "output": {"sanitization": {"enabled": False}},
            "checks": {
                # These leave out the token, which is sent all the same, or need a server; `note` minds what they do.
                "ignored_auth": {"enabled": False},
                "missing_required_header": {"enabled": False},
                "negative_data_rejection": {"expected-statuses": ["4xx"]},
            },
            "phases": {phase: {"enabled": phase in phases, **more} for phase, more in PHASES.items()},
        }

    def __call__(self):
        """Send it all. Gives the statuses and the failures."""
        config = SchemathesisConfig.from_dict(self.config)
        schema = schemathesis.openapi.from_wsgi("/swagger.json", self.application, config=config)
        build = schema.build_state_machine
        schema.build_state_machine = lambda **options: self.undoing(build(**options))
        self.aim = self.application.do(Aim, self.application, self.name)
        hooks = {"before_call": self.aim, "after_call": self.note, "filter_failure": self.matters}
        for name, hook in hooks.items():
            GLOBAL_HOOK_DISPATCHER.register_hook_with_name(hook, name)
        try:
            for event in from_schema(schema).execute():
                self.take(event)
        finally:
            for hook in hooks.values():
                GLOBAL_HOOK_DISPATCHER.unregister(hook)
            self.application.begin()
        if self.scenarios is not None and self.scenarios < self.examples / 2:
            self.failures[f"{LABEL}: only {self.scenarios} chains of {self.examples} were tried"] = ""
        return self.statuses, self.failures

    def undoing(self, state_machine):
        """A state machine each of whose chains finds the world as it was at first."""

        class Undoing(state_machine):
            def __init__(machine):
                self.was_deleted = False
                self.application.begin()
                super().__init__()

        return Undoing

    def matters(self, context, failure, case, response):
        return matters(failure, case, response, was_deleted=self.was_deleted)

    def note(self, context, case, response):
        operation = case.operation
        if case.method != operation.method.upper():
            return
        self.statuses.setdefault(operation.label, Counter())[response.status_code] += 1
        self.aim.learn(case, response)
        self.was_deleted |= case.method == "DELETE" and response.status_code < 300
        is_open = operation.definition.raw.get("security") == []
        if self.name not in self.application.world.people and not is_open and response.status_code < 400:
            self.failures[f"{operation.label}: this needs a token, and got {response.status_code} without"] = ""

    def take(self, event):
        if isinstance(event, events.PhaseStarted):
            self.application.is_scenario = event.phase.name.value == "stateful"
        elif isinstance(event, events.NonFatalError):
            self.failures.setdefault(f"{event.label}: {event.info.format()}", "")
        elif isinstance(event, events.ScenarioFinished):
            if self.scenarios is not None and event.phase.value == "stateful" and event.status != Status.SKIP:
                self.scenarios += 1
            for case_id, checks in event.recorder.checks.items():
                for check in filter(lambda check: check.failure_info, checks):
                    label = event.recorder.cases[case_id].value.operation.label
                    failure = check.failure_info.failure
                    words = f"{label}: {check.name}: {failure.title}: {failure.message}"
                    self.failures.setdefault(words.replace("\\n", "\n"), check.failure_info.code_sample)
