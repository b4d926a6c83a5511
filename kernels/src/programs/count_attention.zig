//! The other program whose instructions bench/instruction_counts.ts counts: `count_attention LEVEL FORMAT TOKENS REPEAT
//! [ADDRESSES]` (counted.zig) computes attention of the last TOKENS of 512 positions, four query heads of 64 dimensions that
//! share K and V. K and V are zero: the kernels' paths do not depend on them.

const std = @import("std");
const arena = @import("../kv/arena.zig");
const attention = @import("../ops/attention/attention.zig");
const batch = @import("../kv/batch.zig");
const Job = @import("../system/job.zig").Job;
const Stop = @import("../system/job.zig").Stop;
const Ops = @import("../ops.zig").Ops;
const counted = @import("counted.zig");

const positions = 512;
const heads = 4;
const dim = 64;
const tokens_max = 64;

var keys: [positions * dim * 4]u8 align(64) = @splat(0);
var values: [positions * dim * 4]u8 align(64) = @splat(0);
var q: [tokens_max * heads * dim]f32 = undefined;
var out: [tokens_max * heads * dim]f32 = undefined;

const Op = struct {
    ops: *const Ops,
    args: *const attention.Args,

    pub fn run(op: Op) void {
        var next: std.atomic.Value(u32) = .init(0);
        var stop: Stop = .{};
        const job: Job = .{ .part = 0, .parts = 1, .next = &next, .stop = &stop };
        if (op.args.view.format == .q8_0) op.ops.attention_integers(op.args, &job) else op.ops.attention(op.args, &job);
    }
};

pub fn main(init: std.process.Init) !void {
    const options: counted.Options(arena.Format) = try .read(init, tokens_max);
    const tokens = options.count;
    for (&q, 0..) |*value, i| value.* = @as(f32, @floatFromInt(i % 29)) - 14;
    const extent: batch.Extent = .{ .slot_first = 0, .token_count = positions };
    const seq: batch.Seq = .{ .token_first = 0, .token_count = tokens, .position_first = positions - tokens, .extent_first = 0, .extent_count = 1 };
    const args: attention.Args = .{
        .q = &q,
        .out = &out,
        .seqs = (&seq)[0..1].ptr,
        .extents = (&extent)[0..1].ptr,
        .view = .{
            .k = &keys,
            .v = &values,
            .slots = positions,
            .kv_heads = 1,
            .key_dim = dim,
            .value_dim = dim,
            .window = arena.no_window,
            .format = options.format,
            .values = .own,
        },
        .n_seqs = 1,
        .heads = heads,
        .scale = 0.125,
    };
    var seen: u32 = 0;
    for (0..tokens) |t| seen += positions - @as(u32, @intCast(t));
    try options.measure(Op{ .ops = options.ops, .args = &args }, seen * heads * dim * 2);
}
