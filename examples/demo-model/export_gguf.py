"""Writes the trained model as GGUF v3, in F16 and in Q8_0, and reads such files back.

    python3 export_gguf.py DIR/last.pt          writes kumi-demo-f16.gguf and kumi-demo-q8_0.gguf beside this file

A file is: magic, version, counts; the metadata; one entry per tensor; then the tensors, each at a multiple of 32 bytes.
"""
import os
import struct
import sys

import numpy as np
import torch

import data
import model as m
from tokenizer import SPECIALS, Tokenizer

ALIGNMENT = 32
F32, F16, Q8_0 = 0, 1, 8  # tensor types
U32, FLOAT, BOOL, STRING, ARRAY, I32 = 4, 6, 7, 8, 9, 5  # metadata types
DESCRIPTION = ("A toy of three million parameters, trained from scratch on synthetic English text to try out and test kumi. It greets, "
               "adds numbers up to 99, writes small JSON objects and very short stories and explains a few terms. It knows nothing else "
               "and is often wrong.")


def quantize_q8_0(w: np.ndarray) -> bytes:
    """Blocks of 32 values: f16 scale d = max|x| / 127, then 32 int8 round(x / d), halves to even."""
    x = w.astype(np.float32).reshape(-1, 32)
    d = np.abs(x).max(axis=1) / np.float32(127)
    inverse = np.divide(np.float32(1), d, out=np.zeros_like(d), where=d > 0)
    block = np.zeros(len(x), dtype=[("d", "<f2"), ("q", "i1", 32)])
    block["d"], block["q"] = d, np.rint(x * inverse[:, None])
    return block.tobytes()


def dequantize_q8_0(raw: np.ndarray) -> np.ndarray:
    block = raw.view([("d", "<f2"), ("q", "i1", 32)])
    return block["q"].astype(np.float32) * block["d"].astype(np.float32)[:, None]


# ---------------------------------------------------------------------------------------------------------------- writing

def string(s: str) -> bytes:
    b = s.encode()
    return struct.pack("<Q", len(b)) + b


def value(kind: int, v: object) -> bytes:
    if kind == STRING:
        return string(v)
    return struct.pack({U32: "<I", I32: "<i", FLOAT: "<f", BOOL: "<?"}[kind], v)


def pair(key: str, kind: int, v: object, of: int | None = None) -> bytes:
    head = string(key) + struct.pack("<I", kind)
    if kind != ARRAY:
        return head + value(kind, v)
    return head + struct.pack("<IQ", of, len(v)) + b"".join(value(of, x) for x in v)


def metadata(tok: Tokenizer, file_type: int, name: str) -> list[bytes]:
    types = [3 if t in SPECIALS else 1 for t in tok.tokens]
    return [
        pair("general.architecture", STRING, "llama"),
        pair("general.name", STRING, name),
        pair("general.description", STRING, DESCRIPTION),
        pair("general.license", STRING, "mit"),
        pair("general.size_label", STRING, "3M"),
        pair("general.alignment", U32, ALIGNMENT),
        pair("general.file_type", U32, file_type),
        pair("general.quantization_version", U32, 2),
        pair("llama.vocab_size", U32, m.VOCAB),
        pair("llama.context_length", U32, m.CONTEXT),
        pair("llama.embedding_length", U32, m.DIM),
        pair("llama.block_count", U32, m.LAYERS),
        pair("llama.feed_forward_length", U32, m.HIDDEN),
        pair("llama.attention.head_count", U32, m.HEADS),
        pair("llama.attention.head_count_kv", U32, m.KV_HEADS),
        pair("llama.attention.layer_norm_rms_epsilon", FLOAT, m.EPS),
        pair("llama.rope.dimension_count", U32, m.HEAD_DIM),
        pair("llama.rope.freq_base", FLOAT, m.ROPE_BASE),
        pair("tokenizer.ggml.model", STRING, "gpt2"),
        pair("tokenizer.ggml.pre", STRING, "qwen2"),
        pair("tokenizer.ggml.tokens", ARRAY, tok.tokens, STRING),
        pair("tokenizer.ggml.token_type", ARRAY, types, I32),
        pair("tokenizer.ggml.merges", ARRAY, tok.merges, STRING),
        pair("tokenizer.ggml.bos_token_id", U32, tok.end),
        pair("tokenizer.ggml.eos_token_id", U32, tok.im_end),
        pair("tokenizer.ggml.eot_token_id", U32, tok.im_end),
        pair("tokenizer.ggml.padding_token_id", U32, tok.end),
        pair("tokenizer.ggml.add_bos_token", BOOL, False),
        pair("tokenizer.chat_template", STRING, data.CHAT_TEMPLATE),
    ]


