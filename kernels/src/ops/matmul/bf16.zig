//! The BF16 matmul where the level has a dot product of bf16 pairs (simd.dotBf16): twice the products of an FMA for each
//! instruction. Activations are rounded to bf16, half to even; sums are f32.
//!
//! A level with the instruction uses it for every number of columns, so an output element has the same bits in prefill and
//! decode; per element, K ascending in pairs: acc = dot(acc, pair), which starts at 0; an odd k is filled up with zeros.
//! Levels without it keep activations as f32 and use FMA (ops/matmul/float.zig): BF16 weights are the one format whose results
//! differ between levels.
//!
//! The activations of a claim are rounded once and then serve all of its panels. They lie on the stack, so that K is cut
//! into slices when there are many columns; the sums wait in f32 meanwhile, which changes none.

const std = @import("std");
const model_bf16 = @import("../../isa/model_bf16.zig");
const simd = @import("../../isa/simd.zig");
const Format = @import("../../quant/format.zig").Format;
const Packed = @import("../../quant/float.zig").Codec(.bf16).Packed;
const item_file = @import("item.zig");

/// Pairs of rounded activations at once.
const pairs_max = 16 * 1024;
const columns_max = 64;
const panels_max = item_file.panels_max;
/// Columns and panels of a tile: what keeps the multiplier busy with the fewest loads. Measured on Zen 4.
const tile_columns = 6;
const tile_panels = 2;

/// For any number of columns: fewer would have other bits with FMA.
pub inline fn serves(comptime format: Format, _: item_file.Span) bool {
    return comptime simd.has_bf16_dot and format.isPairs();
}

pub fn cut(comptime _: Format, _: usize) item_file.Cut {
    return .{ .columns_max = columns_max };
}

pub fn run(comptime format: Format, claim: *const item_file.Claim) void {
    const item = claim.item;
    const span = claim.span;
    var sums: Sums = undefined;
    multiply(&.{
        .weights = claim.weights(format, claim.panel_first),
        .panels = claim.panels(),
        .k = item.k,
        .first = item.floats(span.first),
        .columns = span.count(),
    }, &sums);
    for (claim.panel_first..claim.panel_end, sums[0..claim.panels()]) |panel, *columns| {
        item.finishPanel(columns[0..span.count()], panel, span.first);
    }
}

/// Some panels of a matrix, one after another from `weights`, times `count` columns of k values, `first[c · k + i]`.
const Product = struct {
    weights: [*]const u8,
    panels: usize,
    k: usize,
    first: [*]const f32,
    columns: usize,

    fn pairs(product: *const Product) usize {
        return (product.k + 1) / 2;
    }
};

/// [panel][column][row] of a product.
const Sums = [panels_max][columns_max][simd.panel_rows]f32;

/// Fills the sums of the product's panels and columns.
fn multiply(product: *const Product, sums: *Sums) void {
    std.debug.assert(product.panels <= panels_max and product.columns <= columns_max);
    std.debug.assert(product.panels > 0 and product.columns > 0);
    var x: [pairs_max]u32 = undefined;
    const slice_max = pairs_max / product.columns;
    var first: usize = 0;
    while (first < product.pairs()) : (first += slice_max) {
        const slice: Slice = .{ .x = &x, .first = first, .len = @min(slice_max, product.pairs() - first) };
        for (0..product.columns) |c| {
            roundColumn(product.first[c * product.k ..][0..product.k][2 * first ..], x[c * slice.len ..][0..slice.len]);
        }
        var panel: usize = 0;
        while (product.panels - panel >= tile_panels) : (panel += tile_panels) slice.times(tile_panels, product, panel, sums);
        while (panel < product.panels) : (panel += 1) slice.times(1, product, panel, sums);
    }
}

/// Pairs [first, first + len) of K of all columns: x[c · len + i].
const Slice = struct {
    x: [*]const u32,
    first: usize,
    len: usize,

    fn times(slice: *const Slice, comptime P: usize, product: *const Product, panel: usize, sums: *Sums) void {
        var column: usize = 0;
        while (product.columns - column >= tile_columns) : (column += tile_columns) slice.tile(P, tile_columns, product, panel, column, sums);
        inline for (1..tile_columns) |rest| {
            if (product.columns - column == rest) return slice.tile(P, rest, product, panel, column, sums);
        }
    }

    fn tile(slice: *const Slice, comptime P: usize, comptime C: usize, product: *const Product, panel: usize, column: usize, sums: *Sums) void {
        const all: [*]const Packed = @ptrCast(@alignCast(product.weights));
        var acc: [P][C]simd.F32x16 = @splat(@splat(@splat(0)));
        if (slice.first != 0) {
            inline for (0..P) |p| inline for (0..C) |c| {
                acc[p][c] = sums[panel + p][column + c];
            };
        }
        const weights = all + panel * product.pairs() + slice.first;
        const x = slice.x + column * slice.len;
        for (0..slice.len) |i| {
            var rows: [P]simd.PairsBf16 = undefined;
            inline for (0..P) |p| rows[p] = weights[p * product.pairs() + i];
            inline for (0..C) |c| {
                const pair: simd.PairsBf16 = @splat(x[c * slice.len + i]);
                inline for (0..P) |p| acc[p][c] = simd.dotBf16(acc[p][c], rows[p], pair);
            }
        }
        inline for (0..P) |p| inline for (0..C) |c| {
            sums[panel + p][column + c] = acc[p][c];
        };
    }
};

/// Values that two vectors of 16 hold.
const round_len = 2 * simd.lanes;

/// x: values from a pair's first on, maybe more than `pairs` hold or one fewer.
fn roundColumn(x: []const f32, pairs: []u32) void {
    var i: usize = 0;
    while (i + simd.lanes <= pairs.len and 2 * i + round_len <= x.len) : (i += simd.lanes) {
        pairs[i..][0..simd.lanes].* = @bitCast(rounded(round_len, x[2 * i ..][0..round_len].*));
    }
    while (i < pairs.len) : (i += 1) {
        const second = if (2 * i + 1 < x.len) x[2 * i + 1] else 0;
        pairs[i] = @bitCast(rounded(2, .{ x[2 * i], second }));
    }
}

/// To nearest even. What lies below the normal range may round to its least number; the dot product would take it for zero.
inline fn rounded(comptime n: usize, values: @Vector(n, f32)) @Vector(n, u16) {
    return simd.f32ToBf16(n, values);
}

/// The sum of one element. panel: of the row; x: [k].
pub fn reference(panel: [*]const u8, row: usize, x: []const f32) f32 {
    const chunks: [*]const Packed = @ptrCast(@alignCast(panel));
    var sum: f32 = 0;
    for (0..(x.len + 1) / 2) |i| {
        const second = if (2 * i + 1 < x.len) x[2 * i + 1] else 0;
        const pair: u32 = @bitCast(rounded(2, .{ x[2 * i], second }));
        sum = model_bf16.dot(simd.splat(sum), @splat(chunks[i][row]), @splat(pair))[0];
    }
    return sum;
}
