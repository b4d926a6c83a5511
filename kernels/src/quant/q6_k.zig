//! Q6_K: 256 values in sixteen sub-blocks of 16; value = d · scale · (q − 32), q in 0..63, signed 8-bit scales.

const std = @import("std");
const bit_pairs = @import("bit_pairs.zig");
const codec = @import("codec.zig");
const panel = @import("panel.zig");
const signed_scales = @import("signed_scales.zig");
const simd = @import("../isa/simd.zig");
const transpose = @import("transpose.zig");
const Traits = @import("traits.zig").Traits;

pub const block_len = 256;
pub const traits: Traits = .{ .integer = .{ .activation = .per256, .quants = .{ .unsigned = 63 }, .zero = zero, .sub_len = sub_len } };
/// Of `encode`: root mean square error over the standard deviation of bell-shaped data.
pub const error_max = 0.02;
const zero = 32;
const sub_len = signed_scales.sub_len;
const sub_blocks = signed_scales.sub_blocks;

/// As in GGUF. In each half of 128 values, value i has its low bits in ql[i % 64] (the high nibble from i = 64 on)
/// and bits 4 and 5 at position 2 · (i / 32) of qh[i % 32].
pub const Block = extern struct {
    ql: [128]u8,
    qh: [64]u8,
    scales: [sub_blocks]i8,
    d: u16,
};

pub const chunk_len = block_len;
const Span = extern struct {
    /// Bits 4 and 5.
    high: bit_pairs.BitPairs,
    q: panel.NibbleUnits,
};
pub const Packed = signed_scales.Packed(Span);

comptime {
    std.debug.assert(@sizeOf(Block) == 210);
    std.debug.assert(@sizeOf(Packed) == 53 * panel.unit_bytes);
}

pub fn decode(block: *align(1) const Block) [block_len]f32 {
    return partsOf(block).decode(zero);
}

pub fn integers(block: *const Block) codec.Integers(block_len) {
    return partsOf(block).integers(zero);
}

pub fn encode(values: *const [block_len]f32, importance: codec.Importance(block_len)) Block {
    const parts = signed_scales.encode(zero, -128, values, importance);
    var block: Block = .{ .ql = undefined, .qh = undefined, .scales = parts.scales, .d = parts.d };
    setQuants(&block, &parts.q);
    return block;
}

fn partsOf(block: *align(1) const Block) signed_scales.Parts {
    return .{ .d = block.d, .scales = block.scales, .q = quants(block) };
}

fn quants(block: *align(1) const Block) [block_len]u8 {
    const V = @Vector(32, u8);
    const nibble_mask: V = @splat(15);
    const high_mask: V = @splat(3);
    var q: [block_len]u8 = undefined;
    inline for (0..2) |n| {
        const high: V = block.qh[n * 32 ..][0..32].*;
        inline for (0..4) |part| {
            const bytes: V = block.ql[n * 64 + part % 2 * 32 ..][0..32].*;
            const low = if (part < 2) bytes & nibble_mask else bytes >> @splat(4);
            const top = (high >> @splat(2 * part)) & high_mask;
            q[n * 128 + part * 32 ..][0..32].* = low | top << @splat(4);
        }
    }
    return q;
}

fn setQuants(block: *Block, q: *const [block_len]u8) void {
    for (0..2) |n| {
        for (0..64) |i| block.ql[n * 64 + i] = (q[n * 128 + i] & 15) | q[n * 128 + i + 64] << 4;
        for (0..32) |i| {
            var byte: u8 = 0;
            for (0..4) |part| byte |= q[n * 128 + part * 32 + i] >> 4 << @intCast(2 * part);
            block.qh[n * 32 + i] = byte;
        }
    }
}

pub fn packChunk(blocks: *const [1]panel.Blocks(@This()), chunk: *Packed) void {
    @setEvalBranchQuota(10_000); // everything is written out inline
    const rows: *const [panel.rows][*]const u8 = @ptrCast(&blocks[0]);
    for (transpose.words(rows, @offsetOf(Block, "scales")), &chunk.pairs) |word, *pair| {
        pair.scales[0] = transpose.pairsOf(i8, transpose.low16(word));
        pair.scales[1] = transpose.pairsOf(i8, transpose.high16(word));
    }
    for (blocks[0], &chunk.d) |row, *d| d.* = row.d;
    chunk.unused = @splat(0);
    inline for (0..2) |n| {
        const high = bit_pairs.words32(rows, @offsetOf(Block, "qh") + 32 * n);
        // Each 32 bytes of low bits serve two spans of 32 values: part and part + 2.
        inline for (0..2) |part| {
            const low = bit_pairs.words32(rows, @offsetOf(Block, "ql") + 64 * n + 32 * part);
            const spans = [2]*Span{ &chunk.pairs[2 * n].spans[part], &chunk.pairs[2 * n + 1].spans[part] };
            panel.packNibbles(.low, low[0..4].*, low[4..8].*, &spans[0].q);
            panel.packNibbles(.high, low[0..4].*, low[4..8].*, &spans[1].q);
            inline for (spans, .{ part, part + 2 }) |span, position| bit_pairs.pack(high, 2 * position, &span.high);
        }
    }
}

pub inline fn unit(chunk: *const Packed, span: usize, comptime u: usize, row: usize) panel.Unit {
    const place = &chunk.pairs[span / 2].spans[span % 2];
    const nibbles = panel.nibblesAt(&place.q[u], row);
    const high = bit_pairs.unit(&place.high, u, 4, row);
    return .{ .low = nibbles.low | high.low, .high = nibbles.high | high.high };
}

pub const scalePair = Packed.scalePair;

pub fn unpackBlock(chunk: *const Packed, row: usize, index: usize) Block {
    std.debug.assert(index == 0);
    var q: [block_len]u8 = undefined;
    for (&q, 0..) |*value, k| {
        const span = &chunk.pairs[k / 64].spans[k / 32 % 2];
        value.* = panel.nibble(&span.q, row, k % 32) | bit_pairs.at(&span.high, row, k % 32) << 4;
    }
    var block: Block = .{ .ql = undefined, .qh = undefined, .scales = undefined, .d = chunk.d[row] };
    for (&block.scales, 0..) |*scale, i| scale.* = chunk.pairs[i / 4].scales[i / 2 % 2][row][i % 2];
    setQuants(&block, &q);
    return block;
}
