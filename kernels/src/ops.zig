//! The table of ops: one function per op, one table per instruction-set level. A level that lacks an op does
//! not compile.

const Job = @import("system/job.zig").Job;
const load = @import("ops/load.zig");
const measure = @import("ops/measure.zig");

/// An op: called on every member of the team with the same arguments.
pub fn Run(comptime Args: type) type {
    return *const fn (args: *const Args, job: *const Job) callconv(.c) void;
}

pub const Ops = extern struct {
    embed: Run(@import("ops/embed.zig").Args),
    quantize_activations: Run(@import("ops/quantize_activations.zig").Args),
    matmul: Run(@import("ops/matmul/matmul.zig").Group),
    rms_norm: Run(@import("ops/rms_norm.zig").Args),
    layer_norm: Run(@import("ops/layer_norm.zig").Args),
    glu: Run(@import("ops/glu.zig").Args),
    activate: Run(@import("ops/activate.zig").Args),
    rope_table: Run(@import("ops/rope_table.zig").Args),
    rope_append: Run(@import("ops/rope_append.zig").Args),
    attention: Run(@import("ops/attention/attention.zig").Args),
    /// The same over K and V in q8_0.
    attention_integers: Run(@import("ops/attention/attention.zig").Args),
    cap_logits: Run(@import("ops/cap_logits.zig").Args),
    route: Run(@import("ops/route.zig").Args),
    gather_columns: Run(@import("ops/gather_columns.zig").Args),
    mix_experts: Run(@import("ops/mix_experts.zig").Args),
    short_conv: Run(@import("ops/short_conv.zig").Args),
    delta_rule: Run(@import("ops/delta_rule.zig").Args),
    gated_norm: Run(@import("ops/gated_norm.zig").Args),
    split_heads: Run(@import("ops/split_heads.zig").Args),
    latent_split: Run(@import("ops/latent_split.zig").Args),
    head_columns: Run(@import("ops/head_columns.zig").Args),
    gather_rows: Run(@import("ops/gather_rows.zig").Args),
    sample: Run(@import("ops/sample.zig").Args),
    score: Run(@import("ops/score.zig").Args),
    pack: Run(load.PackArgs),
    encode: Run(load.EncodeArgs),
    decode: Run(load.DecodeArgs),
    measure: Run(measure.Args),
    /// How many variants of a measurement the level has.
    measure_variants: *const fn (what: u32) callconv(.c) u32,
};
