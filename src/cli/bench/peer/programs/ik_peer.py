"""ik_llama.cpp behind the line protocol of llamacpp.mjs: python3 ik_peer.py LIBRARY, which is ik_peer.c compiled and linked with it."""

import ctypes
import sys

from line_loop import serve

library = ctypes.CDLL(sys.argv[1])
library.peer_system.restype = ctypes.c_char_p
library.peer_prefill.restype = ctypes.c_double
library.peer_decode.restype = ctypes.c_double

model_file = None
loaded = None


def int32s(values):
    return (ctypes.c_int32 * len(values))(*values)


def load(file):
    global model_file, loaded
    model_file, loaded = file, None
    return {"system": library.peer_system().decode()}


def open_(threads, context, sequences, flash, kv, repack):
    global loaded
    if loaded != (model_file, repack):
        if library.peer_load(model_file.encode(), repack) != 0:
            raise RuntimeError(f"it cannot read {model_file}")
        loaded = (model_file, repack)
    if library.peer_open(threads, context, sequences, flash, kv.lower().encode()) != 0:
        raise RuntimeError(f"it opens no context of {sequences} times {context} positions with a KV cache of {kv}")
    return {}


def fill(first, tokens):
    check(library.peer_fill(first, int32s(tokens), len(tokens)))
    return {}


def prefill(first, tokens):
    return timed(library.peer_prefill(first, int32s(tokens), len(tokens)))


def decode(first, tokens):
    flat = int32s([token for row in tokens for token in row])
    return timed(library.peer_decode(first, flat, len(tokens), len(tokens[0])))


def check(status):
    if status != 0:
        raise RuntimeError("llama_decode failed")


def timed(seconds):
    check(seconds < 0)
    return {"seconds": seconds}


serve({"load": load, "open": open_, "fill": fill, "prefill": prefill, "decode": decode})
