"""The `text` handler: language, summary, key phrases and an embedding of UTF-8 text."""

import sys

from statex_handler import Failure, serve, setting
from statex_language import Analyst, clean


def prepare():
    max_bytes = setting("STATEX_TEXT_MAX_BYTES", 2 << 20)
    analyst = Analyst()

    def work(job):
        job.require_size(max_bytes, "the text")
        try:
            text = clean(job.read().decode("utf-8"))
        except UnicodeDecodeError as error:
            raise Failure("invalid_text", f"the text is not UTF-8: byte {error.start} cannot be decoded") from None
        if not any(character.isprintable() and not character.isspace() for character in text):
            raise Failure("empty_input", "the text has no visible character")
        return analyst.analyse(text)

    return work


if __name__ == "__main__":
    sys.exit(serve("text", prepare))
