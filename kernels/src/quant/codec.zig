//! What the block formats' scalar codecs share.

const std = @import("std");
const simd = @import("../isa/simd.zig");

pub fn fromHalf(bits: u16) f32 {
    return simd.f16ToF32(1, .{bits})[0];
}

pub fn toHalf(value: f32) u16 {
    return simd.f32ToF16(1, .{value})[0];
}

/// Nearest integer (half to even) within [low, high]; NaN gives low.
pub fn nearest(value: f32, comptime low: i32, comptime high: i32) i32 {
    comptime std.debug.assert(low < high);
    if (!(value >= low)) return low;
    if (value >= high) return high;
    return simd.roundToInt(simd.splat(value))[0];
}

/// The least and the largest value.
pub fn rangeOf(values: []const f32) struct { f32, f32 } {
    std.debug.assert(values.len > 0);
    var least = values[0];
    var largest = values[0];
    for (values[1..]) |value| {
        least = @min(least, value);
        largest = @max(largest, value);
    }
    return .{ least, largest };
}

/// How much each value of a block matters to what a row computes, at least 0: the mean square of what it is multiplied by.
/// Encoders that search for scales make Σ importance · error² small; without importances they take large values for important.
pub fn Importance(comptime n: usize) type {
    return ?*const [n]f32;
}

/// The part of a block's importances that belongs to `n` values from `first` on.
pub inline fn importanceOf(importance: anytype, comptime n: usize, first: usize) Importance(n) {
    return if (importance) |all| all[first..][0..n] else null;
}

const V = simd.F32x16;

/// The weights of squared errors: importance · √(mean(x²) + x²), since what is large is rounded coarsely too, or `otherwise`
/// where there are no importances, or only zeros.
pub inline fn weigh(comptime n: usize, x: [n]V, importance: Importance(16 * n), otherwise: [n]V) [n]V {
    const given = importance orelse return otherwise;
    var squares: V = @splat(0);
    for (x) |part| squares += part * part;
    const mean = simd.splat(simd.reduceAdd(squares) / (16 * n));
    var weights: [n]V = undefined;
    var sum: V = @splat(0);
    inline for (x, &weights, 0..) |part, *weight, i| {
        weight.* = simd.load(given[16 * i ..].ptr) * @sqrt(mean + part * part);
        sum += weight.*;
    }
    const total = simd.reduceAdd(sum);
    return if (total > 0 and std.math.isFinite(total)) weights else otherwise;
}

/// 1 / value, and 0 where that would not be finite.
pub fn inverse(value: f32) f32 {
    const result = 1.0 / value;
    return if (std.math.isFinite(result)) result else 0;
}

/// A block as the integer matmul sees it: value[i] = d · weights[i] − dmin · mins[i]. Sub-block scales and constant
/// offsets are multiplied in. For references; the kernels never hold this.
pub fn Integers(comptime n: usize) type {
    return struct {
        d: f32,
        dmin: f32 = 0,
        weights: [n]i32,
        mins: [n]i32 = @splat(0),
    };
}
