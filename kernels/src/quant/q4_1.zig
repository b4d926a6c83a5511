//! Q4_1: 32 values share an f16 scale and an f16 minimum; value = d · q + m, q in 0..15.

const std = @import("std");
const block_min = @import("block_min.zig");
const codec = @import("codec.zig");
const panel = @import("panel.zig");
const q4_0 = @import("q4_0.zig");
const transpose = @import("transpose.zig");
const Traits = @import("traits.zig").Traits;

pub const block_len = block_min.block_len;
pub const traits: Traits = .{ .integer = .{ .activation = .per32, .quants = .{ .unsigned = 15 }, .mins = .block } };
/// Of `encode`: root mean square error over the standard deviation of bell-shaped data.
pub const error_max = 0.08;

/// As in GGUF.
pub const Block = extern struct {
    d: u16,
    m: u16,
    /// q[i] in the low nibble, q[i + 16] in the high one.
    qs: [16]u8,
};

/// Two blocks of 16 rows; where k / 32 is odd, the last panel's second one is zero.
pub const chunk_len = 64;
pub const Packed = extern struct {
    q: [2]panel.NibbleUnits,
    d: [2][panel.rows]u16,
    m: [2][panel.rows]u16,
};

comptime {
    std.debug.assert(@sizeOf(Block) == 20);
    std.debug.assert(@sizeOf(Packed) == 10 * panel.unit_bytes);
}

pub fn decode(block: *align(1) const Block) [block_len]f32 {
    return partsOf(block).decode();
}

pub fn integers(block: *const Block) codec.Integers(block_len) {
    return partsOf(block).integers();
}

pub fn encode(values: *const [block_len]f32, importance: codec.Importance(block_len)) Block {
    const parts = block_min.encode(15, values, importance);
    var block: Block = .{ .d = parts.d, .m = parts.m, .qs = @splat(0) };
    for (parts.q, 0..) |q, i| block.qs[i % 16] |= q << @intCast(i / 16 * 4);
    return block;
}

fn partsOf(block: *align(1) const Block) block_min.Parts {
    return .{ .d = block.d, .m = block.m, .q = q4_0.quants(&block.qs) };
}

pub fn packChunk(blocks: *const [2]panel.Blocks(@This()), chunk: *Packed) void {
    for (blocks, &chunk.q, &chunk.d, &chunk.m) |*rows, *q, *d, *m| {
        // The nibbles of a block lie as those of a unit do.
        const words = transpose.words(@ptrCast(rows), @offsetOf(Block, "qs"));
        inline for (words, q) |word, *bytes| bytes.* = transpose.bytesOf(word);
        for (rows, d, m) |row, *scale, *min| {
            scale.* = row.d;
            min.* = row.m;
        }
    }
}

pub inline fn unit(chunk: *const Packed, span: usize, comptime u: usize, row: usize) panel.Unit {
    return panel.nibblesAt(&chunk.q[span][u], row);
}

pub fn unpackBlock(chunk: *const Packed, row: usize, index: usize) Block {
    var block: Block = .{ .d = chunk.d[index][row], .m = chunk.m[index][row], .qs = undefined };
    for (&block.qs, 0..) |*byte, i| {
        byte.* = panel.nibble(&chunk.q[index], row, i) | panel.nibble(&chunk.q[index], row, i + 16) << 4;
    }
    return block;
}
