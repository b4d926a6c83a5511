//! Q8_0: 32 values share an f16 scale; value = d · q, q in −128..127.

const std = @import("std");
const codec = @import("codec.zig");
const panel = @import("panel.zig");
const Traits = @import("traits.zig").Traits;
const transpose = @import("transpose.zig");

pub const block_len = 32;
pub const traits: Traits = .{ .integer = .{ .activation = .per32, .quants = .signed } };
/// Of `encode`: root mean square error over the standard deviation of bell-shaped data.
pub const error_max = 0.006;

/// As in GGUF.
pub const Block = extern struct {
    d: u16,
    qs: [32]i8,
};

/// Two blocks of 16 rows; where k / 32 is odd, the last panel's second one is zero. Unit g holds K group g; its bytes are i8.
pub const chunk_len = 64;
pub const Packed = extern struct {
    q: [2][8][panel.unit_bytes]u8,
    d: [2][panel.rows]u16,
};

comptime {
    std.debug.assert(@sizeOf(Block) == 34);
    std.debug.assert(@sizeOf(Packed) == 17 * panel.unit_bytes);
}

pub fn decode(block: *align(1) const Block) [block_len]f32 {
    const d = codec.fromHalf(block.d);
    var values: [block_len]f32 = undefined;
    for (block.qs, &values) |q, *value| value.* = d * @as(f32, @floatFromInt(q));
    return values;
}

/// d = max|x| / 127. Steps are so fine that importances would change little.
pub fn encode(values: *const [block_len]f32, _: codec.Importance(block_len)) Block {
    var largest: f32 = 0;
    for (values) |value| largest = @max(largest, @abs(value));
    const d = largest / 127;
    const inverse = codec.inverse(d);
    var block: Block = .{ .d = codec.toHalf(d), .qs = undefined };
    for (values, &block.qs) |value, *q| q.* = @intCast(codec.nearest(value * inverse, -127, 127));
    return block;
}

pub fn integers(block: *const Block) codec.Integers(block_len) {
    return .{ .d = codec.fromHalf(block.d), .weights = @as(@Vector(block_len, i8), block.qs) };
}

pub fn packChunk(blocks: *const [2]panel.Blocks(@This()), chunk: *Packed) void {
    for (blocks, &chunk.q, &chunk.d) |*rows, *q, *d| {
        inline for (.{ 0, 1 }) |half| {
            const words = transpose.words(@ptrCast(rows), @offsetOf(Block, "qs") + 16 * half);
            inline for (words, q[4 * half ..][0..4]) |word, *bytes| bytes.* = transpose.bytesOf(word);
        }
        for (rows, d) |row, *scale| scale.* = row.d;
    }
}

pub inline fn unit(chunk: *const Packed, span: usize, comptime u: usize, row: usize) panel.Unit {
    return .{ .low = panel.bytesAt(&chunk.q[span][u], row), .high = panel.bytesAt(&chunk.q[span][u + 4], row) };
}

pub fn unpackBlock(chunk: *const Packed, row: usize, index: usize) Block {
    var block: Block = .{ .d = chunk.d[index][row], .qs = undefined };
    for (0..8) |g| block.qs[4 * g ..][0..4].* = @bitCast(chunk.q[index][g][4 * row ..][0..4].*);
    return block;
}
