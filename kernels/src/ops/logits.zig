//! Facts about one row of logits, shared by sampling and scoring: maximum, its token, log-sum-exp.
//!
//! Every reader sees logits through `clean`: NaN counts as −inf (never chosen), +inf as the largest finite value, −0 as 0.

const std = @import("std");
const simd = @import("../isa/simd.zig");
const math = @import("math.zig");

/// Logits per entry of `Scan.tops`.
pub const block = 128;

pub fn blockCount(vocab: usize) usize {
    return (vocab + block - 1) / block;
}

pub inline fn clean(x: anytype) @TypeOf(x) {
    const T = @TypeOf(x);
    const vector = @typeInfo(T) == .vector;
    const low: T = if (vector) @splat(-std.math.inf(f32)) else -std.math.inf(f32);
    const high: T = if (vector) @splat(std.math.floatMax(f32)) else std.math.floatMax(f32);
    const zero: T = if (vector) @splat(0) else 0;
    const number = simd.max(x, low); // false for NaN
    return (if (vector) @select(f32, number < high, number, high) else if (number < high) number else high) + zero;
}

/// Sixteen clean logits from `first`; −inf beyond the row's end.
pub inline fn cleanAt(row: []const f32, first: usize) simd.F32x16 {
    if (first + simd.lanes <= row.len) return clean(simd.load(row[first..].ptr));
    var values: [simd.lanes]f32 = @splat(-std.math.inf(f32));
    @memcpy(values[0 .. row.len - first], row[first..]);
    return clean(@as(simd.F32x16, values));
}

/// Largest logit of each block and of all. −inf means that no token can be chosen.
pub const Scan = struct {
    tops: []f32,
    max: f32,

    /// `tops` has room for `blockCount(row.len)`.
    pub fn init(row: []const f32, tops: []f32) Scan {
        var max = -std.math.inf(f32);
        const used = tops[0..blockCount(row.len)];
        for (used, 0..) |*top, i| {
            var lanes = simd.splat(-std.math.inf(f32));
            var first = i * block;
            const end = @min(first + block, row.len);
            while (first < end) : (first += simd.lanes) lanes = simd.max(cleanAt(row, first), lanes);
            top.* = simd.reduceMax(lanes);
            max = simd.max(top.*, max);
        }
        return .{ .tops = used, .max = max };
    }

    /// The lowest token id with the largest logit; 0 when all are −inf.
    pub fn argmax(scan: Scan, row: []const f32) u32 {
        for (scan.tops, 0..) |top, i| {
            if (top != scan.max) continue;
            for (row[i * block ..], i * block..) |x, id| if (clean(x) == scan.max) return @intCast(id);
        }
        return 0;
    }
};

/// Place of a token among all, from 1: larger logits come first, of equal ones the lower id.
pub fn rank(row: []const f32, scan: Scan, token: u32) u32 {
    const x = clean(row[token]);
    var before: u32 = 0;
    for (scan.tops, 0..) |top, i| {
        if (top < x) continue;
        const first = i * block;
        for (row[first..@min(first + block, row.len)], first..) |other, id| {
            const y = clean(other);
            before += @intFromBool(y > x or (y == x and id < token));
        }
    }
    return before + 1;
}

/// ln Σ exp(x − max): lanes within 1024 logits in f32, those sums in f64, always in this order. 0 when max is −inf.
pub fn logSumExp(row: []const f32, max: f32) f64 {
    if (max == -std.math.inf(f32)) return 0;
    var total: f64 = 0;
    var first: usize = 0;
    while (first < row.len) {
        const end = @min(first + 1024, row.len);
        var sums = simd.splat(0);
        while (first < end) : (first += simd.lanes) sums += math.exp(cleanAt(row, first) - simd.splat(max));
        total += simd.reduceAdd(sums);
    }
    return math.ln(total);
}

/// ln softmax(row)[token], −inf where the logit is.
pub fn logprob(row: []const f32, token: u32, max: f32, log_sum: f64) f32 {
    const x = clean(row[token]);
    if (x == -std.math.inf(f32)) return x;
    return @floatCast(@as(f64, x) - max - log_sum);
}
