//! Sixteen rows' bytes side by side: what packing a panel consists of.

const std = @import("std");
const panel = @import("panel.zig");

const rows = panel.rows;
/// Four consecutive bytes of each row.
pub const Words = @Vector(rows, u32);
const Half = @Vector(rows / 2, u32);

/// Bytes [offset, offset + 16) of every row: result[i] holds bytes 4i to 4i + 3.
pub inline fn words(bases: *const [rows][*]const u8, offset: usize) [4]Words {
    const low = half(bases[0 .. rows / 2], offset);
    const high = half(bases[rows / 2 ..], offset);
    var result: [4]Words = undefined;
    inline for (&result, low, high) |*word, a, b| word.* = std.simd.join(a, b);
    return result;
}

/// Eight rows in two lanes of 16 bytes: rows r and r + 4 share a register, so that no step crosses the lanes.
inline fn half(bases: *const [rows / 2][*]const u8, offset: usize) [4]Half {
    var x: [4]Half = undefined;
    inline for (&x, 0..) |*pair, r| {
        pair.* = std.simd.join(load(bases[r] + offset), load(bases[r + 4] + offset));
    }
    const t0 = @shuffle(u32, x[0], x[1], low_words);
    const t1 = @shuffle(u32, x[0], x[1], high_words);
    const t2 = @shuffle(u32, x[2], x[3], low_words);
    const t3 = @shuffle(u32, x[2], x[3], high_words);
    return .{
        @shuffle(u32, t0, t2, low_pairs),
        @shuffle(u32, t0, t2, high_pairs),
        @shuffle(u32, t1, t3, low_pairs),
        @shuffle(u32, t1, t3, high_pairs),
    };
}

inline fn load(bytes: [*]const u8) @Vector(4, u32) {
    const vector: @Vector(16, u8) = bytes[0..16].*;
    return @bitCast(vector);
}

/// The words' bytes, row by row.
pub inline fn bytesOf(word: Words) [4 * rows]u8 {
    return @as(@Vector(4 * rows, u8), @bitCast(word));
}

/// Two bytes of each row.
pub inline fn pairsOf(comptime T: type, halves: @Vector(rows, u16)) [rows][2]T {
    var pairs: [rows][2]T = undefined;
    const target: *align(@alignOf(T)) [2 * rows]T = @ptrCast(&pairs);
    target.* = @as(@Vector(2 * rows, T), @bitCast(halves));
    return pairs;
}

// Within each lane of four words: the lower or upper two of a and b, taken in turn or as pairs.
const low_words = @Vector(8, i32){ 0, ~@as(i32, 0), 1, ~@as(i32, 1), 4, ~@as(i32, 4), 5, ~@as(i32, 5) };
const high_words = @Vector(8, i32){ 2, ~@as(i32, 2), 3, ~@as(i32, 3), 6, ~@as(i32, 6), 7, ~@as(i32, 7) };
const low_pairs = @Vector(8, i32){ 0, 1, ~@as(i32, 0), ~@as(i32, 1), 4, 5, ~@as(i32, 4), ~@as(i32, 5) };
const high_pairs = @Vector(8, i32){ 2, 3, ~@as(i32, 2), ~@as(i32, 3), 6, 7, ~@as(i32, 6), ~@as(i32, 7) };

/// The lower two bytes of each word.
pub inline fn low16(word: Words) @Vector(rows, u16) {
    return @truncate(word);
}

/// The upper two bytes of each word.
pub inline fn high16(word: Words) @Vector(rows, u16) {
    return @truncate(word >> @splat(16));
}

/// The word with `byte` in all four bytes, for every row.
pub inline fn splatByte(comptime byte: u8) Words {
    return @splat(@as(u32, byte) * 0x01010101);
}

test "words takes four bytes of every row" {
    var bytes: [rows][20]u8 = undefined;
    var bases: [rows][*]const u8 = undefined;
    for (&bytes, &bases, 0..) |*row, *base, r| {
        for (row, 0..) |*byte, i| byte.* = @intCast(r * 13 + i);
        base.* = row;
    }
    for (words(&bases, 3), 0..) |word, i| {
        const values: [rows]u32 = word;
        for (values, 0..) |value, r| {
            const want: u32 = @bitCast(bytes[r][3 + 4 * i ..][0..4].*);
            try std.testing.expectEqual(want, value);
        }
    }
}
