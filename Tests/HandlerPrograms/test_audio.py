"""Speech to text on real recordings, and on sounds and files that are none."""

import re
import struct

import numpy
import pytest

from conftest import SAMPLES, SPEECH
from handler import Handler
from samples import distance, encoded, samples_of, wav

RATE = 16_000
FORMATS = [("wav", "pcm_s16le"), ("flac", "flac"), ("mp3", "libmp3lame"), ("ogg", "libopus"), ("ipod", "aac")]


def words(text):
    return re.sub(r"[^a-z' ]", "", text.lower().replace("-", " ").replace("mr.", "mister")).split()


@pytest.fixture(scope="session")
def librivox():
    """Clips of read speech (LibriVox, public domain) and what was said: [(path, words)]."""
    folder = SPEECH / "librivox"
    clips = []
    for line in (folder / "transcription").read_text().splitlines():
        said, name = re.fullmatch(r"<s> (.*) </s> \((.*)\)", line).groups()
        clips.append((folder / f"{name}.wav", words(said)))
    assert len(clips) == 5
    return clips


def test_read_speech_is_transcribed_with_at_most_one_word_in_ten_wrong(audio, librivox):
    errors = total = 0
    for path, said in librivox:
        result = audio.result(path)
        errors += distance(words(result["text"]), said)
        total += len(said)
        seconds = len(samples_of(path)) / RATE
        assert result["language"] == "en" and result["model"] == "whisper-tiny.en"
        assert result["duration_seconds"] == pytest.approx(seconds, abs=0.01)
        assert " ".join(segment["text"] for segment in result["segments"]) == result["text"]
        last = 0.0
        for segment in result["segments"]:
            assert set(segment) == {"start", "end", "text"}
            assert last <= segment["start"] < segment["end"] <= result["duration_seconds"]
            last = segment["end"]
    print(f"word error rate {errors / total:.3f} over {total} words")
    assert errors / total <= 0.10


