"""What every test here shares: real data that scripts/setup --test-data installs, and warm handlers."""

import gzip
from pathlib import Path

import pytest

from handler import Handler

SPEECH = Path("/usr/share/pocketsphinx/test/data")
SAMPLES = Path("/usr/share/forensics-samples/original-files")
FORTUNES = Path("/usr/share/games/fortunes")
MANUAL = Path("/usr/share/doc/bzip2/manual.pdf.gz")


@pytest.fixture(scope="session", autouse=True)
def real_data():
    missing = [str(path) for path in (SPEECH, SAMPLES, FORTUNES, MANUAL) if not path.exists()]
    assert not missing, f"run scripts/setup --test-data first; missing: {missing}"


@pytest.fixture(scope="session")
def manual(tmp_path_factory):
    """A real PDF of 38 pages with a text layer: the manual of bzip2."""
    path = tmp_path_factory.mktemp("manual") / "manual.pdf"
    path.write_bytes(gzip.decompress(MANUAL.read_bytes()))
    return path


def _warm(program, tmp_path_factory):
    with Handler(program, tmp_path_factory.mktemp(program) / "private") as handler:
        assert handler.greeting == {"type": "ready", "protocol": 1, "name": program, "version": "1"}
        yield handler
    assert handler.status == 0


@pytest.fixture(scope="session")
def audio(tmp_path_factory):
    yield from _warm("audio", tmp_path_factory)


@pytest.fixture(scope="session")
def text(tmp_path_factory):
    yield from _warm("text", tmp_path_factory)


@pytest.fixture(scope="session")
def file(tmp_path_factory):
    yield from _warm("file", tmp_path_factory)
