//! Q3_K: 256 values in sixteen sub-blocks of 16; value = d · scale · (q − 4), q in 0..7, signed 6-bit scales.

const std = @import("std");
const bit_pairs = @import("bit_pairs.zig");
const codec = @import("codec.zig");
const panel = @import("panel.zig");
const signed_scales = @import("signed_scales.zig");
const simd = @import("../isa/simd.zig");
const transpose = @import("transpose.zig");
const Traits = @import("traits.zig").Traits;

pub const block_len = signed_scales.block_len;
pub const traits: Traits = .{ .integer = .{ .activation = .per256, .quants = .{ .unsigned = 7 }, .zero = zero, .sub_len = sub_len } };
/// Of `encode`: root mean square error over the standard deviation of bell-shaped data.
pub const error_max = 0.16;
const zero = 4;
const sub_len = signed_scales.sub_len;
const sub_blocks = signed_scales.sub_blocks;

/// As in GGUF.
pub const Block = extern struct {
    /// Bit 2 of value i at position i / 32 of byte i % 32.
    hmask: [32]u8,
    /// Bits 0 and 1, see bit_pairs.zig.
    qs: [64]u8,
    /// Scales plus 32. The low nibbles of scales i and i + 8 are byte i; bits 4 and 5 of scale i lie at position 2 · (i / 4)
    /// of byte 8 + i % 4.
    scales: [12]u8,
    d: u16,
};

pub const chunk_len = block_len;
const Span = extern struct {
    low: bit_pairs.BitPairs,
    /// Bit g of byte 4·row + i belongs to K position 4g + i.
    high: [panel.unit_bytes]u8,
};
pub const Packed = signed_scales.Packed(Span);

comptime {
    std.debug.assert(@sizeOf(Block) == 110);
    std.debug.assert(@sizeOf(Packed) == 29 * panel.unit_bytes);
}

pub fn decode(block: *align(1) const Block) [block_len]f32 {
    return partsOf(block).decode(zero);
}

pub fn integers(block: *const Block) codec.Integers(block_len) {
    return partsOf(block).integers(zero);
}

pub fn encode(values: *const [block_len]f32, importance: codec.Importance(block_len)) Block {
    return blockOf(&signed_scales.encode(zero, -32, values, importance));
}

fn partsOf(block: *align(1) const Block) signed_scales.Parts {
    var parts: signed_scales.Parts = .{ .d = block.d, .scales = scalesOf(&block.scales), .q = bit_pairs.split(&block.qs) };
    for (&parts.q, 0..) |*q, i| q.* |= (block.hmask[i % 32] >> @intCast(i / 32) & 1) << 2;
    return parts;
}

fn blockOf(parts: *const signed_scales.Parts) Block {
    var block: Block = .{ .hmask = @splat(0), .qs = bit_pairs.join(&parts.q), .scales = @splat(0), .d = parts.d };
    for (parts.q, 0..) |q, i| block.hmask[i % 32] |= (q >> 2) << @intCast(i / 32);
    for (parts.scales, 0..) |scale, i| {
        const bits: u8 = @intCast(@as(i32, scale) + 32);
        std.debug.assert(bits < 64);
        block.scales[i % 8] |= (bits & 15) << @intCast(i / 8 * 4);
        block.scales[8 + i % 4] |= bits >> 4 << @intCast(i / 4 * 2);
    }
    return block;
}

fn scalesOf(bytes: *align(1) const [12]u8) [sub_blocks]i8 {
    var scales: [sub_blocks]i8 = undefined;
    for (&scales, 0..) |*scale, i| {
        const low = bytes[i % 8] >> @intCast(i / 8 * 4) & 15;
        const high = bytes[8 + i % 4] >> @intCast(i / 4 * 2) & 3;
        scale.* = @as(i8, @intCast(low | high << 4)) - 32;
    }
    return scales;
}

pub fn packChunk(blocks: *const [1]panel.Blocks(@This()), chunk: *Packed) void {
    @setEvalBranchQuota(10_000); // everything is written out inline
    const rows: *const [panel.rows][*]const u8 = @ptrCast(&blocks[0]);
    for (blocks[0], &chunk.d, 0..) |block, *d, row| {
        d.* = block.d;
        for (scalesOf(&block.scales), 0..) |scale, i| chunk.pairs[i / 4].scales[i / 2 % 2][row][i % 2] = scale;
    }
    chunk.unused = @splat(0);
    const mask = bit_pairs.words32(rows, @offsetOf(Block, "hmask"));
    inline for (0..2) |n| {
        const low = bit_pairs.words32(rows, @offsetOf(Block, "qs") + 32 * n);
        inline for (0..4) |part| {
            const span = &chunk.pairs[2 * n + part / 2].spans[part % 2];
            bit_pairs.pack(low, 2 * part, &span.low);
            var high: transpose.Words = @splat(0);
            inline for (mask, 0..) |word, g| high |= (word >> @splat(4 * n + part) & transpose.splatByte(1)) << @splat(g);
            span.high = transpose.bytesOf(high);
        }
    }
}

pub inline fn unit(chunk: *const Packed, span: usize, comptime u: usize, row: usize) panel.Unit {
    const place = &chunk.pairs[span / 2].spans[span % 2];
    const low = bit_pairs.unit(&place.low, u, 0, row);
    const high = panel.bytesAt(&place.high, row);
    return .{ .low = low.low | simd.moveBits(high, u, 2, 1), .high = low.high | simd.moveBits(high, u + 4, 2, 1) };
}

pub const scalePair = Packed.scalePair;

pub fn unpackBlock(chunk: *const Packed, row: usize, index: usize) Block {
    std.debug.assert(index == 0);
    var parts: signed_scales.Parts = .{ .d = chunk.d[row], .scales = undefined, .q = undefined };
    for (&parts.q, 0..) |*value, k| {
        const span = &chunk.pairs[k / 64].spans[k / 32 % 2];
        const high = span.high[4 * row + k % 4] >> @intCast(k % 32 / 4) & 1;
        value.* = bit_pairs.at(&span.low, row, k % 32) | high << 2;
    }
    for (&parts.scales, 0..) |*scale, i| scale.* = chunk.pairs[i / 4].scales[i / 2 % 2][row][i % 2];
    return blockOf(&parts);
}
