"""Text of docx and odt: zip archives of XML. Members, sizes and XML are bounded and counted while
they are read, because an archive's directory may lie; document type declarations, and with them
every entity, are refused."""

import zipfile
import zlib
from xml.parsers import expat

from statex_handler import Failure

# libmagic does not always look far enough to tell an office file from another zip archive.
TYPES = {
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "application/vnd.oasis.opendocument.text", "application/zip",
}
SEALED = {"application/encrypted"}

_MEMBERS = 5_000
_DEPTH = 200

_W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_W_STRICT = "http://purl.oclc.org/ooxml/wordprocessingml/main"
_TEXT = "urn:oasis:names:tc:opendocument:xmlns:text:1.0"
_OFFICE = "urn:oasis:names:tc:opendocument:xmlns:office:1.0"


def extract(job, limits):
    max_unpacked = limits.unpacked_bytes
    try:
        with zipfile.ZipFile(job.path) as archive:
            names = set(archive.namelist())
            if len(names) > _MEMBERS:
                raise Failure("too_large", f"the archive has {len(names)} members; the limit is {_MEMBERS}")
            unpacked = sum(member.file_size for member in archive.infolist())
            if unpacked > max_unpacked:
                raise Failure("too_large", f"the archive unpacks to {unpacked} bytes; the limit is {max_unpacked}")
            if "word/document.xml" in names:
                text = _read(archive, "word/document.xml", WordText(limits.text_bytes), max_unpacked)
                return {"type": "docx", "text": text, "source": "document"}
            if "content.xml" in names and "mimetype" in names:
                if "META-INF/manifest.xml" in names:
                    _read(archive, "META-INF/manifest.xml", Manifest(limits.text_bytes), max_unpacked)
                text = _read(archive, "content.xml", OpenDocumentText(limits.text_bytes), max_unpacked)
                return {"type": "odt", "text": text, "source": "document"}
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError, OSError) as error:
        raise Failure("broken_file", f"the archive cannot be read ({type(error).__name__})") from None
    raise Failure("unsupported_type", "the archive is neither a docx nor an odt document")


def _read(archive, name, reader, max_unpacked):
    """Feeds one member to a reader of XML and returns its text."""
    member = archive.getinfo(name)
    if member.flag_bits & 1:
        raise Failure("encrypted", "the document is protected by a password")
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = _refuse_doctype
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.characters
    taken = 0
    try:
        with archive.open(member) as file:
            while chunk := file.read(65536):
                taken += len(chunk)
                if taken > max_unpacked:
                    raise Failure("too_large", f"the document unpacks to more than {max_unpacked} bytes")
                parser.Parse(chunk, False)
            parser.Parse(b"", True)
    except expat.ExpatError as error:
        raise Failure("broken_file", f"{name} is not well-formed XML (line {error.lineno})") from None
    return "".join(reader.parts)


def _refuse_doctype(*_):
    raise Failure("broken_file", "the document declares a document type, which office files never do")


class XMLText:
    """Collects text while elements go by; never a tree, so memory follows the text only."""

    def __init__(self, max_text):
        self.parts = []
        self._left = max_text
        self._depth = 0

    def start(self, name, attributes):
        self._depth += 1
        if self._depth > _DEPTH:
            raise Failure("broken_file", f"the document nests elements deeper than {_DEPTH}")

    def end(self, name):
        self._depth -= 1

    def characters(self, text):
        pass

    def add(self, text):
        self._left -= len(text)
        if self._left < 0:
            raise Failure("too_large", "the document holds more text than the limit of bytes allows")
        self.parts.append(text)


class WordText(XMLText):
    """Paragraphs of WordprocessingML; text that was deleted under change tracking is `delText` and stays out."""

    _PREFIXES = (_W + " ", _W_STRICT + " ")

    def __init__(self, max_text):
        super().__init__(max_text)
        self._in_text = False

    def start(self, name, attributes):
        super().start(name, attributes)
        if not name.startswith(self._PREFIXES):
            return
        match name.rpartition(" ")[2]:
            case "t":
                self._in_text = True
            case "tab":
                self.add("\t")
            case "br" | "cr":
                self.add("\n")
            case "noBreakHyphen":
                self.add("-")

    def end(self, name):
        super().end(name)
        if not name.startswith(self._PREFIXES):
            return
        match name.rpartition(" ")[2]:
            case "t":
                self._in_text = False
            case "p":
                self.add("\n\n")

    def characters(self, text):
        if self._in_text:
            self.add(text)


class OpenDocumentText(XMLText):
    """Paragraphs and headings of the body of an OpenDocument text, without deleted (tracked) text."""

    def __init__(self, max_text):
        super().__init__(max_text)
        self._body = self._paragraphs = self._deleted = 0

    def start(self, name, attributes):
        super().start(name, attributes)
        if name == f"{_OFFICE} text":
            self._body += 1
        elif name == f"{_TEXT} tracked-changes":
            self._deleted += 1
        elif name in (f"{_TEXT} p", f"{_TEXT} h"):
            self._paragraphs += 1
        elif self._wanted() and name == f"{_TEXT} s":
            count = attributes.get(f"{_TEXT} c", "1")
            self.add(" " * (int(count) if count.isascii() and count.isdigit() and len(count) < 4 else 1))
        elif self._wanted() and name == f"{_TEXT} tab":
            self.add("\t")
        elif self._wanted() and name == f"{_TEXT} line-break":
            self.add("\n")

    def end(self, name):
        super().end(name)
        if name == f"{_OFFICE} text":
            self._body -= 1
        elif name == f"{_TEXT} tracked-changes":
            self._deleted -= 1
        elif name in (f"{_TEXT} p", f"{_TEXT} h"):
            if self._wanted():
                self.add("\n\n")
            self._paragraphs -= 1

    def characters(self, text):
        if self._wanted():
            # White space in the file is layout; what is meant is an element of its own.
            self.add(text.replace("\n", " "))

    def _wanted(self):
        return self._body and self._paragraphs and not self._deleted


class Manifest(XMLText):
    """The list of an OpenDocument's parts: it says when they are encrypted."""

    def start(self, name, attributes):
        super().start(name, attributes)
        if name.endswith(" encryption-data"):
            raise Failure("encrypted", "the document is protected by a password")
