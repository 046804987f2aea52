"""A stand-in for the gateway: its contract with canned, changing data, for what a real stack cannot show quickly or on
purpose: a lost connection, thousands of jobs, every state at once, names that attack.

`python3 Tests/PageTests/mock.py` serves a lively one to look at; tests use `Gateway` and set its `world`.
"""

import base64
import json
import math
import pathlib
import queue
import random
import re
import struct
import threading
import time
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

PAGE = pathlib.Path(__file__).resolve().parents[2] / "Sources/Gateway/Page"
TYPES = {".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
# As strict as the gateway's.
PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' blob:; "
    "media-src blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
    "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
FINAL = {"succeeded", "failed", "dead", "cancelled", "expired"}


def token(scope="submit read operate", **claims):
    part = base64.urlsafe_b64encode(json.dumps({"sub": "ada", "scope": scope, **claims}).encode()).decode().rstrip("=")
    return f"eyJhbGciOiJIUzI1NiJ9.{part}.sig"


def stamp(at):
    return datetime.fromtimestamp(at, timezone.utc).isoformat(timespec="microseconds") if at is not None else None


def tone(seconds=3.0, rate=8_000):
    samples = b"".join(struct.pack("<h", int(6_000 * math.sin(i / 9) * (0.5 + 0.5 * math.sin(i / 900)))) for i in range(int(seconds * rate)))
    return b"RIFF" + struct.pack("<I", 36 + len(samples)) + b"WAVEfmt " + struct.pack("<IHHIIHH", 16, 1, 1, rate, rate * 2, 2, 16) + b"data" + struct.pack("<I", len(samples)) + samples


class World:
    """What the gateway would know. Tests change it as they like."""

    def __init__(self):
        self.lock = threading.RLock()
        self.token = token()
        self.down = False
        self.log = []  # (method, path with query, headers)
        self.orders = []  # (path, body)
        self.submitted = []  # (request, {field: (filename, bytes)}, key)
        self.uploads_pause = 0.0
        self.jobs, self.results, self.payloads = {}, {}, {}
        self.letters, self.workers, self.extra_queues = [], [], []
        self.step = 100_000  # How many rows a list looks at before it answers.
        self.order_step = 100_000  # How many letters an order looks at before it answers.
        self.orders_go_on = False  # Whether an order answers before it is done.
        self.counts = {"submitted": 0, "succeeded": 0, "failed": 0, "dead": 0, "expired": 0}
        self.paused = []
        self.tells_who_paused = True
        self.problems = {}  # path: arguments of `problem`
        self.canned = {}  # path: a function that returns the answer
        self.events, self.streams, self.tickets = [], [], set()
        self.next_id = 4387429626826194944
        self.started = time.time()

    def job(self, kind="text", state="queued", request=None, index=0, payload=b"Hello", result=None, **fields):
        with self.lock:
            self.next_id += 1
            id = str(self.next_id)
            job = {
                "id": id, "request": request or id, "index": index, "kind": kind, "tenant": "acme", "state": state, "priority": 5,
                "attempts_begun": 0, "attempts_allowed": 3, "created_at": stamp(time.time()), "run_at": None, "deadline": None,
                "leased_at": None, "started_at": None, "ended_at": None, "retry_at": None, "worker": None, "tags": [], "labels": [],
                "retry_of": None, "retried_as": None, "error_class": None, "error": None, "attempts": [], "after": [], **fields}
            self.jobs[id] = job
            self.payloads[id] = payload
            if result is not None:
                self.results[id] = result
            self.counts["submitted"] += 1
            return job

    def start(self, job, worker="worker-1"):
        with self.lock:
            at = time.time()
            job.update(state="running", worker=worker, leased_at=stamp(at), started_at=stamp(at), attempts_begun=job["attempts_begun"] + 1)
            job["attempts"].append({
                "attempt": job["attempts_begun"], "worker": worker, "leased_at": stamp(at), "started_at": stamp(at),
                "ended_at": None, "ending": None, "retry_at": None, "error_class": None, "error": None})
        self.publish(job, "job.leased", {})

    def end(self, job, state="succeeded", result=None, error_class=None, error=None):
        with self.lock:
            at = stamp(time.time())
            job.update(state=state, ended_at=at, error_class=error_class, error=error)
            if job["attempts"]:
                job["attempts"][-1].update(ended_at=at, ending="succeeded" if state == "succeeded" else "failed", error_class=error_class, error=error)
            if result is not None:
                self.results[job["id"]] = result
            self.counts[state] = self.counts.get(state, 0) + 1
        self.publish(job, f"job.{state}", {})

    def publish(self, job, name, value):
        with self.lock:
            event = (len(self.events) + 1, name, {"id": job["id"], "request": job["request"], "kind": job["kind"], **value})
            self.events.append(event)
            for stream in self.streams:
                stream.put(event)

    def drop_streams(self):
        with self.lock:
            for stream in self.streams:
                stream.put(None)

    def of_request(self, id):
        return sorted((job for job in self.jobs.values() if job["request"] == id), key=lambda job: int(job["id"]))

    def request(self, id):
        jobs = self.of_request(id)
        if not jobs:
            return None
        states = {job["state"] for job in jobs}
        state = "open" if states - FINAL else "failed" if states & {"failed", "dead", "expired"} else "cancelled" if "cancelled" in states else "succeeded"
        return {"id": id, "tenant": jobs[0]["tenant"], "state": state, "created_at": jobs[0]["created_at"],
                "ended_at": None if state == "open" else max(job["ended_at"] or "" for job in jobs), "jobs": jobs}

    def listed(self, id):
        found = self.request(id)
        return {**found, "jobs": len(found["jobs"]), "kinds": sorted({job["kind"] for job in found["jobs"]})}

    def queues(self):
        kinds = {}
        for job in self.jobs.values():
            row = kinds.setdefault(job["kind"], {"kind": job["kind"], "queued": 0, "delayed": 0, "blocked": 0, "leased": 0, "backlog_seconds": 0, "oldest_seconds": 0, "paused": job["kind"] in self.paused})
            state = "leased" if job["state"] == "running" else job["state"]
            if state in row:
                row[state] += 1
                row["backlog_seconds"] = row["queued"] * 1.3
                row["oldest_seconds"] = max(row["oldest_seconds"], time.time() - datetime.fromisoformat(job["created_at"]).timestamp()) if job["state"] == "queued" else row["oldest_seconds"]
        return list(kinds.values()) + self.extra_queues

    def fitting(self, filter):
        return [letter for letter in self.letters if all(not filter.get(field) or letter[field] == filter[field] for field in ("kind", "tenant", "error_class"))]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def handle_one_request(self):
        try:
            super().handle_one_request()
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    @property
    def world(self):
        return self.server.world

    def do_GET(self):
        self.route("GET")

    def do_POST(self):
        self.route("POST")

    def route(self, method):
        url = urlsplit(self.path)
        query = {name: values[-1] for name, values in parse_qs(url.query).items()}
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))) if method == "POST" and not self.world.uploads_pause else self.slowly() if method == "POST" else b""
        with self.world.lock:
            self.world.log.append((method, self.path, dict(self.headers)))
        if url.path == "/" or url.path.startswith("/assets/"):
            return self.file(url.path)
        if self.world.down:
            self.close_connection = True
            return self.connection.close()
        if url.path in self.world.problems:
            return self.problem(*self.world.problems[url.path])
        streaming = url.path.endswith("/events")
        if streaming:
            if query.get("ticket") not in self.world.tickets:
                return self.problem(401, "ticket", "the ticket is unknown, used or too old")
            self.world.tickets.discard(query["ticket"])
            return self.stream(url.path)
        if self.headers.get("Authorization") != f"Bearer {self.world.token}":
            return self.problem(401, "unauthenticated", "the token is not valid here; get a new one")
        if url.path in self.world.canned:
            return self.answer(200, self.world.canned[url.path]())
        handler = getattr(self, f"{method.lower()}_{url.path.split('/')[2].replace('-', '_')}", None) if url.path.startswith("/v1/") else None
        parts = [unquote(part) for part in url.path.split("/")[3:]]
        return handler(parts, query, body) if handler else self.problem(404, "no_such_path", "there is nothing at this path")

    def slowly(self):
        """An upload over a slow line."""
        left, body = int(self.headers.get("Content-Length", 0)), b""
        while left:
            piece = self.rfile.read(min(left, 65_536))
            body, left = body + piece, left - len(piece)
            time.sleep(self.world.uploads_pause)
        return body

    def file(self, path):
        name = "index.html" if path == "/" else path.removeprefix("/assets/")
        found = [file for file in (PAGE / name, PAGE / "app" / name) if "/" not in name and file.is_file()]
        if not found:
            return self.problem(404, "no_such_path", "there is nothing at this path")
        self.answer(200, found[0].read_bytes(), TYPES[found[0].suffix], PAGE_HEADERS)

    def answer(self, status, body, type="application/json", headers={}):
        body = json.dumps(body).encode() if not isinstance(body, bytes) else body
        self.send_response(status)
        for name, value in {"Content-Type": type, "Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def problem(self, status, code, detail, errors=()):
        self.answer(status, {"type": f"urn:statex:problem:{code}", "title": {401: "A valid token is needed", 404: "Not found"}.get(status, "It did not work"), "status": status, "detail": detail, "code": code, "errors": list(errors)},
                    "application/problem+json", {"Retry-After": "1"} if status in (429, 503) else {})

    def get_queues(self, parts, query, body):
        with self.world.lock:
            self.answer(200, {"queues": self.world.queues()})

    def get_status(self, parts, query, body):
        with self.world.lock:
            open_jobs = sum(job["state"] not in FINAL for job in self.world.jobs.values())
            self.answer(200, {"epoch": 3, "uptime_seconds": int(time.time() - self.world.started) + 86_400 * 3, "open_jobs": open_jobs, "journal": {"state": "up", "commit_ms": 0.41},
                              "counts": self.world.counts, "paused": [{"what": f"kind {kind}", **({"by": "ada"} if self.world.tells_who_paused else {})} for kind in self.world.paused]})

    def get_workers(self, parts, query, body):
        self.answer(200, {"workers": self.world.workers})

    def post_workers(self, parts, query, body):
        self.ordered(body)

    def ordered(self, body, answer={"matched": 1}):
        self.world.orders.append((self.path, json.loads(body or b"{}")))
        self.answer(202, answer)

    def post_pause(self, parts, query, body):
        self.world.paused.append(json.loads(body)["kind"])
        self.ordered(body)

    def post_resume(self, parts, query, body):
        self.world.paused.remove(json.loads(body)["kind"])
        self.ordered(body)

    def post_tickets(self, parts, query, body):
        ticket = f"{random.getrandbits(64):x}"
        self.world.tickets.add(ticket)
        self.answer(200, {"ticket": ticket, "expires_seconds": 30})

    def get_jobs(self, parts, query, body):
        with self.world.lock:
            if not parts:
                return self.listing([job for job in self.world.jobs.values() if all(not query.get(field) or job[field] == query[field] for field in ("state", "kind", "tenant"))], query, "jobs")
            job = self.world.jobs.get(parts[0])
            if not job:
                return self.problem(404, "not_found", "no such job is known: it was never there, or its retention is over")
            if parts[1:] in (["result"], ["payload"]):
                found = (self.world.results if parts[1] == "result" else self.world.payloads).get(parts[0])
                if found is None:
                    return self.problem(404, "no_result", f"it ended as {job['state']}")
                return self.answer(200, *((json.dumps(found).encode(), "application/json") if isinstance(found, (dict, list)) else (found, "application/octet-stream")))
            self.answer(200, job)

    def step(self, rows, query, most=None):
        """What one look sees of a list, newest first, and where to go on."""
        rows = sorted(rows, key=lambda row: -int(row["id"]))
        if query.get("cursor"):
            rows = [row for row in rows if int(row["id"]) < int(query["cursor"])]
        page = rows[: min(most or self.world.step, self.world.step)]
        return page, page[-1]["id"] if len(page) < len(rows) else None

    def listing(self, rows, query, member):
        page, older = self.step(rows, query, int(query.get("limit", 50)))
        self.answer(200, {member: page, "next": older})

    def post_jobs(self, parts, query, body):
        job = self.world.jobs[parts[0]]
        if parts[1] == "cancel":
            self.world.end(job, "cancelled")
            return self.ordered(body)
        made = self.world.job(job["kind"], request=job["request"], retry_of=job["id"])
        job["retried_as"] = made["id"]
        self.ordered(body, {"id": job["id"], "matched": 1})

    def get_requests(self, parts, query, body):
        with self.world.lock:
            if not parts:
                return self.listing([self.world.listed(id) for id in {job["request"] for job in self.world.jobs.values()}], query, "requests")
            found = self.world.request(parts[0])
            self.answer(200, found) if found else self.problem(404, "not_found", "no such request is known")

    def post_requests(self, parts, query, body):
        if parts:
            for job in self.world.of_request(parts[0]):
                if job["state"] not in FINAL:
                    self.world.end(job, "cancelled")
            return self.ordered(body)
        request, files = (json.loads(body), {}) if self.headers["Content-Type"].startswith("application/json") else self.parts(body)
        self.world.submitted.append((request, files, self.headers.get("Idempotency-Key")))
        if any(job["kind"] == "nonsense" for job in request["jobs"]):
            return self.problem(422, "invalid", "jobs[0].kind is no kind here", [{"field": "jobs[0].kind", "message": "is no kind here"}])
        first = None
        for index, job in enumerate(request["jobs"]):
            payload = files[job["file"]][1] if "file" in job else job["payload"].encode()
            made = self.world.job(job["kind"], request=first, index=index, payload=payload, tags=job.get("tags", []))
            first = first or made["id"]
        self.answer(201, {"id": first, "jobs": [job["id"] for job in self.world.of_request(first)]}, headers={"Location": f"/v1/requests/{first}"})

    def parts(self, body):
        boundary = b"--" + re.search("boundary=(.+)", self.headers["Content-Type"])[1].encode()
        request, files = None, {}
        for part in body.split(boundary)[1:-1]:
            head, content = part[2:-2].split(b"\r\n\r\n", 1)
            field = re.search(r'[; ]name="([^"]*)"', head.decode())[1]
            if field == "request":
                request = json.loads(content)
            else:
                files[field] = (re.search(r'filename="([^"]*)"', head.decode())[1], content)
        return request, files

    def get_dead_letters(self, parts, query, body):
        with self.world.lock:
            letters = self.world.fitting(query)
            if not query.get("group"):
                return self.listing(letters, query, "letters")
            letters, older = self.step(letters, query)
            groups = {}
            for letter in letters:
                first = letter["error"].split("\n")[0]
                group = groups.setdefault((letter["kind"], letter["error_class"], first), {"kind": letter["kind"], "error_class": letter["error_class"], "first_line": first, "count": 0, "oldest": letter["ended_at"], "newest": letter["ended_at"]})
                group["count"] += 1
                group["newest"] = max(group["newest"], letter["ended_at"])
            self.answer(200, {"groups": sorted(groups.values(), key=lambda group: -group["count"]), "next": older})

    def post_dead_letters(self, parts, query, body):
        filter = json.loads(body)
        left = sorted((int(letter["id"]) for letter in self.world.fitting(filter) if int(letter["id"]) > int(filter.get("cursor", 0))))
        matched = {str(id) for id in left[: self.world.order_step]}
        if not filter.get("dry_run"):
            self.world.letters = [letter for letter in self.world.letters if letter["id"] not in matched]
        older = max(matched, key=int) if len(matched) < len(left) else None
        self.ordered(body, {"matched": len(matched), "done": not self.world.orders_go_on, "next": older})

    def stream(self, path):
        _, _, what, id, _ = path.split("/")
        mine = queue.Queue()
        with self.world.lock:
            last = int(self.headers.get("Last-Event-ID", len(self.world.events)))
            for event in self.world.events[last:]:
                mine.put(event)
            self.world.streams.append(mine)
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        self.close_connection = True
        seen = last
        try:
            self.wfile.write(b": hello\n\n")
            while not self.world.down:
                try:
                    event = mine.get(timeout=1)
                except queue.Empty:
                    self.wfile.write(f"id: {seen}\n: still here\n\n".encode())
                    continue
                if event is None:
                    return
                number, name, value = event
                seen = number
                if value["id" if what == "jobs" else "request"] == id:
                    self.wfile.write(f"id: {number}\nevent: {name}\ndata: {json.dumps(value)}\n\n".encode())
        except OSError:
            pass
        finally:
            with self.world.lock:
                self.world.streams.remove(mine)


class Gateway:
    def __init__(self, port=0):
        self.world = World()
        self.server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.server.daemon_threads = True
        self.server.world = self.world
        self.address = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()

    def close(self):
        self.world.down = True
        self.world.drop_streams()
        self.server.shutdown()
        self.server.server_close()
