//! y = x / √(mean(x²) + eps) · w over each row (Zhang & Sennrich 2019), or y += … for a norm behind a part of a layer.

const std = @import("std");
const simd = @import("../isa/simd.zig");
const Job = @import("../system/job.zig").Job;
const activations = @import("../quant/activations.zig");
const epilogue = @import("epilogue.zig");

/// x: [n, k]; w: [k]; y: [n, k] in the forms that are wanted; as f32 it may alias x. k ≥ 1, eps ≥ 0 unitless.
/// accumulate: 0, or 1 to add to y, which is f32 alone then and not x.
pub const Args = extern struct {
    x: [*]const f32,
    w: [*]const f32,
    y: activations.Activation,
    k: u32,
    n: u32,
    eps: f32,
    accumulate: u32 = 0,
};

pub fn reference(x: []const f32, w: []const f32, y: []f32, eps: f32) void {
    var sum: f64 = 0;
    for (x) |value| sum += @as(f64, value) * value;
    const scale = 1.0 / @sqrt(sum / @as(f64, @floatFromInt(x.len)) + eps);
    for (x, w, y) |value, weight, *out| out.* = @floatCast(value * scale * weight);
}

/// 1 / √(mean(x²) + eps): squares summed in 16 lanes by FMA and joined by the fixed tree.
pub fn inverseRms(x: []const f32, eps: f32) f32 {
    var sums = simd.splat(0);
    var i: usize = 0;
    while (i + simd.lanes <= x.len) : (i += simd.lanes) {
        const values = simd.load(x[i..].ptr);
        sums = simd.fma(values, values, sums);
    }
    if (i < x.len) {
        const values = simd.loadPartial(x[i..].ptr, x.len - i);
        sums = simd.fma(values, values, sums);
    }
    const mean = simd.reduceAdd(sums) / @as(f32, @floatFromInt(x.len));
    return 1.0 / @sqrt(mean + eps);
}

/// out = (x · scale) · w. All of one length; out may alias x.
pub fn scaleRow(x: []const f32, w: []const f32, out: []f32, scale: f32) void {
    var i: usize = 0;
    while (i + simd.lanes <= x.len) : (i += simd.lanes) {
        simd.store(out[i..].ptr, simd.load(x[i..].ptr) * simd.splat(scale) * simd.load(w[i..].ptr));
    }
    while (i < x.len) : (i += 1) out[i] = x[i] * scale * w[i];
}

/// y += x.
fn addRow(x: []const f32, y: []f32) void {
    var i: usize = 0;
    while (i + simd.lanes <= x.len) : (i += simd.lanes) {
        simd.store(y[i..].ptr, simd.load(y[i..].ptr) + simd.load(x[i..].ptr));
    }
    while (i < x.len) : (i += 1) y[i] += x[i];
}

/// Members share rows in units of 256 values; one that shares a row with another sums its squares again, which is
/// cheaper than waiting. Where y aliases x a row belongs to one member alone.
pub fn run(args: *const Args, job: *const Job) callconv(.c) void {
    const k: usize = args.k;
    const sink: epilogue.Sink = .{ .y = args.y, .k = k };
    const in_place = @intFromPtr(args.y.f32) == @intFromPtr(args.x);
    std.debug.assert(args.accumulate == 0 or !in_place);
    if (in_place) return runInPlace(args, job, sink);
    var share: epilogue.Share = .init(job, args.n, k);
    var scale: f32 = 0;
    var scale_row: usize = std.math.maxInt(usize);
    while (share.next()) |part| {
        const row = args.x[part.row * k ..][0..k];
        if (scale_row != part.row) scale = inverseRms(row, args.eps);
        scale_row = part.row;
        var values: [epilogue.unit]f32 = undefined;
        scaleRow(row[part.first..][0..part.len], args.w[part.first..][0..part.len], values[0..part.len], scale);
        if (args.accumulate == 1) {
            addRow(values[0..part.len], args.y.f32.?[part.row * k + part.first ..][0..part.len]);
        } else sink.put(part.row, part.first, values[0..part.len]);
    }
}

