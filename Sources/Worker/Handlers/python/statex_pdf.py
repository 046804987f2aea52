"""Text of PDF files through poppler's programs; pages without a text layer are read as pictures."""

import os
import re

import statex_programs
from statex_handler import Failure

_SECONDS = 60
_OCR_DPI = 200  # What the accuracy of tesseract was measured at.
_LEAST_DPI = 72


def extract(job, reader, limits):
    count = _page_count(job, limits.pages)
    arguments = ["pdftotext", "-enc", "UTF-8", "-eol", "unix", "--", job.path, "-"]
    outcome = statex_programs.run(job, arguments, _SECONDS, output_limit=limits.text_bytes + count)
    if outcome.status != 0:
        raise Failure("broken_file", f"pdftotext could not read the file (exit {outcome.status})")
    pages = outcome.output.decode("utf-8", "replace").split("\f")[:count]
    pages += [""] * (count - len(pages))

    bare = [index for index, page in enumerate(pages) if not page.strip()]
    if len(bare) > limits.ocr_pages:
        raise Failure("too_large", f"{len(bare)} pages have no text layer; the limit for reading pictures is {limits.ocr_pages}")
    for done, index in enumerate(bare):
        job.progress(done / len(bare), f"reading page {index + 1} of {count} as a picture")
        pages[index] = _read_as_picture(job, reader, limits.pixels, index + 1)
    source = "text_layer" if not bare else "ocr" if len(bare) == count else "text_layer+ocr"
    return {"type": "pdf", "pages": count, "text": "\n\n".join(page.strip() for page in pages), "source": source}


def _page_count(job, limit):
    information = _information(job)
    match = re.search(r"^Pages:\s+(\d+)$", information, re.MULTILINE)
    count = int(match[1]) if match else 0
    if count == 0:
        raise Failure("broken_file", "the PDF has no pages")
    if count > limit:
        raise Failure("too_large", f"the PDF has {count} pages; the limit is {limit}")
    return count


def _information(job, *options):
    outcome = statex_programs.run(job, ["pdfinfo", "-enc", "UTF-8", *options, "--", job.path], _SECONDS)
    if "Incorrect password" in outcome.errors:
        raise Failure("encrypted", "the PDF is protected by a password")
    if outcome.status != 0:
        raise Failure("broken_file", "the PDF cannot be opened")
    return outcome.output.decode("utf-8", "replace")


def _read_as_picture(job, reader, max_pixels, number):
    information = _information(job, "-f", str(number), "-l", str(number))
    match = re.search(r"^Page\s+\d+ size:\s+([\d.]+) x ([\d.]+) pts", information, re.MULTILINE)
    if not match:
        raise Failure("broken_file", f"page {number} has no size")
    inches = float(match[1]) / 72 * float(match[2]) / 72
    dpi = min(_OCR_DPI, int((max_pixels / max(inches, 1e-6)) ** 0.5))
    if dpi < _LEAST_DPI:
        raise Failure("too_large", f"page {number} measures {match[1]} x {match[2]} points: too many pixels to read")
    root = job.scratch("page")
    outcome = statex_programs.run(
        job, ["pdftoppm", "-f", str(number), "-l", str(number), "-r", str(dpi), "-gray", "-png", "-singlefile", "--", job.path, root],
        _SECONDS)
    if outcome.status != 0 or not os.path.exists(root + ".png"):
        raise Failure("broken_file", f"page {number} cannot be drawn (exit {outcome.status})")
    return reader.read(job, root + ".png")
