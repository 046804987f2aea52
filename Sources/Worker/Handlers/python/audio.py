"""The `audio` handler: speech to text with faster-whisper.

Decoded audio is never held whole: it is transcribed window by window, cut in pauses, so memory does
not depend on the length of a recording. Silence gives an empty transcript, because only what the
voice detector takes for speech reaches the model. Segments are put out as they are found, and each
window is a checkpoint: the next attempt decodes up to it and transcribes from there.
"""

import base64
import json
import os
import sys
import zlib

import statex_programs
from statex_handler import Failure, Unavailable, serve, setting
from statex_models import verified

RATE = 16_000
# 300 s of audio are 19 MB as float32 and about 100 MB while features are computed.
WINDOW_SECONDS = 300

# The demuxer comes from what libmagic saw, never from a guess of the library: formats that name
# other files (playlists, concat scripts) are not in the list and so cannot be opened at all.
DEMUXERS = {
    "audio/x-wav": "wav", "audio/wav": "wav", "audio/vnd.wave": "wav",
    "audio/flac": "flac", "audio/x-flac": "flac",
    "audio/mpeg": "mp3",
    "audio/ogg": "ogg", "application/ogg": "ogg", "video/ogg": "ogg",
    "audio/x-m4a": "mov", "audio/mp4": "mov", "video/mp4": "mov", "video/quicktime": "mov",
}
# These state their length exactly, so a shorter decoded stream means a cut file.
EXACT = {"wav", "flac", "mov"}


def prepare():
    import av
    import numpy
    from faster_whisper import WhisperModel
    from faster_whisper.vad import VadOptions, get_speech_timestamps

    av.logging.set_level(av.logging.PANIC)
    statex_programs.require("file")
    max_bytes = setting("STATEX_AUDIO_MAX_BYTES", 256 << 20)
    max_seconds = setting("STATEX_AUDIO_MAX_SECONDS", 2 * 3600)
    window = setting("STATEX_AUDIO_WINDOW_SECONDS", WINDOW_SECONDS) * RATE
    name = os.environ.get("STATEX_AUDIO_MODEL") or "whisper-tiny.en"
    model = WhisperModel(
        verified(name), device="cpu", compute_type="int8", cpu_threads=setting("OMP_NUM_THREADS", 1), local_files_only=True)
    language = os.environ.get("STATEX_AUDIO_LANGUAGE") or (None if model.model.is_multilingual else "en")
    if language is not None and language not in model.supported_languages:
        raise Unavailable(f"STATEX_AUDIO_LANGUAGE: model {name} does not know {language!r}")
    get_speech_timestamps(numpy.zeros(RATE, numpy.float32))  # Loads the voice detector now, not in the first job.

    def windows(samples, start):
        """Joins decoded blocks from `start` on into windows that end in a pause: (start in samples, audio)."""
        held, count, left = [], 0, start
        for block in samples:
            block, left = block[left:], max(left - len(block), 0)
            held.append(block)
            count += len(block)
            if count < window:
                continue
            audio = numpy.concatenate(held)
            speech = get_speech_timestamps(audio, VadOptions(min_silence_duration_ms=500))
            cut = len(audio)
            # Speech that reaches the end goes on in the next window, unless it fills most of this one.
            if speech and speech[-1]["end"] >= len(audio) - RATE and speech[-1]["start"] > window // 2:
                cut = speech[-1]["start"]
            yield start, audio[:cut]
            start, held, count = start + cut, [audio[cut:]], len(audio) - cut
        if count:
            yield start, numpy.concatenate(held)

    def work(job):
        job.require_size(max_bytes, "the audio")
        mime, _ = statex_programs.content_type(job)
        if mime not in DEMUXERS:
            raise Failure("unsupported_type", f"audio of type {mime}; wav, flac, mp3, ogg and m4a are read")
        clip = Clip(av, numpy, job.path, DEMUXERS[mime], max_seconds)
        segments, spoken, total = restored(job.saved) or ([], language, 0)
        for segment in segments:
            job.put(segment)
        resumed = total
        for start, audio in windows(clip.blocks(), total):
            if resumed and start == resumed:
                tell(job, clip, start / RATE, "goes on at {:.0f} s")
            total = start + len(audio)
            found, info = model.transcribe(audio, language=spoken, vad_filter=True, condition_on_previous_text=False)
            for segment in found:
                text = segment.text.strip()
                if text:
                    segments.append({
                        "start": round(start / RATE + segment.start, 2),
                        # The model's clock has steps of its own and may run past the end.
                        "end": round(min(start / RATE + segment.end, total / RATE), 2), "text": text})
                    job.put(segments[-1])
                    tell(job, clip, min(segments[-1]["end"], total / RATE))
            if segments and spoken is None:
                spoken = info.language
            tell(job, clip, total / RATE)
            job.checkpoint(saved(segments, spoken, total))
        return {
            "text": " ".join(segment["text"] for segment in segments), "language": spoken,
            "duration_seconds": round(total / RATE, 2), "segments": segments, "model": name,
        }

    return work


def tell(job, clip, seconds, words="{:.0f} s transcribed"):
    if clip.claimed_seconds:
        job.progress(seconds / clip.claimed_seconds, words.format(seconds))


