"""How schemathesis signs in, and what of a refusal the document cannot say.

Tokens live ten minutes, and examples end sessions, change roles and delete accounts: each time anew, as somebody new
where the last one was signed out for good.
"""

import json
import os
import subprocess
import urllib.error
import urllib.request
import uuid

import schemathesis

BASE = os.environ["DUKA_ST_BASE"]
ROLE = os.environ["DUKA_ST_ROLE"]
PASSWORD = uuid.uuid4().hex


def ask(method, path, body, token=None):
    headers = {"Content-Type": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    request = urllib.request.Request(BASE + path, json.dumps(body).encode(), headers, method=method)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


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
            headers = {"Authorization": f"Bearer {token}"}
            request = urllib.request.Request(BASE + "/api/auth/me/", headers=headers)
            with urllib.request.urlopen(request, timeout=60) as answer:
                if json.load(answer)["role"] == ROLE:
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
