"""The handler side of the process protocol: one JSON object a line over stdin and stdout.

A handler program calls `serve(name, prepare)`. `prepare()` loads libraries and models once and
returns the function that does one job; it raises `Unavailable` when something is missing, and the
worker then does not advertise the kind. A handler that is configured with a `batch_size` gets lists of
jobs: its function takes a list, and yields each job with its result, or with a `Failure`, as soon as it is
known. Only protocol lines ever reach the real stdout: whatever a
library prints goes to stderr. A job's failure is raised as `Failure`; any other exception is a bug
or a lack of memory, and may be retried.
"""

import json
import os
import sys
import time
import traceback

PROTOCOL = 1
VERSION = "1"
CHECKPOINT_BYTES = 65_536


class Unavailable(Exception):
    """This handler cannot run here; the text says what is missing and what to do."""


class Failure(Exception):
    """One attempt failed, in words for its submitter; never contains the payload."""

    def __init__(self, error_class, message, retryable=False, retry_after=None):
        super().__init__(message)
        self.error_class = error_class
        self.message = message
        self.retryable = retryable
        self.retry_after = retry_after


class Input:
    """The result of a job that this one waited for, as a file."""

    def __init__(self, entry):
        self.job = entry["job"]
        self.path = entry["path"]
        self.size = entry["size"]

    def text(self):
        """The text of the result: the member `text` of an object, an answer of a chat or completion, else
        all of it. The same rule as of http handlers, see docs/handlers.md."""
        with open(self.path, "rb") as file:
            content = file.read()
        try:
            text = content.decode("utf-8")
        except UnicodeDecodeError:
            raise Failure("invalid_text", f"the result of job {self.job} is not UTF-8") from None
        try:
            result = json.loads(text)
        except (ValueError, RecursionError):
            return text
        return _result_text(result, text)


def _result_text(result, otherwise):
    if not isinstance(result, dict):
        return result if isinstance(result, str) else otherwise
    if isinstance(result.get("text"), str):
        return result["text"]
    choices = result.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else {}
    if isinstance(choice.get("text"), str):
        return choice["text"]
    message = choice.get("message")
    if isinstance(message, dict) and isinstance(message.get("content"), str):
        return message["content"]
    return otherwise


class Job:
    """One attempt: its input files, its private directory, and how much time is left."""

    def __init__(self, message, send):
        self.id = message["id"]
        self.path = message["payload"]["path"]
        # The results that the job takes from others of its request, in the order of those.
        self.inputs = [Input(entry) for entry in message.get("inputs") or []]
        self.has_payload = self.size > 0
        if self.inputs and not self.has_payload:
            self.path = self.inputs[0].path  # A job without a payload of its own works on what it is given.
        self.directory = message["directory"]
        # What an earlier attempt handed over last; None: nothing.
        self.saved = message.get("checkpoint")
        # The trace that the job belongs to, with the attempt as parent; None: it belongs to none.
        self.traceparent = message.get("traceparent")
        limit = message.get("time_limit_ms") or 0
        self._deadline = time.monotonic() + limit / 1000 if limit > 0 else None
        self._send = send

    @property
    def size(self):
        return os.stat(self.path).st_size

    def require_size(self, limit, what):
        """Refuses an empty input and one above the limit, before anything reads it."""
        if self.size == 0:
            raise Failure("empty_input", f"{what} is empty: 0 bytes")
        if self.size > limit:
            raise Failure("too_large", f"{what} has {self.size} bytes; the limit is {limit}")

    def read(self):
        with open(self.path, "rb") as file:
            return file.read()

    def seconds_left(self, at_most):
        if self._deadline is None:
            return at_most
        return max(0.1, min(at_most, self._deadline - time.monotonic()))

    def scratch(self, name):
        return os.path.join(self.directory, name)

    def progress(self, fraction, text):
        fraction = round(min(max(fraction, 0.0), 1.0), 4)
        self._send(_line({"type": "progress", "id": self.id, "fraction": fraction, "text": text}))

    def put(self, value):
        """Output for whoever follows the job, before it is done: one JSON value a line."""
        self._send(_line({"type": "partial", "id": self.id, "value": value}))

    def checkpoint(self, data):
        """Hands over what the next attempt needs to go on from here. Returns False when it is too large for that."""
        if len(_line(data)) - 1 > CHECKPOINT_BYTES:
            return False
        self._send(_line({"type": "checkpoint", "id": self.id, "data": data}))
        return True


def setting(name, default):
    """A positive whole number from the environment."""
    text = os.environ.get(name, "")
    if not text:
        return default
    if not text.isascii() or not text.isdigit() or int(text) == 0:
        raise Unavailable(f"{name} must be a positive whole number")
    return int(text)


def serve(name, prepare):
    """Speaks the protocol until stdin ends. Returns the exit status."""
    output = _take_stdout()

    def send(line):
        output.write(line)
        output.flush()

    try:
        work = prepare()
    except Exception as error:  # Whatever a library raises when its model or one of its files is not as it should be.
        reason = str(error) if isinstance(error, (Unavailable, ImportError)) else f"{type(error).__name__}: {error}"
        send(_line({"type": "unavailable", "reason": f"{name}: {reason}"}))
        return 0
    send(_line({"type": "ready", "protocol": PROTOCOL, "name": name, "version": VERSION}))

    for line in sys.stdin.buffer:
        message = json.loads(line)
        if message.get("type") == "job":
            send(_attempt(work, Job(message, send)))
        elif message.get("type") == "jobs":
            _attempts(work, [Job(member, send) for member in message["jobs"]], send)
    return 0


def _attempt(work, job):
    """Runs one job; the line that answers it."""
    try:
        return _result(job, work(job))
    except Exception as problem:
        return _error(job, _failure(problem, job))


def _attempts(work, jobs, send):
    """Runs jobs together; each is answered as soon as its result is known."""
    open_jobs = {job.id: job for job in jobs}
    failure = Failure("handler_error", "the handler gave no result", retryable=True)
    try:
        for job, result in work(jobs):
            if job.id in open_jobs:
                # Before it is taken out: a result that is no JSON is that job's failure too.
                line = _error(job, result) if isinstance(result, Failure) else _result(job, result)
                del open_jobs[job.id]
                send(line)
    except Exception as problem:
        failure = _failure(problem, *open_jobs.values())
    for job in open_jobs.values():
        send(_error(job, failure))


def _failure(problem, *jobs):
    """What an exception means for the jobs that it ended."""
    if isinstance(problem, Failure):
        return problem
    if isinstance(problem, MemoryError):
        return Failure("out_of_memory", "the handler's memory limit was reached", retryable=True)
    # A bug. Its text may quote the input, so only its type and place are told.
    name, ids = type(problem).__name__, ", ".join(job.id for job in jobs)
    print(f"{name} in job {ids}\n{''.join(traceback.format_tb(problem.__traceback__))}", file=sys.stderr, flush=True)
    return Failure("handler_error", f"unexpected {name} in the handler", retryable=True)


def _result(job, result):
    return _line({"type": "result", "id": job.id, "result": result})


def _error(job, error):
    return _line({
        "type": "error", "id": job.id, "class": error.error_class, "message": error.message,
        "retryable": error.retryable, "retry_after": error.retry_after,
    })


def _line(message):
    text = json.dumps(message, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    # A lone surrogate cannot be UTF-8; it becomes "?" rather than a broken line.
    return text.encode("utf-8", "replace") + b"\n"


def _take_stdout():
    """Keeps the real stdout for the protocol; file descriptor 1 becomes stderr for everybody else."""
    sys.stdout.flush()
    output = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return output
