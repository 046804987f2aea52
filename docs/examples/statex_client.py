#!/usr/bin/env python3
"""A client of Statex in plain Python with pyzmq, written from docs/protocol.md alone.

Submits one request with a job for each --payload, waits for its jobs, and prints one JSON object; a restart of the
scheduler does not matter. Exits 0 when all jobs succeeded, 1 when one did not, 3 when refused, 4 when nobody answered.
"""
import argparse, contextlib, json, os, random, struct, sys, time

import zmq

HELLO, WELCOME, FAULT, HEARTBEAT, GOODBYE, SUBMIT, ACCEPTED, REFUSED, AWAIT, RESULTS = 1, 2, 3, 4, 5, 16, 17, 18, 19, 20
STATES = {10: "succeeded", 11: "failed", 12: "dead", 13: "cancelled", 14: "expired"}  # the final ones


class Refused(Exception):
    """For good: trying again does not help."""


class Session:
    """One connection after the other; `open` begins the next. ConnectionError: that is due."""

    def __init__(self, endpoint, peer_key=None, server_key=None):
        self.endpoint, self.context, self.keys = endpoint, zmq.Context(), (peer_key, server_key)
        self.socket = self.context.socket(zmq.DEALER)
        self.producer, self.incarnation = os.urandom(16), random.getrandbits(63) + 1
        self.epochs = {}  # the highest of each journal seen

    def open(self):
        end = time.monotonic() + 30
        while time.monotonic() < end:
            self.socket.close(linger=0)
            self.socket = self.context.socket(zmq.DEALER)
            self.socket.immediate, self.socket.hwm, self.socket.maxmsgsize = 1, 64, 4194304
            if self.keys[0]:  # of a tcp:// endpoint; the files of `statex keys new`, read anew each time
                from zmq.auth import load_certificate

                self.socket.curve_publickey, self.socket.curve_secretkey = load_certificate(self.keys[0])
                self.socket.curve_serverkey, _ = load_certificate(self.keys[1])
            self.socket.connect(self.endpoint)
            self.stamp, self.heard, self.silence, self.heartbeat = (0, 0, 0), time.monotonic(), 3.0, 3.0
            hello = struct.pack("<BBBxHHIIQ16s", 1, 1, 1, 0, 6, 0, 0, self.incarnation, self.producer)
            with contextlib.suppress(ConnectionError):
                self.send(HELLO, hello, b"python")
                if self.welcomed(*self.receive()):
                    return
            time.sleep(random.uniform(0.1, 0.2))
        raise TimeoutError(f"no scheduler answered at {self.endpoint} within 30 s")

    def welcomed(self, kind, frame, *_):
        _, journal, epoch = stamp = struct.unpack_from("<QQI", frame, 8)
        newest = next(reversed(self.epochs), journal)  # the journal of the last WELCOME
        if kind != WELCOME or epoch < self.epochs.get(journal, 0) or (journal in self.epochs and journal != newest):
            return False  # somebody of the past
        heartbeat, _, self.last_sequence = struct.unpack_from("<IIQ", frame, 32)
        self.epochs[journal], self.stamp = epoch, stamp
        self.heartbeat, self.silence = heartbeat / 1000, max(3 * heartbeat / 1000, 3)
        return True

    def send(self, kind, fields=b"", body=b"", count=0, record=0):
        if not self.socket.poll(int(self.silence * 1000), zmq.POLLOUT):
            raise ConnectionError
        header = struct.pack("<2sBBHHQQII", b"SX", 1, kind, 32 + len(fields), record, *self.stamp, count)
        self.socket.send(header + fields + body)
        self.sent = time.monotonic()

    def receive(self):
        """The next message: type, frame, where its records begin, their length and number."""
        while time.monotonic() - self.heard < self.silence:
            due = self.sent + self.heartbeat - time.monotonic()
            if due <= 0 and self.stamp[0]:
                self.send(HEARTBEAT, struct.pack("<II", 0, 0))
            if not self.socket.poll(max(int(1000 * due), 1)):
                continue
            frame = self.socket.recv()
            kind, offset, record_length, *stamp, count = struct.unpack_from("<3xBHHQQII", frame)
            if kind == FAULT:
                code, length, wait = struct.unpack_from("<HHI", frame, 32)
                if code not in (5, 6, 7, 10):
                    raise Refused(frame[offset:offset + length].decode())
                time.sleep(wait / 1000)
            elif self.stamp[0] and tuple(stamp) != self.stamp:
                continue
            if kind in (FAULT, GOODBYE):
                break
            self.heard = time.monotonic()
            return kind, frame, offset, record_length, count
        raise ConnectionError