def write_gguf(path: str, state: dict[str, torch.Tensor], tok: Tokenizer, matrix_type: int) -> None:
    pairs = metadata(tok, {F16: 1, Q8_0: 7}[matrix_type], "kumi demo")
    entries, blobs, offset = [], [], 0
    for name, tensor in state.items():
        w = tensor.float().numpy()
        kind = matrix_type if w.ndim == 2 else F32
        raw = {F32: lambda: w.astype("<f4").tobytes(), F16: lambda: w.astype("<f2").tobytes(),
               Q8_0: lambda: quantize_q8_0(w.astype("<f2"))}[kind]()  # from F16, so that quantizing the F16 file gives the same bytes
        shape = w.shape[::-1]  # GGUF names the fastest dimension first
        entries.append(string(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, kind, offset))
        blobs.append(raw + bytes(-len(raw) % ALIGNMENT))
        offset += len(blobs[-1])
    head = b"GGUF" + struct.pack("<IQQ", 3, len(entries), len(pairs)) + b"".join(pairs) + b"".join(entries)
    with open(path, "wb") as f:
        f.write(head + bytes(-len(head) % ALIGNMENT) + b"".join(blobs))


# ---------------------------------------------------------------------------------------------------------------- reading

def read_gguf(path: str) -> tuple[dict, dict[str, torch.Tensor]]:
    """Metadata and tensors (as float32) of a file with F32, F16 and Q8_0 tensors."""
    raw = np.fromfile(path, dtype=np.uint8)
    buffer, at = raw.tobytes(), 0

    def take(form: str):
        nonlocal at
        values = struct.unpack_from("<" + form, buffer, at)
        at += struct.calcsize("<" + form)
        return values[0] if len(values) == 1 else values

    def take_string() -> str:
        nonlocal at
        n = take("Q")
        at += n
        return buffer[at - n:at].decode()

    def take_value(kind: int):
        if kind == STRING:
            return take_string()
        if kind == ARRAY:
            of, n = take("IQ")
            return [take_value(of) for _ in range(n)]
        return take({U32: "I", I32: "i", FLOAT: "f", BOOL: "?"}[kind])

    assert take("4s") == b"GGUF" and take("I") == 3
    tensor_count, pair_count = take("QQ")
    meta = {}
    for _ in range(pair_count):
        key = take_string()
        meta[key] = take_value(take("I"))
    entries = []
    for _ in range(tensor_count):
        name = take_string()
        shape = [take("Q") for _ in range(take("I"))][::-1]
        entries.append((name, shape, *take("IQ")))
    start = at + -at % ALIGNMENT
    tensors = {}
    for name, shape, kind, offset in entries:
        n = int(np.prod(shape))
        size = {F32: 4 * n, F16: 2 * n, Q8_0: n // 32 * 34}[kind]
        part = raw[start + offset:start + offset + size]
        w = {F32: lambda: part.view("<f4"), F16: lambda: part.view("<f2").astype(np.float32), Q8_0: lambda: dequantize_q8_0(part)}[kind]()
        tensors[name] = torch.from_numpy(np.array(w, dtype=np.float32).reshape(shape))
    return meta, tensors


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    tok = Tokenizer(os.path.join(here, "tokenizer.json"))
    net = m.Model()
    net.load_state_dict(torch.load(sys.argv[1], weights_only=False)["model"])
    state = {name if name.endswith(".weight") else name + ".weight": t for name, t in net.state_dict().items()}
    for kind, suffix in ((F16, "f16"), (Q8_0, "q8_0")):
        path = os.path.join(here, f"kumi-demo-{suffix}.gguf")
        write_gguf(path, state, tok, kind)
        meta, tensors = read_gguf(path)
        worst = max(float((tensors[n] - t).abs().max() / t.abs().max()) for n, t in state.items())
        print(f"{path}: {os.path.getsize(path)} bytes, {len(tensors)} tensors, {len(meta)} pairs, largest error {worst:.5f} of the range")


if __name__ == "__main__":
    main()
