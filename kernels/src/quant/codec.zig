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
