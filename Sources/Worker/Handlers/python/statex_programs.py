"""Child programs that parse what strangers sent: each with limits of its own, never through a shell."""

import os
import shutil
import signal
import subprocess

from statex_handler import Failure, Unavailable

_MEMORY = 1 << 30
_OUTPUT = 64 << 20


def require(*programs):
    """Refuses to start without the programs that jobs will need."""
    for program in ("prlimit", *programs):
        if shutil.which(program) is None:
            raise Unavailable(f"the program {program} is not installed: run scripts/setup")


class Outcome:
    """How a program ended and what it printed."""

    def __init__(self, status, output, errors):
        self.status = status
        self.output = output
        self.errors = errors


def run(job, arguments, seconds, output_limit=_OUTPUT):
    """Runs a program to its end and returns what it printed.

    Output goes through files in the job's private directory, whose size the kernel limits, so a
    program that prints without end costs neither memory nor disk.
    """
    seconds = job.seconds_left(seconds)
    command = [
        "prlimit", f"--as={_MEMORY}", f"--cpu={int(seconds) + 2}", f"--fsize={output_limit}", "--core=0", "--",
        *arguments,
    ]
    environment = {
        "PATH": os.environ.get("PATH", "/usr/bin:/bin"), "HOME": job.directory, "TMPDIR": job.directory,
        "LC_ALL": "C.UTF-8", "OMP_NUM_THREADS": "1", "OMP_THREAD_LIMIT": "1",
    }
    if "TESSDATA_PREFIX" in os.environ:
        environment["TESSDATA_PREFIX"] = os.environ["TESSDATA_PREFIX"]
    with open(job.scratch("program.out"), "w+b") as output, open(job.scratch("program.err"), "w+b") as errors:
        try:
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=errors, cwd=job.directory, env=environment,
                timeout=seconds, check=False)
        except subprocess.TimeoutExpired:
            raise Failure("too_slow", f"{arguments[0]} did not finish within {seconds:.0f} s") from None
        if done.returncode == -signal.SIGXFSZ:
            raise Failure("too_large", f"{arguments[0]} printed more than {output_limit} bytes")
        if done.returncode == -signal.SIGXCPU:
            raise Failure("too_slow", f"{arguments[0]} used more than {seconds:.0f} s of processor time")
        output.seek(0)
        errors.seek(0)
        return Outcome(done.returncode, output.read(), errors.read(65536).decode("utf-8", "replace"))


def content_type(job):
    """The type by content, as libmagic sees it: (mime type, character encoding)."""
    outcome = run(job, ["file", "--brief", "--mime", "--", job.path], seconds=30, output_limit=4096)
    mime, _, parameter = outcome.output.decode("utf-8", "replace").strip().partition(";")
    if outcome.status != 0 or "/" not in mime:
        raise Failure("unsupported_type", "the type of the content could not be told")
    return mime.strip(), parameter.strip().removeprefix("charset=")
