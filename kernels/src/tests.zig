//! Root of the unit tests; built once per instruction-set level. What the library compiles once, for the least level, is
//! tested on that level alone; an op and what it inlines, on every level that compiles it.

const builtin = @import("builtin");
const std = @import("std");
const isa_levels = @import("isa/levels.zig");
const options = @import("kumi_options");
const simd = @import("isa/simd.zig");

const levels = isa_levels.of(builtin.cpu.arch);
const is_least = std.mem.eql(u8, options.level, levels[levels.len - 1].name);

test {
    _ = products;
    if (comptime isa_levels.named(options.level).builds_on == null) _ = rest;
    if (is_least) _ = least;
}

/// The ops that every level compiles for itself (`of_products` in isa_ops.zig), and what they inline.
const products = struct {
    test {
        _ = @import("emulation/tile_test.zig");
        _ = @import("isa/model_bf16.zig");
        _ = @import("isa/simd.zig");
        _ = @import("ops/attention/attention_test.zig");
        _ = @import("ops/epilogue.zig");
        _ = @import("ops/matmul/amx_parts.zig");
        _ = @import("ops/matmul/matmul.zig");
        _ = @import("ops/matmul/matmul_test.zig");
        _ = @import("ops/matmul/strategies.zig");
        if (simd.has_tiles) _ = @import("ops/matmul/amx_bf16.zig");
        _ = @import("ops/measure.zig");
        _ = @import("ops/quantize_activations.zig");
        _ = @import("quant/activations.zig");
        _ = @import("quant/format.zig");
        _ = @import("quant/transpose.zig");
    }
};

/// The ops that a level takes from the one that it builds on: compiled for itself they would be none that the library has.
const rest = struct {
    test {
        _ = @import("kv/elements.zig");
        _ = @import("ops/math.zig");
        _ = @import("ops/activate.zig");
        _ = @import("ops/cap_logits.zig");
        _ = @import("ops/delta_rule_test.zig");
        _ = @import("ops/embed.zig");
        _ = @import("ops/gather_columns.zig");
        _ = @import("ops/gated_norm.zig");
        _ = @import("ops/gather_rows.zig");
        _ = @import("ops/glu.zig");
        _ = @import("ops/head_columns.zig");
        _ = @import("ops/isa_test.zig");
        _ = @import("ops/latent_split.zig");
        _ = @import("ops/layer_norm.zig");
        _ = @import("ops/logits.zig");
        _ = @import("ops/mix_experts.zig");
        _ = @import("ops/rms_norm.zig");
        _ = @import("ops/rope.zig");
        _ = @import("ops/rope_append.zig");
        _ = @import("ops/route.zig");
        _ = @import("ops/sample_test.zig");
        _ = @import("ops/score.zig");
        _ = @import("ops/short_conv.zig");
        _ = @import("ops/split_heads.zig");
    }
};

const least = struct {
    test {
        _ = @import("abi.zig");
        _ = @import("abi/batch_test.zig");
        _ = @import("abi/buffers.zig");
        _ = @import("abi/context_test.zig");
        _ = @import("abi/experts_test.zig");
        _ = @import("ops/expert_rows.zig");
        _ = @import("abi/kv_blocks.zig");
        _ = @import("abi/latent_test.zig");
        _ = @import("abi/linear_attention_test.zig");
        _ = @import("kv/states.zig");
        _ = @import("grammar/characters.zig");
        _ = @import("grammar/closing.zig");
        _ = @import("grammar/matcher.zig");
        _ = @import("grammar/vocabulary.zig");
        _ = @import("abi/machine.zig");
        _ = @import("abi/placement.zig");
        _ = @import("abi/status.zig");
        _ = @import("system/cgroup.zig");
        _ = @import("system/cpus.zig");
        _ = @import("isa/read_ahead.zig");
        _ = @import("isa/detect.zig");
        _ = @import("isa/dispatch.zig");
        _ = @import("system/energy.zig");
        _ = @import("system/fp_state.zig");
        _ = @import("system/futex.zig");
        _ = @import("isa/levels.zig");
        _ = @import("system/job.zig");
        _ = @import("kv/arena_test.zig");
        _ = @import("kv/bit_tree.zig");
        _ = @import("kv/block_copy.zig");
        _ = @import("kv/buddy_test.zig");
        _ = @import("system/machine.zig");
        _ = @import("system/memory.zig");
        _ = @import("system/numa.zig");
        _ = @import("abi/objects.zig");
        _ = @import("system/pages.zig");
        _ = @import("system/restriction.zig");
        _ = @import("testing/testing.zig");
        _ = @import("system/thread_team.zig");
        _ = @import("system/weight_pool.zig");
    }
};
