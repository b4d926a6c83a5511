"""Byte-level BPE for the demo model: trainer, encoder, decoder. GGUF knows the result as model "gpt2", pre-tokenizer "qwen2".

    python3 tokenizer.py OUT.json          trains on generated text and writes {"tokens": [...], "merges": [...]}
"""
import collections
import json
import random
import re
import sys

VOCAB_SIZE = 1024
SPECIALS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]

# The qwen2 split with \p{L} and \p{N} written for Python's `re`: a letter is [^\W\d_], a number \d, "neither" [^\s\w] or _.
SPLIT = re.compile(
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|(?:[^\r\n\w]|_)?[^\W\d_]+|\d| ?(?:[^\s\w]|_)+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
SPECIAL_SPLIT = re.compile("(" + "|".join(re.escape(s) for s in SPECIALS) + ")")


def byte_alphabet() -> list[str]:
    """GPT-2's printable stand-in for each byte, in token order: printable bytes first, then the rest from U+0100 on."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    rest = [b for b in range(256) if b not in printable]
    table = {b: chr(b) for b in printable} | {b: chr(256 + i) for i, b in enumerate(rest)}
    return [table[b] for b in range(256)]


BYTE_CHAR = byte_alphabet()
CHAR_BYTE = {c: b for b, c in enumerate(BYTE_CHAR)}


def to_chars(piece: str) -> str:
    return "".join(BYTE_CHAR[b] for b in piece.encode())


def train(texts: list[str], vocab_size: int = VOCAB_SIZE) -> dict:
    """Classic BPE: merge the most frequent neighbouring pair until the vocabulary is full. Ties go to the smaller pair."""
    counts: collections.Counter[str] = collections.Counter()
    for text in texts:
        for part in SPECIAL_SPLIT.split(text):
            if part not in SPECIALS:
                counts.update(to_chars(p) for p in SPLIT.findall(part))
    words = [(list(w), n) for w, n in counts.items()]
    merges: list[tuple[str, str]] = []
    while len(merges) < vocab_size - 256 - len(SPECIALS):
        pairs: collections.Counter[tuple[str, str]] = collections.Counter()
        for symbols, n in words:
            for pair in zip(symbols, symbols[1:]):
                pairs[pair] += n
        best = min(pairs, key=lambda p: (-pairs[p], p))
        merges.append(best)
        for symbols, _ in words:
            i = 0
            while i + 1 < len(symbols):
                if symbols[i] == best[0] and symbols[i + 1] == best[1]:
                    symbols[i:i + 2] = ["".join(best)]
                i += 1
    tokens = sorted(BYTE_CHAR, key=ord) + ["".join(m) for m in merges] + SPECIALS
    assert len(tokens) == vocab_size and len(set(tokens)) == vocab_size
    return {"tokens": tokens, "merges": [" ".join(m) for m in merges]}


class Tokenizer:
    def __init__(self, path: str):
        with open(path, encoding="utf-8") as f:
            data = json.load(f)
        self.tokens: list[str] = data["tokens"]
        self.merges: list[str] = data["merges"]
        self.id = {t: i for i, t in enumerate(self.tokens)}
        self.rank = {tuple(m.split(" ")): i for i, m in enumerate(self.merges)}
        self.end, self.im_start, self.im_end = (self.id[s] for s in SPECIALS)
        self.cache: dict[str, list[int]] = {}

    def piece(self, piece: str) -> list[int]:
        ids = self.cache.get(piece)
        if ids is None:
            symbols = list(to_chars(piece))
            while len(symbols) > 1:
                rank, i = min((self.rank.get(p, 1 << 30), i) for i, p in enumerate(zip(symbols, symbols[1:])))
                if rank == 1 << 30:
                    break
                symbols[i:i + 2] = [symbols[i] + symbols[i + 1]]
            ids = [self.id[s] for s in symbols]
            if len(self.cache) < 100_000:
                self.cache[piece] = ids
        return ids

    def encode(self, text: str) -> list[int]:
        ids: list[int] = []
        for part in SPECIAL_SPLIT.split(text):
            if part in SPECIALS:
                ids.append(self.id[part])
            else:
                for p in SPLIT.findall(part):
                    ids += self.piece(p)
        return ids

    def decode(self, ids: list[int]) -> str:
        out = bytearray()
        for i in ids:
            t = self.tokens[i]
            out += t.encode() if t in SPECIALS else bytes(CHAR_BYTE[c] for c in t)
        return out.decode(errors="replace")


if __name__ == "__main__":
    import data
    rng = random.Random(7)
    texts = [data.render(data.conversation(rng)) for _ in range(12_000)] + [data.plain_story(rng) for _ in range(300)]
    result = train(texts)
    with open(sys.argv[1], "w", encoding="utf-8") as f:
        json.dump(result, f, ensure_ascii=False)
    tok = Tokenizer(sys.argv[1])
    lengths = [len(tok.encode(t)) for t in texts]
    assert all(tok.decode(tok.encode(t)) == t for t in texts[:500])
    print(f"{sum(map(len, texts)) / sum(lengths):.2f} characters per token, {sum(lengths) / len(lengths):.0f} tokens per document, "
          f"longest {max(lengths)}")
