//! Two bits of each of 32 values of K of 16 rows, in a panel.

const std = @import("std");
const simd = @import("../isa/simd.zig");
const panel = @import("panel.zig");
const transpose = @import("transpose.zig");

/// [K / 16]: at position 2g of byte 4·row + i bits of K position 4g + i.
pub const BitPairs = [2][panel.unit_bytes]u8;

/// Bytes [offset, offset + 32) of every row: result[g] holds those of K positions 4g to 4g + 3.
pub inline fn words32(rows: *const [panel.rows][*]const u8, offset: usize) [8]transpose.Words {
    return transpose.words(rows, offset) ++ transpose.words(rows, offset + 16);
}

/// Two bits of each byte of `source`, from bit `shift` on.
pub inline fn pack(source: [8]transpose.Words, comptime shift: u5, target: *BitPairs) void {
    inline for (target, 0..) |*bytes, s| {
        var bits: transpose.Words = @splat(0);
        inline for (0..4) |g| {
            bits |= (source[4 * s + g] >> @splat(shift) & transpose.splatByte(3)) << @splat(2 * g);
        }
        bytes.* = transpose.bytesOf(bits);
    }
}

/// The bits of K groups u and u + 4 of a row group, at position `to` of each byte.
pub inline fn unit(pairs: *const BitPairs, comptime u: usize, comptime to: u3, row: usize) panel.Unit {
    return .{
        .low = simd.moveBits(panel.bytesAt(&pairs[0], row), 2 * u, to, 2),
        .high = simd.moveBits(panel.bytesAt(&pairs[1], row), 2 * u, to, 2),
    };
}

/// The bits of K position k < 32 of a row.
pub fn at(pairs: *const BitPairs, row: usize, k: usize) u8 {
    std.debug.assert(row < panel.rows and k < 32);
    return pairs[k / 16][4 * row + k % 4] >> @intCast(k % 16 / 4 * 2) & 3;
}

/// Two bits of 256 values in 64 bytes, as GGUF has them: of each half of 128 values, value i at position 2 · (i / 32) of byte
/// i % 32.
pub fn split(bytes: *align(1) const [64]u8) [256]u8 {
    var q: [256]u8 = undefined;
    for (&q, 0..) |*value, i| value.* = bytes[i / 128 * 32 + i % 32] >> @intCast(i / 32 % 4 * 2) & 3;
    return q;
}

/// The lower two bits of 256 values, as `split` reads them.
pub fn join(q: *const [256]u8) [64]u8 {
    var bytes: [64]u8 = @splat(0);
    for (q, 0..) |value, i| bytes[i / 128 * 32 + i % 32] |= (value & 3) << @intCast(i / 32 % 4 * 2);
    return bytes;
}
