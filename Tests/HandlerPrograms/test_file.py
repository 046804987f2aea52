"""The text of documents, pages and pictures, and what must be refused."""

import bz2
import gzip
import io
import lzma
import subprocess
import zipfile
import zlib

import pytest
from PIL import Image

from conftest import SAMPLES
from handler import Handler
from samples import archive, distance, docx, odt, pdf, png

SENTENCE = "The quick brown fox jumps over the lazy dog. It was tired, and slept for hours in the shade."
KEYS = {"type", "mime", "text", "language", "summary", "key_phrases", "source"}


@pytest.fixture(scope="session")
def page(manual, tmp_path_factory):
    """One dense page of the manual as a scan, and its own text."""
    folder = tmp_path_factory.mktemp("page")
    select = ["-f", "7", "-l", "7"]
    subprocess.run(["pdftoppm", *select, "-r", "200", "-gray", "-png", "-singlefile", manual, folder / "page"], check=True)
    text = subprocess.run(["pdftotext", *select, manual, "-"], check=True, capture_output=True).stdout.decode()
    return folder / "page.png", text


def squeezed(text):
    return " ".join(text.split())


def character_errors(found, expected):
    return distance(squeezed(found), squeezed(expected)) / len(squeezed(expected))


def test_the_text_of_a_real_pdf(file, manual):
    result = file.result(manual)
    assert set(result) == KEYS | {"pages"}
    assert (result["type"], result["mime"], result["pages"]) == ("pdf", "application/pdf", 38)
    assert result["source"] == "text_layer+ocr" or result["source"] == "text_layer"
    expected = subprocess.run(["pdftotext", manual, "-"], check=True, capture_output=True).stdout.decode()
    assert len(set(squeezed(expected).split()) - set(squeezed(result["text"]).split())) == 0
    assert result["language"]["code"] == "en"
    assert len(result["summary"]) == 3 and any("bzip2" in phrase.lower() for phrase in result["key_phrases"])


def test_a_scanned_page_is_read_with_at_most_one_character_in_twenty_wrong(file, page):
    picture, expected = page
    result = file.result(picture)
    assert (result["type"], result["source"], result["pages"], result["mime"]) == ("image", "ocr", 1, "image/png")
    errors = character_errors(result["text"], expected)
    print(f"character error rate {errors:.3f}")
    assert errors <= 0.05
    assert result["language"]["code"] == "en"


def test_a_pdf_without_a_text_layer_is_read_page_by_page(file, page):
    picture, expected = page
    scan = io.BytesIO()
    image = Image.open(picture)
    image.save(scan, "PDF", resolution=200, save_all=True, append_images=[image])
    result = file.result(scan.getvalue())
    assert (result["type"], result["source"], result["pages"]) == ("pdf", "ocr", 2)
    assert character_errors(result["text"], f"{expected} {expected}") <= 0.05
    assert [line["fraction"] for line in file.progress] == [0.0, 0.5]


@pytest.mark.parametrize("format, mode", [("JPEG", "L"), ("TIFF", "1"), ("GIF", "P"), ("BMP", "RGB"), ("WEBP", "RGB"), ("PPM", "RGB"), ("PNG", "RGBA")])
def test_pictures_of_every_common_format(file, page, format, mode):
    picture, _ = page
    line = Image.open(picture).crop((150, 180, 1550, 460)).convert(mode)
    data = io.BytesIO()
    line.save(data, format)
    assert len(file.result(data.getvalue())["text"].split()) > 20


def test_a_picture_of_several_pages_and_one_that_lies_on_its_side(file, page):
    picture, _ = page
    image = Image.open(picture).crop((150, 180, 1550, 460))
    tiff = io.BytesIO()
    image.save(tiff, "TIFF", save_all=True, append_images=[image, image])
    assert file.result(tiff.getvalue())["pages"] == 3
    turned = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6  # "Turn by 90 degrees to the right to see it": as cameras write it.
    image.transpose(Image.Transpose.ROTATE_90).save(turned, "JPEG", exif=exif)
    assert len(file.result(turned.getvalue())["text"].split()) > 20


def test_office_documents_from_a_real_program(file):
    for name, kind in (("a-text.docx", "docx"), ("a-text.odt", "odt"), ("a-text.pdf", "pdf")):
        result = file.result(SAMPLES / "text1" / name)
        assert result["type"] == kind
        for words in ("This is a text from LibreOffice Writer...", "A test only.", "This is the second page.", "Bye"):
            assert words in result["text"]