def saved(segments, spoken, total):
    """A checkpoint: transcripts of hours fit when they are compressed."""
    packed = zlib.compress(json.dumps(segments, ensure_ascii=False).encode(), 6)
    return {"position": total, "language": spoken, "segments": base64.b64encode(packed).decode()}


def restored(checkpoint):
    """The same back; None without one, or from another version."""
    try:
        segments = json.loads(zlib.decompress(base64.b64decode(checkpoint["segments"])))
        return segments, checkpoint["language"], int(checkpoint["position"])
    except (TypeError, KeyError, ValueError, zlib.error):
        return None


class Clip:
    """One file's audio as blocks of 16 kHz mono samples, its length bounded by what the container
    says and again by what was decoded: a container may lie."""

    def __init__(self, av, numpy, path, demuxer, max_seconds):
        self.av, self.numpy, self.path, self.demuxer, self.max_seconds = av, numpy, path, demuxer, max_seconds
        self.claimed_seconds = None

    def blocks(self):
        try:
            # A file object and a white-list without a member that is used: nothing else can be opened.
            if self.demuxer == "wav":
                _check_wav_length(self.path)
            with open(self.path, "rb") as file, self.av.open(
                    file, format=self.demuxer, metadata_errors="ignore", options={"protocol_whitelist": "pipe"}) as container:
                stream = self._checked_stream(container)
                yield from self._decoded(container, stream)
        except self.av.error.FFmpegError as error:
            raise Failure("broken_file", f"the audio cannot be decoded: {error.strerror}") from None

    def _checked_stream(self, container):
        if not container.streams.audio:
            raise Failure("broken_file", "the file has no audio stream")
        stream = container.streams.audio[0]
        if stream.codec_context is None:
            raise Failure("unsupported_type", "the sound is in a codec that is not known")
        self._check_rate(stream.rate, stream.channels)
        if stream.duration is not None and stream.time_base is not None:
            self.claimed_seconds = float(stream.duration * stream.time_base)
        elif container.duration is not None:
            self.claimed_seconds = container.duration / 1_000_000
        if self.claimed_seconds is not None and self.claimed_seconds > self.max_seconds:
            self._refuse_length(self.claimed_seconds)
        stream.codec_context.thread_count = 1
        return stream

    def _decoded(self, container, stream):
        decoded = 0
        for piece in self._resampled(self._frames(container, stream)):
            samples = piece.to_ndarray().reshape(-1)
            decoded += len(samples)
            if decoded > self.max_seconds * RATE:
                self._refuse_length(decoded / RATE)
            yield samples.astype(self.numpy.float32) / 32768.0
        if decoded == 0:
            raise Failure("broken_file", "the file has no audio that can be decoded")
        seconds = decoded / RATE
        if self.demuxer in EXACT and self.claimed_seconds is not None and seconds < 0.9 * self.claimed_seconds - 0.5:
            raise Failure("broken_file", f"the audio ends after {seconds:.1f} of {self.claimed_seconds:.1f} seconds")

    def _frames(self, container, stream):
        """Frames; packets that do not decode are left out, as every player does."""
        for packet in container.demux(stream):
            try:
                for frame in packet.decode():
                    frame.pts = None  # Broken time stamps would make the resampler invent or drop samples.
                    yield frame
            except self.av.error.InvalidDataError:
                continue

    def _resampled(self, frames):
        """16 kHz mono. A stream may change its layout midway (joined mp3 files do): each stretch has its own resampler."""
        resampler = shape = None
        for frame in frames:
            if shape != (frame.format.name, frame.layout.name, frame.sample_rate):
                if resampler:
                    yield from resampler.resample(None)
                shape = (frame.format.name, frame.layout.name, frame.sample_rate)
                self._check_rate(frame.sample_rate, frame.layout.nb_channels)
                resampler = self.av.AudioResampler(format="s16", layout="mono", rate=RATE)
            yield from resampler.resample(frame)
        if resampler:
            yield from resampler.resample(None)

    def _check_rate(self, rate, channels):
        if not 1_000 <= (rate or 0) <= 768_000 or not 1 <= (channels or 0) <= 64:
            raise Failure("broken_file", f"a sampling rate of {rate} Hz with {channels} channels is not audio")

    def _refuse_length(self, seconds):
        raise Failure("too_long", f"the audio lasts {seconds:.0f} s or more; the limit is {self.max_seconds} s")


def _check_wav_length(path):
    """Refuses a wav file whose sound is cut off, which the demuxer takes for a shorter file.

    Programs that write to a pipe do not know the length and put about the largest number there.
    """
    with open(path, "rb") as file:
        end = file.seek(0, os.SEEK_END)
        position = file.seek(12)
        while len(header := file.read(8)) == 8:
            size = int.from_bytes(header[4:], "little")
            if header[:4] == b"data":
                if position + 8 + size > end and size < 0x7FFFF000:
                    raise Failure("broken_file", f"the audio ends after {end - position - 8} of {size} bytes")
                return
            position = file.seek(position + 8 + size + size % 2)


if __name__ == "__main__":
    sys.exit(serve("audio", prepare))
