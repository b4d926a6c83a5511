"""gpt-oss as transformers has it, of a file in F32."""

import torch
from transformers import GptOssConfig, GptOssForCausalLM


def config_of(file):
    layers = file.number("block_count")
    return GptOssConfig(
        vocab_size=file.vocabulary(),
        hidden_size=file.number("embedding_length"),
        intermediate_size=file.number("expert_feed_forward_length"),
        num_hidden_layers=layers,
        num_attention_heads=file.number("attention.head_count"),
        num_key_value_heads=file.number("attention.head_count_kv"),
        head_dim=file.number("attention.key_length"),
        num_local_experts=file.number("expert_count"),
        num_experts_per_tok=file.number("expert_used_count"),
        max_position_embeddings=file.number("context_length"),
        rms_norm_eps=file.number("attention.layer_norm_rms_epsilon"),
        sliding_window=file.number("attention.sliding_window"),
        layer_types=["full_attention" if i % 2 else "sliding_attention" for i in range(layers)],
        tie_word_embeddings=file.output()[1],
        rope_parameters={
            "rope_type": "yarn",
            "rope_theta": file.number("rope.freq_base"),
            "factor": file.number("rope.scaling.factor"),
            "original_max_position_embeddings": file.number("rope.scaling.original_context_length"),
            "beta_fast": 32.0,
            "beta_slow": 1.0,
            # The authors' code does not round where pairs begin and end to be stretched; that of GGUF files does.
            "truncate": True,
        },
        attn_implementation="eager",
    )


def model_of(file):
    config = config_of(file)
    model = GptOssForCausalLM(config).to(torch.float32).eval()
    weights = {
        "model.embed_tokens.weight": file.tensor("token_embd.weight"),
        "model.norm.weight": file.tensor("output_norm.weight"),
        "lm_head.weight": file.output()[0],
    }
    for i in range(config.num_hidden_layers):
        blk, layer = f"blk.{i}.", f"model.layers.{i}."
        weights[layer + "input_layernorm.weight"] = file.tensor(blk + "attn_norm.weight")
        weights[layer + "post_attention_layernorm.weight"] = file.tensor(blk + "post_attention_norm.weight")
        for theirs, ours in (("q_proj", "attn_q"), ("k_proj", "attn_k"), ("v_proj", "attn_v"), ("o_proj", "attn_output")):
            for end in ("weight", "bias"):
                weights[f"{layer}self_attn.{theirs}.{end}"] = file.tensor(f"{blk}{ours}.{end}")
        weights[layer + "self_attn.sinks"] = file.tensor(blk + "attn_sinks.weight")
        for end in ("weight", "bias"):
            weights[f"{layer}mlp.router.{end}"] = file.tensor(f"{blk}ffn_gate_inp.{end}")
        gate, up, down = (file.tensor(f"{blk}ffn_{name}_exps.weight") for name in ("gate", "up", "down"))
        # Gates and ups are neighbours, and matrices stand the other way round.
        weights[layer + "mlp.experts.gate_up_proj"] = pairs(gate, up).transpose(1, 2).contiguous()
        weights[layer + "mlp.experts.down_proj"] = down.transpose(1, 2).contiguous()
        biases = {name: file.tensor(f"{blk}ffn_{name}_exps.bias") for name in ("gate", "up", "down")}
        weights[layer + "mlp.experts.gate_up_proj_bias"] = pairs(biases["gate"], biases["up"])
        weights[layer + "mlp.experts.down_proj_bias"] = biases["down"]
    model.load_state_dict(weights, strict=True)
    return model


def pairs(first, second):
    """Rows of both in turn, of each expert."""
    return torch.stack([first, second], 2).flatten(1, 2)
