"""Models in PyTorch's transformers, float32 on the CPU: what bench/agreement.ts --python compares with.

Answers each line of stdin with a line of JSON: {"cmd": "load", "file"} makes the model of a GGUF file in F32, {"cmd": "score",
"tokens"} gives {"greedy", "greedyLogprob", "logprob"} of each position but the last. Ends with status 3 where there is no torch,
transformers or gguf.
"""

import json
import sys

try:
    import torch

    import gpt_oss
    import qwen35
    from gguf_file import File
except ImportError as error:
    print(error, file=sys.stderr)
    sys.exit(3)

FAMILIES = {"gpt-oss": gpt_oss, "qwen35": qwen35}


def load(path):
    file = File(path)
    if file.family not in FAMILIES:
        raise ValueError(f"{file.family} is not written for transformers, only {', '.join(FAMILIES)}")
    return FAMILIES[file.family].model_of(file)


def score(model, tokens):
    with torch.inference_mode():
        logits = model(torch.tensor([tokens]), use_cache=False).logits[0, :-1].double()
    logprobs = torch.log_softmax(logits, -1)
    greedy = logprobs.argmax(-1)
    following = torch.tensor(tokens[1:])
    pick = lambda ids: logprobs.gather(1, ids.unsqueeze(1)).squeeze(1).tolist()
    return {"greedy": greedy.tolist(), "greedyLogprob": pick(greedy), "logprob": pick(following)}


def main():
    torch.set_grad_enabled(False)
    model = None
    for line in sys.stdin:
        command = json.loads(line)
        try:
            if command["cmd"] == "load":
                model = load(command["file"])
                reply = {"system": f"torch {torch.__version__}"}
            else:
                reply = score(model, command["tokens"])
        except Exception as error:  # the other side prints it
            reply = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(reply), flush=True)


main()
