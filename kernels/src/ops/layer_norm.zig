//! y = (x − mean(x)) / √(var(x) + eps) · w + b over each row, w and b where there are any (Ba et al. 2016).

const std = @import("std");
const simd = @import("../isa/simd.zig");
const Job = @import("../system/job.zig").Job;
const activations = @import("../quant/activations.zig");
const epilogue = @import("epilogue.zig");

/// x: [n, k]; w, b: [k] or null; y: [n, k] in the forms that are wanted, not x. k ≥ 1, eps ≥ 0 unitless.
pub const Args = extern struct {
    x: [*]const f32,
    w: ?[*]const f32,
    b: ?[*]const f32,
    y: activations.Activation,
    k: u32,
    n: u32,
    eps: f32,
};

/// w, b: of x's length or null; y may alias x.
pub fn reference(x: []const f32, w: ?[*]const f32, b: ?[*]const f32, y: []f32, eps: f32) void {
    const count: f64 = @floatFromInt(x.len);
    var sum: f64 = 0;
    for (x) |value| sum += value;
    const mean = sum / count;
    var squares: f64 = 0;
    for (x) |value| squares += (value - mean) * (value - mean);
    const scale = 1.0 / @sqrt(squares / count + eps);
    for (x, y, 0..) |value, *out, i| {
        const weighted = (value - mean) * scale * (if (w) |weights| weights[i] else 1.0);
        out.* = @floatCast(weighted + (if (b) |biases| biases[i] else 0.0));
    }
}

/// What a row is shifted and multiplied by.
pub const Moments = struct {
    mean: f32,
    /// 1 / √(var(x) + eps)
    scale: f32,

    /// The mean first, then the squares of what differs from it, each summed in 16 lanes and joined by the fixed tree.
    pub fn of(x: []const f32, eps: f32) Moments {
        const count: f32 = @floatFromInt(x.len);
        var sums = simd.splat(0);
        var i: usize = 0;
        while (i + simd.lanes <= x.len) : (i += simd.lanes) sums += simd.load(x[i..].ptr);
        if (i < x.len) sums += simd.loadPartial(x[i..].ptr, x.len - i);
        const mean = simd.reduceAdd(sums) / count;
        var squares = simd.splat(0);
        i = 0;
        while (i + simd.lanes <= x.len) : (i += simd.lanes) {
            const centred = simd.load(x[i..].ptr) - simd.splat(mean);
            squares = simd.fma(centred, centred, squares);
        }
        if (i < x.len) {
            // Lanes behind the end are 0, as far from the mean as they must not be.
            var centred: [simd.lanes]f32 = simd.loadPartial(x[i..].ptr, x.len - i) - simd.splat(mean);
            @memset(centred[x.len - i ..], 0);
            squares = simd.fma(@as(simd.F32x16, centred), centred, squares);
        }
        return .{ .mean = mean, .scale = 1.0 / @sqrt(simd.reduceAdd(squares) / count + eps) };
    }
};

/// out = (x − mean) · scale · w + b. w, b: of x's length or null; out may alias x.
pub fn normRow(x: []const f32, w: ?[*]const f32, b: ?[*]const f32, out: []f32, moments: Moments) void {
    std.debug.assert(x.len == out.len);
    var i: usize = 0;
    while (i + simd.lanes <= x.len) : (i += simd.lanes) {
        const weights = if (w) |p| simd.load(p + i) else simd.splat(1);
        const biases = if (b) |p| simd.load(p + i) else simd.splat(0);
        simd.store(out[i..].ptr, normed(simd.load(x[i..].ptr), weights, biases, moments));
    }
    if (i == x.len) return;
    const rest = x.len - i;
    const weights = if (w) |p| simd.loadPartial(p + i, rest) else simd.splat(1);
    const biases = if (b) |p| simd.loadPartial(p + i, rest) else simd.splat(0);
    simd.storePartial(out[i..].ptr, normed(simd.loadPartial(x[i..].ptr, rest), weights, biases, moments), rest);
}

/// A weight of 1 and a bias of 0 change no bit.
inline fn normed(x: simd.F32x16, w: simd.F32x16, b: simd.F32x16, moments: Moments) simd.F32x16 {
    return simd.fma((x - simd.splat(moments.mean)) * simd.splat(moments.scale), w, b);
}

/// Members share rows in units of 256 values; one that shares a row with another sums it again, which is cheaper than waiting.
pub fn run(args: *const Args, job: *const Job) callconv(.c) void {
    const k: usize = args.k;
    const sink: epilogue.Sink = .{ .y = args.y, .k = k };
    std.debug.assert(@intFromPtr(args.y.f32) != @intFromPtr(args.x));
    var share: epilogue.Share = .init(job, args.n, k);
    var moments: Moments = undefined;
    var moments_row: usize = std.math.maxInt(usize);
    while (share.next()) |part| {
        const row = args.x[part.row * k ..][0..k];
        if (moments_row != part.row) moments = .of(row, args.eps);
        moments_row = part.row;
        var values: [epilogue.unit]f32 = undefined;
        const w = if (args.w) |p| p + part.first else null;
        const b = if (args.b) |p| p + part.first else null;
        normRow(row[part.first..][0..part.len], w, b, values[0..part.len], moments);
        sink.put(part.row, part.first, values[0..part.len]);
    }
}

const testing = @import("../testing/testing.zig");

test "layer_norm matches the reference for any shape and number of members, with weights and biases or without" {
    var rng: testing.Rng = .init(25);
    for ([_]usize{ 1, 8, 15, 16, 64, 96, 250, 256, 576, 2048 }) |k| for ([_]usize{ 1, 2, 5 }) |n| for ([_][2]bool{ .{ true, true }, .{ true, false }, .{ false, false } }) |has| {
        var x = try testing.guarded(f32, n * k);
        defer x.deinit();
        var w = try testing.guarded(f32, k);
        defer w.deinit();
        var b = try testing.guarded(f32, k);
        defer b.deinit();
        var first: epilogue.TestSinks = try .init(n, k);
        defer first.deinit();
        rng.fill(x.slice(f32), 4);
        // A mean far from 0, which single-pass sums of squares would cancel against.
        for (x.slice(f32)) |*value| value.* += 30;
        rng.fill(w.slice(f32), 2);
        rng.fill(b.slice(f32), 2);
        const expected = try std.testing.allocator.alloc(f32, n * k);
        defer std.testing.allocator.free(expected);
        const weights: ?[*]const f32 = if (has[0]) w.slice(f32).ptr else null;
        const biases: ?[*]const f32 = if (has[1]) b.slice(f32).ptr else null;
        for (0..n) |row| reference(x.slice(f32)[row * k ..][0..k], weights, biases, expected[row * k ..][0..k], 1e-5);
        for (1..4) |parts| {
            var sinks: epilogue.TestSinks = try .init(n, k);
            defer sinks.deinit();
            const args: Args = .{
                .x = x.slice(f32).ptr,
                .w = weights,
                .b = biases,
                .y = sinks.activation(),
                .k = @intCast(k),
                .n = @intCast(n),
                .eps = 1e-5,
            };
            testing.runParts(run, &args, @intCast(parts));
            // Values near 30 are rounded to 2e-6, and so is what is left of them.
            try testing.expectClose(expected, sinks.y.slice(f32), 1e-5, 2e-6);
            try sinks.check();
            if (parts == 1) @memcpy(first.y.bytes, sinks.y.bytes);
            try testing.expectBitwise(first.y.slice(f32), sinks.y.slice(f32));
        }
    };
}
