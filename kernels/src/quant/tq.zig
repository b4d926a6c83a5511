//! TQ1_0 and TQ2_0: value = d · (q − 1), for weights that are −1, 0 and 1 only.

const std = @import("std");
const bit_pairs = @import("bit_pairs.zig");
const table_places = @import("table_places.zig");
const Parts = table_places.Parts;

/// TQ2_0's two bits can say 3, too.
const ternary: table_places.Table = .{ .values = .{ -1, 0, 1, 2 } ++ @as([12]i8, @splat(0)) };

/// Five quants a byte: its digits in base 3, the first one highest, as a fraction of 256 that is rounded up.
pub const One = struct {
    pub const table = ternary;
    /// As in GGUF.
    pub const Block = extern struct {
        /// Quants 32 · n + i of the first 160 are digit n of byte i, 160 + 16 · n + i of the next 80 of byte 32 + i,
        qs: [48]u8,
        /// and the last sixteen, in fours, digits of these.
        qh: [4]u8,
        d: u16,
    };

    pub fn partsOf(block: *align(1) const Block) Parts {
        var parts: Parts = .{ .d = block.d, .scales = @splat(1) };
        for (&parts.places, 0..) |*place, k| {
            place.* = if (k < 160)
                digit(block.qs[k % 32], k / 32)
            else if (k < 240)
                digit(block.qs[32 + k % 16], (k - 160) / 16)
            else
                digit(block.qh[k % 4], (k - 240) / 4);
        }
        return parts;
    }

    /// What is left of the fraction behind the digits before; its first digit.
    fn digit(byte: u8, index: usize) u8 {
        const powers = [5]u8{ 1, 3, 9, 27, 81 };
        const rest = byte *% powers[index];
        return @intCast(@as(u16, rest) * 3 >> 8);
    }
};

pub const Two = struct {
    pub const table = ternary;
    /// As in GGUF.
    pub const Block = extern struct {
        qs: [64]u8,
        d: u16,
    };

    pub fn partsOf(block: *align(1) const Block) Parts {
        return .{ .d = block.d, .scales = @splat(1), .places = bit_pairs.split(&block.qs) };
    }
};

comptime {
    std.debug.assert(@sizeOf(One.Block) == 54 and @sizeOf(Two.Block) == 66);
}
