//! MXFP4: 32 values of four bits share a power of two; value = 2^(e − 128) · table[q]. The table holds the 4-bit floats of
//! OCP's Microscaling formats (sign, two bits of exponent, one of mantissa) times two.

const std = @import("std");
const codec = @import("codec.zig");
const panel = @import("panel.zig");
const q4_0 = @import("q4_0.zig");
const iq4 = @import("iq4.zig");
const transpose = @import("transpose.zig");
const simd = @import("../isa/simd.zig");
const Traits = @import("traits.zig").Traits;

pub const block_len = 32;
/// Quants are what the table holds plus 16, so that they are unsigned.
pub const traits: Traits = .{ .integer = .{ .activation = .per32, .quants = .{ .unsigned = zero + 12 }, .zero = zero } };
/// Of `encode`: root mean square error over the standard deviation of bell-shaped data.
pub const error_max = 0.12;
const zero = 16;
const table: [16]i8 = .{ 0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12 };
const quants: [16]u8 = quants: {
    var sums: [16]u8 = undefined;
    for (&sums, table) |*sum, value| sum.* = @intCast(zero + @as(i32, value));
    break :quants sums;
};

/// As in GGUF.
pub const Block = extern struct {
    e: u8,
    /// q[i] in the low nibble, q[i + 16] in the high one.
    qs: [16]u8,
};

/// Two blocks of 16 rows; where k / 32 is odd, the last panel's second one is zero.
pub const chunk_len = 64;
pub const Packed = extern struct {
    q: [2]panel.NibbleUnits,
    /// The power of two as bf16.
    d: [2][panel.rows]u16,
};

comptime {
    std.debug.assert(@sizeOf(Block) == 17);
    std.debug.assert(@sizeOf(Packed) == 9 * panel.unit_bytes);
}

/// 2^(e − 128) as bf16; the least two have no exponent.
fn powerOf(e: u8) u16 {
    return if (e < 2) @as(u16, 0x20) << @intCast(e) else @as(u16, e - 1) << 7;
}

fn exponentOf(power: u16) u8 {
    return if (power == powerOf(0)) 0 else @intCast((power >> 7) + 1);
}

fn scaleOf(e: u8) f32 {
    return simd.bf16ToF32(1, .{powerOf(e)})[0];
}

pub fn decode(block: *align(1) const Block) [block_len]f32 {
    const d = scaleOf(block.e);
    var values: [block_len]f32 = undefined;
    for (q4_0.quants(&block.qs), &values) |q, *value| value.* = d * @as(f32, @floatFromInt(table[q]));
    return values;
}

/// Takes the nearest values at the power of two that lets the largest one fill the table's upper third, or at the next one,
/// whichever has the least squared error.
pub fn encode(values: *const [block_len]f32, importance: codec.Importance(block_len)) Block {
    var largest: f32 = 0;
    for (values) |value| largest = @max(largest, @abs(value));
    const exponent: u8 = @intCast(@as(u32, @bitCast(largest)) >> 23);
    var best: Block = undefined;
    var best_error = std.math.inf(f32);
    for ([_]u8{ exponent -| 2, exponent -| 1 }, 0..) |e, i| {
        const block: Block = .{ .e = e, .qs = iq4.nibbles(&places(values, e)) };
        var sum: f32 = 0;
        for (decode(&block), values, 0..) |a, b, k| {
            const error_squared = (a - b) * (a - b);
            sum += if (importance) |weights| weights[k] * error_squared else error_squared;
        }
        if (i == 0 or sum < best_error) {
            best = block;
            best_error = sum;
        }
    }
    return best;
}

/// The places of the nearest values; half-way the one of less magnitude.
fn places(values: *const [block_len]f32, e: u8) [block_len]u8 {
    const d = scaleOf(e);
    var q: [block_len]u8 = undefined;
    for (values, &q) |value, *place| {
        place.* = 0;
        inline for (1..8) |i| {
            const border = comptime (@as(f32, table[i - 1]) + table[i]) / 2;
            place.* += @intFromBool(@abs(value) > d * border);
        }
        if (value < 0 and place.* > 0) place.* += 8;
    }
    return q;
}

pub fn integers(block: *const Block) codec.Integers(block_len) {
    var result: codec.Integers(block_len) = .{ .d = scaleOf(block.e), .weights = undefined };
    for (&result.weights, q4_0.quants(&block.qs)) |*weight, q| weight.* = table[q];
    return result;
}

pub fn packChunk(blocks: *const [2]panel.Blocks(@This()), chunk: *Packed) void {
    for (blocks, &chunk.q, &chunk.d) |*rows, *q, *d| {
        // The nibbles of a block lie as those of a unit do.
        const words = transpose.words(@ptrCast(rows), @offsetOf(Block, "qs"));
        inline for (words, q) |word, *bytes| bytes.* = transpose.bytesOf(word);
        for (rows, d) |row, *power| power.* = powerOf(row.e);
    }
}

pub inline fn unit(chunk: *const Packed, span: usize, comptime u: usize, row: usize) panel.Unit {
    const nibbles = panel.nibblesAt(&chunk.q[span][u], row);
    return .{ .low = simd.lookup(quants, nibbles.low), .high = simd.lookup(quants, nibbles.high) };
}

pub inline fn factorsAt(comptime lanes: usize, chunk: *const Packed, index: usize, row: usize) @Vector(lanes, f32) {
    return simd.bf16ToF32(lanes, chunk.d[index][row..][0..lanes].*);
}

pub fn unpackBlock(chunk: *const Packed, row: usize, index: usize) Block {
    var block: Block = .{ .e = exponentOf(chunk.d[index][row]), .qs = undefined };
    for (&block.qs, 0..) |*byte, i| {
        byte.* = panel.nibble(&chunk.q[index], row, i) | panel.nibble(&chunk.q[index], row, i + 16) << 4;
    }
    return block;
}
