//! y += Σⱼ weightⱼ · (what the j-th of a token's experts gives) (+ σ(gate) · what the shared expert gives).
//!
//! An element's sum is a chain of FMAs over the experts in ascending order, beginning with 0; then comes the shared expert,
//! at last y. Nothing in it depends on other tokens.

const std = @import("std");
const simd = @import("../isa/simd.zig");
const math = @import("math.zig");
const Job = @import("../system/job.zig").Job;
const epilogue = @import("epilogue.zig");

/// products: [rows, k]; rows, weights: [n, used], the experts of a token ascending; shared: [n, k]; shared_gate: [n], before
/// the sigmoid, null for a factor of 1; y: [n, k], not aliased.
pub const Args = extern struct {
    products: [*]const f32,
    rows: [*]const u32,
    weights: [*]const f32,
    shared: ?[*]const f32,
    shared_gate: ?[*]const f32,
    y: [*]f32,
    k: u32,
    n: u32,
    used: u32,
};

pub fn reference(args: *const Args) void {
    const k: usize = args.k;
    for (0..args.n) |token| for (0..k) |i| {
        var sum: f64 = 0;
        for (args.rows[token * args.used ..][0..args.used], args.weights[token * args.used ..]) |row, weight| {
            sum += @as(f64, weight) * args.products[row * k + i];
        }
        if (args.shared) |shared| {
            const factor: f64 = if (args.shared_gate) |gate| 1.0 / (1.0 + @exp(-@as(f64, gate[token]))) else 1;
            sum += factor * shared[token * k + i];
        }
        args.y[token * k + i] += @floatCast(sum);
    };
}

pub fn run(args: *const Args, job: *const Job) callconv(.c) void {
    var share: epilogue.Share = .init(job, args.n, args.k);
    while (share.next()) |part| {
        const factor = if (args.shared_gate) |gate| math.sigmoid(gate[part.row]) else 1;
        var i = part.first;
        while (i < part.first + part.len) : (i += simd.lanes) mix(args, part.row, i, @min(simd.lanes, part.first + part.len - i), factor);
    }
}

/// Elements [first, first + count) of a token, at most 16.
inline fn mix(args: *const Args, token: usize, first: usize, count: usize, factor: f32) void {
    const k: usize = args.k;
    var sum = simd.splat(0);
    for (args.rows[token * args.used ..][0..args.used], args.weights[token * args.used ..]) |row, weight| {
        sum = simd.fma(simd.splat(weight), loadSome(args.products + row * k + first, count), sum);
    }
    if (args.shared) |shared| sum = simd.fma(simd.splat(factor), loadSome(shared + token * k + first, count), sum);
    const y = args.y + token * k + first;
    const total = loadSome(y, count) + sum;
    if (count == simd.lanes) simd.store(y, total) else simd.storePartial(y, total, count);
}

inline fn loadSome(source: [*]const f32, count: usize) simd.F32x16 {
    return if (count == simd.lanes) simd.load(source) else simd.loadPartial(source, count);
}

const testing = @import("../testing/testing.zig");

test "mix_experts is the reference for any shape and member count" {
    var rng: testing.Rng = .init(73);
    for ([_]usize{ 1, 16, 33, 256, 700 }) |k| for ([_]u32{ 1, 3, 8 }) |used| for ([_]u32{ 0, 1, 2 }) |shared| {
        const n = 5;
        var products = try testing.guarded(f32, n * used * k);
        defer products.deinit();
        var weights = try testing.guarded(f32, n * used);
        defer weights.deinit();
        var rows = try testing.guarded(u32, n * used);
        defer rows.deinit();
        var always = try testing.guarded(f32, n * k);
        defer always.deinit();
        var gate = try testing.guarded(f32, n);
        defer gate.deinit();
        var y = try testing.guarded(f32, n * k);
        defer y.deinit();
        for ([_]*testing.GuardedBuffer{ &products, &weights, &always, &gate, &y }) |buffer| rng.fill(buffer.slice(f32), 2);
        for (rows.slice(u32), 0..) |*row, i| row.* = @intCast((i * 7 + 3) % (n * used));
        const start = try std.testing.allocator.dupe(f32, y.slice(f32));
        defer std.testing.allocator.free(start);
        const args: Args = .{
            .products = products.slice(f32).ptr,
            .rows = rows.slice(u32).ptr,
            .weights = weights.slice(f32).ptr,
            .shared = if (shared > 0) always.slice(f32).ptr else null,
            .shared_gate = if (shared > 1) gate.slice(f32).ptr else null,
            .y = y.slice(f32).ptr,
            .k = @intCast(k),
            .n = n,
            .used = used,
        };
        reference(&args);
        const want = try std.testing.allocator.dupe(f32, y.slice(f32));
        defer std.testing.allocator.free(want);
        var first: ?[]f32 = null;
        defer if (first) |values| std.testing.allocator.free(values);
        for (1..4) |parts| {
            @memcpy(y.slice(f32), start);
            testing.runParts(run, &args, @intCast(parts));
            try testing.expectClose(want, y.slice(f32), 1e-5, 1e-5);
            if (first) |values| try testing.expectBitwise(values, y.slice(f32)) else first = try std.testing.allocator.dupe(f32, y.slice(f32));
        }
    };
}