def test_word_documents_keep_paragraphs_tabs_breaks_and_leave_out_deleted_text(file):
    body = (
        "<w:p><w:r><w:t>First &amp; best </w:t></w:r><w:r><w:t>paragraph.</w:t></w:r></w:p>"
        "<w:p><w:r><w:t>a</w:t><w:tab/><w:t>b</w:t><w:br/><w:t>c</w:t></w:r><w:del><w:r><w:delText>gone</w:delText></w:r></w:del>"
        "<w:ins><w:r><w:t> ins</w:t></w:r></w:ins><w:r><w:instrText>PAGE</w:instrText></w:r></w:p>"
        "<w:tbl><w:tr><w:tc><w:p><w:r><w:t>cell</w:t></w:r></w:p></w:tc></w:tr></w:tbl>")
    result = file.result(docx(body))
    assert result["text"] == "First & best paragraph.\n\na\tb\nc ins\n\ncell"
    assert result["type"] == "docx" and result["source"] == "document"


def test_open_document_texts_keep_paragraphs_spaces_and_leave_out_deleted_text(file):
    body = (
        "<text:tracked-changes><text:p>gone</text:p></text:tracked-changes><text:h>Title</text:h>"
        '<text:p>One<text:s text:c="3"/>two<text:tab/>three<text:line-break/><text:span>four</text:span>\n five</text:p>'
        "<text:list><text:list-item><text:p>item</text:p></text:list-item></text:list>")
    result = file.result(odt(body))
    assert result["text"] == "Title\n\nOne   two\tthree\nfour  five\n\nitem"
    assert result["type"] == "odt"


def test_html_is_what_a_reader_sees(file):
    page = (
        "<!doctype html><html><head><title>Top</title><style>p{}</style><script>var x = '<p>no</p>';</script></head>"
        "<body><h1>Head</h1><p>Some <b>bold</b>&nbsp;text &lt;here&gt;.</p><!-- no --><ul><li>one<li>two</ul>"
        "<noscript>no</noscript><table><tr><td>a</td><td>b</td></tr></table></body></html>")
    result = file.result(page.encode())
    assert result["type"] == "html" and result["mime"] == "text/html"
    assert result["text"] == "Top\n\nHead\n\nSome bold text <here>.\n\none\n\ntwo\n\na\n\nb"


GERMAN = "Übergrößenträger äußern häufig Wünsche: Füße, Hüte und Mäntel müssen schließlich überall genügend Platz haben. " * 3
RUSSIAN = "Все счастливые семьи похожи друг на друга, каждая несчастливая семья несчастлива по-своему. Всё смешалось в доме Облонских. " * 3
JAPANESE = "吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。何でも薄暗いじめじめした所で泣いていた事だけは記憶している。" * 3


@pytest.mark.parametrize("text, encoding, language", [
    (GERMAN, "utf-8", "de"), (GERMAN, "utf-8-sig", "de"), (GERMAN, "latin-1", "de"), (GERMAN, "cp1252", "de"), (GERMAN, "utf-16", "de"),
    (GERMAN, "utf-32", "de"), (RUSSIAN, "utf-8", "ru"), (RUSSIAN, "cp1251", "ru"), (RUSSIAN, "koi8-r", "ru"), (RUSSIAN, "utf-16", "ru"),
    (JAPANESE, "shift_jis", "ja"), (JAPANESE, "euc-jp", "ja"), (JAPANESE, "utf-8", "ja"), (SENTENCE, "ascii", "en"),
])
def test_plain_text_in_any_common_encoding(file, text, encoding, language):
    result = file.result(text.encode(encoding))
    assert result["text"] == text.strip()
    assert result["language"]["code"] == language
    assert result["type"] == "text" and result["source"] == "plain" and result["encoding"]


def test_html_says_its_own_encoding(file):
    page = f'<html><head><meta charset="koi8-r"></head><body><p>{RUSSIAN}</p></body></html>'
    assert "счастливые" in file.result(page.encode("koi8-r"))["text"]
    page = page.replace("koi8-r", "hex")  # A codec of Python, but none for text.
    assert "счастливые" in file.result(page.encode("utf-8"))["text"]


