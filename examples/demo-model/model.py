"""The demo model: a small Llama in plain PyTorch. RoPE turns neighbouring pairs (2i, 2i+1), as GGUF's "llama" does, so that export
needs no permutation."""
import torch
import torch.nn as nn
import torch.nn.functional as F

VOCAB, DIM, HIDDEN, LAYERS, HEADS, KV_HEADS, HEAD_DIM = 1024, 256, 512, 5, 4, 2, 64
CONTEXT, EPS, ROPE_BASE = 512, 1e-5, 10000.0


def rope_table() -> tuple[torch.Tensor, torch.Tensor]:
    """cos and sin, shape [CONTEXT, HEAD_DIM / 2]."""
    inv = ROPE_BASE ** (-torch.arange(0, HEAD_DIM, 2, dtype=torch.float32) / HEAD_DIM)
    angle = torch.arange(CONTEXT, dtype=torch.float32)[:, None] * inv
    return angle.cos(), angle.sin()


def rope(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    """x: [batch, heads, time, HEAD_DIM]; cos, sin: [time, HEAD_DIM / 2] or [batch, 1, time, HEAD_DIM / 2]."""
    a, b = x.unflatten(-1, (-1, 2)).unbind(-1)
    return torch.stack((a * cos - b * sin, a * sin + b * cos), -1).flatten(-2)


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.attn_norm = nn.RMSNorm(DIM, EPS)
        self.attn_q = nn.Linear(DIM, HEADS * HEAD_DIM, bias=False)
        self.attn_k = nn.Linear(DIM, KV_HEADS * HEAD_DIM, bias=False)
        self.attn_v = nn.Linear(DIM, KV_HEADS * HEAD_DIM, bias=False)
        self.attn_output = nn.Linear(HEADS * HEAD_DIM, DIM, bias=False)
        self.ffn_norm = nn.RMSNorm(DIM, EPS)
        self.ffn_gate = nn.Linear(DIM, HIDDEN, bias=False)
        self.ffn_up = nn.Linear(DIM, HIDDEN, bias=False)
        self.ffn_down = nn.Linear(HIDDEN, DIM, bias=False)

    def forward(self, x, cos, sin, mask, cache=None):
        b, t, _ = x.shape
        h = self.attn_norm(x)
        q = rope(self.attn_q(h).view(b, t, HEADS, HEAD_DIM).transpose(1, 2), cos, sin)
        k = rope(self.attn_k(h).view(b, t, KV_HEADS, HEAD_DIM).transpose(1, 2), cos, sin)
        v = self.attn_v(h).view(b, t, KV_HEADS, HEAD_DIM).transpose(1, 2)
        if cache is not None:
            if cache:
                k, v = torch.cat((cache[0], k), 2), torch.cat((cache[1], v), 2)
            cache[:] = [k, v]
        k = k.repeat_interleave(HEADS // KV_HEADS, 1)
        v = v.repeat_interleave(HEADS // KV_HEADS, 1)
        q, k = q.to(v.dtype), k.to(v.dtype)
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=mask is None and t > 1)
        x = x + self.attn_output(y.transpose(1, 2).reshape(b, t, -1))
        h = self.ffn_norm(x)
        return x + self.ffn_down(F.silu(self.ffn_gate(h)) * self.ffn_up(h))


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.token_embd = nn.Embedding(VOCAB, DIM)
        self.blk = nn.ModuleList(Block() for _ in range(LAYERS))
        self.output_norm = nn.RMSNorm(DIM, EPS)
        cos, sin = rope_table()
        self.register_buffer("cos", cos, persistent=False)
        self.register_buffer("sin", sin, persistent=False)
        for name, p in self.named_parameters():
            if p.dim() == 2:
                into_residual = "attn_output" in name or "ffn_down" in name
                nn.init.normal_(p, std=0.02 / (2 * LAYERS) ** 0.5 if into_residual else 0.02)

    def hidden(self, ids, mask=None, caches=None, position=0):
        t = ids.shape[1]
        cos, sin = self.cos[position:position + t], self.sin[position:position + t]
        x = self.token_embd(ids)
        for i, block in enumerate(self.blk):
            x = block(x, cos, sin, mask, None if caches is None else caches[i])
        return self.output_norm(x)

    def forward(self, ids, mask=None):
        return F.linear(self.hidden(ids, mask), self.token_embd.weight)

    @torch.no_grad()
    def generate(self, prompt: list[int], limit: int, stop: int) -> tuple[list[int], bool]:
        """Greedy decoding with a KV cache. Returns the new tokens without the stop token, and whether it stopped by itself."""
        caches: list[list] = [[] for _ in self.blk]
        ids, out, position = prompt, [], 0
        while len(out) < limit and position + len(ids) < CONTEXT:
            h = self.hidden(torch.tensor([ids]), None, caches, position)[:, -1]
            token = int(F.linear(h, self.token_embd.weight).argmax())
            if token == stop:
                return out, True
            out.append(token)
            position += len(ids)
            ids = [token]
        return out, False
