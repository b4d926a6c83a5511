//! Values that are parts of keys, in the order in which attention sums them.
//!
//! A block keeps keys as [key_dim][16 tokens]. Of latent attention a value is the end of its key (arena.zig), and sums want
//! [16 tokens][value_dim]: the blocks of a chunk are turned once for all rows of a unit. Elements are copied as they are, so
//! the result is that of values which lie beside their keys.

const std = @import("std");
const arena = @import("../../kv/arena.zig");
const blocks = @import("blocks.zig");
const Chunk = blocks.Chunk;
const Format = arena.Format;
const Span = @import("panel.zig").Span;

const block_tokens = arena.block_tokens;
/// Dimensions, and tokens, of a square that is turned in registers.
const side = 8;

/// Place for the values of a chunk.
pub fn Room(comptime format: Format) type {
    return [blocks.chunk_tokens * arena.head_dim_max]Format.Element(format);
}

/// Fills the room with the values of a span, rounded to whole blocks, and points the chunk to it.
pub noinline fn turn(comptime format: Format, chunk: *Chunk, span: Span, room: *align(64) Room(format)) void {
    const Element = Format.Element(format);
    std.debug.assert(chunk.values == .in_keys and chunk.value_dim % side == 0 and chunk.value_dim <= chunk.key_dim);
    const dim = chunk.value_dim;
    const first = chunk.key_dim - dim;
    for (span.firstBlock()..span.endBlock()) |block| {
        const keys: [*]const Element = @ptrCast(@alignCast(chunk.k[block]));
        const target = room[block * block_tokens * dim ..].ptr;
        var d: usize = 0;
        while (d < dim) : (d += side) {
            inline for (.{ 0, side }) |token| {
                turnSquare(Element, keys + (first + d) * block_tokens + token, target + token * dim + d, dim);
            }
        }
        chunk.v[block] = @ptrCast(target);
    }
}

/// target[token · stride + d] = source[d · 16 + token].
inline fn turnSquare(comptime Element: type, source: [*]const Element, target: [*]Element, stride: usize) void {
    const T = @Vector(side, Element);
    var rows: [side]T = undefined;
    inline for (&rows, 0..) |*row, d| row.* = source[d * block_tokens ..][0..side].*;
    // Each step moves the topmost bit of an element's place, row · 8 + column, to the bottom; three make rows of columns.
    inline for (0..3) |_| {
        var mixed: [side]T = undefined;
        inline for (0..side / 2) |i| {
            mixed[2 * i] = @shuffle(Element, rows[i], rows[i + side / 2], zip(0));
            mixed[2 * i + 1] = @shuffle(Element, rows[i], rows[i + side / 2], zip(side / 2));
        }
        rows = mixed;
    }
    inline for (rows, 0..) |row, token| target[token * stride ..][0..side].* = row;
}

/// Elements of two vectors in turn, from element `first` on.
fn zip(comptime first: i32) @Vector(side, i32) {
    var mask: [side]i32 = undefined;
    for (&mask, 0..) |*lane, i| {
        const element = first + @as(i32, @intCast(i / 2));
        lane.* = if (i % 2 == 0) element else ~element;
    }
    return mask;
}

test "values of a chunk are turned as they are, and only what is seen" {
    inline for (.{ Format.f32, Format.f16 }) |format| {
        const Element = Format.Element(format);
        const key_dim = 40;
        const value_dim = 24;
        var keys: [3][key_dim * block_tokens]Element = undefined;
        for (&keys, 0..) |*block, b| for (block, 0..) |*element, i| {
            const number: u16 = @intCast(b << 12 | i);
            element.* = if (Element == f32) @floatFromInt(number) else number;
        };
        var chunk: Chunk = undefined;
        chunk.values = .in_keys;
        chunk.key_dim = key_dim;
        chunk.value_dim = value_dim;
        for (chunk.k[0..3], &keys) |*pointer, *block| pointer.* = @ptrCast(block);
        const room = try std.testing.allocator.alignedAlloc(Element, .@"64", @typeInfo(Room(format)).array.len);
        defer std.testing.allocator.free(room);
        @memset(room, 7);
        turn(format, &chunk, .{ .first = 18, .end = 33 }, @ptrCast(room.ptr));
        for (1..3) |b| {
            const values: [*]const Element = @ptrCast(@alignCast(chunk.v[b]));
            for (0..block_tokens) |t| for (0..value_dim) |d| {
                try std.testing.expectEqual(keys[b][(key_dim - value_dim + d) * block_tokens + t], values[t * value_dim + d]);
            };
        }
        for (room[0 .. block_tokens * value_dim]) |element| try std.testing.expectEqual(7, element);
        for (room[3 * block_tokens * value_dim ..]) |element| try std.testing.expectEqual(7, element);
    }
}
