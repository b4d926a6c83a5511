//! Q5_0: 32 values share an f16 scale; value = d · (q − 16), q in 0..31.

const std = @import("std");
const codec = @import("codec.zig");
const panel = @import("panel.zig");
const signed_scales = @import("signed_scales.zig");
const simd = @import("../isa/simd.zig");
const transpose = @import("transpose.zig");
const Traits = @import("traits.zig").Traits;

pub const block_len = 32;
pub const traits: Traits = .{ .integer = .{ .activation = .per32, .quants = .{ .unsigned = 31 }, .zero = 16 } };
/// Of `encode`: root mean square error over the standard deviation of bell-shaped data.
pub const error_max = 0.045;

/// As in GGUF.
pub const Block = extern struct {
    d: u16,
    bits: Bits,
};

/// The quants of a block: nibbles, and the fifth bits apart.
pub const Bits = extern struct {
    /// Little-endian; bit i is the fifth one of q[i].
    qh: [4]u8,
    /// q[i] in the low nibble, q[i + 16] in the high one.
    qs: [16]u8,

    pub fn of(q: *const [block_len]u8) Bits {
        var bits: Bits = .{ .qh = undefined, .qs = @splat(0) };
        var high: u32 = 0;
        for (q, 0..) |value, i| {
            std.debug.assert(value < 32);
            bits.qs[i % 16] |= (value & 15) << @intCast(i / 16 * 4);
            high |= @as(u32, value >> 4) << @intCast(i);
        }
        std.mem.writeInt(u32, &bits.qh, high, .little);
        return bits;
    }

    /// In K order.
    pub fn quants(bits: *align(1) const Bits) [block_len]u8 {
        const high = std.mem.readInt(u32, &bits.qh, .little);
        var q: [block_len]u8 = undefined;
        for (&q, 0..) |*value, i| {
            const nibble = bits.qs[i % 16] >> @intCast(i / 16 * 4) & 15;
            value.* = nibble | @as(u8, @intCast(high >> @intCast(i) & 1)) << 4;
        }
        return q;
    }
};

/// The quants of a block of 16 rows.
pub const PackedBits = extern struct {
    /// Bit g of byte 4·row + i belongs to K position 4g + i.
    high: [panel.unit_bytes]u8,
    q: panel.NibbleUnits,

    /// offset: of the `Bits` in the rows' blocks.
    pub fn fill(target: *PackedBits, rows: *const [panel.rows][*]const u8, comptime offset: usize) void {
        const qh = transpose.words(rows, offset)[0];
        const nibbles = transpose.words(rows, offset + @offsetOf(Bits, "qs"));
        // The nibbles of a block lie as those of a unit do.
        inline for (nibbles, &target.q) |word, *bytes| bytes.* = transpose.bytesOf(word);
        var high: transpose.Words = @splat(0);
        inline for (0..8) |g| {
            const four = qh >> @splat(4 * g) & @as(transpose.Words, @splat(15));
            // Bit i of the four goes to bit 0 of byte i: shifts by 0, 7, 14 and 21.
            const spread = (four *% @as(transpose.Words, @splat(0x0020_4081))) & transpose.splatByte(1);
            high |= spread << @splat(g);
        }
        target.high = transpose.bytesOf(high);
    }

    pub inline fn unit(source: *const PackedBits, comptime u: usize, row: usize) panel.Unit {
        const nibbles = panel.nibblesAt(&source.q[u], row);
        const fifth = panel.bytesAt(&source.high, row);
        return .{
            .low = nibbles.low | simd.moveBits(fifth, u, 4, 1),
            .high = nibbles.high | simd.moveBits(fifth, u + 4, 4, 1),
        };
    }

    pub fn unpack(source: *const PackedBits, row: usize) Bits {
        std.debug.assert(row < panel.rows);
        var q: [block_len]u8 = undefined;
        for (&q, 0..) |*value, k| {
            const fifth = source.high[4 * row + k % 4] >> @intCast(k / 4) & 1;
            value.* = panel.nibble(&source.q, row, k) | fifth << 4;
        }
        return .of(&q);
    }
};

/// Two blocks of 16 rows; where k / 32 is odd, the last panel's second one is zero.
pub const chunk_len = 64;
pub const Packed = extern struct {
    q: [2]PackedBits,
    d: [2][panel.rows]u16,
};

comptime {
    std.debug.assert(@sizeOf(Block) == 22);
    std.debug.assert(@sizeOf(Packed) == 11 * panel.unit_bytes);
}

pub fn decode(block: *align(1) const Block) [block_len]f32 {
    const d = codec.fromHalf(block.d);
    var values: [block_len]f32 = undefined;
    for (block.bits.quants(), &values) |q, *value| value.* = d * @as(f32, @floatFromInt(@as(i32, q) - 16));
    return values;
}

/// The value of largest magnitude becomes q = 0 (−16 · d), whichever its sign: the side that has one step more.
/// With importances the step is searched for.
pub fn encode(values: *const [block_len]f32, importance: codec.Importance(block_len)) Block {
    var extreme: f32 = 0;
    for (values) |value| {
        if (@abs(value) > @abs(extreme)) extreme = value;
    }
    const d = if (importance == null) extreme / -16 else signed_scales.search(16, 2, values, importance);
    const inverse = codec.inverse(d);
    var q: [block_len]u8 = undefined;
    for (values, &q) |value, *quant| quant.* = @intCast(codec.nearest(value * inverse + 16, 0, 31));
    return .{ .d = codec.toHalf(d), .bits = .of(&q) };
}

pub fn integers(block: *const Block) codec.Integers(block_len) {
    var result: codec.Integers(block_len) = .{ .d = codec.fromHalf(block.d), .weights = undefined };
    for (&result.weights, block.bits.quants()) |*weight, q| weight.* = @as(i32, q) - 16;
    return result;
}

pub fn packChunk(blocks: *const [2]panel.Blocks(@This()), chunk: *Packed) void {
    @setEvalBranchQuota(10_000); // everything is written out inline
    for (blocks, &chunk.q, &chunk.d) |*rows, *q, *d| {
        q.fill(@ptrCast(rows), @offsetOf(Block, "bits"));
        for (rows, d) |row, *scale| scale.* = row.d;
    }
}

pub inline fn unit(chunk: *const Packed, span: usize, comptime u: usize, row: usize) panel.Unit {
    return chunk.q[span].unit(u, row);
}

pub fn unpackBlock(chunk: *const Packed, row: usize, index: usize) Block {
    return .{ .d = chunk.d[index][row], .bits = chunk.q[index].unpack(row) };
}
