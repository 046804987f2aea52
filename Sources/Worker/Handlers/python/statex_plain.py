"""Plain text in any common encoding, and the decoding of HTML."""

import codecs
import re

import statex_html
from statex_handler import Failure

_TEXTUAL = {
    "application/json", "application/x-ndjson", "application/csv", "application/xhtml+xml", "application/javascript",
    # libmagic's names for what it does not know, and for Japanese text that begins like a DOS program.
    "application/octet-stream", "application/x-dosexec",
}
_OTHER_FORMATS = {"text/rtf", "text/PGP"}
_MARKS = [(codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"),
          (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16")]
_KANA = re.compile(r"[\u3041-\u30ff]")
_META_CHARSET = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([A-Za-z0-9_.:-]{1,40})", re.IGNORECASE)


def readable(mime, encoding):
    """Whether the bytes are text: libmagic calls the encoding of everything else "binary"."""
    return encoding != "binary" and mime not in _OTHER_FORMATS and (mime.startswith("text/") or mime in _TEXTUAL)


def extract(job, mime):
    data = job.read()
    if mime in ("text/html", "application/xhtml+xml"):
        text, encoding = decoded(data, declared=_META_CHARSET.search(data[:4096]))
        return {"type": "html", "encoding": encoding, "text": statex_html.text_of(text), "source": "markup"}
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
    for encoding in ("cp932", "euc_jp"):
        # The guess below takes short Japanese texts for Korean; kana give them away.
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if len(_KANA.findall(text)) * 4 > sum(1 for character in text if character > "\x7f"):
            return text, encoding
    from charset_normalizer import from_bytes

    best = from_bytes(data).best()
    if best is None:
        raise Failure("broken_file", "the text is in no encoding that could be told")
    return str(best), best.encoding
