"""Trains the demo model from scratch on one CPU thread, for a given time.

    python3 train.py DIR --minutes 60          writes DIR/last.pt every few minutes and goes on from it when started again

Warm-up, then a constant rate, then a linear decay over the last part of the time. Matrices learn with Muon, the embedding and the
norms with AdamW. Documents are packed into rows; a mask keeps each document to itself, so training sees what serving will see.
"""
import argparse
import os
import random
import signal
import time

import torch
import torch.nn.functional as F

import data
from model import CONTEXT, Model
from tokenizer import Tokenizer

BATCH_TOKENS = 2048
ROWS = [128, 256, CONTEXT]
EARLY_UNTIL = 0.2  # Parts of the time: sums first, then copying; and the rate falls at the end.
DECAY_FROM = 0.6


class Documents:
    """An endless stream of (tokens, loss weight of each token)."""

    def __init__(self, tok: Tokenizer, seed: int):
        self.tok, self.rng, self.progress = tok, random.Random(seed), 0.0
        self.newline = tok.encode("\n")
        self.pool: list[tuple[list[int], list[float]]] = []

    def next(self) -> tuple[list[int], list[float]]:
        if self.rng.random() < 0.02:
            ids = self.tok.encode(data.plain_story(self.rng)) + [self.tok.im_end]
            return ids, [0.0] + [0.5] * (len(ids) - 1)
        mix = data.EARLY_MIX if self.progress < EARLY_UNTIL else data.MIX
        ids, weights = [], []
        for m in data.conversation(self.rng, mix):
            head = [self.tok.im_start, *self.tok.encode(m["role"] + "\n")]
            body = [*self.tok.encode(m["content"]), self.tok.im_end]
            w = 1.0 if m["role"] == "assistant" else 0.0  # What users type is noise to predict.
            ids += head + body + self.newline
            weights += [0.0] * len(head) + [w] * len(body) + [0.0]
        return ids, weights

    def batch(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """ids and weights, both [rows, length + 1], and document numbers [rows, length]. Documents are never cut: what does not
        fit waits in the pool. Attention costs length squared, so rows are short until enough long documents wait."""
        while sum(len(d) for d, _ in self.pool) < 3 * BATCH_TOKENS:
            self.pool.append(self.next())
        self.rng.shuffle(self.pool)
        waiting = [sum(len(d) for d, _ in self.pool if len(d) > n) for n in ROWS[:-1]]
        length = next((n for n, tokens in zip(ROWS, waiting) if tokens < BATCH_TOKENS), ROWS[-1])
        if length > ROWS[0]:
            self.pool.sort(key=lambda d: len(d[0]) <= length // 2)
        rows = BATCH_TOKENS // length
        ids, weights, docs = ([[] for _ in range(rows)] for _ in range(3))
        left = []
        for number, (d, w) in enumerate(self.pool, 1):
            r = next((r for r in range(rows) if len(ids[r]) + len(d) <= length + 1), None)
            if r is None:
                left.append((d, w))
                continue
            ids[r] += d
            weights[r] += [0.0] + w[1:]
            docs[r] += [number] * len(d)
        self.pool = left
        for r in range(rows):
            space = length + 1 - len(ids[r])
            ids[r] += [self.tok.end] * space
            weights[r] += [0.0] * space
            docs[r] += [0] * space
        return torch.tensor(ids), torch.tensor(weights), torch.tensor(docs)[:, :-1]


def document_mask(docs: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """Additive mask [rows, 1, T, T]: 0 where a token may look (same document, not later), -inf elsewhere."""
    t = docs.shape[1]
    may = (docs[:, :, None] == docs[:, None, :]) & torch.ones(t, t, dtype=torch.bool).tril()
    return torch.zeros(may.shape, dtype=dtype).masked_fill_(~may, float("-inf"))[:, None]


class Muon(torch.optim.Optimizer):
    """Momentum whose update is made orthogonal by five Newton-Schulz steps, scaled to AdamW's usual step size."""

    def __init__(self, params, lr: float, weight_decay: float = 0.1, momentum: float = 0.95):
        super().__init__(params, dict(lr=lr, weight_decay=weight_decay, momentum=momentum))

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                m = self.state[p].setdefault("momentum", torch.zeros_like(p))
                m.lerp_(p.grad, 1 - group["momentum"])
                x = p.grad.lerp(m, group["momentum"]).bfloat16()
                tall = x.shape[0] > x.shape[1]
                x = x.T if tall else x
                x = x / (x.norm() + 1e-7)
                for _ in range(5):
                    g = x @ x.T
                    x = 3.4445 * x + (-4.7750 * g + 2.0315 * g @ g) @ x
                x = x.T if tall else x
                p.mul_(1 - group["lr"] * group["weight_decay"])
                p.add_(x.float(), alpha=-group["lr"] * 0.2 * max(p.shape) ** 0.5)


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("dir")
    ap.add_argument("--minutes", type=float, default=60)
    ap.add_argument("--lr", type=float, default=3e-3)
    ap.add_argument("--float32", action="store_true")
    ap.add_argument("--steps", type=int, default=1 << 30)
    args = ap.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    os.makedirs(args.dir, exist_ok=True)
    here = os.path.dirname(os.path.abspath(__file__))
    tok = Tokenizer(os.path.join(here, "tokenizer.json"))
    model = Model()
    matrices = [p for n, p in model.named_parameters() if p.dim() == 2 and n != "token_embd.weight"]
    norms = [p for p in model.parameters() if p.dim() == 1]
    muon = Muon(matrices, lr=args.lr)
    adam = torch.optim.AdamW([
        dict(params=[model.token_embd.weight], weight_decay=0.1), dict(params=norms, weight_decay=0.0)
    ], lr=args.lr, betas=(0.9, 0.95), fused=True)

    state = dict(step=0, seconds=0.0, tokens=0)
    last = os.path.join(args.dir, "last.pt")
    if os.path.exists(last):
        saved = torch.load(last, weights_only=False)
        model.load_state_dict(saved["model"])
        muon.load_state_dict(saved["muon"])
        adam.load_state_dict(saved["adam"])
        state = saved["state"]
        print(f"going on from {last}: {state}", flush=True)
    docs = Documents(tok, seed=state["step"] + 1)
    kind = torch.float32 if args.float32 else torch.bfloat16

    def save():
        torch.save(dict(model=model.state_dict(), muon=muon.state_dict(), adam=adam.state_dict(), state=state), last + ".new")
        os.replace(last + ".new", last)

    parameters = sum(p.numel() for p in model.parameters())
    print(f"{parameters} parameters, {kind}", flush=True)
    started, before = time.monotonic(), state["seconds"]
    saved_at = started
    mean, stop = None, []
    signal.signal(signal.SIGTERM, lambda *_: stop.append(True))
    while not stop:
        state["seconds"] = before + time.monotonic() - started
        progress = state["seconds"] / (60 * args.minutes)
        if progress >= 1 or state["step"] >= args.steps:
            break
        rate = args.lr * min(1.0, (state["step"] + 1) / 100)
        if progress > DECAY_FROM:
            rate *= max(0.02, (1 - progress) / (1 - DECAY_FROM))
        for group in muon.param_groups + adam.param_groups:
            group["lr"] = rate
        docs.progress = progress
        ids, weights, numbers = docs.batch()
        mask = document_mask(numbers, kind)
        with torch.autocast("cpu", torch.bfloat16, enabled=not args.float32):
            w = weights[:, 1:].reshape(-1)
            keep = w.nonzero()[:, 0]  # Positions without weight need no logits.
            logits = F.linear(model.hidden(ids[:, :-1], mask).flatten(0, 1)[keep], model.token_embd.weight)
        losses = F.cross_entropy(logits.float(), ids[:, 1:].reshape(-1)[keep], reduction="none")
        loss = (losses * w[keep]).sum() / w.sum()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        muon.step()
        adam.step()
        model.zero_grad(set_to_none=True)
        state["step"] += 1
        state["tokens"] += int((numbers > 0).sum())
        mean = loss.item() if mean is None else 0.95 * mean + 0.05 * loss.item()
        if state["step"] % 50 == 0:
            spent = time.monotonic() - started
            print(f"step {state['step']} loss {mean:.4f} rate {rate:.5f} tokens {state['tokens'] / 1e6:.2f} M, "
                  f"{spent / 60:.1f} min", flush=True)
        if time.monotonic() - saved_at > 150:
            save()
            saved_at = time.monotonic()
    save()
    print(f"done: {state}", flush=True)


if __name__ == "__main__":
    main()
