"""Fills a stand-in gateway with a believable life, to look at the page: python3 Tests/PageTests/demo.py [PORT]."""

import random
import sys
import threading
import time

from mock import Gateway, stamp, tone

TEXT = "The committee met at nine. It approved the minutes, heard two reports, and put off the third item."
SEGMENTS = [
    {"start": 0.0, "end": 0.9, "text": "And now for the weather."}, {"start": 0.9, "end": 1.8, "text": "Rain in the north, clearing by noon."},
    {"start": 1.8, "end": 3.0, "text": "The south stays dry and rather warm for the season."}]
TRANSCRIPT = {"text": " ".join(one["text"] for one in SEGMENTS), "language": "en", "duration_seconds": 3.0, "segments": SEGMENTS, "model": "whisper-tiny.en"}
ANALYSIS = {
    "language": {"code": "en", "confidence": 0.98}, "words": 18, "sentences": 2, "summary": ["It approved the minutes, heard two reports, and put off the third item."],
    "key_phrases": ["committee", "minutes", "two reports", "third item"], "embedding": [0.0123, -0.0456, 0.0789] * 128, "model": "e5-small"}


def fill(world):
    chance = random.Random(7)
    now = time.time()
    world.workers = [
        {"name": f"node-{node}/worker-{number}", "state": "draining" if (node, number) == (3, 1) else "serving", "slots": slots, "leases": min(slots + (2 if number == 2 else 0), busy),
         "kinds": kinds, "labels": ["gpu"] if node == 1 else [], "succeeded": chance.randrange(900, 40_000), "failed": chance.choice([0, 0, 3, 12])}
        for node, number, slots, busy, kinds in [(1, 1, 8, 7, ["audio", "text"]), (1, 2, 8, 10, ["audio"]), (2, 1, 16, 11, ["text", "file"]), (2, 2, 16, 3, ["text", "file"]), (3, 1, 4, 1, ["embed"])]]
    world.extra_queues = [{"kind": "embed", "queued": 41_214, "delayed": 12, "blocked": 380, "leased": 4, "backlog_seconds": 1_512.0, "oldest_seconds": 512.0, "paused": False},
                          {"kind": "thumbnail", "queued": 0, "delayed": 0, "blocked": 0, "leased": 0, "backlog_seconds": 0, "oldest_seconds": None, "paused": True}]
    for number in range(60):
        kind = chance.choice(["text", "text", "audio", "file"])
        world.end(begun(world, world.job(kind, payload=tone() if kind == "audio" else TEXT.encode(), created_at=stamp(now - 90 + number))), result=TRANSCRIPT if kind == "audio" else ANALYSIS)
    for _ in range(14):
        world.job(chance.choice(["text", "audio", "file"]))
    for kind, error_class, error, count in [
            ("audio", "timeout", "the attempt ran past its limit of 120 s", 41), ("file", "broken_file", "the PDF has no cross-reference table\nat byte 1,204", 17),
            ("text", "handler_crashed", "exit code -11: Segmentation fault (core dumped)", 6), ("embed", "dependency", "not run: a job it waits for (kind text) ended as dead", 3)]:
        for _ in range(count):
            world.next_id += 1
            world.letters.append({"id": str(world.next_id), "request": str(world.next_id), "kind": kind, "tenant": chance.choice(["acme", "globex"]), "state": "dead",
                                  "ended_at": stamp(now - chance.randrange(60, 90_000)), "error_class": error_class, "error": error, "tags": [], "retried_as": None, "dropped": False})


def begun(world, job, worker="node-1/worker-1"):
    world.start(job, worker)
    return job


def several(world):
    """One job that was lost, returned, failed, and runs now."""
    now = time.time()
    job = world.job("audio", "running", payload=tone(), created_at=stamp(now - 400), worker="node-2/worker-1", attempts_begun=4, attempts_allowed=5, tags=["meeting-42"])
    job["leased_at"] = job["started_at"] = stamp(now - 11)
    ends = [("node-1/worker-1", -398, -390, "lost", None, None), ("node-1/worker-2", -60, -58, "returned", None, None),
            ("node-2/worker-2", -57.8, -31, "failed", "out_of_memory", "the handler used more than 2 GB and was stopped"), ("node-2/worker-1", -11, None, None, None, None)]
    job["attempts"] = [{"attempt": number + 1, "worker": worker, "leased_at": stamp(now + start), "started_at": stamp(now + start + 0.4), "ended_at": stamp(now + end) if end else None,
                        "ending": ending, "error_class": error_class, "error": error, "retry_at": stamp(now - 11) if ending == "failed" else None}
                       for number, (worker, start, end, ending, error_class, error) in enumerate(ends)]
    return job


def chain(world):
    """A request of five jobs that wait for each other."""
    first = begun(world, world.job("audio", payload=tone()))
    world.end(first, result=TRANSCRIPT)
    rest = [("audio", "running", []), ("text", "queued", [0]), ("text", "blocked", [0, 1]), ("index", "blocked", [2, 3])]
    for index, (kind, state, after) in enumerate(rest, 1):
        job = world.job(kind, state, request=first["id"], index=index, after=after, payload=tone() if kind == "audio" else TEXT.encode())
        if state == "running":
            begun(world, job)
        if state == "queued":
            job["waiting_because"] = "every slot that could take it is busy"
    return first


def live(world):
    chance = random.Random(3)
    while not world.down:
        time.sleep(0.15)
        with world.lock:
            open_jobs = [job for job in world.jobs.values() if job["request"] == job["id"]]
        queued = [job for job in open_jobs if job["state"] == "queued"]
        running = [job for job in open_jobs if job["state"] == "running" and job["attempts_begun"] < 4]
        if queued and chance.random() < 0.8:
            world.start(queued[0], chance.choice(world.workers)["name"])
        for job in running:
            world.publish(job, "job.progress", {"fraction": chance.random(), "text": "working"})
            if chance.random() < 0.12:
                failed = chance.random() < 0.06
                world.end(job, "failed" if failed else "succeeded", result=None if failed else TRANSCRIPT if job["kind"] == "audio" else ANALYSIS, error_class="broken_file" if failed else None, error="the file is cut off" if failed else None)
        if len(queued) < 10 or chance.random() < 0.4:
            kind = chance.choice(["text", "text", "audio", "file"])
            world.job(kind, payload=tone() if kind == "audio" else TEXT.encode())
        world.counts["submitted"] += (extra := chance.randrange(8, 14))
        world.counts["succeeded"] += extra - chance.randrange(2)


def lively(port=0):
    gateway = Gateway(port)
    fill(gateway.world)
    gateway.world.shown = {"job": several(gateway.world), "request": chain(gateway.world)}
    threading.Thread(target=live, args=(gateway.world,), daemon=True).start()
    return gateway


if __name__ == "__main__":
    gateway = lively(int(sys.argv[1]) if len(sys.argv) > 1 else 8421)
    print(f"{gateway.address}\ntoken: {gateway.world.token}")
    gateway.thread.join()
