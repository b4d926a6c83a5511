//! Float ops give the same bits on every instruction set and architecture: each result's hash was computed once.

const std = @import("std");
const testing = @import("../testing/testing.zig");
const arena = @import("../kv/arena.zig");
const batch = @import("../kv/batch.zig");
const activate = @import("activate.zig");
const delta_rule = @import("delta_rule.zig");
const gated_norm = @import("gated_norm.zig");
const glu = @import("glu.zig");
const layer_norm = @import("layer_norm.zig");
const rms_norm = @import("rms_norm.zig");
const rope = @import("rope.zig");
const rope_append = @import("rope_append.zig");
const attention = @import("attention/attention.zig");
const sample = @import("sample.zig");
const short_conv = @import("short_conv.zig");
const Slot = @import("../kv/states.zig").Slot;

fn hashOf(values: []const f32) u64 {
    var hash: u64 = 0;
    for (values) |value| hash = (hash ^ @as(u32, @bitCast(value))) *% 0x9E3779B97F4A7C15 +% 1;
    return hash;
}

const tokens_n = 280;
const dim_max = 72;
const heads = 4;
const kv_heads = 2;

test "rms_norm and glu have the same bits everywhere" {
    var rng: testing.Rng = .init(91);
    var x: [600]f32 = undefined;
    var w: [300]f32 = undefined;
    var y: [600]f32 = undefined;
    rng.fill(&x, 9);
    rng.fill(&w, 2);
    testing.runParts(rms_norm.run, &rms_norm.Args{ .x = &x, .w = &w, .y = .{ .f32 = &y }, .k = 300, .n = 2, .eps = 1e-5 }, 2);
    try std.testing.expectEqual(@as(u64, 1698984365342852490), hashOf(&y));
    testing.runParts(glu.run, &glu.Args{ .gate = &x, .up = &y, .y = .{ .f32 = &y }, .k = 300, .n = 2, .function = .silu }, 2);
    try std.testing.expectEqual(@as(u64, 13810157627062495526), hashOf(&y));
}

test "layer_norm and activate have the same bits everywhere" {
    var rng: testing.Rng = .init(94);
    var x: [600]f32 = undefined;
    var w: [300]f32 = undefined;
    var y: [600]f32 = undefined;
    rng.fill(&x, 9);
    rng.fill(&w, 2);
    testing.runParts(layer_norm.run, &layer_norm.Args{ .x = &x, .w = &w, .b = x[300..].ptr, .y = .{ .f32 = &y }, .k = 300, .n = 2, .eps = 1e-5 }, 2);
    try std.testing.expectEqual(@as(u64, 5767215999325974252), hashOf(&y));
    const parameters: activate.Parameters = .{ .positive = 0.8, .negative = 1.3, .slope = 0.5, .bound = -1e-6 };
    var hash: u64 = 0;
    for (std.enums.values(activate.Function)) |function| {
        testing.runParts(activate.run, &activate.Args{ .x = &x, .y = .{ .f32 = &y }, .k = 300, .n = 2, .function = function, .parameters = parameters }, 2);
        hash = hash *% 31 +% hashOf(&y);
    }
    try std.testing.expectEqual(@as(u64, 3520844334282401943), hash);
}

test "short_conv, delta_rule and gated_norm have the same bits everywhere" {
    const n = 19;
    const dim = 32;
    const row = 4 * dim;
    var rng: testing.Rng = .init(95);
    var x: [n * row]f32 = undefined;
    var w: [4 * row]f32 = undefined;
    var mixed: [n * row]f32 = undefined;
    var y: [n * 2 * dim]f32 = undefined;
    var gates: [n * 4]f32 = undefined;
    var state: [(3 * row + 2 * dim * dim)]f32 align(64) = undefined;
    for ([_][]f32{ &x, &w, &gates }) |values| rng.fill(values, 1);
    const seqs = [_]batch.Seq{.{ .token_first = 0, .token_count = n, .position_first = 0, .extent_first = 0, .extent_count = 0 }};
    const slots = [_]Slot{.{ .read = 0, .write = 0 }};
    const bytes: [*]u8 = @ptrCast(&state);
    testing.runParts(short_conv.run, &short_conv.Args{
        .x = &x,
        .before = null,
        .after = null,
        .w = &w,
        .bias = null,
        .y = .{ .f32 = &mixed },
        .seqs = &seqs,
        .states = .{ .base = bytes, .slot_bytes = @sizeOf(@TypeOf(state)), .slots = &slots },
        .seq_count = 1,
        .channels = row,
        .stride = row,
        .taps = 4,
        .silu = 1,
        .head = dim,
        .query_heads = 1,
        .key_heads = 1,
        .scale = 0.2,
        .eps = 1e-6,
    }, 2);
    const of_mixed = hashOf(&mixed);
    testing.runParts(delta_rule.run, &delta_rule.Args{
        .qkv = &mixed,
        .alpha = gates[2..].ptr,
        .beta = &gates,
        .decay = &.{ -1.5, -0.25 },
        .dt = &.{ 0.5, -0.5 },
        .skip = null,
        .y = &y,
        .seqs = &seqs,
        .states = .{ .base = bytes + 3 * row * @sizeOf(f32), .slot_bytes = @sizeOf(@TypeOf(state)), .slots = &slots },
        .seq_count = 1,
        .heads = 2,
        .key_heads = 1,
        .key_dim = dim,
        .value_dim = dim,
        .row = row,
        .query_first = 0,
        .key_first = dim,
        .value_first = 2 * dim,
        .gate_row = 4,
        .gate_group = 2,
        .sharing = .neighbours,
        .rule = .delta,
    }, 3);
    testing.runParts(gated_norm.run, &gated_norm.Args{
        .x = &y,
        .gate = &x,
        .w = &w,
        .y = .{ .f32 = &mixed },
        .k = 2 * dim,
        .n = n,
        .head = dim,
        .shared = 1,
        .eps = 1e-6,
        .order = .norm_then_gate,
    }, 2);
    var hash = of_mixed;
    for ([_][]const f32{ &y, &state, mixed[0 .. n * 2 * dim] }) |values| hash = hash *% 31 +% hashOf(values);
    try std.testing.expectEqual(@as(u64, 5208967834753887687), hash);
}

