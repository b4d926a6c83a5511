//! Q4_K: 256 values in eight sub-blocks of 32; value = d · scale · q − dmin · min, q in 0..15, 6-bit scales and mins.

const std = @import("std");
const codec = @import("codec.zig");
const panel = @import("panel.zig");
const k_scales = @import("k_scales.zig");
const transpose = @import("transpose.zig");
const simd = @import("../isa/simd.zig");
const Traits = @import("traits.zig").Traits;

pub const block_len = k_scales.block_len;
pub const traits: Traits = .{ .integer = .{ .activation = .per256, .quants = .{ .unsigned = 15 }, .mins = .sub_blocks } };
/// Of `encode`: root mean square error over the standard deviation of bell-shaped data.
pub const error_max = 0.075;

/// As in GGUF.
pub const Block = extern struct {
    d: u16,
    dmin: u16,
    scales: k_scales.Bytes,
    /// Each 32 bytes: a sub-block in the low nibbles, the next one in the high nibbles.
    qs: [128]u8,
};

pub const chunk_len = block_len;
/// In the order in which a kernel reads it: one stream, which hardware prefetchers follow.
pub const Packed = extern struct {
    /// Two sub-blocks each.
    pairs: [4]extern struct {
        scales: k_scales.PanelPair,
        mins: k_scales.PanelPair,
        spans: [2]extern struct { q: panel.NibbleUnits },
    },
    d: [panel.rows]u16,
    dmin: [panel.rows]u16,
};

comptime {
    std.debug.assert(@sizeOf(Block) == 144);
    std.debug.assert(@sizeOf(Packed) == 37 * panel.unit_bytes);
}

pub fn decode(block: *align(1) const Block) [block_len]f32 {
    return k_scales.decode(block.d, block.dmin, block.scales, &quants(&block.qs));
}

pub fn integers(block: *const Block) codec.Integers(block_len) {
    return k_scales.integers(block.d, block.dmin, block.scales, &quants(&block.qs));
}

pub fn encode(values: *const [block_len]f32, importance: codec.Importance(block_len)) Block {
    const encoded = k_scales.encode(15, values, importance);
    return .{ .d = encoded.d, .dmin = encoded.dmin, .scales = encoded.scales, .qs = nibbleBytes(&encoded.q) };
}

/// The low four bits of 256 values as Q4_K and Q5_K store them.
pub fn nibbleBytes(q: *const [block_len]u8) [128]u8 {
    var bytes: [128]u8 = undefined;
    for (&bytes, 0..) |*byte, i| {
        const low = i / 32 * 64 + i % 32;
        byte.* = (q[low] & 15) | q[low + 32] << 4;
    }
    return bytes;
}

/// The inverse of nibbleBytes.
pub fn quants(bytes: *align(1) const [128]u8) [block_len]u8 {
    var q: [block_len]u8 = undefined;
    for (0..4) |i| {
        const part: @Vector(32, u8) = bytes[i * 32 ..][0..32].*;
        q[i * 64 ..][0..32].* = part & @as(@Vector(32, u8), @splat(15));
        q[i * 64 + 32 ..][0..32].* = part >> @splat(4);
    }
    return q;
}

pub fn packChunk(blocks: *const [1]panel.Blocks(@This()), chunk: *Packed) void {
    const rows: *const [panel.rows][*]const u8 = @ptrCast(&blocks[0]);
    k_scales.packPanel(transpose.words(rows, 0), chunk);
    for (&chunk.pairs, 0..) |*pair, i| {
        const first = transpose.words(rows, @offsetOf(Block, "qs") + 32 * i);
        const second = transpose.words(rows, @offsetOf(Block, "qs") + 32 * i + 16);
        panel.packNibbles(.low, first, second, &pair.spans[0].q);
        panel.packNibbles(.high, first, second, &pair.spans[1].q);
    }
}

pub inline fn unit(chunk: *const Packed, span: usize, comptime u: usize, row: usize) panel.Unit {
    return panel.nibblesAt(&chunk.pairs[span / 2].spans[span % 2].q[u], row);
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
    for (&q, 0..) |*value, k| value.* = panel.nibble(&chunk.pairs[k / 64].spans[k / 32 % 2].q, row, k % 32);
    return .{
        .d = chunk.d[row],
        .dmin = chunk.dmin[row],
        .scales = k_scales.unpackPanel(row, &chunk.pairs),
        .qs = nibbleBytes(&q),
    };
}
