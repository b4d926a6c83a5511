//! F32, F16 and BF16. A panel holds 16 rows' values of one k side by side, [k][16]; of BF16 two k in a word, [k / 2][16], the
//! first in the low half, as the dot products of pairs want them. An odd k is filled up with zeros.

const std = @import("std");
const codec = @import("codec.zig");
const simd = @import("../isa/simd.zig");
const panel = @import("panel.zig");
const transpose = @import("transpose.zig");
const Traits = @import("traits.zig").Traits;

const line_bytes = 64;

pub const Kind = enum { f32, f16, bf16 };

pub fn Codec(comptime kind: Kind) type {
    return struct {
        pub const block_len = 1;
        pub const traits: Traits = .{ .float = if (kind == .bf16) .pairs else .singles };
        /// Of `encode`: root mean square error over the standard deviation of bell-shaped data.
        pub const error_max: f64 = switch (kind) {
            .f32 => 0,
            .f16 => 3e-4,
            .bf16 => 3e-3,
        };
        /// The value's bits.
        pub const Block = if (kind == .f32) u32 else u16;
        pub const chunk_len = if (kind == .bf16) 2 else 1;
        pub const Packed = if (kind == .bf16) [simd.panel_rows]u32 else [simd.panel_rows]Block;

        comptime {
            std.debug.assert(@sizeOf(Block) == if (kind == .f32) 4 else 2);
        }

        /// Exact.
        pub inline fn decode(block: *align(1) const Block) [1]f32 {
            return widen(1, .{block.*});
        }

        /// Rounded to nearest even.
        pub fn encode(values: *const [1]f32, _: codec.Importance(1)) Block {
            return switch (kind) {
                .f32 => @bitCast(values[0]),
                .f16 => simd.f32ToF16(1, values.*)[0],
                .bf16 => simd.f32ToBf16(1, values.*)[0],
            };
        }

        /// The chunk's values of one of its k, exact.
        pub inline fn widenOne(chunk: *const Packed, comptime index: usize) simd.F32x16 {
            if (kind != .bf16) return widen(simd.panel_rows, chunk.*);
            if (index == 0) return @bitCast(@as(simd.PairsBf16, chunk.*) << @splat(16));
            return @bitCast(@as(simd.PairsBf16, simd.reloaded(chunk).*) & @as(simd.PairsBf16, @splat(0xffff_0000)));
        }

        inline fn widen(comptime n: usize, bits: @Vector(n, Block)) @Vector(n, f32) {
            return switch (kind) {
                .f32 => @bitCast(bits),
                .f16 => simd.f16ToF32(n, bits),
                .bf16 => simd.bf16ToF32(n, bits),
            };
        }

        pub inline fn packChunk(blocks: *const [chunk_len]panel.Blocks(@This()), chunk: *Packed) void {
            for (chunk, 0..) |*value, row| {
                value.* = blocks[0][row].*;
                if (kind == .bf16) value.* |= @as(u32, blocks[1][row].*) << 16;
            }
        }

        /// Packs the values that fill cache lines of every row, and gives the count of chunks that they are. A line is copied
        /// before it is taken apart: rows that lie a power of two apart would drive each other out of the cache.
        pub fn packLines(k: usize, source: [*]const u8, target: [*]Packed) usize {
            const per_line = line_bytes / @sizeOf(Block);
            const end = k / per_line * per_line;
            var lines: [simd.panel_rows][line_bytes]u8 = undefined;
            var bases: [simd.panel_rows][*]const u8 = undefined;
            for (&lines, &bases) |*line, *base| base.* = line;
            var first: usize = 0;
            while (first < end) : (first += per_line) {
                for (&lines, 0..) |*line, row| line.* = source[(row * k + first) * @sizeOf(Block) ..][0..line_bytes].*;
                inline for (0..line_bytes / 16) |part| {
                    const words = transpose.words(&bases, 16 * part);
                    const place = target[(first + 16 * part / @sizeOf(Block)) / chunk_len ..];
                    inline for (words, 0..) |word, i| {
                        if (kind == .f16) {
                            place[2 * i] = transpose.low16(word);
                            place[2 * i + 1] = transpose.high16(word);
                        } else {
                            place[i] = word;
                        }
                    }
                }
            }
            return end / chunk_len;
        }

        pub inline fn unpackBlock(chunk: *const Packed, row: usize, index: usize) Block {
            return if (kind == .bf16) @truncate(chunk[row] >> @intCast(16 * index)) else chunk[row];
        }
    };
}
