"""mistral.rs behind the line protocol of llamacpp.mjs: python3 mistralrs_peer.py FOLDER, which holds its package.

Its interface generates from text: a prompt is a text of as many tokens, the tokens that are decoded are its own, and it says itself how
long it computed the prompt and then the answer.
"""

import os
import sys

sys.path.insert(0, sys.argv[1])

from importlib.metadata import distributions

from line_loop import message_of, serve

model_file = None
runner = None
opened = None

def load(file):
    global model_file, runner, opened
    model_file, runner, opened = file, None, None
    version = next(found.version for found in distributions(path=[sys.argv[1]]) if found.name == "mistralrs")
    return {"system": f"mistral.rs {version}"}


def open_(threads, context, sequences, flash, kv, repack):
    global runner, opened
    if sequences > 1:
        raise RuntimeError("it is timed with one sequence alone: leave out --batch")
    if kv not in ("F16", "F32"):
        raise RuntimeError(f"it has no KV cache of {kv}: use --kv f16 or --kv f32")
    if opened == (model_file, threads, kv):
        return {}
    # Both are read once, when the package starts.
    os.environ["RAYON_NUM_THREADS"] = str(threads)
    os.environ["MISTRALRS_CPU_KV_F32"] = "1" if kv == "F32" else "0"
    import mistralrs

    folder, name = os.path.split(model_file)
    which = mistralrs.Which.GGUF(quantized_model_id=folder, quantized_filename=name)
    try:
        # Without its prefix cache: the same prompt is to be computed again.
        runner = mistralrs.Runner(which=which, prefix_cache_n=0, max_seqs=1, token_source="none")
    except BaseException as error:
        raise RuntimeError(f"it cannot read {model_file}: {message_of(error)}") from error
    opened = (model_file, threads, kv)
    return {}


def text_of(tokens):
    """A text of exactly so many tokens."""
    for word in (" lamp", " a", "a"):
        ids = runner.tokenize_text(word * tokens, False, None)
        text = runner.detokenize_text(ids[:tokens], False)
        if len(runner.tokenize_text(text, False, None)) == tokens:
            return text
    raise RuntimeError(f"there is no text of {tokens} tokens")


def generate(prompt_tokens, tokens):
    """Seconds of the prompt and of the answer."""
    import mistralrs

    request = mistralrs.CompletionRequest(
        prompt=text_of(prompt_tokens), model="default", max_tokens=tokens, temperature=0.0, ignore_eos=True
    )
    usage = runner.send_completion_request(request).usage
    if (usage.prompt_tokens, usage.completion_tokens) != (prompt_tokens, tokens):
        raise RuntimeError(f"it computed {usage.prompt_tokens} + {usage.completion_tokens} tokens and not {prompt_tokens} + {tokens}")
    return usage.total_prompt_time_sec, usage.total_completion_time_sec


def fill(first, tokens):
    return {}  # each decoding computes its own prompt


def prefill(first, tokens):
    if first > 0:
        raise RuntimeError("it cannot time a prompt behind a filled cache: leave out --depth, or prompts with --pp 0")
    return {"seconds": generate(len(tokens), 1)[0]}


def decode(first, tokens):
    # An empty cache is none of its states: one token stands for it.
    return {"seconds": generate(max(first, 1), len(tokens[0]) + 1)[1]}


serve({"load": load, "open": open_, "fill": fill, "prefill": prefill, "decode": decode})
