"""How schemathesis signs in: anew every few minutes, since tokens live ten."""

import json
import os
import urllib.request

import schemathesis

if os.environ.get("DUKA_ST_USER"):

    @schemathesis.auth(refresh_interval=240)
    class Bearer:
        def get(self, case, context):
            request = urllib.request.Request(
                os.environ["DUKA_ST_BASE"] + "/api/auth/jwt/login/",
                data=json.dumps(
                    {"username": os.environ["DUKA_ST_USER"], "password": os.environ["DUKA_ST_PASSWORD"]}
                ).encode(),
                headers={"Content-Type": "application/json"},
            )
            with urllib.request.urlopen(request) as answer:
                return json.load(answer)["access"]

        def set(self, case, data, context):
            case.headers = case.headers or {}
            case.headers["Authorization"] = f"Bearer {data}"
