//! Q4_0: 32 values share an f16 scale; value = d · (q − 8), q in 0..15.

const std = @import("std");
const codec = @import("codec.zig");
const panel = @import("panel.zig");
const signed_scales = @import("signed_scales.zig");
const Traits = @import("traits.zig").Traits;
const transpose = @import("transpose.zig");

pub const block_len = 32;
pub const traits: Traits = .{ .integer = .{ .activation = .per32, .quants = .{ .unsigned = 15 }, .zero = 8 } };
/// Of `encode`: root mean square error over the standard deviation of bell-shaped data.
pub const error_max = 0.09;

/// As in GGUF.
pub const Block = extern struct {
    d: u16,
    /// q[i] in the low nibble, q[i + 16] in the high one.
    qs: [16]u8,
};

/// Two blocks of 16 rows; where k / 32 is odd, the last panel's second one is zero.
pub const chunk_len = 64;
pub const Packed = extern struct {
    q: [2]panel.NibbleUnits,
    d: [2][panel.rows]u16,
};

comptime {
    std.debug.assert(@sizeOf(Block) == 18);
    std.debug.assert(@sizeOf(Packed) == 9 * panel.unit_bytes);
}

pub fn decode(block: *align(1) const Block) [block_len]f32 {
    const d = codec.fromHalf(block.d);
    var values: [block_len]f32 = undefined;
    for (quants(&block.qs), &values) |q, *value| value.* = d * @as(f32, @floatFromInt(@as(i32, q) - 8));
    return values;
}

/// The value of largest magnitude becomes q = 0 (−8 · d), whichever its sign: the side that has one step more.
/// With importances the step is searched for.
pub fn encode(values: *const [block_len]f32, importance: codec.Importance(block_len)) Block {
    var extreme: f32 = 0;
    for (values) |value| {
        if (@abs(value) > @abs(extreme)) extreme = value;
    }
    const d = if (importance == null) extreme / -8 else signed_scales.search(8, 2, values, importance);
    const inverse = codec.inverse(d);
    var block: Block = .{ .d = codec.toHalf(d), .qs = @splat(0) };
    for (values, 0..) |value, i| {
        const q: u8 = @intCast(codec.nearest(value * inverse + 8, 0, 15));
        block.qs[i % 16] |= q << @intCast(i / 16 * 4);
    }
    return block;
}

pub fn integers(block: *const Block) codec.Integers(block_len) {
    var result: codec.Integers(block_len) = .{ .d = codec.fromHalf(block.d), .weights = undefined };
    for (&result.weights, quants(&block.qs)) |*weight, q| weight.* = @as(i32, q) - 8;
    return result;
}

/// The nibbles in K order.
pub fn quants(nibbles: *align(1) const [16]u8) [block_len]u8 {
    const bytes: @Vector(16, u8) = nibbles.*;
    const low: [16]u8 = bytes & @as(@Vector(16, u8), @splat(15));
    const high: [16]u8 = bytes >> @splat(4);
    return low ++ high;
}

pub fn packChunk(blocks: *const [2]panel.Blocks(@This()), chunk: *Packed) void {
    for (blocks, &chunk.q, &chunk.d) |*rows, *q, *d| {
        // The nibbles of a block lie as those of a unit do.
        const words = transpose.words(@ptrCast(rows), @offsetOf(Block, "qs"));
        inline for (words, q) |word, *bytes| bytes.* = transpose.bytesOf(word);
        for (rows, d) |row, *scale| scale.* = row.d;
    }
}

pub inline fn unit(chunk: *const Packed, span: usize, comptime u: usize, row: usize) panel.Unit {
    return panel.nibblesAt(&chunk.q[span][u], row);
}

pub fn unpackBlock(chunk: *const Packed, row: usize, index: usize) Block {
    var block: Block = .{ .d = chunk.d[index][row], .qs = undefined };
    for (&block.qs, 0..) |*byte, i| {
        byte.* = panel.nibble(&chunk.q[index], row, i) | panel.nibble(&chunk.q[index], row, i + 16) << 4;
    }
    return block;
}
