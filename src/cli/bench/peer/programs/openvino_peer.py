"""OpenVINO GenAI behind the line protocol of llamacpp.mjs: python3 openvino_peer.py FOLDER, which holds its packages.

Its interface generates: a prompt is timed up to its first token, decoding from there on. Both include its greedy choice of a token.
So a prompt cannot be timed behind a filled cache, and tokens that are decoded are its own.
"""

import sys

sys.path.insert(0, sys.argv[1])

import numpy
import openvino
import openvino_genai

from line_loop import message_of, serve

# Its 8-bit cache has scales per token and head, a byte per value as q8_0.
KV_PRECISION = {"F32": "f32", "F16": "f16", "BF16": "bf16", "Q8_0": "u8"}

model_file = None
pipeline = None
opened = None
filled = []


def load(file):
    global model_file, pipeline, opened
    model_file, pipeline, opened = file, None, None
    return {"system": f"OpenVINO GenAI {openvino_genai.__version__}"}


def open_(threads, context, sequences, flash, kv, repack):
    global pipeline, opened
    wanted = (model_file, threads, kv)
    if opened == wanted:
        return {}
    scheduler = openvino_genai.SchedulerConfig()
    scheduler.enable_prefix_caching = False  # its default would know a prompt again
    scheduler.dynamic_split_fuse = False
    scheduler.max_num_batched_tokens = max(512, context * sequences)
    properties = {"INFERENCE_NUM_THREADS": threads, "KV_CACHE_PRECISION": KV_PRECISION[kv], "scheduler_config": scheduler}
    try:
        pipeline = openvino_genai.LLMPipeline(model_file, "CPU", **properties)
    except Exception as error:
        raise RuntimeError(f"it cannot read {model_file}: {message_of(error)}") from error
    opened = wanted
    return {}


def fill(first, tokens):
    global filled
    filled = filled[:first] + tokens
    return {}


def generate(prompts, tokens):
    """Seconds to the first token, and from there to the end, of so many greedy tokens for each prompt."""
    ids = numpy.array(prompts, dtype=numpy.int64)
    inputs = openvino_genai.TokenizedInputs(openvino.Tensor(ids), openvino.Tensor(numpy.ones_like(ids)))
    config = openvino_genai.GenerationConfig(max_new_tokens=tokens, ignore_eos=True, do_sample=False)
    result = pipeline.generate(inputs, config)
    if any(len(answer) != tokens for answer in result.tokens):
        raise RuntimeError(f"it generated {[len(answer) for answer in result.tokens]} tokens and not {tokens}")
    first = result.perf_metrics.get_ttft().mean / 1000
    return first, result.perf_metrics.get_generate_duration().mean / 1000 - first


def prefill(first, tokens):
    if first > 0:
        raise RuntimeError("it cannot time a prompt behind a filled cache: leave out --depth, or prompts with --pp 0")
    return {"seconds": generate([tokens], 1)[0]}


def decode(first, tokens):
    # An empty cache is none of its states: one token stands for it.
    prompts = [filled if first > 0 else row[:1] for row in tokens]
    return {"seconds": generate(prompts, len(tokens[0]) + 1)[1]}


serve({"load": load, "open": open_, "fill": fill, "prefill": prefill, "decode": decode})