def test_nul_and_control_characters_never_come_back(file):
    for data in (SENTENCE.encode() + b"\x00 more\x1b[2J", docx("<w:p><w:r><w:t>a\u0085b</w:t></w:r></w:p>"), b"<html><p>a&#0;b&#xD800;c&#x1b;</p>"):
        answer = file.run(data)
        if answer["type"] == "result":
            assert not [c for c in answer["result"]["text"] if ord(c) < 32 and c not in "\n\t" or 0xD800 <= ord(c) < 0xE000]
        else:
            assert answer["class"] == "unsupported_type"  # A NUL makes it no text at all for libmagic.


def test_encrypted_files_say_so(file):
    assert file.failure(SAMPLES / "text1/a-text-pass-A5d.pdf") == "encrypted"
    sealed = bytearray(docx("<w:p/>"))
    for mark, offset in ((b"PK\x01\x02", 8), (b"PK\x03\x04", 6)):
        position = -1
        while (position := sealed.find(mark, position + 1)) >= 0:
            sealed[position + offset] |= 1
    assert file.failure(bytes(sealed)) == "encrypted"
    manifest = '<m:manifest xmlns:m="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"><m:file-entry><m:encryption-data/></m:file-entry></m:manifest>'
    assert file.failure(odt("<text:p>x</text:p>", manifest=manifest)) == "encrypted"


