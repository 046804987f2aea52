"""Text in pictures: bounded by pixels before they are decoded, then read by tesseract."""

import os
import re
import subprocess
import warnings

import statex_programs
from statex_handler import Failure, Unavailable

TYPES = {
    "image/png": "PNG", "image/jpeg": "JPEG", "image/tiff": "TIFF", "image/gif": "GIF", "image/bmp": "BMP",
    "image/x-ms-bmp": "BMP", "image/webp": "WEBP", "image/x-portable-pixmap": "PPM", "image/x-portable-greymap": "PPM",
    "image/x-portable-graymap": "PPM", "image/x-portable-bitmap": "PPM",
}
_SECONDS_A_PAGE = 60


class Reader:
    """Optical character recognition with the languages and limits of this worker."""

    def __init__(self, limits):
        from PIL import Image, ImageOps

        self._image, self._operations = Image, ImageOps
        # The limit below is checked for every picture and is an error, not a warning.
        Image.MAX_IMAGE_PIXELS = None
        self._limits = limits
        self._languages = os.environ.get("STATEX_OCR_LANGUAGES") or "eng"
        if not re.fullmatch(r"[A-Za-z_]+(\+[A-Za-z_]+)*", self._languages):
            raise Unavailable("STATEX_OCR_LANGUAGES: expected tesseract's names joined by +, for instance eng+deu")
        known = subprocess.run(["tesseract", "--list-langs"], capture_output=True, timeout=30, check=False).stdout.decode().split()
        for language in self._languages.split("+"):
            if language not in known:
                raise Unavailable(f"STATEX_OCR_LANGUAGES: the data of tesseract for {language} is not installed")

    def extract(self, job):
        pages = []
        try:
            with warnings.catch_warnings(), self._image.open(job.path, formats=sorted(set(TYPES.values()))) as picture:
                warnings.simplefilter("ignore")
                frames = getattr(picture, "n_frames", 1) if picture.format == "TIFF" else 1
                if frames > self._limits.ocr_pages:
                    raise Failure("too_large", f"the picture has {frames} pages; the limit is {self._limits.ocr_pages}")
                for frame in range(frames):
                    picture.seek(frame)
                    pages.append(self._page(job, picture))
        except (Failure, MemoryError):
            raise
        except Exception as error:  # Pillow's decoders raise whatever broken bytes provoke.
            raise Failure("broken_file", f"the picture cannot be decoded ({type(error).__name__})") from None
        return {"type": "image", "pages": len(pages), "text": "\n\n".join(pages), "source": "ocr"}

    def _page(self, job, picture):
        width, height = picture.size
        if width * height > self._limits.pixels:
            raise Failure("too_large", f"the picture has {width} x {height} pixels; the limit is {self._limits.pixels}")
        upright = self._operations.exif_transpose(picture)
        if upright.mode in ("RGBA", "LA", "PA", "P"):
            layer = upright.convert("RGBA")
            upright = self._image.alpha_composite(self._image.new("RGBA", layer.size, "white"), layer)
        page = job.scratch("page.png")
        upright.convert("L").save(page, compress_level=1)
        return self.read(job, page)

    def read(self, job, page):
        """The text of one page, given as a picture that Statex made itself."""
        outcome = statex_programs.run(job, ["tesseract", page, "stdout", "-l", self._languages], _SECONDS_A_PAGE)
        if outcome.status != 0:
            raise Failure("broken_file", f"tesseract could not read the page (exit {outcome.status})")
        return outcome.output.decode("utf-8", "replace").replace("\f", "\n").strip()
