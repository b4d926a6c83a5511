"""Qwen 3.5 as transformers has it, of a file in F32."""

import torch
from transformers import Qwen3_5ForCausalLM, Qwen3_5TextConfig


def config_of(file):
    layers = file.number("block_count")
    interval = file.number("full_attention_interval")
    key_dim = file.number("ssm.state_size")
    head_dim = file.number("attention.key_length")
    kinds = ["full_attention" if (i + 1) % interval == 0 else "linear_attention" for i in range(layers)]
    return Qwen3_5TextConfig(
        vocab_size=file.vocabulary(),
        hidden_size=file.number("embedding_length"),
        intermediate_size=file.number("feed_forward_length"),
        num_hidden_layers=layers,
        num_attention_heads=file.number("attention.head_count"),
        num_key_value_heads=file.number("attention.head_count_kv"),
        head_dim=head_dim,
        max_position_embeddings=file.number("context_length"),
        rms_norm_eps=file.number("attention.layer_norm_rms_epsilon"),
        tie_word_embeddings=file.output()[1],
        layer_types=kinds,
        linear_conv_kernel_dim=file.number("ssm.conv_kernel"),
        linear_key_head_dim=key_dim,
        linear_value_head_dim=key_dim,
        linear_num_key_heads=file.number("ssm.group_count"),
        linear_num_value_heads=file.number("ssm.time_step_rank"),
        rope_parameters={
            "rope_type": "default",
            "rope_theta": file.number("rope.freq_base"),
            "partial_rotary_factor": file.number("rope.dimension_count") / head_dim,
            "mrope_section": file.numbers("rope.dimension_sections")[:3],
            "mrope_interleaved": True,
        },
        attn_implementation="eager",
    )


def weights_of(file, config):
    """The file's tensors by their names in transformers, as they are there before a conversion changes them."""
    keys, values, dim = config.linear_num_key_heads, config.linear_num_value_heads, config.linear_value_head_dim
    shared = values // keys
    # Files have the first head of each key head, then the second; the model has those of a key head together.
    order = torch.tensor([j * keys + i for i in range(keys) for j in range(shared)])

    def by_head(tensor, size=1):
        rows = tensor.reshape(values, size, *tensor.shape[1:])[order]
        return rows.reshape(tensor.shape)

    def norm(name):
        # The model's weights are what is added to 1.
        return file.tensor(name) - 1

    result = {
        "model.embed_tokens.weight": file.tensor("token_embd.weight"),
        "model.norm.weight": norm("output_norm.weight"),
        "lm_head.weight": file.output()[0],
    }
    for i, kind in enumerate(config.layer_types):
        blk, layer = f"blk.{i}.", f"model.layers.{i}."
        result[layer + "input_layernorm.weight"] = norm(blk + "attn_norm.weight")
        result[layer + "post_attention_layernorm.weight"] = norm(blk + "post_attention_norm.weight")
        for part in ("gate", "up", "down"):
            result[f"{layer}mlp.{part}_proj.weight"] = file.tensor(f"{blk}ffn_{part}.weight")
        if kind == "full_attention":
            own = layer + "self_attn."
            for part in ("q", "k", "v"):
                result[f"{own}{part}_proj.weight"] = file.tensor(f"{blk}attn_{part}.weight")
            result[own + "o_proj.weight"] = file.tensor(blk + "attn_output.weight")
            result[own + "q_norm.weight"] = norm(blk + "attn_q_norm.weight")
            result[own + "k_norm.weight"] = norm(blk + "attn_k_norm.weight")
            continue
        own = layer + "linear_attn."
        first = 2 * keys * config.linear_key_head_dim

        def with_values(tensor):
            return torch.cat([tensor[:first], by_head(tensor[first:], dim)])

        result[own + "in_proj_qkv.weight"] = with_values(file.tensor(blk + "attn_qkv.weight"))
        result[own + "conv1d.weight"] = with_values(file.tensor(blk + "ssm_conv1d.weight")).unsqueeze(1)
        result[own + "in_proj_z.weight"] = by_head(file.tensor(blk + "attn_gate.weight"), dim)
        result[own + "in_proj_b.weight"] = by_head(file.tensor(blk + "ssm_beta.weight"))
        result[own + "in_proj_a.weight"] = by_head(file.tensor(blk + "ssm_alpha.weight"))
        result[own + "dt_bias"] = by_head(file.tensor(blk + "ssm_dt.bias"))
        result[own + "A_log"] = torch.log(-by_head(file.tensor(blk + "ssm_a")))
        result[own + "norm.weight"] = file.tensor(blk + "ssm_norm.weight")
        output = file.tensor(blk + "ssm_out.weight")
        result[own + "out_proj.weight"] = by_head(output.T.contiguous(), dim).T.contiguous()
    return result


def model_of(file):
    config = config_of(file)
    model = Qwen3_5ForCausalLM(config).to(torch.float32).eval()
    model.load_state_dict(weights_of(file, config), strict=True)
    return model