def submit_body(kind, payloads, key):
    body = b"".join(bytes([len(name)]) + name for name in (kind.encode(), b"default"))
    for index, payload in enumerate(payloads):
        options = struct.pack("<HH", 1, len(key)) + key if key and index == 0 else b""
        body += struct.pack("<HHHHBBBxHxxI", 0, 1, index, len(payloads), 5, 0, 0, len(options), len(payload))
        body += options + payload
    return body


def run(session, body, count):
    """Submits the request, and returns its id and its jobs once all are final."""
    request, sequence, jobs, backoff = None, None, {}, 0.0
    while True:
        session.open()
        sequence = sequence or session.last_sequence + 1  # for good: sent again, it is the same
        with contextlib.suppress(ConnectionError):
            while request is None:
                session.send(SUBMIT, struct.pack("<QIHH", sequence, 0, 2, 0), body, count, 20)
                request, wait = acknowledged(session, sequence)
                backoff = min(max(2 * backoff, wait), 5) if wait else 0
                time.sleep(backoff * random.uniform(1, 1.5))
            # One request: far fewer than the 100,000 jobs beyond which records come that are not final.
            session.send(AWAIT, body=struct.pack("<QII", request, 3, 0), count=1, record=16)
            while len(jobs) < count:
                collect(jobs, request, *session.receive())
            return request, [jobs[index] for index in sorted(jobs)]


def acknowledged(session, sequence):
    """The request's id; or None and the seconds after which the scheduler wants to be asked again."""
    while True:
        kind, frame, offset, record_length, count = session.receive()
        for _ in range(count if kind == ACCEPTED else 0):
            first, first_id, requests, jobs_each = struct.unpack_from("<QQIH", frame, offset)
            offset += record_length
            if first <= sequence < first + requests:
                return first_id + (sequence - first) * jobs_each, 0
        for _ in range(count if kind == REFUSED else 0):
            first, requests, _, length, wait = struct.unpack_from("<QIHHI", frame, offset)
            offset += record_length + length
            if first <= sequence < first + requests:
                if wait == 0:
                    raise Refused(frame[offset - length:offset].decode())
                return None, wait / 1000


def collect(jobs, request, kind, frame, offset, record_length, count):
    """Keeps what a RESULTS message says of the request's final jobs, by index."""
    for _ in range(count if kind == RESULTS else 0):
        job, index, _, state, encoding, attempts, _, named, _, size = struct.unpack_from("<QHHBBHHB5xqI", frame, offset)
        start = offset + record_length + named
        name, body = frame[start - named:start].decode(), frame[start:start + size]
        offset = start + size
        if state == 0 and job == request:
            raise Refused(f"no request {request} is known")
        if job - index == request and state in STATES:
            jobs[index] = {"id": str(job), "kind": name, "state": STATES[state], "attempts": attempts}
            if state == 10:
                jobs[index]["result"] = {"text": body.decode(errors="replace")}
                with contextlib.suppress(ValueError):
                    jobs[index]["result"] = json.loads(body) if encoding == 0 else {"object": json.loads(body)}
            elif body:
                name, message = body[1:1 + body[0]].decode(), body[1 + body[0]:].decode()
                jobs[index]["error"] = {"class": name, "message": message}


def main():
    parser = argparse.ArgumentParser(description="Submit one request to Statex and wait for its results.")
    parser.add_argument("--endpoint", required=True)
    parser.add_argument("--kind", required=True)
    parser.add_argument("--payload", required=True, action="append", type=os.fsencode)
    parser.add_argument("--key", type=os.fsencode)
    parser.add_argument("--peer-key")
    parser.add_argument("--server-public-key")
    given = parser.parse_args()
    try:
        body = submit_body(given.kind, given.payload, given.key)
        request, jobs = run(Session(given.endpoint, given.peer_key, given.server_public_key), body, len(given.payload))
    except (Refused, TimeoutError) as error:
        print(f"statex_client: {error}", file=sys.stderr)
        return 3 if isinstance(error, Refused) else 4
    ends = {job["state"] for job in jobs}
    state = "failed" if ends & {"failed", "dead", "expired"} else "cancelled" if "cancelled" in ends else "succeeded"
    print(json.dumps({"request": str(request), "state": state, "jobs": jobs}, ensure_ascii=False))
    return 0 if state == "succeeded" else 1


if __name__ == "__main__":
    sys.exit(main())
