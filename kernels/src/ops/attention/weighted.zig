//! Sums of int8 values times weights of 15 bits, exact in int32: four tokens of some dimensions at a time, as the arena lays
//! values of q8_0 out. x86 multiplies values that were widened to int16, and has two lanes for a dimension; where one
//! instruction adds four products of bytes (sdot), a weight is two signed digits, low + 256 · high.

const std = @import("std");
const simd = @import("../../isa/simd.zig");
const blocks = @import("blocks.zig");
const arena = @import("../../kv/arena.zig");

const has_digits = simd.has_signed_dot;
const four = arena.dot_group;

/// The largest weight: both digits are int8. A chunk's sum, 256 · 32,639 · 127, stays below 2³¹.
pub const weight_max = 127 * 256 + 127;

comptime {
    std.debug.assert(blocks.chunk_tokens * weight_max * 127 <= std.math.maxInt(i32));
}

/// Dimensions of one vector of values.
pub const dims = if (has_digits) simd.row_lanes else simd.row_lanes / 2;
/// Sums that `total` makes one vector of.
pub const sums_per_total = simd.row_lanes / dims;

pub const Values = if (has_digits) simd.RowI8 else simd.RowI16;
pub const Sum = if (has_digits) struct { low: simd.RowI32, high: simd.RowI32 } else simd.RowI32;
/// Weights of four tokens, for every dimension.
pub const Four = if (has_digits) struct { low: simd.RowI8, high: simd.RowI8 } else simd.RowI16;

pub const zero: Sum = if (has_digits) .{ .low = @splat(0), .high = @splat(0) } else @splat(0);

/// A row's weights for the positions of a chunk.
pub const Weights = struct {
    stored: if (has_digits) [2][blocks.chunk_tokens]i8 else [blocks.chunk_tokens]i16,

    pub fn clear(weights: *Weights, first: usize, end: usize) void {
        if (has_digits) {
            for (&weights.stored) |*digits| @memset(digits[first..end], 0);
        } else @memset(weights.stored[first..end], 0);
    }

    /// The low 16 bits of each lane, 0 to `weight_max`.
    pub inline fn store(weights: *Weights, first: usize, bits: simd.I32x16) void {
        if (has_digits) {
            weights.stored[0][first..][0..simd.lanes].* = @as(@Vector(simd.lanes, i8), @truncate(bits));
            // What the low digit lacks where it is negative.
            const carried = (bits +% @as(simd.I32x16, @splat(128))) >> @splat(8);
            weights.stored[1][first..][0..simd.lanes].* = @as(@Vector(simd.lanes, i8), @truncate(carried));
        } else weights.stored[first..][0..simd.lanes].* = @as(@Vector(simd.lanes, i16), @truncate(bits));
    }

    pub inline fn load(weights: *const Weights, first: usize) Four {
        if (has_digits) return .{
            .low = simd.broadcast4(weights.stored[0][first..].ptr),
            .high = simd.broadcast4(weights.stored[1][first..].ptr),
        };
        return broadcastFour(weights.stored[first..].ptr);
    }
};

/// `dims` dimensions of four tokens.
pub inline fn load(source: [*]const i8) Values {
    const bytes: @Vector(four * dims, i8) = source[0 .. four * dims].*;
    return bytes;
}

/// sum + Σ weights · values.
pub inline fn add(sum: Sum, values: Values, weights: Four) Sum {
    if (!has_digits) return simd.addPairs(sum, values, weights);
    const signed: simd.SignedRows = .from(values);
    return .{ .low = simd.dotSigned(sum.low, signed, weights.low), .high = simd.dotSigned(sum.high, signed, weights.high) };
}

/// The sums of `row_lanes` dimensions, one each.
pub inline fn total(sums: *const [sums_per_total]Sum) simd.RowI32 {
    if (has_digits) return sums[0].low +% (sums[0].high << @splat(8));
    return pairSums(sums[0], sums[1]);
}

/// Four int16 given to every two lanes of sums.
inline fn broadcastFour(source: [*]const i16) simd.RowI16 {
    const word: u64 = @bitCast(source[0..4].*);
    return @bitCast(@as(@Vector(simd.row_lanes / 2, u64), @splat(word)));
}

/// Sums of the neighbouring lanes of `first`, then of those of `second`.
inline fn pairSums(first: simd.RowI32, second: simd.RowI32) simd.RowI32 {
    const lanes = simd.row_lanes;
    const masks = comptime masks: {
        var indices: [2][lanes]i32 = undefined;
        for (0..lanes) |i| for (&indices, 0..) |*each, which| {
            const lane: i32 = @intCast(2 * i % lanes + which);
            each[i] = if (i < lanes / 2) lane else ~lane;
        };
        break :masks indices;
    };
    return @shuffle(i32, first, second, masks[0]) +% @shuffle(i32, first, second, masks[1]);
}
