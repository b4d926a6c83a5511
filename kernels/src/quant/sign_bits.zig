//! Signs of eight values in seven bits: an even number of them is negative, so that the last one follows.

const std = @import("std");

/// The eight bits that the lower seven of `bits` stand for.
pub fn of(bits: u32) u32 {
    const seven = bits & 127;
    return seven | @as(u32, @popCount(seven) & 1) << 7;
}

test "an even number of signs is negative" {
    for (0..128) |bits| {
        try std.testing.expectEqual(bits, of(@intCast(bits)) & 127);
        try std.testing.expectEqual(0, @popCount(of(@intCast(bits))) % 2);
    }
}
