#!/usr/bin/env python3
"""A client of Statex in plain Python with pyzmq, written from docs/protocol.md alone.

Submits one request with a job for each --payload, waits for all of its jobs, and prints one JSON object. What was
not answered when the scheduler restarts is sent again with the same sequence; what is waited for is asked again.
Exits 0 when all jobs succeeded, 1 when one did not, 3 when the request was refused, 4 when nobody answered.
"""
import argparse
import json
import os
import random
import struct
import sys
import time

import zmq

HELLO, WELCOME, FAULT, HEARTBEAT, GOODBYE, SUBMIT, ACCEPTED, REFUSED, AWAIT, RESULTS = 1, 2, 3, 4, 5, 16, 17, 18, 19, 20
STATES = {10: "succeeded", 11: "failed", 12: "dead", 13: "cancelled", 14: "expired"}  # the final ones


class Refused(Exception):
    """For good: trying again does not help."""


class SessionOver(Exception):
    """A new socket and a new HELLO are due."""


class Session:
    """One connection after the other; `open` begins the next."""

    def __init__(self, endpoint):
        self.endpoint, self.context, self.socket, self.stamp = endpoint, zmq.Context(), None, (0, 0, 0)
        self.producer, self.incarnation = os.urandom(16), random.getrandbits(63) + 1
        self.epochs, self.last_sequence, self.silence = {}, 0, 3.0  # epochs: the highest of each journal seen

    def open(self):
        end = time.monotonic() + 30
        while time.monotonic() < end:
            if self.socket:
                self.socket.close(linger=0)
            self.socket = self.context.socket(zmq.DEALER)
            for option, value in ((zmq.IMMEDIATE, 1), (zmq.SNDHWM, 64), (zmq.RCVHWM, 64), (zmq.MAXMSGSIZE, 4194304)):
                self.socket.setsockopt(option, value)
            self.socket.connect(self.endpoint)
            self.stamp, self.heard, self.silence, self.heartbeat = (0, 0, 0), time.monotonic(), 3.0, 3.0
            try:
                self.send(HELLO, struct.pack("<BBBxHHIIQ16s", 1, 1, 1, 0, 6, 0, 0, self.incarnation, self.producer),
                          b"python")
                if self.welcomed(*self.receive()):
                    return
            except SessionOver:
                pass
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
            raise SessionOver
        header = struct.pack("<2sBBHHQQII", b"SX", 1, kind, 32 + len(fields), record, *self.stamp, count)
        self.socket.send(header + fields + body)
        self.sent = time.monotonic()

    def receive(self):
        """The next message: type, frame, where its records begin, their length and number."""
        while True:
            now = time.monotonic()
            if now - self.heard >= self.silence:
                raise SessionOver
            if now - self.sent >= self.heartbeat and self.stamp[0]:
                self.send(HEARTBEAT, struct.pack("<II", 0, 0))
            if not self.socket.poll(max(int(1000 * (self.sent + self.heartbeat - now)), 1)):
                continue
            frame = self.socket.recv()
            kind, header_length, record_length, *stamp, count = struct.unpack_from("<3xBHHQQII", frame)
            if kind == FAULT:
                code, length, wait = struct.unpack_from("<HHI", frame, 32)
                if code not in (5, 6, 7, 10):
                    raise Refused(frame[header_length:header_length + length].decode())
                time.sleep(wait / 1000)
            elif self.stamp[0] and tuple(stamp) != self.stamp:
                continue
            if kind in (FAULT, GOODBYE):
                raise SessionOver
            self.heard = time.monotonic()
            return kind, frame, header_length, record_length, count


def submit_body(kind, payloads, key):
    names = b"".join(bytes([len(name)]) + name for name in (kind.encode(), b"default"))
    for index, payload in enumerate(payloads):
        options = struct.pack("<HH", 1, len(key)) + key if key and index == 0 else b""
        names += struct.pack("<HHHHBBBxHxxI", 0, 1, index, len(payloads), 5, 0, 0, len(options), len(payload))
        names += options + payload
    return names


