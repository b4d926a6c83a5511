//! Root of each level's object: the same sources, compiled with the level's CPU features. The table is the
//! only symbol that leaves the object.

const options = @import("kumi_options");
const Ops = @import("ops.zig").Ops;
const load = @import("ops/load.zig");

pub const table: Ops = .{
    .embed = &@import("ops/embed.zig").run,
    .quantize_activations = &@import("ops/quantize_activations.zig").run,
    .matmul = &@import("ops/matmul/matmul.zig").run,
    .rms_norm = &@import("ops/rms_norm.zig").run,
    .layer_norm = &@import("ops/layer_norm.zig").run,
    .glu = &@import("ops/glu.zig").run,
    .activate = &@import("ops/activate.zig").run,
    .rope_table = &@import("ops/rope_table.zig").run,
    .rope_append = &@import("ops/rope_append.zig").run,
    .attention = &@import("ops/attention/attention.zig").run,
    .cap_logits = &@import("ops/cap_logits.zig").run,
    .gather_rows = &@import("ops/gather_rows.zig").run,
    .sample = &@import("ops/sample.zig").run,
    .score = &@import("ops/score.zig").run,
    .pack = &load.pack,
    .encode = &load.encode,
    .decode = &load.decode,
    .measure = &@import("ops/measure.zig").run,
    .measure_variants = &@import("ops/measure.zig").variantCount,
};

comptime {
    if (!options.single_level) {
        @export(&table, .{ .name = "kumi_ops_" ++ options.level, .visibility = .hidden });
    }
}
