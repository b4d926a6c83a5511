"""A plain Llama in PyTorch, BF16 on the CPU, one request at a time: a baseline of bench/serving.ts.

Arguments: the shape as JSON {"hidden", "feedForward", "layers", "heads", "kvHeads", "headDim", "vocab", "ropeBase",
"eps"}, positions, threads. Weights are random: time does not depend on them. Answers each line of stdin, {"prompt":
[token, ...], "answerTokens"}, with a line {"seconds", "how"}. Ends with status 3 where there is no torch.
"""

import json
import sys
import time

try:
    import torch
    import torch.nn.functional as F
except ImportError:
    sys.exit(3)

DTYPE = torch.bfloat16


def random_matrix(rows, columns):
    """[rows, columns], a repeated million of normal numbers with the spread 1/sqrt(columns)."""
    pattern = torch.randn(1 << 20) / columns**0.5
    repeats = -(-rows * columns // pattern.numel())
    return pattern.to(DTYPE).repeat(repeats)[: rows * columns].view(rows, columns).contiguous()


class Layer:
    def __init__(self, shape):
        hidden, kv = shape["hidden"], shape["kvHeads"] * shape["headDim"]
        self.q_rows = shape["heads"] * shape["headDim"]
        self.kv_rows = kv
        self.attention_norm = torch.ones(hidden, dtype=DTYPE)
        self.qkv = random_matrix(self.q_rows + 2 * kv, hidden)
        self.output = random_matrix(hidden, self.q_rows)
        self.feed_forward_norm = torch.ones(hidden, dtype=DTYPE)
        self.gate_up = random_matrix(2 * shape["feedForward"], hidden)
        self.down = random_matrix(hidden, shape["feedForward"])


class Llama:
    def __init__(self, shape, context):
        self.shape = shape
        self.embedding = random_matrix(shape["vocab"], shape["hidden"])
        self.layers = [Layer(shape) for _ in range(shape["layers"])]
        self.norm = torch.ones(shape["hidden"], dtype=DTYPE)
        half = torch.arange(0, shape["headDim"], 2).float() / shape["headDim"]
        angles = torch.outer(torch.arange(context).float(), shape["ropeBase"] ** -half)
        self.cos = angles.cos().repeat(1, 2).to(DTYPE)
        self.sin = angles.sin().repeat(1, 2).to(DTYPE)
        cache = (shape["layers"], 2, 1, shape["kvHeads"], context, shape["headDim"])
        self.cache = torch.zeros(cache, dtype=DTYPE)

    def rotate(self, x, first, count):
        """x: [1, heads, count, headDim], element i paired with i + half."""
        a, b = x.chunk(2, dim=-1)
        return x * self.cos[first : first + count] + torch.cat((-b, a), dim=-1) * self.sin[first : first + count]

    def forward(self, tokens, first):
        """Logits of the last of the tokens, which stand at positions `first` and up."""
        shape, count = self.shape, tokens.numel()
        hidden, eps = (shape["hidden"],), shape["eps"]
        x = F.embedding(tokens, self.embedding)
        for index, layer in enumerate(self.layers):
            qkv = F.linear(F.rms_norm(x, hidden, layer.attention_norm, eps), layer.qkv)
            q, k, v = (
                part.view(count, -1, shape["headDim"]).transpose(0, 1).unsqueeze(0)
                for part in qkv.split([layer.q_rows, layer.kv_rows, layer.kv_rows], dim=-1)
            )
            keys, values = self.cache[index]
            keys[:, :, first : first + count] = self.rotate(k, first, count)
            values[:, :, first : first + count] = v
            mixed = F.scaled_dot_product_attention(
                self.rotate(q, first, count),
                keys[:, :, : first + count],
                values[:, :, : first + count],
                is_causal=count > 1,  # prompts start at position 0
                enable_gqa=True,
            )
            x = x + F.linear(mixed.squeeze(0).transpose(0, 1).reshape(count, -1), layer.output)
            gate, up = F.linear(F.rms_norm(x, hidden, layer.feed_forward_norm, eps), layer.gate_up).chunk(2, dim=-1)
            x = x + F.linear(F.silu(gate) * up, layer.down)
        return F.linear(F.rms_norm(x[-1:], hidden, self.norm, eps), self.embedding)

    def answer(self, prompt, answer_tokens):
        """Greedy answer, token after token."""
        token = self.forward(prompt, 0).argmax(dim=-1)
        for position in range(prompt.numel(), prompt.numel() + answer_tokens - 1):
            token = self.forward(token, position).argmax(dim=-1)
        return token


def main():
    shape, context, threads = json.loads(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    torch.manual_seed(1)
    torch.set_num_threads(threads)
    capability = torch.backends.cpu.get_cpu_capability()
    how = f"torch {torch.__version__}, {capability}, {torch.get_num_threads()} threads, eager, KV bf16"
    with torch.inference_mode():
        model = Llama(shape, context)
        for line in sys.stdin:
            request = json.loads(line)
            prompt = torch.tensor(request["prompt"])
            started = time.perf_counter()
            model.answer(prompt, request["answerTokens"])
            print(json.dumps({"seconds": time.perf_counter() - started, "how": how}), flush=True)


main()
