"""The line protocol and the checks at the start, seen from the worker's side."""

import hashlib
import json
import shutil
import subprocess

import pytest

from handler import MODELS, PROGRAMS, Handler

# A handler whose job is what the payload asks for; it imports the same shared module as the real ones.
PROGRAM = """
import ctypes, os, sys
sys.path.insert(0, {programs!r})
from statex_handler import Failure, Unavailable, serve, setting
def prepare():
    print("noise while preparing")
    limit = setting("STATEX_TEST_LIMIT", 10)
    if os.environ.get("STATEX_TEST_MISSING"):
        raise Unavailable("the model is missing")
    def work(job):
        print("noise in a job"); os.write(1, b"noise past Python\\n"); ctypes.CDLL(None).puts(b"noise from C")
        job.require_size(100, "the input")
        order = job.read().decode()
        if order == "fail": raise Failure("broken_file", "no good")
        if order == "later": raise Failure("busy", "come again", retryable=True, retry_after=5000)
        if order.startswith("bug"): raise KeyError(order)
        if order == "memory": raise MemoryError
        if order == "surrogate": return {{"text": "a\\ud800b\\u0000"}}
        if order == "nan": return {{"number": float("nan")}}
        job.progress(0.5, "half"); job.progress(7, "too much")
        return {{"order": order, "limit": limit, "left": job.seconds_left(1000) < 121}}
    return work
sys.exit(serve("test", prepare))
"""


@pytest.fixture
def program(tmp_path):
    path = tmp_path / "program.py"
    path.write_text(PROGRAM.format(programs=str(PROGRAMS)))
    return path


def start(program, tmp_path, **settings):
    return Handler(program.with_suffix(""), tmp_path / "private", **settings)


def test_nothing_but_protocol_lines_reaches_stdout(program, tmp_path):
    with start(program, tmp_path) as handler:
        assert handler.greeting == {"type": "ready", "protocol": 1, "name": "test", "version": "1"}
        assert handler.result(b"hello") == {"order": "hello", "limit": 10, "left": True}
        for noise in ("while preparing", "in a job", "past Python"):
            assert f"noise {noise}" in handler.stderr()


def test_progress_comes_before_the_result_and_stays_between_0_and_1(program, tmp_path):
    with start(program, tmp_path) as handler:
        handler.result(b"hello")
        assert [(line["fraction"], line["text"]) for line in handler.progress] == [(0.5, "half"), (1.0, "too much")]


def test_failures_say_whether_and_when_to_try_again(program, tmp_path):
    with start(program, tmp_path) as handler:
        answer = handler.run(b"fail")
        assert answer == {"type": "error", "id": "1001", "class": "broken_file", "message": "no good", "retryable": False, "retry_after": None}
        answer = handler.run(b"later")
        assert (answer["class"], answer["retryable"], answer["retry_after"]) == ("busy", True, 5000)


def test_a_bug_costs_one_attempt_tells_nothing_of_the_payload_and_the_next_job_runs(program, tmp_path):
    with start(program, tmp_path) as handler:
        for order in (b"bug secret", b"nan"):
            answer = handler.run(order)
            assert (answer["class"], answer["retryable"]) == ("handler_error", True)
            assert "secret" not in answer["message"] + handler.stderr()
        answer = handler.run(b"memory")
        assert (answer["class"], answer["retryable"]) == ("out_of_memory", True)
        assert handler.result(b"hello")["order"] == "hello"


def test_text_that_is_not_unicode_never_breaks_a_line(program, tmp_path):
    with start(program, tmp_path) as handler:
        assert handler.result(b"surrogate") == {"text": "a?b\x00"}


def test_empty_and_large_inputs_are_refused_with_the_numbers(program, tmp_path):
    with start(program, tmp_path) as handler:
        assert handler.failure(b"") == "empty_input"
        answer = handler.run(b"x" * 101)
        assert answer["class"] == "too_large" and "101" in answer["message"] and "100" in answer["message"]


def test_the_handler_ends_with_its_stdin(program, tmp_path):
    with start(program, tmp_path) as handler:
        handler.result(b"hello")
    assert handler.status == 0


def test_what_is_missing_is_a_reason_and_exit_0(program, tmp_path):
    with start(program, tmp_path, STATEX_TEST_MISSING="1") as handler:
        assert handler.greeting == {"type": "unavailable", "reason": "test: the model is missing"}
        assert handler.process.wait(10) == 0


@pytest.mark.parametrize("value", ["0", "-1", "1.5", "many", "１"])
def test_a_setting_that_is_no_positive_number_is_a_reason_that_names_it(program, tmp_path, value):
    with start(program, tmp_path, STATEX_TEST_LIMIT=value) as handler:
        assert handler.greeting["type"] == "unavailable"
        assert "STATEX_TEST_LIMIT" in handler.greeting["reason"]


@pytest.fixture
def models(tmp_path):
    """A copy of the models, to be damaged."""
    target = tmp_path / "models"
    for name in ("whisper-tiny.en", "e5-small", "language-id"):
        shutil.copytree(MODELS / name, target / name)
    return target


def reason(program, tmp_path, **settings):
    with Handler(program, tmp_path / "private", **settings) as handler:
        assert handler.greeting["type"] == "unavailable", handler.greeting
        assert handler.process.wait(10) == 0
        return handler.greeting["reason"]


