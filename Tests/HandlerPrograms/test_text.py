"""Language, summary, key phrases and embedding of texts."""

import json
import math

import numpy
import pytest

from conftest import FORTUNES

PREAMBLE = open("/usr/share/common-licenses/GPL-3", encoding="utf-8").read()
PREAMBLE = PREAMBLE[PREAMBLE.index("Preamble"):PREAMBLE.index("TERMS AND CONDITIONS")]
LANGUAGES = {"en": "literature", "de": "de/zitate", "es": "es/verdades.fortunes", "it": "it/definizioni", "ru": "ru"}


def fortunes(code):
    """Short texts of one language, as they are packaged."""
    folder = {"en": [FORTUNES / "literature", FORTUNES / "wisdom"]}.get(code) or [
        path for path in sorted((FORTUNES / code).rglob("*")) if path.is_file() and path.suffix not in (".dat", ".u8")]
    if code == "it":
        folder = [FORTUNES / name for name in ("italia", "leggi", "formiche")]
    texts = []
    for path in folder:
        texts += [piece.strip() for piece in path.read_text("utf-8", "ignore").split("\n%\n")]
    texts = [text for text in texts if 60 <= len(text) <= 1000]
    return texts[:: max(1, len(texts) // 60)][:60]


def test_five_languages_are_told_apart_on_short_texts(text):
    right = total = 0
    for code in ("en", "de", "es", "it", "ru"):
        samples = fortunes(code)
        assert len(samples) >= 40, (code, len(samples))
        found = [text.result(sample.encode())["language"]["code"] for sample in samples[:25]]
        right += found.count(code)
        total += len(found)
    print(f"language right in {right} of {total}")
    assert right / total >= 0.9


def test_the_result_has_the_documented_shape(text):
    result = text.result(PREAMBLE.encode())
    assert set(result) == {"language", "summary", "key_phrases", "embedding", "words", "sentences"}
    assert result["language"]["code"] == "en" and 0.5 < result["language"]["confidence"] <= 1
    assert len(result["embedding"]) == 384
    assert all(isinstance(number, float) and round(number, 5) == number for number in result["embedding"])
    assert math.isclose(math.hypot(*result["embedding"]), 1.0, abs_tol=0.001)
    assert 500 < result["words"] < 700 and 20 < result["sentences"] < 50


def test_the_summary_is_sentences_of_the_text_in_its_order(text):
    result = text.result(PREAMBLE.encode())
    running = " ".join(PREAMBLE.split())
    assert len(result["summary"]) == 3
    places = [running.index(sentence) for sentence in result["summary"]]
    assert places == sorted(places)


def test_an_odd_sentence_is_not_central(text):
    about = ["The cat sleeps on the warm sofa all day.", "Cats like to sleep in warm places.", "A sleeping cat is a happy cat.",
             "My cat sleeps near the stove in winter.", "Interest rates were raised by the central bank.", "Kittens sleep even longer than cats."]
    assert "Interest rates" not in " ".join(text.result(" ".join(about).encode())["summary"])


def test_key_phrases_are_words_of_the_text_and_no_stop_words(text):
    result = text.result(PREAMBLE.encode())
    running = " ".join(PREAMBLE.lower().split())
    assert 5 <= len(result["key_phrases"]) <= 8
    assert all(phrase.lower() in running for phrase in result["key_phrases"])
    assert not {"the", "and", "you", "for"} & {phrase.lower() for phrase in result["key_phrases"]}
    assert any("software" in phrase.lower() for phrase in result["key_phrases"])


def test_embeddings_are_near_for_the_same_meaning_also_across_languages(text):
    def vector(words):
        return numpy.array(text.result(words.encode())["embedding"])

    pairs = [("The train to Berlin leaves at nine.", "Der Zug nach Berlin fährt um neun Uhr ab."),
             ("He cooked soup with carrots.", "Preparó una sopa con zanahorias."),
             ("The doctor prescribed rest.", "Il medico ha prescritto riposo."),
             ("Rain is expected tomorrow.", "Завтра ожидается дождь.")]
    left, right = [vector(a) for a, _ in pairs], [vector(b) for _, b in pairs]
    for i, one in enumerate(left):
        assert int(numpy.argmax([one @ other for other in right])) == i


def test_the_same_text_gives_the_same_answer(text):
    assert text.result(PREAMBLE.encode()) == text.result(PREAMBLE.encode())


@pytest.mark.parametrize("data", [b"\xff\xfe\x00", b"caf\xe9", b"\xc0\xaf", b"\xed\xa0\x80", b"good, then \xf0\x9f\x98"])
def test_bytes_that_are_not_utf_8_are_refused(text, data):
    assert text.failure(data) == "invalid_text"


@pytest.mark.parametrize("data", [b"", b" \n\t ", b"\x00\x00\x00", "\u200b\u00a0".encode()])
def test_nothing_to_read_is_a_failure(text, data):
    assert text.failure(data) == "empty_input"


def test_nul_and_control_characters_never_come_back(text):
    result = text.result("A sentence\x00 with NUL\x07 bells.\x1b[31m Another one follows\x85 here.".encode())
    assert not [c for c in str(result["summary"]) + str(result["key_phrases"]) if ord(c) < 32]


@pytest.mark.parametrize("words", ["1234 5678 90", "!!! ??? ...", "🙂🙂🙂", "a", "ﷺ", "e\u0301" * 50])
def test_texts_without_ordinary_words_still_have_an_answer(text, words):
    result = text.result(words.encode())
    assert len(result["embedding"]) == 384


@pytest.mark.parametrize("long", [
    "word " * 100_000, "x" * 500_000, "。" * 100_000, "日本語の文章です。" * 20_000, "a.b.c." * 80_000, "\n\n" * 200_000 + "end",
    "-'" * 200_000, "Mr. " * 100_000,
])
def test_long_and_monotonous_texts_cost_bounded_time(text, long):
    result = text.result(long.encode(), seconds=30)
    assert len(result["embedding"]) == 384
    assert len(str(result["summary"])) < 10_000


def test_a_text_above_the_limit_is_refused(text):
    assert text.failure(b"a " * (1 << 20) + b"b") == "too_large"


def test_the_text_of_a_result_is_analysed_in_place_of_a_payload(text):
    sentence = "The quick brown fox jumps over the lazy dog. It did so every day of the week."
    plain = text.result(sentence.encode())
    transcript = {"text": sentence, "language": "en", "segments": []}
    for result in [
            transcript, {"choices": [{"text": sentence}]}, {"choices": [{"message": {"content": sentence}}]}, sentence]:
        assert text.result(b"", inputs=[json.dumps(result).encode()]) == plain
    assert text.result(b"", inputs=[sentence.encode()]) == plain


def test_payload_and_results_are_joined_in_order(text):
    joined = text.result(b"One sentence stands here.\n\nTwo more follow it.\n\nAnd three end it.")
    inputs = [json.dumps({"text": part}).encode() for part in ("Two more follow it.", "And three end it.")]
    assert text.result(b"One sentence stands here.", inputs=inputs) == joined


def test_results_without_text_are_refused(text):
    assert text.failure(b"", inputs=[b'{"text": ""}']) == "empty_input"
    assert text.failure(b"", inputs=[b"\xff\xfe"]) == "invalid_text"
    assert text.failure(b"", inputs=[b"a" * (2 << 20), b"a"]) == "too_large"
