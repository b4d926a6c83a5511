//! Arithmetic with sizes that a caller gives.

const std = @import("std");
const status = @import("status.zig");

/// Their product, which must fit.
pub fn product(factors: []const u32) status.Error!u32 {
    var result: u32 = 1;
    for (factors) |factor| result = std.math.mul(u32, result, factor) catch return error.Overflow;
    return result;
}

/// Whether `count` values from `first` on lie in a row of `length`.
pub fn inRow(first: u32, count: u32, length: u32) bool {
    const end = std.math.add(u32, first, count) catch return false;
    return end <= length;
}
