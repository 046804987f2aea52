"""The `file` handler: the type of a file by its content, its text, then language and summary as for text."""

import re
import sys
from dataclasses import dataclass

import statex_images
import statex_office
import statex_pdf
import statex_plain
import statex_programs
from statex_handler import Failure, serve, setting
from statex_language import Analyst, clean


@dataclass(frozen=True)
class Limits:
    """What a file may cost; docs/models.md has the table. Read once, so that a bad setting shows at the start."""

    input_bytes: int
    text_bytes: int
    unpacked_bytes: int
    pages: int
    ocr_pages: int
    pixels: int

    @classmethod
    def from_environment(cls):
        return cls(
            input_bytes=setting("STATEX_FILE_MAX_BYTES", 64 << 20),
            text_bytes=setting("STATEX_FILE_MAX_TEXT_BYTES", 4 << 20),
            unpacked_bytes=setting("STATEX_FILE_MAX_UNPACKED_BYTES", 128 << 20),
            pages=setting("STATEX_FILE_MAX_PAGES", 2000),
            ocr_pages=setting("STATEX_FILE_MAX_OCR_PAGES", 50),
            pixels=setting("STATEX_FILE_MAX_PIXELS", 50_000_000),
        )


def prepare():
    limits = Limits.from_environment()
    statex_programs.require("file", "pdfinfo", "pdftotext", "pdftoppm", "tesseract")
    reader = statex_images.Reader(limits)
    analyst = Analyst()

    def extract(job, mime, encoding):
        if mime == "application/pdf":
            return statex_pdf.extract(job, reader, limits)
        if mime in statex_images.TYPES:
            return reader.extract(job)
        if mime in statex_office.TYPES:
            return statex_office.extract(job, limits)
        if mime in statex_office.SEALED:
            raise Failure("encrypted", "the document is protected by a password")
        if statex_plain.readable(mime, encoding):
            return statex_plain.extract(job, mime)
        raise Failure("unsupported_type", f"files of type {mime} have no text that is read here")

    def work(job):
        job.require_size(limits.input_bytes, "the file")
        mime, encoding = statex_programs.content_type(job)
        found = extract(job, mime, encoding)
        text = re.sub(r"\n{3,}", "\n\n", clean(found["text"])).strip()
        size = len(text.encode("utf-8"))
        if size > limits.text_bytes:
            raise Failure("too_large", f"the file holds {size} bytes of text; the limit is {limits.text_bytes}")
        analysis = analyst.analyse(text)
        return {
            "mime": mime, **found, "text": text,
            **{name: analysis[name] for name in ("language", "summary", "key_phrases")},
        }

    return work


if __name__ == "__main__":
    sys.exit(serve("file", prepare))
