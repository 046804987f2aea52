"""Gives a gateway dead letters to ask about, and prints their ids as JSON: python3 seed.py GATEWAY TOKEN COUNT.

They are jobs of the kind `fail`, of the tenant `kept`, whom orders about many leave alone (hooks.py); where nobody serves
that kind there are none.
"""

import json
import sys
import time
import urllib.request

gateway, token, count = sys.argv[1], sys.argv[2], int(sys.argv[3])


def ask(path, value=None):
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    data = None if value is None else json.dumps(value).encode()
    with urllib.request.urlopen(urllib.request.Request(gateway + path, data, headers), timeout=20) as answer:
        return json.load(answer)


# Each is a request too, so that its id fits every route. (A space before it makes the payload a text to the gateway: a
# part of JSON is of its type too, and no JSON.)
job = {"kind": "fail", "payload": " " + json.dumps({"retryable": False})}
made = [ask("/v1/requests", {"jobs": [job], "tenant": "kept"})["id"] for _ in range(count)]
deadline = time.monotonic() + 20
while made and time.monotonic() < deadline and ask(f"/v1/jobs/{made[-1]}")["state"] not in ("failed", "dead"):
    time.sleep(0.1)
print(json.dumps([id for id in made if ask(f"/v1/jobs/{id}")["state"] in ("failed", "dead")]))