def test_a_model_file_that_changed_is_refused(models, tmp_path):
    path = models / "e5-small/e5-small-q4.bin"
    with open(path, "r+b") as file:
        file.seek(40_000_000)
        byte = file.read(1)
        file.seek(40_000_000)
        file.write(bytes([byte[0] ^ 1]))
    assert "e5-small-q4.bin differs from its sum" in reason("text", tmp_path, STATEX_MODELS=str(models))


def test_a_model_file_that_is_missing_or_has_no_sum_is_refused(models, tmp_path):
    (models / "whisper-tiny.en/extra.bin").write_bytes(b"x")
    assert "extra.bin has no sum" in reason("audio", tmp_path, STATEX_MODELS=str(models))
    (models / "whisper-tiny.en/extra.bin").unlink()
    (models / "whisper-tiny.en/vocabulary.txt").unlink()
    assert "vocabulary.txt is missing" in reason("audio", tmp_path, STATEX_MODELS=str(models))


@pytest.mark.parametrize("name", ["../e5-small", "/etc", "a/b", ".", ""])
def test_a_model_is_named_by_a_directory_under_the_models_only(tmp_path, name):
    if name:
        assert "expected a directory's name" in reason("audio", tmp_path, STATEX_AUDIO_MODEL=name)
    else:
        assert "STATEX_MODELS is not set" in reason("audio", tmp_path, STATEX_MODELS="")


def test_an_operator_brings_another_model_with_its_own_sums(models, tmp_path):
    (models / "whisper-tiny.en").rename(models / "our-model")
    assert "our-model has no sums" in reason("audio", tmp_path, STATEX_MODELS=str(models), STATEX_AUDIO_MODEL="our-model")
    sums = tmp_path / "sums"
    sums.write_text("".join(
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  our-model/{path.name}\n" for path in (models / "our-model").iterdir()))
    settings = {"STATEX_MODELS": str(models), "STATEX_AUDIO_MODEL": "our-model", "STATEX_MODEL_SUMS": str(sums)}
    with Handler("audio", tmp_path / "private", **settings) as handler:
        assert handler.greeting["type"] == "ready"


def test_unknown_languages_and_missing_programs_are_reasons(tmp_path):
    assert "does not know 'xx'" in reason("audio", tmp_path, STATEX_AUDIO_LANGUAGE="xx")
    assert "STATEX_OCR_LANGUAGES" in reason("file", tmp_path, STATEX_OCR_LANGUAGES="../../etc")
    assert "for klingon is not installed" in reason("file", tmp_path, STATEX_OCR_LANGUAGES="eng+klingon")
    assert "is not installed" in reason("file", tmp_path, PATH=str(tmp_path))


def test_a_missing_library_is_a_reason(tmp_path):
    bare = subprocess.run(
        ["/usr/bin/python3", "-S", str(PROGRAMS / "text.py")], capture_output=True, stdin=subprocess.DEVNULL, timeout=30,
        env={"PATH": "/usr/bin:/bin", "STATEX_MODELS": str(MODELS), "PYTHONDONTWRITEBYTECODE": "1"})
    assert bare.returncode == 0
    assert json.loads(bare.stdout)["type"] == "unavailable"


TOGETHER = """
import sys
sys.path.insert(0, {programs!r})
from statex_handler import Failure, serve
def prepare():
    def work(jobs):
        orders = [job.read().decode() for job in jobs]
        for job, order in zip(jobs, orders):
            if order == "bug": raise KeyError(order)
            if order == "forget": continue
            yield job, Failure("broken_file", "no good") if order == "fail" else float("nan") if order == "nan" else len(orders)
    return work
sys.exit(serve("test", prepare))
"""


def answers(tmp_path, *orders):
    """How the program answers these jobs of one `jobs` line: by their numbers, the result or the error's class."""
    place = tmp_path / "-".join(orders)
    place.mkdir()
    path = place / "together.py"
    path.write_text(TOGETHER.format(programs=str(PROGRAMS)))
    with start(path, place) as handler:
        jobs = []
        for number, order in enumerate(orders):
            file = handler.directory / f"{number}-input"
            file.write_text(order)
            file.chmod(0o644)
            jobs.append({
                "id": str(number), "kind": "any", "attempt": 1, "payload": {"path": str(file), "size": len(order)},
                "inputs": [], "directory": str(handler.directory), "time_limit_ms": 0})
        handler.process.stdin.write(json.dumps({"type": "jobs", "jobs": jobs}).encode() + b"\n")
        handler.process.stdin.flush()
        lines = [handler.receive(60) for _ in jobs]
        return {int(line["id"]): line.get("result", line.get("class")) for line in lines}


def test_jobs_of_one_line_are_answered_one_by_one(tmp_path):
    assert answers(tmp_path, "a", "fail", "b") == {0: 3, 1: "broken_file", 2: 3}


def test_what_a_function_did_not_answer_fails_and_the_rest_stays(tmp_path):
    assert answers(tmp_path, "a", "forget", "b") == {0: 3, 1: "handler_error", 2: 3}
    assert answers(tmp_path, "a", "bug", "b") == {0: 3, 1: "handler_error", 2: "handler_error"}


def test_a_result_that_is_no_json_is_a_failure_and_not_a_line(tmp_path):
    assert answers(tmp_path, "a", "nan") == {0: 2, 1: "handler_error"}