def test_truncated_files_are_broken(file, manual, page):
    picture, _ = page
    jpeg = io.BytesIO()
    Image.open(picture).save(jpeg, "JPEG")
    document = docx(f"<w:p><w:r><w:t>{SENTENCE * 50}</w:t></w:r></w:p>")
    for whole in (manual.read_bytes(), picture.read_bytes(), jpeg.getvalue()):
        assert file.failure(whole[:len(whole) // 2]) == "broken_file"
    for size in (len(document) - 30, len(document) // 2):
        assert file.failure(document[:size]) == "broken_file"
    assert file.failure(b"%PDF-1.4\n") == "broken_file"


def test_empty_and_unknown_files_are_refused(file):
    assert file.failure(b"") == "empty_input"
    assert file.failure(bytes(range(256)) * 20) == "unsupported_type"
    assert file.failure(archive([("hello.txt", b"hello")])) == "unsupported_type"
    assert file.failure("/bin/true") == "unsupported_type"
    assert file.failure(rb"{\rtf1 hello}") == "unsupported_type"


def test_a_good_job_runs_after_a_bad_one(file):
    assert file.failure(png(10, 10, b"x")) == "broken_file"
    assert file.result(SENTENCE.encode())["text"] == SENTENCE


def test_a_page_without_text_is_an_empty_answer_and_no_failure(file):
    blank = io.BytesIO()
    Image.new("L", (800, 600), 255).save(blank, "PNG")
    for data in (blank.getvalue(), pdf()):
        result = file.result(data)
        assert (result["text"], result["language"], result["summary"], result["key_phrases"]) == ("", None, [], [])


# Bombs: small files that would cost much.

def test_pictures_of_too_many_pixels_are_refused_by_their_header(file):
    assert file.failure(png(100_000, 100_000), seconds=5) == "too_large"
    assert file.failure(png(0xFFFF, 0xFFFF), seconds=5) == "too_large"
    assert file.memory_bytes() < 800_000_000


def test_pages_of_too_many_pixels_and_too_many_pages_are_refused(file, tmp_path):
    assert file.failure(pdf(100_000, 100_000), seconds=20) == "too_large"
    assert file.failure(pdf(pages=51), seconds=20) == "too_large"
    with Handler("file", tmp_path / "private", STATEX_FILE_MAX_PAGES="5") as handler:
        assert handler.failure(pdf(pages=6)) == "too_large"


def test_zip_bombs_are_refused_by_their_directory_and_by_counting(file):
    member = b"\0" * (200 << 20)
    bomb = archive([("[Content_Types].xml", b"<x/>"), ("word/document.xml", member)])
    assert len(bomb) < 300_000
    assert file.failure(bomb) == "too_large"
    lying = bytearray(bomb)
    directory = lying.rfind(b"PK\x01\x02")
    lying[directory + 24:directory + 28] = (1000).to_bytes(4, "little")
    assert file.failure(bytes(lying)) in ("too_large", "broken_file")
    text = f"<w:p><w:r><w:t>{'a ' * (8 << 20)}</w:t></w:r></w:p>"
    assert file.failure(docx(text)) == "too_large"
    assert file.memory_bytes() < 800_000_000


def test_archives_of_too_many_members_are_refused(file):
    with zipfile.ZipFile(buffer := io.BytesIO(), "w") as many:
        for number in range(6000):
            many.writestr(f"{number}", b"")
    assert file.failure(buffer.getvalue()) == "too_large"


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress, lambda data: archive([("a.zip", archive([("b", data)]))])])
def test_archives_that_are_no_documents_are_not_opened_at_all(file, pack):
    for bomb in (pack(b"\0" * (100 << 20)), pack(pack(b"\0" * (100 << 20)))):
        assert len(bomb) < 400_000
        assert file.failure(bomb, seconds=10) == "unsupported_type"
    assert file.memory_bytes() < 800_000_000


def test_streams_of_a_pdf_that_unpack_to_far_more_are_cut_off(file):
    packed = deflated(b"BT /F1 12 Tf (a) Tj ET\n", 16_000)
    twice = zlib.compress(packed)
    assert len(twice) < 1 << 20
    for bomb in (pdf(stream=packed), pdf(stream=twice, filters="/FlateDecode /FlateDecode"), pdf(stream=twice, filters="/FlateDecode /FlateDecode", pages=50)):
        answer = file.run(bomb, seconds=30, time_limit_ms=5_000)
        assert answer["type"] == "error" and answer["class"] in ("too_slow", "too_large", "broken_file"), answer
    assert file.memory_bytes() < 800_000_000


def deflated(piece, count):
    """A deflate stream without end, that unpacks to so many times a megabyte of the piece."""
    packer = zlib.compressobj(9, wbits=-15)
    block = packer.compress(piece * ((1 << 20) // len(piece))) + packer.flush(zlib.Z_FULL_FLUSH)
    return b"\x78\x9c" + block * count


LAUGHS = '<!DOCTYPE x [<!ENTITY a "ha">' + "".join(f'<!ENTITY {chr(98 + i)} "{f"&{chr(97 + i)};" * 10}">' for i in range(9)) + "]>"


def test_entities_are_never_expanded_nor_fetched(file):
    assert file.failure(odt("<text:p>&j;</text:p>", prologue=LAUGHS), seconds=5) == "broken_file"
    outside = '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>'
    assert file.failure(odt("<text:p>&e;</text:p>", prologue=outside)) == "broken_file"
    remote = '<!DOCTYPE x SYSTEM "http://127.0.0.1:9/x.dtd">'
    assert file.failure(odt("<text:p>x</text:p>", prologue=remote)) == "broken_file"


def test_documents_nested_too_deep_are_refused(file):
    assert file.failure(docx("<w:p>" * 100_000 + "</w:p>" * 100_000)) == "broken_file"


@pytest.mark.parametrize("piece", ["<!", "<a", "&#", "<p>", "<!--", "<div ", "<![CDATA[", "<script>", "</", "&amp", "<?", "<a b=\"", "<a b='", "<svg>", "<x/", "&#9", "&#x1F600;", "< "])
def test_markup_without_end_costs_bounded_time(file, piece):
    answer = file.run(b"<html><body>" + piece.encode() * 150_000, seconds=60)
    # Two megabytes at most; the square of the length would be minutes.
    assert answer["type"] == "result" or answer["class"] in ("too_large", "broken_file")


def test_mangled_files_never_end_the_process(file, manual, page):
    import random

    chance = random.Random(3)
    tiff = io.BytesIO()
    Image.open(page[0]).resize((300, 400)).save(tiff, "TIFF", compression="tiff_lzw")
    originals = [
        (SAMPLES / "text1/a-text.pdf").read_bytes(), (SAMPLES / "text1/a-text.docx").read_bytes(), (SAMPLES / "text1/a-text.odt").read_bytes(),
        (SAMPLES / "pic1/debian_logo.png").read_bytes(), (SAMPLES / "pic1/debian_logo.jpg").read_bytes(), tiff.getvalue(),
    ]
    for original in originals:
        for _ in range(6):
            mangled = bytearray(original)
            for _ in range(20):
                mangled[chance.randrange(len(mangled))] = chance.randrange(256)
            answer = file.run(bytes(mangled))
            assert answer["type"] == "result" or answer["retryable"] is False, (answer, file.stderr()[-3000:])
