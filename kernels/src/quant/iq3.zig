//! IQ3_XXS and IQ3_S: four values are a place in a grid of magnitudes, and their signs; 32 values share a scale of four bits.

const std = @import("std");
const grids = @import("grids.zig");
const sign_bits = @import("sign_bits.zig");
const table_places = @import("table_places.zig");
const Parts = table_places.Parts;

/// value = d · (scale + ½) / 2 · magnitude, which is d / 4 · (2 · scale + 1) · magnitude.
pub const Xxs = struct {
    pub const table: table_places.Table = .ofMagnitudes(&.{ 4, 12, 20, 28, 36, 44, 52, 62 }, 1.0 / 4.0);
    /// As in GGUF.
    pub const Block = extern struct {
        d: u16,
        /// Places in the grid.
        qs: [64]u8,
        /// Of 32 values each, little-endian: four times seven bits of signs, the scale above them.
        signs: [8][4]u8,
    };

    pub fn partsOf(block: *align(1) const Block) Parts {
        var parts: Parts = .{ .d = block.d, .scales = undefined };
        for (&block.signs, 0..) |*word, i| {
            const bits = std.mem.readInt(u32, word, .little);
            const scale: i8 = @intCast(2 * (bits >> 28) + 1);
            parts.scales[2 * i ..][0..2].* = .{ scale, scale };
            for (0..4) |j| {
                const signs = sign_bits.of(bits >> @intCast(7 * j));
                for (block.qs[8 * i + 2 * j ..][0..2], 0..) |place, half| {
                    parts.put(32 * i + 8 * j + 4 * half, 3, 4, grids.iq3_xxs[place], signs >> @intCast(4 * half));
                }
            }
        }
        return parts;
    }
};

/// value = d · (2 · scale + 1) · magnitude.
pub const S = struct {
    pub const table: table_places.Table = .ofMagnitudes(&.{ 1, 3, 5, 7, 9, 11, 13, 15 }, 1);
    /// As in GGUF.
    pub const Block = extern struct {
        d: u16,
        /// The lower bits of the places in the grid,
        qs: [64]u8,
        /// and an upper one each.
        qh: [8]u8,
        signs: [32]u8,
        /// Two a byte, the even one low.
        scales: [4]u8,
    };

    pub fn partsOf(block: *align(1) const Block) Parts {
        var parts: Parts = .{ .d = block.d, .scales = undefined };
        for (0..8) |i| {
            const scale: i8 = @intCast(2 * (block.scales[i / 2] >> @intCast(i % 2 * 4) & 15) + 1);
            parts.scales[2 * i ..][0..2].* = .{ scale, scale };
        }
        for (block.qs, 0..) |low, i| {
            const high: u16 = block.qh[i / 8] >> @intCast(i % 8) & 1;
            parts.put(4 * i, 3, 4, grids.iq3_s[low | high << 8], block.signs[i / 2] >> @intCast(i % 2 * 4));
        }
        return parts;
    }
};

comptime {
    std.debug.assert(@sizeOf(Xxs.Block) == 98 and @sizeOf(S.Block) == 110);
}