fn runInPlace(args: *const Args, job: *const Job, sink: epilogue.Sink) void {
    const k: usize = args.k;
    while (job.claim(args.n, 1)) |claimed| {
        const index: usize = claimed.first;
        const row = args.y.f32.?[index * k ..][0..k];
        scaleRow(row, args.w[0..k], row, inverseRms(row, args.eps));
        var first: usize = 0;
        while (first < k) : (first += epilogue.unit) sink.put(index, first, row[first..@min(first + epilogue.unit, k)]);
    }
}

const testing = @import("../testing/testing.zig");

test "rms_norm matches the reference for any shape and number of members" {
    var rng: testing.Rng = .init(21);
    for ([_]usize{ 1, 8, 15, 16, 64, 96, 250, 256, 576, 2048 }) |k| {
        for ([_]usize{ 1, 2, 5 }) |n| {
            var x = try testing.guarded(f32, n * k);
            defer x.deinit();
            var w = try testing.guarded(f32, k);
            defer w.deinit();
            var first: epilogue.TestSinks = try .init(n, k);
            defer first.deinit();
            rng.fill(x.slice(f32), 4);
            rng.fill(w.slice(f32), 2);
            const expected = try std.testing.allocator.alloc(f32, n * k);
            defer std.testing.allocator.free(expected);
            for (0..n) |row| reference(x.slice(f32)[row * k ..][0..k], w.slice(f32), expected[row * k ..][0..k], 1e-5);
            for (1..4) |parts| {
                var sinks: epilogue.TestSinks = try .init(n, k);
                defer sinks.deinit();
                const args: Args = .{
                    .x = x.slice(f32).ptr,
                    .w = w.slice(f32).ptr,
                    .y = sinks.activation(),
                    .k = @intCast(k),
                    .n = @intCast(n),
                    .eps = 1e-5,
                };
                testing.runParts(run, &args, @intCast(parts));
                try testing.expectClose(expected, sinks.y.slice(f32), 1e-7, 2e-6);
                try sinks.check();
                if (parts == 1) @memcpy(first.y.bytes, sinks.y.bytes);
                try testing.expectBitwise(first.y.slice(f32), sinks.y.slice(f32));
            }
            try checkAdded(x.slice(f32), w.slice(f32), first.y.slice(f32), n);
            try checkInPlace(x.slice(f32), w.slice(f32), first.y.slice(f32), n);
        }
    }
}

/// Added to rows that end at a guard page: the sum of what was there and the norm, each as it is alone.
fn checkAdded(x: []f32, w: []const f32, normed: []const f32, n: usize) !void {
    var rng: testing.Rng = .init(23);
    var y = try testing.guarded(f32, x.len);
    defer y.deinit();
    const expected = try std.testing.allocator.alloc(f32, x.len);
    defer std.testing.allocator.free(expected);
    rng.fill(expected, 3);
    @memcpy(y.slice(f32), expected);
    for (expected, normed) |*value, added| value.* += added;
    const args: Args = .{
        .x = x.ptr,
        .w = w.ptr,
        .y = .{ .f32 = y.slice(f32).ptr },
        .k = @intCast(w.len),
        .n = @intCast(n),
        .eps = 1e-5,
        .accumulate = 1,
    };
    testing.runParts(run, &args, 3);
    try testing.expectBitwise(expected, y.slice(f32));
}

fn checkInPlace(x: []f32, w: []const f32, expected: []const f32, n: usize) !void {
    const args: Args = .{
        .x = x.ptr,
        .w = w.ptr,
        .y = .{ .f32 = x.ptr },
        .k = @intCast(w.len),
        .n = @intCast(n),
        .eps = 1e-5,
    };
    testing.runParts(run, &args, 2);
    try testing.expectBitwise(expected, x);
}
