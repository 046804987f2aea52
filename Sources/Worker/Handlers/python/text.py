"""The `text` handler: language, summary, key phrases and an embedding of UTF-8 text."""

import sys

from statex_handler import Failure, serve, setting
from statex_language import Analyst, clean


def prepare():
    max_bytes = setting("STATEX_TEXT_MAX_BYTES", 2 << 20)
    analyst = Analyst()

    def own_text(job):
        job.require_size(max_bytes, "the text")
        try:
            return job.read().decode("utf-8")
        except UnicodeDecodeError as error:
            raise Failure("invalid_text", f"the text is not UTF-8: byte {error.start} cannot be decoded") from None

    def joined_text(job):
        """What the job was given itself, and the texts of other jobs' results."""
        size = sum(item.size for item in job.inputs)
        if size > max_bytes:
            raise Failure("too_large", f"the results of other jobs have {size} bytes; the limit is {max_bytes}")
        texts = [item.text() for item in job.inputs]
        if job.has_payload:
            texts.insert(0, own_text(job))
        return "\n\n".join(texts)

    def work(job):
        text = clean(joined_text(job) if job.inputs else own_text(job))
        if not any(character.isprintable() and not character.isspace() for character in text):
            raise Failure("empty_input", "the text has no visible character")
        return analyst.analyse(text)

    return work


if __name__ == "__main__":
    sys.exit(serve("text", prepare))
