"""`statex up` in a folder of its own, with its gateway, as a service and an operator see it."""

import base64
import http.client
import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PROGRAM = os.environ.get("STATEX_PROGRAM") or ROOT / ".build/debug/statex"
PATIENCE = 120  # Seconds: models are read, and other work may have the machine.


class Stack:
    def __init__(self, configuration=""):
        self.work = Path(tempfile.mkdtemp(prefix="statex-page-"))
        self.work.chmod(0o711)  # The database and the handlers run as ordinary users and must reach their folders below.
        self.settings, self.ready_file = self.work / "statex.yaml", self.work / "ready.json"
        # A port that stays the same when the gateway starts again.
        self.settings.write_text(f"data_dir: {self.work}/data\ngateway: 127.0.0.1:{free_port()}\nworkers: 1\nslots: 2\nretry_backoff_seconds: 0.1\n{configuration}")
        # Checkpoints, and with them pieces of a transcript, after ten seconds of sound.
        self.environment = {"PATH": "/usr/bin:/bin", "STATEX_AUDIO_WINDOW_SECONDS": "10"}
        self.log = open(self.work / "up.log", "ab")
        self.process = subprocess.Popen([PROGRAM, "up", "--config", self.settings, "--ready-file", self.ready_file], stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
                                        env=self.environment, start_new_session=True)
        try:
            until("the stack serves", self.ready_file.exists, self.process)
        except BaseException:
            self.close()
            raise

    @property
    def ready(self):
        return json.loads(self.ready_file.read_text())

    @property
    def address(self):
        return self.ready["gateway"]

    @property
    def token(self):
        return self.ready["token"]

    def run(self, *arguments):
        return subprocess.run([PROGRAM, *arguments], env=self.environment, text=True, check=True, stdout=subprocess.PIPE).stdout.strip()

    def tenant_token(self, tenant, *scopes):
        return self.run("token", "--config", self.settings, "--tenant", tenant, *(word for scope in scopes for word in ("--scope", scope)))

    def call(self, path, body=None):
        """What the gateway answers, parsed where it is JSON."""
        request = urllib.request.Request(self.address + path, data=None if body is None else json.dumps(body).encode(), headers={"Authorization": f"Bearer {self.token}"})
        if body is not None:
            request.add_header("Content-Type", "application/json")
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            text = answer.read()
            return json.loads(text) if "json" in answer.headers["Content-Type"] else text.decode()

    def submit(self, *jobs, **fields):
        """The ids of the jobs, of which the first is the request's."""
        return self.call("/v1/requests", {"jobs": list(jobs), **fields})["job_ids"]

    def finished(self, job):
        until(f"job {job} is final", lambda: self.call(f"/v1/jobs/{job}")["ended_at"], self.process)
        return self.call(f"/v1/jobs/{job}")

    def streams(self):
        """How many the gateway serves."""
        figures = self.call("/metrics")
        return next(int(float(line.split()[1])) for line in figures.splitlines() if line.startswith("statex_gateway_streams "))

    def verify(self):
        return json.loads(self.run("verify", "--database", self.ready["database"], "--json"))

    def said(self):
        return (self.work / "up.log").read_text(errors="replace")

    def close(self):
        self.process.terminate()
        try:
            code = self.process.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, 9)
            code = None
        self.log.close()
        said = self.said()
        shutil.rmtree(self.work, ignore_errors=True)
        assert code == 0, f"statex up ended with {code}: {said}"


class Receiver:
    """A service that is told by a webhook: the program of docs/webhooks.md, as it stands there."""

    def __init__(self, folder):
        self.port, self.secret = free_port(), "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
        secret = folder / "webhook.secret"
        secret.write_text(self.secret)
        secret.chmod(0o600)
        self.configuration = (f"webhooks:\n  page: {{tenant: default, url: 'http://127.0.0.1:{self.port}/', secret_file: {secret}}}\n"
                              "webhook_http: yes\nwebhook_allow: [127.0.0.0/8]\n")
        program = re.search(r"```python\n(.*?)```", (ROOT / "docs/webhooks.md").read_text(), re.DOTALL)[1]
        self.said = folder / "receiver.log"
        with open(self.said, "wb") as log:
            self.process = subprocess.Popen([sys.executable, "-c", program], stdout=log, env={"WEBHOOK_SECRET": self.secret, "PORT": str(self.port)})

    def messages(self):
        """Of those that were genuine, type and request."""
        return self.said.read_text().splitlines()

    def close(self):
        self.process.terminate()
        self.process.wait(10)


class Heard:
    """What a service hears of everything on the gateway's stream of events."""

    def __init__(self, stack):
        request = urllib.request.Request(stack.address + "/v1/events", headers={"Authorization": f"Bearer {stack.token}"})
        self.stream = urllib.request.urlopen(request, timeout=PATIENCE)
        self.events = []
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        try:
            for line in self.stream:
                if line.startswith(b"data: "):
                    self.events.append(json.loads(line[6:]))
        except (OSError, http.client.HTTPException):
            pass  # The gateway ended.

    def of(self, request):
        return [event["event"] for event in self.events if event.get("request") == request]


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def until(what, holds, process=None):
    deadline = time.monotonic() + PATIENCE
    while not (found := holds()):
        assert process is None or process.poll() is None, f"statex up ended before: {what}"
        assert time.monotonic() < deadline, f"not within {PATIENCE} s: {what}"
        time.sleep(0.05)
    return found
