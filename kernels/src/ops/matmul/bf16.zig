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
const Packed = @import("../../quant/float.zig").Codec(.bf16).Packed;

/// Pairs of rounded activations at once.
const pairs_max = 16 * 1024;
pub const columns_max = 64;
pub const panels_max = 16;
/// Columns and panels of a tile: what keeps the multiplier busy with the fewest loads. Measured on Zen 4.
const tile_columns = 6;
const tile_panels = 2;

/// Some panels of a matrix, one after another from `weights`, times `count` columns of k values, `first[c · k + i]`.
pub const Claim = struct {
    weights: [*]const u8,
    panels: usize,
    k: usize,
    first: [*]const f32,
    columns: usize,

    fn pairs(claim: *const Claim) usize {
        return (claim.k + 1) / 2;
    }
};

/// [panel][column][row] of a claim.
pub const Sums = [panels_max][columns_max][simd.panel_rows]f32;

/// Fills the sums of the claim's panels and columns.
pub fn run(claim: *const Claim, sums: *Sums) void {
    std.debug.assert(claim.panels <= panels_max and claim.columns <= columns_max);
    var x: [pairs_max]u32 = undefined;
    const slice_max = pairs_max / claim.columns;
    var first: usize = 0;
    while (first < claim.pairs()) : (first += slice_max) {
        const slice: Slice = .{ .x = &x, .first = first, .len = @min(slice_max, claim.pairs() - first) };
        for (0..claim.columns) |c| {
            roundColumn(claim.first[c * claim.k ..][0..claim.k][2 * first ..], x[c * slice.len ..][0..slice.len]);
        }
        var panel: usize = 0;
        while (claim.panels - panel >= tile_panels) : (panel += tile_panels) slice.times(tile_panels, claim, panel, sums);
        while (panel < claim.panels) : (panel += 1) slice.times(1, claim, panel, sums);
    }
}

/// Pairs [first, first + len) of K of all columns: x[c · len + i].
const Slice = struct {
    x: [*]const u32,
    first: usize,
    len: usize,

    fn times(slice: *const Slice, comptime P: usize, claim: *const Claim, panel: usize, sums: *Sums) void {
        var column: usize = 0;
        while (claim.columns - column >= tile_columns) : (column += tile_columns) slice.tile(P, tile_columns, claim, panel, column, sums);
        inline for (1..tile_columns) |rest| {
            if (claim.columns - column == rest) return slice.tile(P, rest, claim, panel, column, sums);
        }
    }

    fn tile(slice: *const Slice, comptime P: usize, comptime C: usize, claim: *const Claim, panel: usize, column: usize, sums: *Sums) void {
        const all: [*]const Packed = @ptrCast(@alignCast(claim.weights));
        var acc: [P][C]simd.F32x16 = @splat(@splat(@splat(0)));
        if (slice.first != 0) {
            inline for (0..P) |p| inline for (0..C) |c| {
                acc[p][c] = sums[panel + p][column + c];
            };
        }
        const weights = all + panel * claim.pairs() + slice.first;
        const x = slice.x + column * slice.len;
        for (0..slice.len) |i| {
            var rows: [P]simd.PairsBf16 = undefined;
            inline for (0..P) |p| rows[p] = weights[p * claim.pairs() + i];
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
