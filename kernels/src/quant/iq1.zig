//! IQ1_S and IQ1_M: eight values are a place in a grid of −1, 0 and 1, and all of them are moved by an eighth, up or down.
//! value = d · (2 · scale + 1) · (q ± ⅛), which is d / 8 · (2 · scale + 1) · (8 · q ± 1), with scales of three bits.

const std = @import("std");
const grids = @import("grids.zig");
const table_places = @import("table_places.zig");
const Parts = table_places.Parts;

/// Places are digits, plus 8 where the values are moved down.
const moved: table_places.Table = moved: {
    var table: table_places.Table = .{ .factor = 1.0 / 8.0 };
    table.values[0..3].* = .{ -7, 1, 9 };
    table.values[8..11].* = .{ -9, -1, 7 };
    break :moved table;
};

pub const S = struct {
    pub const table = moved;
    /// As in GGUF.
    pub const Block = extern struct {
        d: u16,
        /// The lower bits of the places in the grid,
        qs: [32]u8,
        /// and of 32 values four times three upper ones, the scale, and whether they are moved down.
        qh: [8]u16,
    };

    pub fn partsOf(block: *align(1) const Block) Parts {
        var parts: Parts = .{ .d = block.d, .scales = undefined };
        for (block.qh, 0..) |bits, i| {
            const scale: i8 = @intCast(2 * (bits >> 12 & 7) + 1);
            parts.scales[2 * i ..][0..2].* = .{ scale, scale };
            for (block.qs[4 * i ..][0..4], 0..) |low, j| {
                const high = bits >> @intCast(3 * j) & 7;
                parts.put(32 * i + 8 * j, 2, 8, grids.iq1[low | high << 8], eight(bits >> 15));
            }
        }
        return parts;
    }
};

pub const M = struct {
    pub const table = moved;
    /// As in GGUF.
    pub const Block = extern struct {
        /// The lower bits of the places in the grid,
        qs: [32]u8,
        /// and of each place three upper ones and whether its values are moved down; the even one low.
        qh: [16]u8,
        /// Four times three bits are scales of 16 values. The upper bits of all four are d.
        scales: [4]u16,
    };

    pub fn partsOf(block: *align(1) const Block) Parts {
        var parts: Parts = .{ .d = 0, .scales = undefined };
        for (block.scales, 0..) |bits, i| {
            parts.d |= bits >> 12 << @intCast(4 * i);
            for (parts.scales[4 * i ..][0..4], 0..) |*scale, j| scale.* = @intCast(2 * (bits >> @intCast(3 * j) & 7) + 1);
        }
        for (block.qs, 0..) |low, i| {
            const bits: u16 = block.qh[i / 2] >> @intCast(i % 2 * 4) & 15;
            parts.put(8 * i, 2, 8, grids.iq1[low | (bits & 7) << 8], eight(bits >> 3));
        }
        return parts;
    }
};

/// A bit for each of eight values.
fn eight(bit: u32) u32 {
    return 255 * bit;
}

comptime {
    std.debug.assert(@sizeOf(S.Block) == 50 and @sizeOf(M.Block) == 56);
}
