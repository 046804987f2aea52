"""HTML without its markup.

A scanner that only goes forward: what is never closed ends the document, so time grows with the
length of the input and not with its square, as it does in Python's own parser for broken markup.
"""

import html
import re

# Their content is not text, whatever it looks like.
_RAW = {"script", "style"}
# Read, but shown to nobody or not as text of the page.
_HIDDEN = {"template", "noscript", "svg", "math", "iframe", "object", "select", "textarea"}
# Elements that run within a line; every other one begins a new paragraph.
_INLINE = {
    "a", "abbr", "b", "bdi", "bdo", "cite", "code", "data", "del", "dfn", "em", "font", "i", "img", "ins", "kbd", "mark", "q",
    "s", "samp", "small", "span", "strong", "sub", "sup", "time", "tt", "u", "var", "wbr",
}
_TAG = re.compile(r"<(/?)([A-Za-z][^\s/>]{0,40})")
_ATTRIBUTE_END = re.compile(r"[>\"']")
# Python refuses to convert a number of thousands of digits; no character has more than seven.
_ENDLESS_REFERENCE = re.compile(r"&#(?:[0-9]{8,}|[xX][0-9A-Fa-f]{8,});?")


def text_of(page):
    """What a reader would see, an empty line between paragraphs."""
    parts, hidden = [], []
    position = 0
    for kind, start, end, name in _marks(page):
        if not hidden:
            parts.append(page[position:start].replace("\n", " "))
        position = end
        if kind == "comment":
            continue
        if name in _HIDDEN:
            if kind == "open":
                hidden.append(name)
            elif hidden and hidden[-1] == name:
                hidden.pop()
        if name not in _INLINE and not hidden:
            parts.append("\n")
    if not hidden:
        parts.append(page[position:].replace("\n", " "))
    text = html.unescape(_ENDLESS_REFERENCE.sub("\ufffd", "".join(parts)))
    paragraphs = (" ".join(paragraph.split()) for paragraph in text.split("\n"))
    return "\n\n".join(paragraph for paragraph in paragraphs if paragraph)


def _marks(page):
    """Every piece of markup: (kind, start, end, element name in lower case)."""
    position, quotes_left = 0, {'"': True, "'": True}
    while (start := page.find("<", position)) >= 0:
        if page.startswith("<!--", start):
            end = page.find("-->", start + 4)
            position = len(page) if end < 0 else end + 3
            yield "comment", start, position, ""
        elif page.startswith(("<!", "<?"), start):
            end = page.find(">", start)
            position = len(page) if end < 0 else end + 1
            yield "comment", start, position, ""
        elif tag := _TAG.match(page, start):
            name = tag[2].lower()
            position = _tag_end(page, tag.end(), quotes_left)
            if name in _RAW and not tag[1]:
                close = re.compile(f"</{name}", re.IGNORECASE).search(page, position)
                position = close.start() if close else len(page)
            yield "close" if tag[1] else "open", start, position, name
        else:
            position = start + 1  # A bare "<" is text.


def _tag_end(page, position, quotes_left):
    """The place after the ">" of a tag; one inside quotes does not count, unless the quote is never closed."""
    while mark := _ATTRIBUTE_END.search(page, position):
        position = mark.end()
        if mark[0] == ">":
            return position
        if quotes_left[mark[0]]:
            close = page.find(mark[0], position)
            if close < 0:
                quotes_left[mark[0]] = False  # Nor is any later one; never search again.
            else:
                position = close + 1
    return len(page)
