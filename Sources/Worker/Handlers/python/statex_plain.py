"""Plain text in any common encoding, and HTML without its markup."""

import codecs
import re
from html.parser import HTMLParser

from statex_handler import Failure

_TEXTUAL = {"application/json", "application/x-ndjson", "application/csv", "application/xhtml+xml", "application/javascript"}
_OTHER_FORMATS = {"text/rtf", "text/xml", "text/troff", "text/x-tex", "text/PGP"}
_MARKS = [(codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"),
          (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16")]
_META_CHARSET = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([A-Za-z0-9_.:-]{1,40})", re.IGNORECASE)


def readable(mime, encoding):
    """Whether the bytes are text, also when libmagic knows only their encoding."""
    return mime.startswith("text/") or mime in _TEXTUAL or (mime == "application/octet-stream" and encoding != "binary")


def extract(job, mime):
    data = job.read()
    if mime in ("text/html", "application/xhtml+xml"):
        text, encoding = decoded(data, declared=_META_CHARSET.search(data[:4096]))
        return {"type": "html", "encoding": encoding, "text": markup_removed(text), "source": "markup"}
    text, encoding = decoded(data)
    return {"type": "text", "encoding": encoding, "text": text, "source": "plain"}


def decoded(data, declared=None):
    """The text and the encoding it was in: a byte order mark, UTF-8, what the file declares, then the best guess."""
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            try:
                return data.decode(encoding), encoding.removesuffix("-sig")
            except UnicodeDecodeError:
                raise Failure("broken_file", f"the file begins as {encoding} text but does not go on so") from None
    candidates = ["utf-8"]
    if declared:
        candidates.append(declared[1].decode("ascii"))
    for encoding in candidates:
        try:
            # Python also has "encodings" that are not for text; a lookup tells them apart.
            if codecs.lookup(encoding)._is_text_encoding:
                return data.decode(encoding), codecs.lookup(encoding).name
        except (LookupError, UnicodeDecodeError, ValueError):
            continue
    from charset_normalizer import from_bytes

    best = from_bytes(data).best()
    if best is None:
        raise Failure("broken_file", "the text is in no encoding that could be told")
    return str(best), best.encoding


def markup_removed(text):
    parser = _Text()
    parser.feed(text)
    parser.close()
    paragraphs = (" ".join(paragraph.split()) for paragraph in "".join(parser.parts).split("\n"))
    return "\n\n".join(paragraph for paragraph in paragraphs if paragraph)


class _Text(HTMLParser):
    """What a reader would see; `parts` joined has one paragraph a line."""

    _HIDDEN = {"script", "style", "template", "noscript", "svg", "math", "iframe", "object", "select", "textarea"}
    _INLINE = {
        "a", "abbr", "b", "bdi", "bdo", "cite", "code", "data", "del", "dfn", "em", "font", "i", "ins", "kbd", "mark", "q",
        "s", "samp", "small", "span", "strong", "sub", "sup", "time", "tt", "u", "var", "wbr",
    }

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.parts = []
        self._hidden = []

    def handle_starttag(self, tag, attributes):
        if tag in self._HIDDEN:
            self._hidden.append(tag)
        elif tag not in self._INLINE:
            self.parts.append("\n")

    def handle_startendtag(self, tag, attributes):
        if tag not in self._INLINE:
            self.parts.append("\n")

    def handle_endtag(self, tag):
        if self._hidden and tag == self._hidden[-1]:
            self._hidden.pop()
        elif tag not in self._INLINE:
            self.parts.append("\n")

    def handle_data(self, data):
        if not self._hidden:
            self.parts.append(data.replace("\n", " "))
