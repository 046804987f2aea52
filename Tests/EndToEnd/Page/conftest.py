"""The page before a real stack. (`Tests/PageTests` has it before a stand-in, which can be whatever a test needs.)"""

import gzip
import sys
import wave
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "PageTests"))

import browsing  # noqa: E402
from stack import PATIENCE, Receiver, Stack  # noqa: E402

CLIPS = Path("/usr/share/pocketsphinx/test/data/librivox")


class Speech:
    """A book that is read aloud (LibriVox), and what was said."""

    def __init__(self, path):
        lines = (CLIPS / "transcription").read_text().splitlines()[:3]
        self.path, self.said, self.seconds = path, [], 0.0
        with wave.open(str(path), "wb") as file:
            for line in lines:
                said, name = line.removeprefix("<s> ").removesuffix(")").split(" </s> (")
                with wave.open(str(CLIPS / f"{name}.wav")) as clip:
                    if not self.said:
                        file.setparams(clip.getparams())
                    file.writeframes(clip.readframes(clip.getnframes()))
                    self.seconds += clip.getnframes() / clip.getframerate()
                self.said += said.split()


@pytest.fixture(scope="session")
def speech(tmp_path_factory):
    return Speech(tmp_path_factory.mktemp("speech") / "speech.wav")


@pytest.fixture(scope="session")
def manual(tmp_path_factory):
    """A document of Debian's own."""
    path = tmp_path_factory.mktemp("manual") / "manual.pdf"
    path.write_bytes(gzip.decompress(Path("/usr/share/doc/bzip2/manual.pdf.gz").read_bytes()))
    return path


@pytest.fixture(scope="session")
def receiver(tmp_path_factory):
    receiver = Receiver(tmp_path_factory.mktemp("receiver"))
    yield receiver
    receiver.close()


@pytest.fixture(scope="session")
def stack(receiver):
    stack = Stack("fault_handlers: yes\n" + receiver.configuration)
    yield stack
    try:
        report = stack.verify()
        assert report["violations"] == 0, report
    finally:
        stack.close()


@pytest.fixture(scope="session")
def chromium(tmp_path_factory, speech):
    """Whoever records with it hears the speech, once."""
    with browsing.chromium(tmp_path_factory.mktemp("chromium"), f"--use-file-for-fake-audio-capture={speech.path}%noloop") as driver:
        yield driver


@pytest.fixture
def browser(chromium, stack):
    browser = browsing.Browser(chromium, stack.address, lambda: stack.token)
    browser.patience = PATIENCE
    with browsing.watched(browser):
        yield browser
