//! The formats that are read and not written: every quant is one of at most sixteen values that the format has, whichever
//! way its blocks say which. When a tensor is loaded each becomes a nibble, the value's place in the format's table, and the
//! table comes with the panel. So all of them have one layout of 4.6 bits a weight, whose kernels are compiled once.
//!
//! value = d · factor · scale · table[place] is exact in f32: at most 11, 5 and 6 bits are multiplied, and the factor is a
//! power of two.

const std = @import("std");
const codec = @import("codec.zig");
const panel = @import("panel.zig");
const simd = @import("../isa/simd.zig");
const Traits = @import("traits.zig").Traits;

const values_per_block = 256;
const sub_len = 16;
const sub_blocks = values_per_block / sub_len;
/// Added to the values of a packed table, so that they are unsigned.
const zero = 64;
/// The largest magnitude in a table.
const value_max = 62;

/// What all blocks of a format share.
pub const Table = struct {
    values: [16]i8 = @splat(0),
    /// What makes the fractions of the format's definition whole numbers.
    factor: f32 = 1,

    /// A place is a digit of a grid, plus 8 where the value is negative.
    pub fn ofMagnitudes(comptime magnitudes: []const i8, comptime factor: f32) Table {
        var table: Table = .{ .factor = factor };
        for (magnitudes, 0..) |magnitude, i| {
            std.debug.assert(magnitude <= value_max);
            table.values[i] = magnitude;
            table.values[8 + i] = -magnitude;
        }
        return table;
    }
};

/// What a block holds.
pub const Parts = struct {
    d: u16,
    /// Of 16 values each.
    scales: [sub_blocks]i8,
    places: [values_per_block]u8 = undefined,

    /// The digits of a grid's entry, `bits` wide, are the places from `k` on, with 8 added where `signs` has a bit.
    pub inline fn put(parts: *Parts, k: usize, comptime bits: u4, comptime count: usize, entry: u16, signs: u32) void {
        inline for (parts.places[k..][0..count], 0..) |*place, i| {
            const digit: u8 = @intCast(entry >> (bits * i) & ((1 << bits) - 1));
            place.* = digit | @as(u8, @intCast(signs >> i & 1)) << 3;
        }
    }

    fn decode(parts: *const Parts, table: *const Table) [values_per_block]f32 {
        const d = codec.fromHalf(parts.d) * table.factor;
        var values: [values_per_block]f32 = undefined;
        for (&values, parts.places, 0..) |*value, place, i| {
            const step = d * @as(f32, @floatFromInt(parts.scales[i / sub_len]));
            value.* = step * @as(f32, @floatFromInt(table.values[place]));
        }
        return values;
    }
};

pub const PackedBlock = extern struct {
    /// Two spans of 32 values, four sub-blocks each.
    pairs: [4]extern struct {
        /// [span]: its two sub-blocks side by side for each row.
        scales: [2][panel.rows][2]i8,
        spans: [2]panel.NibbleUnits,
    },
    d: [panel.rows]u16,
    /// The values plus `zero`.
    table: [16]u8,
    factor: f32,
    unused: [12]u8,

    fn fill(chunk: *PackedBlock, row: usize, parts: *const Parts) void {
        chunk.d[row] = parts.d;
        for (&chunk.pairs, 0..) |*pair, p| {
            for (&pair.scales, &pair.spans, 2 * p..) |*scales, *units, span| {
                scales[row] = parts.scales[2 * span ..][0..2].*;
                const low: @Vector(16, u8) = parts.places[32 * span ..][0..16].*;
                const high: @Vector(16, u8) = parts.places[32 * span + 16 ..][0..16].*;
                const nibbles: [16]u8 = low | high << @splat(4);
                for (units, 0..) |*unit_bytes, u| unit_bytes[4 * row ..][0..4].* = nibbles[4 * u ..][0..4].*;
            }
        }
    }
};

comptime {
    std.debug.assert(@sizeOf(PackedBlock) == 37 * panel.unit_bytes);
}

/// A row's block of a panel.
const Unpacked = struct {
    parts: Parts,
    table: Table,

    pub fn decode(block: *const Unpacked) [values_per_block]f32 {
        return block.parts.decode(&block.table);
    }
};

/// Source: what a format's file says: `Block`, as in GGUF, `table`, and `partsOf(block)`.
pub fn Codec(comptime Source: type) type {
    return struct {
        pub const block_len = values_per_block;
        pub const traits: Traits = .{ .integer = .{ .activation = .per256, .quants = .{ .unsigned = zero + value_max }, .zero = zero, .sub_len = sub_len } };
        pub const Block = Source.Block;
        pub const chunk_len = block_len;
        pub const Packed = PackedBlock;

        pub fn decode(block: *align(1) const Block) [block_len]f32 {
            return Source.partsOf(block).decode(&Source.table);
        }

        pub fn packChunk(blocks: *const [1]panel.Blocks(@This()), chunk: *Packed) void {
            for (blocks[0], 0..) |block, row| chunk.fill(row, &Source.partsOf(block));
            chunk.factor = Source.table.factor;
            for (&chunk.table, Source.table.values) |*byte, value| byte.* = @intCast(zero + @as(i32, value));
            chunk.unused = @splat(0);
        }

        pub const unit = placesAt;
        pub const scalePair = scalePairAt;
        pub const factorsAt = factorsOf;
        pub const unpackBlock = unpack;
        pub const integers = integersOf;
    };
}

inline fn placesAt(chunk: *const PackedBlock, span: usize, comptime u: usize, row: usize) panel.Unit {
    const nibbles = panel.nibblesAt(&chunk.pairs[span / 2].spans[span % 2][u], row);
    return .{ .low = simd.lookup(chunk.table, nibbles.low), .high = simd.lookup(chunk.table, nibbles.high) };
}

inline fn scalePairAt(chunk: *const PackedBlock, pair: usize, row: usize) simd.RowI16 {
    return panel.pairsAt(i8, &chunk.pairs[pair / 2].scales[pair % 2], row);
}

/// d · factor.
inline fn factorsOf(comptime lanes: usize, chunk: *const PackedBlock, _: usize, row: usize) @Vector(lanes, f32) {
    return simd.f16ToF32(lanes, chunk.d[row..][0..lanes].*) * @as(@Vector(lanes, f32), @splat(chunk.factor));
}

fn unpack(chunk: *const PackedBlock, row: usize, index: usize) Unpacked {
    std.debug.assert(index == 0);
    var block: Unpacked = .{
        .parts = .{ .d = chunk.d[row], .scales = undefined },
        .table = .{ .factor = chunk.factor },
    };
    for (&block.table.values, chunk.table) |*value, byte| value.* = @intCast(@as(i32, byte) - zero);
    for (&block.parts.scales, 0..) |*scale, i| scale.* = chunk.pairs[i / 4].scales[i / 2 % 2][row][i % 2];
    for (&block.parts.places, 0..) |*place, k| place.* = panel.nibble(&chunk.pairs[k / 64].spans[k / 32 % 2], row, k % 32);
    return block;
}

fn integersOf(block: *const Unpacked) codec.Integers(values_per_block) {
    var result: codec.Integers(values_per_block) = .{ .d = codec.fromHalf(block.parts.d) * block.table.factor, .weights = undefined };
    for (&result.weights, block.parts.places, 0..) |*weight, place, i| {
        weight.* = @as(i32, block.parts.scales[i / sub_len]) * block.table.values[place];
    }
    return result;
}
