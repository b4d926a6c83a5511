//! Packed panels: 16 rows side by side, so that a vector register holds several rows' next few K values.
//!
//! A panel is a sequence of chunks (the format's `Packed`), in K order. Quantised values lie in units of 64 bytes: byte
//! 4·row + i belongs to one row and to K byte i of a group of four. A 64-byte register takes a unit whole, AVX2 its two
//! halves of 8 rows, NEON its quarters.
//!
//! Nibbles: 32 values of K of 16 rows are four units. Unit u holds K group u (k = 4u + i) in the low nibbles and group
//! u + 4 in the high ones.

const std = @import("std");
const simd = @import("../isa/simd.zig");
const transpose = @import("transpose.zig");

pub const rows = simd.panel_rows;
pub const unit_bytes = 4 * rows;
/// The nibbles of 32 values of K.
pub const NibbleUnits = [4][unit_bytes]u8;

/// The weights of 8 consecutive K values of each row of a group, as kernels want them: K groups u and u + 4 of a span of 32.
pub const Unit = struct { low: simd.RowU8, high: simd.RowU8 };

/// A row group's bytes of a unit; `row`: the group's first row.
pub inline fn bytesAt(unit: *const [unit_bytes]u8, row: usize) simd.RowU8 {
    return unit[4 * row ..][0 .. 4 * simd.row_lanes].*;
}

/// Both nibbles of a row group's bytes.
pub inline fn nibblesAt(unit: *const [unit_bytes]u8, row: usize) Unit {
    const both = bytesAt(unit, row);
    return .{ .low = both & simd.splatBytes(15), .high = both >> @splat(4) };
}

/// A row group's small integers of two sub-blocks, side by side for each row.
pub inline fn pairsAt(comptime Byte: type, pairs: *const [rows][2]Byte, row: usize) simd.RowI16 {
    return simd.widenPairs(Byte, @as(*const [2 * rows]Byte, @ptrCast(pairs))[2 * row ..][0 .. 2 * simd.row_lanes]);
}

/// Bytes of one panel of k values. A multiple of 64.
pub fn bytes(comptime Codec: type, k: usize) usize {
    const chunks = (k + Codec.chunk_len - 1) / Codec.chunk_len;
    return std.mem.alignForward(usize, chunks * @sizeOf(Codec.Packed), unit_bytes);
}

/// The same block of each of a panel's rows.
pub fn Blocks(comptime Codec: type) type {
    return [rows]*align(1) const Codec.Block;
}

/// Packs one panel. src: `count` ≤ 16 GGUF rows of k values; the missing rows are zero.
pub fn pack(comptime Codec: type, count: usize, k: usize, src: [*]const u8, dst: []u8) void {
    comptime std.debug.assert(Codec.chunk_len % Codec.block_len == 0);
    std.debug.assert(count > 0 and count <= rows and k % Codec.block_len == 0);
    std.debug.assert(dst.len == bytes(Codec, k));
    const per_chunk = Codec.chunk_len / Codec.block_len;
    const blocks = k / Codec.block_len;
    const chunks = (blocks + per_chunk - 1) / per_chunk;
    const zero = std.mem.zeroes(Codec.Block);
    const source: [*]align(1) const Codec.Block = @ptrCast(src);
    const target: [*]Codec.Packed = @ptrCast(@alignCast(dst.ptr));
    // Formats of single values come in whole cache lines of each row as far as these go.
    const done = if (@hasDecl(Codec, "packLines") and count == rows) Codec.packLines(k, src, target) else 0;
    var parts: [per_chunk]Blocks(Codec) = @splat(@splat(&zero));
    for (done..chunks) |chunk| {
        for (&parts, chunk * per_chunk..) |*part, block| {
            for (part[0..count], 0..) |*pointer, row| {
                pointer.* = if (block < blocks) &source[row * blocks + block] else &zero;
            }
        }
        Codec.packChunk(&parts, &target[chunk]);
    }
    @memset(dst[chunks * @sizeOf(Codec.Packed) ..], 0);
}

/// Decodes one row of a panel.
pub fn unpackRow(comptime Codec: type, k: usize, source: [*]const u8, row: usize, out: [*]f32) void {
    std.debug.assert(row < rows and k % Codec.block_len == 0);
    const per_chunk = Codec.chunk_len / Codec.block_len;
    const chunks: [*]const Codec.Packed = @ptrCast(@alignCast(source));
    for (0..k / Codec.block_len) |i| {
        const block = Codec.unpackBlock(&chunks[i / per_chunk], row, i % per_chunk);
        out[i * Codec.block_len ..][0..Codec.block_len].* = if (@TypeOf(block) == Codec.Block) Codec.decode(&block) else block.decode();
    }
}

/// Which half of each byte holds the 4-bit values.
pub const NibbleHalf = enum { low, high };

/// Packs 4-bit values of 32 K positions of all rows. first, second: the bytes that hold K positions 0..15 and 16..31.
pub inline fn packNibbles(comptime from: NibbleHalf, first: [4]transpose.Words, second: [4]transpose.Words, units: *NibbleUnits) void {
    const mask = transpose.splatByte(15);
    const top = transpose.splatByte(0xf0);
    inline for (first, second, units) |a, b, *unit| {
        unit.* = transpose.bytesOf(switch (from) {
            .low => (a & mask) | (b & mask) << @splat(4),
            .high => (a >> @splat(4) & mask) | (b & top),
        });
    }
}

/// The nibble of K position k < 32 of a row.
pub fn nibble(units: *const NibbleUnits, row: usize, k: usize) u8 {
    std.debug.assert(row < rows and k < 32);
    const byte = units[k / 4 % 4][4 * row + k % 4];
    return if (k < 16) byte & 15 else byte >> 4;
}