def run(session, body, count):
    """Submits the request, and returns its id and its jobs once all are final."""
    request, sequence, jobs, backoff = None, None, {}, 0.0
    while True:
        session.open()
        sequence = sequence or session.last_sequence + 1  # for good: sent again, it is the same
        is_awaited = False
        try:
            while len(jobs) < count:
                if request is None:
                    session.send(SUBMIT, struct.pack("<QIHH", sequence, 0, 2, 0), body, count, 20)
                    request, wait = acknowledged(session, sequence)
                    if request is None:
                        backoff = min(max(2 * backoff, wait), 5)
                        time.sleep(backoff * random.uniform(1, 1.5))
                elif not is_awaited:
                    session.send(AWAIT, body=struct.pack("<QII", request, 3, 0), count=1, record=16)
                    is_awaited = True
                else:
                    collect(jobs, request, *session.receive())
            return request, [jobs[index] for index in sorted(jobs)]
        except SessionOver:
            continue


def acknowledged(session, sequence):
    """The request's id; or None and the seconds after which the scheduler wants to be asked again."""
    while True:
        kind, frame, offset, record_length, count = session.receive()
        for _ in range(count if kind in (ACCEPTED, REFUSED) else 0):
            if kind == ACCEPTED:
                first, first_id, requests, jobs_each, _ = struct.unpack_from("<QQIHH", frame, offset)
                if first <= sequence < first + requests:
                    return first_id + (sequence - first) * jobs_each, 0
                offset += record_length
            else:
                first, requests, _, length, wait = struct.unpack_from("<QIHHI", frame, offset)
                offset += record_length + length
                if first <= sequence < first + requests and wait > 0:
                    return None, wait / 1000
                if first <= sequence < first + requests:
                    raise Refused(frame[offset - length:offset].decode())


def collect(jobs, request, kind, frame, offset, record_length, count):
    """Keeps what a RESULTS message says of the request's final jobs, by index."""
    for _ in range(count if kind == RESULTS else 0):
        job, index, _, state, encoding, attempts, _, kind_length, _, length = struct.unpack_from(
            "<QHHBBHHB5xqI", frame, offset)
        name = frame[offset + record_length:][:kind_length].decode()
        body = frame[offset + record_length + kind_length:][:length]
        offset += record_length + kind_length + length
        if state == 0 and job == request:
            raise Refused(f"no request {request} is known")
        if job - index != request or state not in STATES:
            continue
        jobs[index] = {"id": str(job), "kind": name, "state": STATES[state], "attempts": attempts}
        if state == 10:
            jobs[index]["result"] = value(body) if encoding == 0 else {"object": json.loads(body)}
        elif body:
            jobs[index]["error"] = {"class": body[1:1 + body[0]].decode(), "message": body[1 + body[0]:].decode()}


def value(body):
    try:
        return json.loads(body)
    except ValueError:
        return {"text": body.decode(errors="replace")}


def main():
    parser = argparse.ArgumentParser(description="Submit one request to Statex and wait for its results.")
    parser.add_argument("--endpoint", required=True)
    parser.add_argument("--kind", required=True)
    parser.add_argument("--payload", required=True, action="append", type=os.fsencode)
    parser.add_argument("--key", type=os.fsencode)
    given = parser.parse_args()
    body = submit_body(given.kind, given.payload, given.key)
    try:
        request, jobs = run(Session(given.endpoint), body, len(given.payload))
    except (Refused, TimeoutError) as error:
        print(f"statex_client: {error}", file=sys.stderr)
        return 3 if isinstance(error, Refused) else 4
    states = {job["state"] for job in jobs}
    state = "failed" if states & {"failed", "dead", "expired"} else "cancelled" if "cancelled" in states else "succeeded"
    print(json.dumps({"request": str(request), "state": state, "jobs": jobs}, ensure_ascii=False))
    return 0 if state == "succeeded" else 1


if __name__ == "__main__":
    sys.exit(main())
