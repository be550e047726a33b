"""How schemathesis signs in, and what of a refusal the document cannot say.

Tokens live ten minutes, and examples end sessions, change roles and delete accounts: each time anew, as somebody new
where the last one was signed out for good.
"""

import json
import os
import re
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid

import schemathesis

BASE = os.environ["DUKA_ST_BASE"]
ROLE = os.environ["DUKA_ST_ROLE"]
PASSWORD = uuid.uuid4().hex
PATIENCE = 300


def ask(method, path, body, token=None):
    headers = {"Content-Type": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(BASE + path, data, headers, method=method)
    # A machine that does other things lets the shop wait for its database, which it says.
    until = time.monotonic() + PATIENCE
    while True:
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            if error.code != 503 or time.monotonic() > until:
                raise
        except OSError:
            if time.monotonic() > until:
                raise
        time.sleep(1)


def sign_in(username, password):
    return ask("POST", "/api/auth/jwt/login/", {"username": username, "password": password})["access"]


def new_administrator():
    name = f"st-{uuid.uuid4().hex}"
    command = [os.environ["DUKA_ST_BIN"], "admin", "create", "--data-dir", os.environ["DUKA_ST_DATA"]]
    command += ["--username", name, "--email", f"{name}@example.com", "--password-stdin"]
    subprocess.run(command, input=PASSWORD, text=True, check=True, capture_output=True)
    return name


def new_user():
    if ROLE == "admin":
        return new_administrator()
    name = f"st-{uuid.uuid4().hex}"
    body = {"username": name, "email": f"{name}@example.com", "password": PASSWORD}
    user = ask("POST", "/api/auth/register/", body)
    if ROLE == "vendor":
        administrator = sign_in(new_administrator(), PASSWORD)
        ask("PATCH", f"/api/users/{user['id']}/", {"role": "vendor"}, administrator)
    return name


class Bearer:
    """A token of somebody of the role: of the demo's, who has products and orders, for as long as that one is let in."""

    who = (f"demo-{ROLE}", os.environ.get("DUKA_ST_PASSWORD", ""))

    def get(self, case, context):
        try:
            token = sign_in(*Bearer.who)
            if ask("GET", "/api/auth/me/", None, token)["role"] == ROLE:
                return token
        except urllib.error.HTTPError as error:
            if error.code != 401:
                raise
        Bearer.who = (new_user(), PASSWORD)
        return sign_in(*Bearer.who)

    def set(self, case, data, context):
        case.headers = case.headers or {}
        case.headers["Authorization"] = f"Bearer {data}"


if ROLE != "nobody":
    schemathesis.auth(refresh_interval=20)(Bearer)


# What the document cannot say: that two things contradict each other, what is there already or is not, which characters
# texts may hold, what everybody's password is, a signature that holds. Nothing else that it allows may be refused.
EXCUSES = re.compile(
    "|".join(
        [
            r"holds the character U\+",
            r"must not be empty",
            r"say two places; give one of them",
            r"names a key twice",
            r"is another variant's in this list",
            r"says `.*` once more",
            r"must be the sum of the variants' stock",
            r"is the sum over its variants",
            r"would be a synonym of itself",
            r"A form is not unpacked as a whole",
            r"is another name of",
            r"is one that everybody tries first",
            r"is not the present password",
            r"must not be (the|your) user ?name",
            r"is not a refresh token of yours",
            r"is not an e-mail address such as",
            r"is not the id of (a|an|one of)",
            r"there is no such",
            r"is not a field that can be set here",
            r"must be the id or the slug of a category",
            r"must be small letters and digits with single hyphens",
            r"must be a Kenyan mobile number",
            r"is none that this list gave",
            r"is not a version; send what",
            r"has more than \d decimals",
            r"leaves no time",
            r"a category cannot be its own ancestor",
            r"would make the tree deeper than",
            r"is written at /api/variant/, one by one",
            r"is for M-Pesa only",
            r"must be null for an automatic discount",
            # A stop word of signs alone, or of two words to the analyser.
            r"must be one word",
            r"may hold letters, digits and",
            r"names \d+ facets; at most",
            r"must have 1 to \d+ words",
            r"is above 100, for a percentage",
            r"are all 0, so that nothing would be in order",
            # A pattern that does not look ahead allows zero.
            r"must be above zero",
            # Of blanks alone nothing is left.
            r"must have a name of 1 to \d+ characters",
        ]
    ),
    re.IGNORECASE,
)
# Refusals whose kind says it.
KINDS = {"empty-cart", "discount-not-applicable", "idempotency-key-reused", "invalid-signature", "precondition-failed"}


def is_of_text_alone(case, fault):
    """To a schema 4.0 is a whole number, and every name is one; in a query both are texts, and no name of a parameter
    may hold a control character (told escaped). Of a text in a body the white space around it is not counted."""
    name = fault.get("parameter") or ""
    if isinstance((case.query or {}).get(name), float) or name.startswith("attr.") and "\\" in name:
        return True
    sent = case.body.get((fault.get("pointer") or "")[1:]) if isinstance(case.body, dict) else None
    return fault.get("code") == "length" and isinstance(sent, str) and sent != sent.strip()


def is_of_another_type(response, case):
    """Some versions count a body that fits as such, whatever type it is said to have."""
    sent = response.request.headers.get("Content-Type", "")
    return not sent.startswith(case.media_type or "application/json")


@schemathesis.hook
def filter_case(context, case):
    """A longer head is refused by the HTTP library, without a word (431)."""
    return len(urllib.parse.urlencode(case.query or {}, doseq=True)) < 10_000


@schemathesis.check
def refused_only_for_what_the_document_cannot_say(ctx, response, case):
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    if response.status_code not in (400, 406, 413, 415, 422):
        return
    if response.status_code == 415 and is_of_another_type(response, case):
        return
    problem = response.json()
    if problem["type"].rsplit("/", 1)[-1] in KINDS:
        return
    faults = [fault for fault in problem.get("errors", []) if not is_of_text_alone(case, fault)]
    if problem.get("errors") and not faults:
        return
    said = [fault["detail"] for fault in faults] or [problem["detail"]]
    left = [one for one in said if not EXCUSES.search(one)]
    assert not left, f"The document allows what was refused with {response.status_code}: {left}"
