//! The float matmul: some columns × one panel, whole K, one FMA per k in one chain per output element.
//! Narrow formats are widened exactly, so all of them are f32 arithmetic.

const std = @import("std");
const simd = @import("../../isa/simd.zig");
const format_file = @import("../../quant/format.zig");
const Format = format_file.Format;
const item_file = @import("item.zig");
const Claim = item_file.Claim;

pub inline fn serves(comptime format: Format, _: item_file.Span) bool {
    return comptime format.traits() == .float;
}

pub fn cut(comptime _: Format, _: usize) item_file.Cut {
    return .{};
}

pub fn run(comptime format: Format, claim: *const Claim) void {
    for (claim.panel_first..claim.panel_end) |panel| {
        item_file.forEachTile(columns_at_once, claim.span.first, claim.span.end, PanelTiles(format){ .claim = claim, .panel = panel });
    }
}

/// Columns of a tile. Measured on AVX2 and AVX-512.
const columns_at_once = if (simd.fast) 6 else 1;

fn PanelTiles(comptime format: Format) type {
    return struct {
        claim: *const Claim,
        panel: usize,

        pub fn tile(tiles: @This(), comptime C: usize, column: usize) void {
            const item = tiles.claim.item;
            var out: [C][simd.panel_rows]f32 = undefined;
            const x: Columns = .{ .first = item.floats(column), .stride = item.k };
            multiply(format, C, tiles.claim.weights(format, tiles.panel), item.k, x, &out);
            item.finishPanel(&out, tiles.panel, column);
        }
    };
}

/// `first[c · stride + i]`: value i of column c.
const Columns = struct { first: [*]const f32, stride: usize };

/// out[c][r].
fn multiply(
    comptime format: Format,
    comptime C: usize,
    panel: [*]const u8,
    k: usize,
    columns: Columns,
    out: *[C][simd.panel_rows]f32,
) void {
    const Codec = format_file.Codec(format);
    const weights: [*]const Codec.Packed = @ptrCast(@alignCast(panel));
    std.debug.assert(k > 0 and columns.stride >= k);
    var acc: [C]simd.F32x16 = @splat(@splat(0));
    const chunk_len = Codec.chunk_len;
    for (0..k / chunk_len) |i| {
        inline for (0..chunk_len) |j| step(C, Codec.widenOne(&weights[i], j), columns, chunk_len * i + j, &acc);
    }
    if (k % chunk_len != 0) step(C, Codec.widenOne(&weights[k / chunk_len], 0), columns, k - 1, &acc);
    inline for (0..C) |c| out[c] = acc[c];
}

/// One k.
inline fn step(comptime C: usize, row: simd.F32x16, columns: Columns, k: usize, acc: *[C]simd.F32x16) void {
    inline for (0..C) |c| acc[c] = simd.fma(row, simd.splat(columns.first[c * columns.stride + k]), acc[c]);
}
