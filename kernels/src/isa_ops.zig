//! Root of each level's object: the same sources, compiled with the level's CPU features. The symbols that leave the object
//! are the table and, of a level on which others build, the ops that those take from it.

const std = @import("std");
const options = @import("kumi_options");
const isa_levels = @import("isa/levels.zig");
const Ops = @import("ops.zig").Ops;
const load = @import("ops/load.zig");
const measure_file = @import("ops/measure.zig");

const compiled = struct {
    const embed = @import("ops/embed.zig").run;
    const quantize_activations = @import("ops/quantize_activations.zig").run;
    const matmul = @import("ops/matmul/matmul.zig").run;
    const rms_norm = @import("ops/rms_norm.zig").run;
    const layer_norm = @import("ops/layer_norm.zig").run;
    const glu = @import("ops/glu.zig").run;
    const activate = @import("ops/activate.zig").run;
    const rope_table = @import("ops/rope_table.zig").run;
    const rope_append = @import("ops/rope_append.zig").run;
    const attention = @import("ops/attention/attention.zig").run;
    const attention_integers = @import("ops/attention/attention.zig").runIntegers;
    const cap_logits = @import("ops/cap_logits.zig").run;
    const route = @import("ops/route.zig").run;
    const gather_columns = @import("ops/gather_columns.zig").run;
    const mix_experts = @import("ops/mix_experts.zig").run;
    const short_conv = @import("ops/short_conv.zig").run;
    const delta_rule = @import("ops/delta_rule.zig").run;
    const gated_norm = @import("ops/gated_norm.zig").run;
    const split_heads = @import("ops/split_heads.zig").run;
    const latent_split = @import("ops/latent_split.zig").run;
    const head_columns = @import("ops/head_columns.zig").run;
    const gather_rows = @import("ops/gather_rows.zig").run;
    const sample = @import("ops/sample.zig").run;
    const score = @import("ops/score.zig").run;
    const pack = load.pack;
    const encode = load.encode;
    const decode = load.decode;
    const measure = measure_file.run;
    const measure_variants = measure_file.variantCount;
};

/// The ops that multiply by instructions in which a level and the one that it builds on differ. Who has another op ask for
/// those features (`has_…` in isa/simd.zig) names it here.
const of_products = [_][]const u8{ "matmul", "attention_integers", "measure", "measure_variants" };

pub const table: Ops = table: {
    var ops: Ops = undefined;
    for (std.meta.fieldNames(Ops)) |name| {
        @field(ops, name) = if (isCompiled(name))
            &@field(compiled, name)
        else
            @extern(@FieldType(Ops, name), .{ .name = symbolOf(level.builds_on.?, name), .visibility = .hidden });
    }
    break :table ops;
};

const level = isa_levels.named(options.level);

fn isCompiled(comptime name: []const u8) bool {
    if (options.single_level or level.builds_on == null) return true;
    for (of_products) |own| if (std.mem.eql(u8, own, name)) return true;
    return false;
}

fn symbolOf(comptime level_name: []const u8, comptime name: []const u8) []const u8 {
    return "kumi_" ++ name ++ "_" ++ level_name;
}

comptime {
    if (!options.single_level) {
        @export(&table, .{ .name = "kumi_ops_" ++ options.level, .visibility = .hidden });
        if (isa_levels.isBuiltOn(level)) for (std.meta.fieldNames(Ops)) |name| {
            for (of_products) |own| {
                if (std.mem.eql(u8, own, name)) break;
            } else @export(&@field(compiled, name), .{ .name = symbolOf(options.level, name), .visibility = .hidden });
        };
    }
}
