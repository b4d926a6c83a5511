//! F32, F16 and BF16. A panel holds 16 rows' values of one k side by side: [k][16].

const std = @import("std");
const simd = @import("../simd.zig");

pub const Kind = enum { f32, f16, bf16 };

pub fn Codec(comptime kind: Kind) type {
    return struct {
        pub const block_len = 1;
        /// The value's bits.
        pub const Block = if (kind == .f32) u32 else u16;
        pub const chunk_len = 1;
        pub const Packed = [simd.panel_rows]Block;

        comptime {
            std.debug.assert(@sizeOf(Block) == if (kind == .f32) 4 else 2);
        }

        /// Exact.
        pub inline fn decode(block: *align(1) const Block) [1]f32 {
            return widen(1, .{block.*});
        }

        /// Rounded to nearest even.
        pub fn encode(values: *const [1]f32) Block {
            return switch (kind) {
                .f32 => @bitCast(values[0]),
                .f16 => simd.f32ToF16(1, values.*)[0],
                .bf16 => simd.f32ToBf16(1, values.*)[0],
            };
        }

        pub inline fn widen(comptime n: usize, bits: @Vector(n, Block)) @Vector(n, f32) {
            return switch (kind) {
                .f32 => @bitCast(bits),
                .f16 => simd.f16ToF32(n, bits),
                .bf16 => simd.bf16ToF32(n, bits),
            };
        }

        pub inline fn packChunk(rows: *const [simd.panel_rows][1]*align(1) const Block, chunk: *Packed) void {
            for (rows, chunk) |row, *value| value.* = row[0].*;
        }

        pub inline fn unpackBlock(chunk: *const Packed, row: usize, index: usize) Block {
            std.debug.assert(index == 0);
            return chunk[row];
        }
    };
}
