"""Drives one handler program as the worker does: the same lines, environment and private directory."""

import json
import os
import select
import shutil
import socket
import subprocess
import time
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
PROGRAMS = CHECKOUT / "Sources/Worker/Handlers/python"
MODELS = CHECKOUT / ".models"
PYTHON = CHECKOUT / ".venv/bin/python3"


# What the worker allows a handler to use besides the system's programs and libraries.
READ_ONLY = [CHECKOUT / ".venv", MODELS, PROGRAMS]


class Handler:
    """A running handler process; use it in a `with`. With a launcher (its path and options), isolated."""

    def __init__(self, program, directory, launcher=(), **settings):
        self.directory = Path(directory)
        self.control, control = socket.socketpair()
        command = [str(PYTHON), str(PROGRAMS / f"{program}.py")]
        if launcher:
            allowed = [argument for path in READ_ONLY for argument in ("--read", str(path))]
            command = [*launcher, *allowed, "--directory", str(directory), "--control-fd", str(control.fileno()), "--", *command]
        else:
            self.directory.mkdir(parents=True, exist_ok=True)
        environment = {
            "PATH": "/usr/bin:/bin", "HOME": str(self.directory), "TMPDIR": str(self.directory), "LANG": "C.UTF-8",
            "OMP_NUM_THREADS": "1", "OMP_THREAD_LIMIT": "1", "MALLOC_ARENA_MAX": "1", "PYTHONDONTWRITEBYTECODE": "1",
            "STATEX_MODELS": str(MODELS), **settings,
        }
        self.log = open(self.directory.parent / f"{self.directory.name}.stderr", "w+b")
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, cwd=self.directory.parent, env=environment,
            pass_fds=[control.fileno()])
        control.close()
        self._pending = b""
        self._jobs = 0
        self.progress = []
        self.output = []
        self.checkpoints = []
        self.greeting = self.receive(60)

    def receive(self, seconds):
        """The next line, parsed; strict: one JSON object a line, UTF-8, nothing else."""
        deadline = time.monotonic() + seconds
        while b"\n" not in self._pending:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.process.stdout], [], [], left)[0]:
                raise AssertionError(f"no answer within {seconds} s; stderr: {self.stderr()[-2000:]}")
            data = os.read(self.process.stdout.fileno(), 1 << 20)
            if not data:
                raise AssertionError(f"the handler ended with {self.process.wait()}; stderr: {self.stderr()[-2000:]}")
            self._pending += data
        line, _, self._pending = self._pending.partition(b"\n")
        message = json.loads(line.decode("utf-8"))
        assert isinstance(message, dict)
        return message

    def run(self, data, seconds=120, time_limit_ms=120_000, inputs=(), checkpoint=None):
        """One job with these bytes (or a path's) as its payload, and these as results of jobs 0, 1, … before it;
        the answer that ended it."""
        self._jobs += 1
        path = self.directory / "input"
        if isinstance(data, (str, os.PathLike)):
            shutil.copyfile(data, path)
        else:
            path.write_bytes(data)
        owner = self.directory.stat()
        os.chown(path, owner.st_uid, owner.st_gid)
        files = []
        for number, result in enumerate(inputs):
            files.append({"job": number, "path": str(self.directory / f"input-{number}"), "size": len(result)})
            Path(files[-1]["path"]).write_bytes(result)
            os.chown(files[-1]["path"], owner.st_uid, owner.st_gid)
        job = str(1000 + self._jobs)
        message = {
            "type": "job", "id": job, "kind": "any", "attempt": 1, "payload": {"path": str(path), "size": path.stat().st_size},
            "inputs": files, "directory": str(self.directory), "time_limit_ms": time_limit_ms,
        }
        if checkpoint is not None:
            message["checkpoint"] = checkpoint
        self.process.stdin.write(json.dumps(message).encode() + b"\n")
        self.process.stdin.flush()
        self.progress, self.output, self.checkpoints = [], [], []
        while True:
            answer = self.receive(seconds)
            assert answer["id"] == job
            if answer["type"] == "progress":
                self.progress.append(answer)
            elif answer["type"] == "partial":
                self.output.append(answer["value"])
            elif answer["type"] == "checkpoint":
                self.checkpoints.append(answer["data"])
            else:
                break
        # The worker wipes the directory after each job.
        for entry in self.directory.iterdir():
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
        return answer

    def result(self, data, **options):
        answer = self.run(data, **options)
        assert answer["type"] == "result", answer
        return answer["result"]

    def failure(self, data, **options):
        """The class of a failure that must not be retried."""
        answer = self.run(data, **options)
        assert answer["type"] == "error", str(answer)[:500]
        assert answer["retryable"] is False and answer["retry_after"] is None, answer
        assert answer["message"] and "Traceback" not in answer["message"]
        return answer["class"]

    def stderr(self):
        self.log.seek(0)
        return self.log.read().decode("utf-8", "replace")

    def memory_bytes(self, field="VmHWM"):
        """A figure of /proc/PID/status; `VmHWM` is the most that was resident."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith(field):
                return int(line.split()[1]) * 1024
        raise AssertionError(f"no {field}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        try:
            self.status = self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        finally:
            self.process.stdout.close()
            self.control.close()
            self.log.close()
