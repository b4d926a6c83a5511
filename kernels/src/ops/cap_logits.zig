//! x = cap · tanh(scale · x / cap) in place, or scale · x without a cap: what some models do to their logits before the softmax
//! (Gemma Team 2024, "Gemma 2"; Bello et al. 2016).

const std = @import("std");
const simd = @import("../isa/simd.zig");
const math = @import("math.zig");
const Job = @import("../system/job.zig").Job;
const epilogue = @import("epilogue.zig");

/// x: [n, k]. cap: 0 for none.
pub const Args = extern struct {
    x: [*]f32,
    k: u32,
    n: u32,
    scale: f32,
    cap: f32,
};

pub fn reference(args: *const Args) void {
    for (args.x[0 .. @as(usize, args.n) * args.k]) |*value| {
        const scaled = @as(f64, value.*) * args.scale;
        value.* = @floatCast(if (args.cap == 0) scaled else args.cap * std.math.tanh(scaled / args.cap));
    }
}

/// cap · tanh(x / cap) for f32 lanes, cap > 0.
pub inline fn softCap(x: anytype, cap: @TypeOf(x)) @TypeOf(x) {
    return cap * math.tanh(x / cap);
}

pub fn run(args: *const Args, job: *const Job) callconv(.c) void {
    var share: epilogue.Share = .init(job, args.n, args.k);
    while (share.next()) |part| unit(args, args.x[part.row * args.k + part.first ..][0..part.len]);
}

fn unit(args: *const Args, x: []f32) void {
    var i: usize = 0;
    while (i + simd.lanes <= x.len) : (i += simd.lanes) simd.store(x[i..].ptr, apply(args, simd.load(x[i..].ptr)));
    if (i == x.len) return;
    const rest = x.len - i;
    simd.storePartial(x[i..].ptr, apply(args, simd.loadPartial(x[i..].ptr, rest)), rest);
}

inline fn apply(args: *const Args, x: simd.F32x16) simd.F32x16 {
    const scaled = x * simd.splat(args.scale);
    return if (args.cap == 0) scaled else softCap(scaled, simd.splat(args.cap));
}

const testing = @import("../testing/testing.zig");

test "cap_logits matches the reference for any shape, cap, scale and number of members" {
    var rng: testing.Rng = .init(24);
    for ([_]usize{ 1, 16, 33, 256, 1000, 4099 }) |k| for ([_]usize{ 1, 3 }) |n| for ([_][2]f32{ .{ 1, 30 }, .{ 0.25, 0 }, .{ 3, 5 } }) |factors| {
        var x = try testing.guarded(f32, n * k);
        defer x.deinit();
        const values = try std.testing.allocator.alloc(f32, 3 * n * k);
        defer std.testing.allocator.free(values);
        const start, const expected, const first = .{ values[0 .. n * k], values[n * k ..][0 .. n * k], values[2 * n * k ..] };
        rng.fill(start, 90);
        @memcpy(expected, start);
        var args: Args = .{ .x = expected.ptr, .k = @intCast(k), .n = @intCast(n), .scale = factors[0], .cap = factors[1] };
        reference(&args);
        args.x = x.slice(f32).ptr;
        for (1..4) |parts| {
            @memcpy(x.slice(f32), start);
            testing.runParts(run, &args, @intCast(parts));
            try testing.expectClose(expected, x.slice(f32), 1e-7, 1e-6);
            if (parts == 1) @memcpy(first, x.slice(f32));
            try testing.expectBitwise(first, x.slice(f32));
        }
    };
}
