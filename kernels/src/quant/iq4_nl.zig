//! IQ4_NL: 32 values share an f16 scale; value = d · table[q], q in 0..15.

const std = @import("std");
const codec = @import("codec.zig");
const iq4 = @import("iq4.zig");
const panel = @import("panel.zig");
const q4_0 = @import("q4_0.zig");
const Traits = @import("traits.zig").Traits;

pub const block_len = 32;
pub const traits: Traits = .{ .integer = .{ .activation = .per32, .quants = .signed } };
/// Of `encode`: root mean square error over the standard deviation of bell-shaped data.
pub const error_max = 0.08;

/// As in GGUF, where blocks and panels are those of Q4_0.
pub const Block = q4_0.Block;
pub const chunk_len = q4_0.chunk_len;
pub const Packed = q4_0.Packed;
pub const packChunk = q4_0.packChunk;
pub const unpackBlock = q4_0.unpackBlock;

pub fn decode(block: *align(1) const Block) [block_len]f32 {
    const d = codec.fromHalf(block.d);
    var values: [block_len]f32 = undefined;
    for (q4_0.quants(&block.qs), &values) |q, *value| value.* = d * @as(f32, @floatFromInt(iq4.table[q]));
    return values;
}

pub fn encode(values: *const [block_len]f32, importance: codec.Importance(block_len)) Block {
    const d = codec.toHalf(iq4.step(values, importance));
    return .{ .d = d, .qs = iq4.nibbles(&iq4.places(values, codec.inverse(codec.fromHalf(d)))) };
}

pub fn integers(block: *const Block) codec.Integers(block_len) {
    var result: codec.Integers(block_len) = .{ .d = codec.fromHalf(block.d), .weights = undefined };
    for (&result.weights, q4_0.quants(&block.qs)) |*weight, q| weight.* = iq4.table[q];
    return result;
}

pub inline fn unit(chunk: *const Packed, span: usize, comptime u: usize, row: usize) panel.Unit {
    return iq4.unit(&chunk.q[span][u], row);
}
