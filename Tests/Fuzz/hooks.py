"""What a schema cannot say of a request, and what nobody without a token may get.

Loaded by schemathesis (schemathesis.toml names it).
"""

import itertools
import json
import pathlib

import schemathesis
from schemathesis.generation import GenerationMode

FORM = "multipart/form-data"
# Dead letters that there are, in turn: an id that was made up is never one.
LETTERS = json.loads(pathlib.Path("letters.json").read_text())
letters = itertools.cycle(LETTERS)
ANSWERS = pathlib.Path("answers.log")
KINDS = ["noop", "echo", "fail", "sleep", "nobody"]


def _content(context, response):
    """Bytes, as a text that a schema can be asked about."""
    return response.content.decode("latin-1")


schemathesis.deserializer("application/octet-stream", *(f"audio/{name}" for name in ("wav", "flac", "ogg", "mp4", "webm", "mpeg")))(
    _content
)


@schemathesis.hook
def before_call(context, case, kwargs):
    """Makes a request that fits the schema fit itself too: a job comes after jobs that stand before it, of a form's
    request each file is that of a job. Kinds are such as have a worker, and one that has none."""
    if case.meta is None or case.meta.generation.mode is not GenerationMode.POSITIVE:
        return
    # Of a job or a request that is there, every other time; only a dead letter is retried at all.
    parameters = case.path_parameters or {}
    if "id" in parameters and LETTERS and (case.operation.label.endswith("/retry") or str(parameters["id"])[-1:] in "13579"):
        case.path_parameters["id"] = next(letters)
    if not isinstance(case.body, dict):
        return
    # Else one order would take them all.
    if "dead-letters" in case.operation.label:
        case.body["tenant"] = "default"
        # One that would take longer than an hour is refused, and a subject has two under way.
        if "per_second" in case.body:
            case.body["per_second"] = max(1_000, case.body["per_second"])
    if case.media_type == FORM:
        # Fields that the document does not name are sent as no files.
        case.body = {name: case.body[name] for name in ("request", "text", "file") if case.body.get(name)}
        if "request" in case.body:
            case.body.pop("text", None)
            case.body["request"] = json.dumps({"jobs": [{"kind": "echo", **({"file": "file"} if "file" in case.body else {})}]})
        elif not case.body:
            case.body["text"] = "text"
    elif isinstance(case.body.get("jobs"), list):
        # No tenant has a secret to sign with.
        case.body.pop("webhook", None)
        for index, job in enumerate(case.body["jobs"]):
            job["kind"] = KINDS[len(job["kind"]) % len(KINDS)]
            for name in ("after", "inputs"):
                if name in job:
                    job[name] = [other for other in job[name] if other < index]


@schemathesis.hook
def after_call(context, case, response):
    with ANSWERS.open("a") as log:
        log.write(f"{case.operation.label} {response.status_code}\n")


@schemathesis.check
def nobody_gets_through(context, response, case):
    """Without a token what is guarded answers 401, whatever else is wrong with the request."""
    if case.operation.definition.raw.get("security") and "Authorization" not in response.request.headers:
        # A method that the path has not is refused before anybody is asked who they are.
        is_other = case.method.upper() != case.operation.method.upper()
        assert response.status_code == (405 if is_other else 401), f"{response.status_code} without a token"
