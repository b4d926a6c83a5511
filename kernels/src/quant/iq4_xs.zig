//! IQ4_XS: 256 values in eight sub-blocks of 32 with signed 6-bit scales; value = d · scale · table[q], q in 0..15.
//!
//! A sub-block's d · scale is exact in f32, so that the kernels take it as a block of 32.

const std = @import("std");
const codec = @import("codec.zig");
const iq4 = @import("iq4.zig");
const panel = @import("panel.zig");
const q4_0 = @import("q4_0.zig");
const transpose = @import("transpose.zig");
const simd = @import("../isa/simd.zig");
const Traits = @import("traits.zig").Traits;

pub const block_len = 256;
pub const traits: Traits = .{ .integer = .{ .activation = .per32, .quants = .signed } };
/// Of `encode`: root mean square error over the standard deviation of bell-shaped data.
pub const error_max = 0.08;
const sub_len = 32;
const sub_blocks = block_len / sub_len;

/// As in GGUF.
pub const Block = extern struct {
    d: u16,
    /// Of the scales plus 32: bits 4 and 5 of scale i at position 2i,
    scales_h: u16,
    /// and the others, two a byte, the even one low.
    scales_l: [sub_blocks / 2]u8,
    /// [sub-block]: q[i] in the low nibble, q[i + 16] in the high one.
    qs: [sub_blocks][16]u8,
};

pub const chunk_len = block_len;
/// Two sub-blocks of 16 rows.
pub const Chunk = extern struct {
    q: [2]panel.NibbleUnits,
    d: [panel.rows]u16,
    scales: [2][panel.rows]i8,
};
pub const Packed = [sub_blocks / 2]Chunk;

comptime {
    std.debug.assert(@sizeOf(Block) == 136);
    std.debug.assert(@sizeOf(Packed) == 4 * 9 * panel.unit_bytes);
}

fn scaleOf(block: *align(1) const Block, index: usize) i8 {
    const low = block.scales_l[index / 2] >> @intCast(index % 2 * 4) & 15;
    const high: u8 = @intCast(block.scales_h >> @intCast(2 * index) & 3);
    return @as(i8, @intCast(low | high << 4)) - 32;
}

fn setScale(block: *Block, index: usize, scale: i8) void {
    const bits: u8 = @intCast(@as(i32, scale) + 32);
    std.debug.assert(bits < 64);
    block.scales_l[index / 2] |= (bits & 15) << @intCast(index % 2 * 4);
    block.scales_h |= @as(u16, bits >> 4) << @intCast(2 * index);
}

pub fn decode(block: *align(1) const Block) [block_len]f32 {
    const d = codec.fromHalf(block.d);
    var values: [block_len]f32 = undefined;
    for (0..sub_blocks) |i| {
        const step = d * @as(f32, @floatFromInt(scaleOf(block, i)));
        for (q4_0.quants(&block.qs[i]), values[i * sub_len ..][0..sub_len]) |q, *value| {
            value.* = step * @as(f32, @floatFromInt(iq4.table[q]));
        }
    }
    return values;
}

/// The sub-blocks' steps are rounded to 6 bits of the largest, and places chosen again for the rounded ones.
pub fn encode(values: *const [block_len]f32, importance: codec.Importance(block_len)) Block {
    var steps: [sub_blocks]f32 = undefined;
    var largest: f32 = 0;
    for (&steps, 0..) |*step, i| {
        step.* = iq4.step(values[i * sub_len ..][0..sub_len], codec.importanceOf(importance, sub_len, i * sub_len));
        if (@abs(step.*) > @abs(largest)) largest = step.*;
    }
    // The extreme step takes −32, the side that has one value more.
    const d = largest / -32;
    const inverse = codec.inverse(d);
    var block: Block = .{ .d = codec.toHalf(d), .scales_h = 0, .scales_l = @splat(0), .qs = undefined };
    for (steps, &block.qs, 0..) |step, *qs, i| {
        const scale: i8 = @intCast(codec.nearest(step * inverse, -32, 31));
        setScale(&block, i, scale);
        const rounded = codec.inverse(codec.fromHalf(block.d) * @as(f32, @floatFromInt(scale)));
        qs.* = iq4.nibbles(&iq4.places(values[i * sub_len ..][0..sub_len], rounded));
    }
    return block;
}

/// [sub-block].
pub fn integers(block: *const Block) [sub_blocks]codec.Integers(sub_len) {
    var result: [sub_blocks]codec.Integers(sub_len) = undefined;
    for (&result, 0..) |*part, i| {
        part.* = .{ .d = codec.fromHalf(block.d) * @as(f32, @floatFromInt(scaleOf(block, i))), .weights = undefined };
        for (&part.weights, q4_0.quants(&block.qs[i])) |*weight, q| weight.* = iq4.table[q];
    }
    return result;
}

pub fn packChunk(blocks: *const [1]panel.Blocks(@This()), target: *Packed) void {
    for (target, 0..) |*chunk, c| {
        for (&chunk.q, &chunk.scales, 2 * c..) |*q, *scales, index| {
            // The nibbles of a sub-block lie as those of a unit do.
            const words = transpose.words(@ptrCast(&blocks[0]), @offsetOf(Block, "qs") + 16 * index);
            inline for (words, q) |word, *bytes| bytes.* = transpose.bytesOf(word);
            for (blocks[0], scales) |row, *scale| scale.* = scaleOf(row, index);
        }
        for (blocks[0], &chunk.d) |row, *d| d.* = row.d;
    }
}

pub inline fn unit(chunk: *const Chunk, span: usize, comptime u: usize, row: usize) panel.Unit {
    return iq4.unit(&chunk.q[span][u], row);
}

/// d · scale.
pub inline fn factorsAt(comptime lanes: usize, chunk: *const Chunk, index: usize, row: usize) @Vector(lanes, f32) {
    const scales: @Vector(lanes, i32) = @as(@Vector(lanes, i8), chunk.scales[index][row..][0..lanes].*);
    return simd.f16ToF32(lanes, chunk.d[row..][0..lanes].*) * @as(@Vector(lanes, f32), @floatFromInt(scales));
}

pub fn unpackBlock(source: *const Packed, row: usize, index: usize) Block {
    std.debug.assert(index == 0);
    var block: Block = .{ .d = source[0].d[row], .scales_h = 0, .scales_l = @splat(0), .qs = undefined };
    for (&block.qs, 0..) |*qs, i| {
        const chunk = &source[i / 2];
        setScale(&block, i, chunk.scales[i % 2][row]);
        for (qs, 0..) |*byte, k| byte.* = panel.nibble(&chunk.q[i % 2], row, k) | panel.nibble(&chunk.q[i % 2], row, k + 16) << 4;
    }
    return block;
}