@pytest.mark.parametrize("container, codec", FORMATS)
def test_every_promised_format_gives_the_same_words(audio, librivox, container, codec):
    path, said = librivox[0]
    rate = 48_000 if codec == "libopus" else RATE
    samples = samples_of(path)
    if rate != RATE:
        samples = numpy.repeat(samples, rate // RATE)
    result = audio.result(encoded(samples, container, codec, rate))
    assert distance(words(result["text"]), said) <= 2
    assert result["duration_seconds"] == pytest.approx(len(samples) / rate, abs=0.2)


@pytest.mark.parametrize("name", ["debian.mp3", "debian.ogg", "debian.wav"])
def test_recordings_from_elsewhere_are_understood(audio, name):
    assert words(audio.result(SAMPLES / "audio1" / name)["text"]) == words("Debian, the universal operating system.")


@pytest.mark.parametrize("seconds", [0.05, 1, 20])
def test_silence_gives_an_empty_transcript(audio, seconds):
    result = audio.result(wav(numpy.zeros(int(seconds * RATE))))
    assert result["text"] == "" and result["segments"] == []
    assert result["duration_seconds"] == pytest.approx(seconds, abs=0.01)


def test_noise_and_tones_give_an_empty_transcript(audio):
    chance = numpy.random.default_rng(7)
    clock = numpy.arange(10 * RATE) / RATE
    for sound in (chance.normal(0, 0.1, 10 * RATE), chance.normal(0, 0.003, 10 * RATE), 0.3 * numpy.sin(2 * numpy.pi * 440 * clock)):
        assert audio.result(wav(sound))["text"] == ""


def test_a_long_recording_is_cut_in_pauses_and_keeps_its_times(audio, librivox):
    (first, first_said), (second, second_said) = librivox[0], librivox[3]
    gap = numpy.zeros(RATE * 2)
    before = RATE * 297  # The second clip lies across the border of the first window of 300 s.
    sound = numpy.concatenate([samples_of(first), numpy.zeros(before - len(samples_of(first))), samples_of(second), gap, samples_of(first)])
    result = audio.result(encoded(sound, "flac", "flac"))
    said = [*first_said, *second_said, *first_said]
    assert distance(words(result["text"]), said) / len(said) <= 0.10
    starts = [segment["start"] for segment in result["segments"]]
    assert starts == sorted(starts) and starts[0] < 2
    assert any(296 <= start <= 299 for start in starts)
    assert result["segments"][-1]["end"] == pytest.approx(len(sound) / RATE, abs=2)
    assert audio.progress and audio.progress[-1]["fraction"] == pytest.approx(1.0, abs=0.01)


def test_ten_hours_of_silence_are_refused_before_they_are_decoded(audio):
    clip = encoded(numpy.zeros(10 * 3600 * 1000), "flac", "flac", rate=1000)
    assert len(clip) < 5_000_000
    assert audio.failure(clip, seconds=10) == "too_long"


def test_a_container_that_lies_about_its_length_is_counted(tmp_path):
    clip = bytearray(encoded(numpy.zeros(200 * RATE), "flac", "flac"))
    # STREAMINFO follows the 4-byte mark and a 4-byte header; its sample count is the low 36 bits of bytes 10 to 17.
    packed = struct.unpack_from(">Q", clip, 18)[0]
    struct.pack_into(">Q", clip, 18, (packed & ~((1 << 36) - 1)) | RATE)
    with Handler("audio", tmp_path / "private", STATEX_AUDIO_MAX_SECONDS="100") as handler:
        assert handler.failure(bytes(clip)) == "too_long"
        struct.pack_into(">Q", clip, 18, packed & ~((1 << 36) - 1))  # 0: unknown.
        assert handler.failure(bytes(clip)) == "too_long"


def test_a_wav_header_that_claims_more_than_there_is_is_a_broken_file(audio):
    clip = bytearray(wav(numpy.zeros(3 * RATE)))
    struct.pack_into("<I", clip, 40, 3600 * 2 * RATE)
    struct.pack_into("<I", clip, 4, 3600 * 2 * RATE + 36)
    assert audio.failure(bytes(clip)) in ("broken_file", "too_long")


def test_a_streamed_wav_without_a_length_is_read_to_its_end(audio, librivox):
    path, said = librivox[0]
    clip = bytearray(wav(samples_of(path)))
    struct.pack_into("<I", clip, 4, 0xFFFFFFFF)
    struct.pack_into("<I", clip, 40, 0xFFFFFFFF)
    assert distance(words(audio.result(bytes(clip))["text"]), said) <= 2


def test_size_is_bounded_before_anything_is_read(tmp_path):
    with Handler("audio", tmp_path / "private", STATEX_AUDIO_MAX_BYTES="1000") as handler:
        assert handler.failure(wav(numpy.zeros(RATE))) == "too_large"


@pytest.mark.parametrize("playlist", [
    b"#EXTM3U\n#EXTINF:10,\nfile:///etc/passwd\n",
    b"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n",
    b"ffconcat version 1.0\nfile '/etc/hostname'\n",
    b"[playlist]\nFile1=file:///etc/passwd\nNumberOfEntries=1\n",
    b'<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><Period/></MPD>',
    b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nm=audio 5004 RTP/AVP 0\n",
])
def test_files_that_name_other_files_are_refused(audio, playlist):
    assert audio.failure(playlist) == "unsupported_type"


@pytest.mark.parametrize("playlist", [b"#EXTM3U\n#EXTINF:10,\nfile:///etc/passwd\n", b"ffconcat version 1.0\nfile '/etc/hostname'\n"])
def test_a_playlist_that_looks_like_sound_reaches_no_demuxer_that_follows_it(audio, playlist):
    assert audio.failure(b"RIFF\x00\x00\x00\x00WAVE" + playlist) == "broken_file"
    assert audio.failure(b"ID3\x03\x00\x00\x00\x00\x00\x00" + playlist) in ("broken_file", "unsupported_type")
    assert audio.failure(b"fLaC" + playlist) == "broken_file"


def test_broken_sounds_are_failures_and_the_next_job_runs(audio, librivox):
    path, said = librivox[0]
    whole = path.read_bytes()
    flac = encoded(samples_of(path), "flac", "flac")
    m4a = encoded(samples_of(path), "ipod", "aac")
    assert audio.failure(b"") == "empty_input"
    assert audio.failure(b"\0" * 5000) == "unsupported_type"
    assert audio.failure(b"speech in letters only") == "unsupported_type"
    assert audio.failure(whole[:40]) == "broken_file"
    assert audio.failure(whole[:len(whole) // 2]) == "broken_file"
    assert audio.failure(flac[:len(flac) // 2]) == "broken_file"
    assert audio.failure(m4a[:len(m4a) // 2]) == "broken_file"
    assert audio.failure(whole[:20] + b"\x34\x12" + whole[22:]) == "unsupported_type"  # A codec that nobody knows.
    assert distance(words(audio.result(path)["text"]), said) <= 2


def test_mangled_sounds_never_end_the_process(audio, librivox):
    chance = numpy.random.default_rng(11)
    clip = samples_of(librivox[1][0])
    for container, codec in (("wav", "pcm_s16le"), ("flac", "flac"), ("mp3", "libmp3lame"), ("ogg", "libopus"), ("ipod", "aac")):
        original = encoded(clip[:RATE], container, codec, RATE)
        for _ in range(6):
            mangled = bytearray(original)
            for position in chance.integers(0, len(mangled), 20):
                mangled[position] = chance.integers(0, 256)
            answer = audio.run(bytes(mangled))
            assert answer["type"] == "result" or answer["retryable"] is False, (answer, audio.stderr()[-3000:])


def test_memory_stays_far_below_the_limit_of_two_gigabytes(audio, librivox):
    audio.result(librivox[0][0])
    assert audio.memory_bytes("VmData") < 1_500_000_000  # What `RLIMIT_DATA` counts.
    assert audio.memory_bytes("VmHWM") < 1_000_000_000  # What it took at most.


def test_segments_are_put_out_as_they_are_found_and_an_attempt_goes_on_from_its_checkpoint(librivox, tmp_path):
    """Five clips in a row, in windows of 10 s."""
    recording = wav(numpy.concatenate([samples_of(path) for path, _ in librivox]))
    with Handler("audio", tmp_path / "private", STATEX_AUDIO_WINDOW_SECONDS="10") as handler:
        whole = handler.result(recording)
        assert handler.output == whole["segments"]
        fractions = [line["fraction"] for line in handler.progress]
        assert fractions == sorted(fractions) and fractions[-1] == pytest.approx(1.0, abs=0.01)
        checkpoints = handler.checkpoints
        assert len(checkpoints) >= 3
        for checkpoint in checkpoints[:-1]:
            assert handler.result(recording, checkpoint=checkpoint) == whole
            assert handler.output == whole["segments"]
            # Nothing before it is transcribed again, and it says so.
            first = handler.progress[0]
            assert first["text"] == f"goes on at {checkpoint['position'] / RATE:.0f} s"
            assert len(handler.checkpoints) < len(checkpoints)
        # Of another version, or anything: from the start.
        assert handler.result(recording, checkpoint={"position": 5}) == whole
        assert len(handler.checkpoints) == len(checkpoints)
