//! Q5_K: Q4_K with a fifth bit; value = d · scale · q − dmin · min, q in 0..31, 6-bit scales and mins.

const std = @import("std");
const codec = @import("codec.zig");
const panel = @import("panel.zig");
const k_scales = @import("k_scales.zig");
const q4_k = @import("q4_k.zig");
const transpose = @import("transpose.zig");
const simd = @import("../isa/simd.zig");
const Traits = @import("traits.zig").Traits;

pub const block_len = k_scales.block_len;
pub const traits: Traits = .{ .integer = .{ .activation = .per256, .quants = .{ .unsigned = 31 }, .mins = .sub_blocks } };
/// Of `encode`: root mean square error over the standard deviation of bell-shaped data.
pub const error_max = 0.038;

/// As in GGUF.
pub const Block = extern struct {
    d: u16,
    dmin: u16,
    scales: k_scales.Bytes,
    /// Bit s of byte i: the fifth bit of value i of sub-block s.
    qh: [32]u8,
    qs: [128]u8,
};

pub const chunk_len = block_len;
/// In the order in which a kernel reads it.
pub const Packed = extern struct {
    /// Two sub-blocks each.
    pairs: [4]extern struct {
        scales: k_scales.PanelPair,
        mins: k_scales.PanelPair,
        spans: [2]extern struct {
            /// The sub-block's fifth bits: bit g of byte 4·row + i belongs to K position 4g + i.
            high: [panel.unit_bytes]u8,
            q: panel.NibbleUnits,
        },
    },
    d: [panel.rows]u16,
    dmin: [panel.rows]u16,
};

comptime {
    std.debug.assert(@sizeOf(Block) == 176);
    std.debug.assert(@sizeOf(Packed) == 45 * panel.unit_bytes);
}

pub fn decode(block: *align(1) const Block) [block_len]f32 {
    return k_scales.decode(block.d, block.dmin, block.scales, &quants(block));
}

pub fn integers(block: *const Block) codec.Integers(block_len) {
    return k_scales.integers(block.d, block.dmin, block.scales, &quants(block));
}

pub fn encode(values: *const [block_len]f32, importance: codec.Importance(block_len)) Block {
    const encoded = k_scales.encode(31, values, importance);
    return .{
        .d = encoded.d,
        .dmin = encoded.dmin,
        .scales = encoded.scales,
        .qh = highBytes(&encoded.q),
        .qs = q4_k.nibbleBytes(&encoded.q),
    };
}

fn highBytes(q: *const [block_len]u8) [32]u8 {
    var bytes: [32]u8 = @splat(0);
    for (q, 0..) |value, k| bytes[k % 32] |= (value >> 4) << @intCast(k / 32);
    return bytes;
}

fn quants(block: *align(1) const Block) [block_len]u8 {
    const V = @Vector(32, u8);
    const high: V = block.qh;
    var q = q4_k.quants(&block.qs);
    inline for (0..8) |s| {
        const low: V = q[s * 32 ..][0..32].*;
        const bit = (high >> @splat(s)) & @as(V, @splat(1));
        q[s * 32 ..][0..32].* = low | bit << @splat(4);
    }
    return q;
}

pub fn packChunk(blocks: *const [1]panel.Blocks(@This()), chunk: *Packed) void {
    @setEvalBranchQuota(10_000); // everything is written out inline
    const rows: *const [panel.rows][*]const u8 = @ptrCast(&blocks[0]);
    k_scales.packPanel(transpose.words(rows, 0), chunk);
    const high = transpose.words(rows, @offsetOf(Block, "qh")) ++ transpose.words(rows, @offsetOf(Block, "qh") + 16);
    inline for (&chunk.pairs, 0..) |*pair, i| {
        const first = transpose.words(rows, @offsetOf(Block, "qs") + 32 * i);
        const second = transpose.words(rows, @offsetOf(Block, "qs") + 32 * i + 16);
        panel.packNibbles(.low, first, second, &pair.spans[0].q);
        panel.packNibbles(.high, first, second, &pair.spans[1].q);
        inline for (&pair.spans, 2 * i..) |*span, s| {
            var bits: transpose.Words = @splat(0);
            inline for (high, 0..) |group, g| bits |= (group >> @splat(s) & transpose.splatByte(1)) << @splat(g);
            span.high = transpose.bytesOf(bits);
        }
    }
}

pub inline fn unit(chunk: *const Packed, span: usize, comptime u: usize, row: usize) panel.Unit {
    const place = &chunk.pairs[span / 2].spans[span % 2];
    const nibbles = panel.nibblesAt(&place.q[u], row);
    const fifth = panel.bytesAt(&place.high, row);
    return .{
        .low = nibbles.low | simd.moveBits(fifth, u, 4, 1),
        .high = nibbles.high | simd.moveBits(fifth, u + 4, 4, 1),
    };
}

pub inline fn scalePair(chunk: *const Packed, pair: usize, row: usize) simd.RowI16 {
    return panel.pairsAt(u8, &chunk.pairs[pair].scales, row);
}

pub inline fn minPair(chunk: *const Packed, pair: usize, row: usize) simd.RowI16 {
    return panel.pairsAt(u8, &chunk.pairs[pair].mins, row);
}

pub fn unpackBlock(chunk: *const Packed, row: usize, index: usize) Block {
    std.debug.assert(index == 0);
    var q: [block_len]u8 = undefined;
    for (&q, 0..) |*value, k| {
        const span = &chunk.pairs[k / 64].spans[k / 32 % 2];
        const high = span.high[4 * row + k % 4] >> @intCast(k % 32 / 4);
        value.* = panel.nibble(&span.q, row, k % 32) | (high & 1) << 4;
    }
    return .{
        .d = chunk.d[row],
        .dmin = chunk.dmin[row],
        .scales = k_scales.unpackPanel(row, &chunk.pairs),
        .qh = highBytes(&q),
        .qs = q4_k.nibbleBytes(&q),
    };
}
