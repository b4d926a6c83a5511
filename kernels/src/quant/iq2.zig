//! IQ2_XXS, IQ2_XS and IQ2_S: eight values are a place in a grid of magnitudes, and their signs. value = d · (scale + ½) / 4 ·
//! magnitude, which is d / 8 · (2 · scale + 1) · magnitude, with scales of four bits.

const std = @import("std");
const grids = @import("grids.zig");
const sign_bits = @import("sign_bits.zig");
const table_places = @import("table_places.zig");
const Parts = table_places.Parts;

const magnitudes: table_places.Table = .ofMagnitudes(&.{ 8, 25, 43 }, 1.0 / 8.0);

pub const Xxs = struct {
    pub const table = magnitudes;
    /// As in GGUF.
    pub const Block = extern struct {
        d: u16,
        qs: [8]extern struct {
            /// Places in the grid.
            grid: [4]u8,
            /// Little-endian: four times seven bits of signs, the scale above them.
            signs: [4]u8,
        },
    };

    pub fn partsOf(block: *align(1) const Block) Parts {
        var parts: Parts = .{ .d = block.d, .scales = undefined };
        for (&block.qs, 0..) |*part, i| {
            const bits = std.mem.readInt(u32, &part.signs, .little);
            const scale: i8 = @intCast(2 * (bits >> 28) + 1);
            parts.scales[2 * i ..][0..2].* = .{ scale, scale };
            for (part.grid, 0..) |place, j| {
                parts.put(32 * i + 8 * j, 2, 8, grids.iq2_xxs[place], sign_bits.of(bits >> @intCast(7 * j)));
            }
        }
        return parts;
    }
};

pub const Xs = struct {
    pub const table = magnitudes;
    /// As in GGUF.
    pub const Block = extern struct {
        d: u16,
        /// Nine bits are the place in the grid, seven the signs.
        qs: [32]u16,
        /// Of 16 values each, two a byte, the even one low.
        scales: [8]u8,
    };

    pub fn partsOf(block: *align(1) const Block) Parts {
        var parts: Parts = .{ .d = block.d, .scales = scalesOf(&block.scales) };
        for (block.qs, 0..) |q, i| parts.put(8 * i, 2, 8, grids.iq2_xs[q & 511], sign_bits.of(q >> 9));
        return parts;
    }
};

pub const S = struct {
    pub const table = magnitudes;
    /// As in GGUF.
    pub const Block = extern struct {
        d: u16,
        /// The lower bits of the places in the grid,
        qs: [32]u8,
        signs: [32]u8,
        /// and two upper ones each.
        qh: [8]u8,
        /// As IQ2_XS's.
        scales: [8]u8,
    };

    pub fn partsOf(block: *align(1) const Block) Parts {
        var parts: Parts = .{ .d = block.d, .scales = scalesOf(&block.scales) };
        for (block.qs, block.signs, 0..) |low, signs, i| {
            const high: u16 = block.qh[i / 4] >> @intCast(i % 4 * 2) & 3;
            parts.put(8 * i, 2, 8, grids.iq2_s[low | high << 8], signs);
        }
        return parts;
    }
};

fn scalesOf(nibbles: *const [8]u8) [16]i8 {
    var scales: [16]i8 = undefined;
    for (&scales, 0..) |*scale, i| scale.* = @intCast(2 * (nibbles[i / 2] >> @intCast(i % 2 * 4) & 15) + 1);
    return scales;
}

comptime {
    std.debug.assert(@sizeOf(Xxs.Block) == 66 and @sizeOf(Xs.Block) == 74 and @sizeOf(S.Block) == 82);
}
