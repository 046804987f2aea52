"""The handlers do their work in the isolation that the worker gives them: no network, a read-only
view of a few folders, an ordinary user, 2 GiB of memory."""

import json
import os
import shutil
import tempfile
from pathlib import Path

import pytest

from conftest import SAMPLES
from handler import CHECKOUT, Handler

LIMITS = ["--memory", str(2 << 30), "--processes", "64", "--files", "256", "--file-size", str(256 << 20), "--disk", str(512 << 20)]
WORK = {
    "audio": (SAMPLES / "audio1/debian.mp3", "text", "universal operating system"),
    "text": (Path("/usr/share/common-licenses/BSD"), "language", "en"),
    "file": (SAMPLES / "text1/a-text.pdf", "text", "This is the second page."),
}


@pytest.fixture(scope="session")
def launcher():
    named = os.environ.get("STATEX_LAUNCH")
    places = [Path(named)] if named else [CHECKOUT / f".build/{build}/statex-launch" for build in ("release", "debug")]
    for place in places:
        if place.exists():
            return [str(place), *LIMITS]
    pytest.skip("statex-launch is not built: swift build --product statex-launch")


@pytest.fixture
def private():
    """The name of a directory that does not exist yet, in a folder that an ordinary user may enter."""
    folder = tempfile.mkdtemp()
    os.chmod(folder, 0o711)
    yield Path(folder) / "private"
    shutil.rmtree(folder)


@pytest.mark.parametrize("kind", sorted(WORK))
@pytest.mark.parametrize("layers", [(), ("--without", "namespaces")], ids=["all layers", "no namespaces"])
def test_each_handler_works_in_isolation(launcher, private, kind, layers):
    path, key, expected = WORK[kind]
    with Handler(kind, private, launcher=[*launcher, *layers]) as handler:
        assert handler.greeting["type"] == "ready"
        started = json.loads(handler.control.recv(4096).splitlines()[0])
        assert started["event"] == "started"
        for _ in range(2):
            assert expected in str(handler.result(path)[key])


def test_a_picture_is_read_in_isolation(launcher, private):
    with Handler("file", private, launcher=launcher) as handler:
        assert handler.result(SAMPLES / "pic1/debian_logo.png")["text"] == "debian"