test "rope, append and attention have the same bits everywhere" {
    const gpa = std.testing.allocator;
    var rng: testing.Rng = .init(92);
    const q = try gpa.alloc(f32, tokens_n * heads * dim_max);
    defer gpa.free(q);
    const kv = try gpa.alloc(f32, 2 * tokens_n * kv_heads * dim_max);
    defer gpa.free(kv);
    const out = try gpa.alloc(f32, q.len);
    defer gpa.free(out);
    var table: [tokens_n * 64]f32 = undefined;
    const desc: rope.Desc = .{
        .n_rot = 64,
        .max_positions = tokens_n,
        .scaling = 2,
        .freq_factors = 0,
        .base = 500000,
        .factor = 8,
        .original_context = 128,
        .low_freq = 1,
        .high_freq = 32,
        .attn_factor = 1,
        .ext_factor = 1,
    };
    (try rope.Frequencies.init(desc, null)).fill(64, 0, &table);
    try std.testing.expectEqual(@as(u64, 4577074750493873792), hashOf(&table));
    const cases = [_]struct { arena.Format, u32, u64 }{
        .{ .f32, 72, 14618000800487767792 },
        .{ .f16, 72, 11873758364576612768 },
        .{ .bf16, 72, 16833531917471295075 },
        .{ .q8_0, 64, 7568386293073249363 },
    };
    for (cases) |case| {
        const format, const dim, const expected = case;
        @memset(q, 0);
        @memset(out, 0);
        const layers = [1]arena.LayerShape{.{ .kv_heads = kv_heads, .key_dim = dim, .value_dim = dim }};
        var cache: arena.Arena = try .init(.{ .layers = &layers, .slots = 288, .format = format });
        defer cache.deinit();
        rng.fill(q, 3);
        rng.fill(kv, 3);
        var tokens: [tokens_n]batch.Token = undefined;
        for (&tokens, 0..) |*token, i| token.* = .{ .position = @intCast(i), .slot = @intCast(i) };
        const seq: batch.Seq = .{ .token_first = 0, .token_count = tokens_n, .position_first = 0, .extent_first = 0, .extent_count = 1 };
        const extent: batch.Extent = .{ .slot_first = 0, .token_count = tokens_n };
        testing.runParts(rope_append.run, &rope_append.Args{
            .q = q.ptr,
            .k = kv.ptr,
            .v = kv[tokens_n * kv_heads * dim ..].ptr,
            .cos_sin = &table,
            .q_norm = table[0..dim].ptr,
            .k_norm = table[dim..][0..dim].ptr,
            .tokens = &tokens,
            .view = cache.layer(0),
            .n = tokens_n,
            .heads = heads,
            .n_rot = 64,
            .pairing = if (format == .f16) .halves else .interleaved,
            .eps = 1e-6,
        }, 2);
        const args: attention.Args = .{
            .q = q.ptr,
            .out = out.ptr,
            .seqs = @ptrCast(&seq),
            .extents = @ptrCast(&extent),
            .view = cache.layer(0),
            .n_seqs = 1,
            .heads = heads,
            .scale = 0.125,
        };
        if (format == .q8_0) testing.runParts(attention.runIntegers, &args, 2) else testing.runParts(attention.run, &args, 2);
        try std.testing.expectEqual(expected, hashOf(q) ^ hashOf(out));
    }
}

test "log-probabilities of sampling have the same bits everywhere" {
    var rng: testing.Rng = .init(93);
    var row: [5000]f32 = undefined;
    rng.fill(&row, 11);
    var params: sample.Params = std.mem.zeroes(sample.Params);
    params.temperature = 1.3;
    params.top_p = 0.97;
    params.repeat_penalty = 1;
    params.logprobs_n = 20;
    var hash: u64 = 0;
    const scratch = try std.testing.allocator.alignedAlloc(u8, .@"64", sample.scratchBytes(row.len, 1));
    defer std.testing.allocator.free(scratch);
    for (0..50) |position| {
        params.position = @intCast(position);
        var result: sample.Result = undefined;
        testing.runParts(sample.run, &sample.Args{
            .logits = &row,
            .params = @ptrCast(&params),
            .data = undefined,
            .results = @ptrCast(&result),
            .scratch = scratch.ptr,
            .vocab = row.len,
            .n = 1,
            .data_count = 0,
        }, 1);
        for (result.top) |top| hash = hash *% 31 +% hashOf(&.{ top.logprob, result.logprob }) +% top.id +% result.token;
    }
    try std.testing.expectEqual(@as(u64, 11549775878315300180), hash);
}
