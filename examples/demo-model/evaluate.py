"""Asks a GGUF file of the demo model the 200 held-out questions, greedily, and prints how many answers are right.

    python3 evaluate.py kumi-demo-q8_0.gguf              writes heldout.json too, for tests of other engines
    python3 evaluate.py kumi-demo-f16.gguf --bits 4      rounds every matrix to blocks of 32 four-bit values first
    python3 evaluate.py kumi-demo-f16.gguf --ask "Who are you?"
"""
import argparse
import collections
import json
import os

import torch

import data
from export_gguf import read_gguf
from model import Model
from tokenizer import Tokenizer

LIMIT = 200


def load(path: str, bits: int) -> Model:
    _, tensors = read_gguf(path)
    if bits:
        top = 2 ** (bits - 1)
        for name, w in tensors.items():
            if w.dim() == 2:
                x = w.view(-1, 32)
                d = x.gather(1, x.abs().argmax(1, keepdim=True)) / -top
                tensors[name] = ((x / d).round().clamp(-top, top - 1) * d).view_as(w)
    net = Model()
    net.load_state_dict(tensors)
    return net.eval()


def same(a: object, b: object) -> bool:
    return type(a) is type(b) and a == b


def right(expect: dict, answer: str) -> bool:
    """`sum`: the number after the last "=". `json`: the whole answer is that object. `contains`: all of these words occur."""
    if "sum" in expect:
        return answer.rsplit("=", 1)[-1].strip(" .") == str(expect["sum"])
    if "json" in expect:
        try:
            got = json.loads(answer)
        except ValueError:
            return False
        want = expect["json"]
        return isinstance(got, dict) and got.keys() == want.keys() and all(same(got[k], want[k]) for k in want)
    return all(word in answer for word in expect["contains"])


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("gguf")
    ap.add_argument("--bits", type=int, default=0)
    ap.add_argument("--ask")
    ap.add_argument("--show", action="store_true", help="print every answer")
    args = ap.parse_args()
    torch.set_num_threads(1)
    here = os.path.dirname(os.path.abspath(__file__))
    tok = Tokenizer(os.path.join(here, "tokenizer.json"))
    net = load(args.gguf, args.bits)
    if args.ask:
        ids, _ = net.generate(tok.encode(data.render([{"role": "user", "content": args.ask}], True)), LIMIT, tok.im_end)
        print(tok.decode(ids))
        return

    cases = data.held_out()
    with open(os.path.join(here, "heldout.json"), "w", encoding="utf-8") as f:
        f.write("[\n" + ",\n".join(json.dumps(c) for c in cases) + "\n]\n")
    score, total, stopped, parsed = collections.Counter(), collections.Counter(), 0, 0
    for case in cases:
        ids, stop = net.generate(tok.encode(data.render(case["messages"], True)), LIMIT, tok.im_end)
        answer = tok.decode(ids)
        ok = right(case["expect"], answer)
        score[case["kind"]] += ok
        total[case["kind"]] += 1
        stopped += stop
        if case["kind"] == "json":
            try:
                json.loads(answer)
                parsed += 1
            except ValueError:
                pass
        if args.show or not ok:
            print(f"{'right' if ok else 'WRONG'} {case['kind']}: {case['messages'][-1]['content']} -> {answer}")
    for kind, n in total.items():
        print(f"{kind:8} {score[kind]:3} of {n:3}  {100 * score[kind] / n:.1f} %")
    print(f"{'all':8} {sum(score.values()):3} of {len(cases):3}; JSON that parses {parsed} of {total['json']}; "
          f"stopped by itself {stopped} of {len(cases)}")


if __name__ == "__main__":
    main()
