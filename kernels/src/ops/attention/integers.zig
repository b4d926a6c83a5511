//! The inner part of attention over K and V in q8_0: one chunk of positions for a panel of rows, with products of integers.
//! attention.zig has the formulas. Sums of products are exact, so that their order, and how a level multiplies, cannot matter.
//!
//! Queries become int8 once for a unit, scales of a chunk f32 once for all of its rows. Weights are rounded relative to
//! the largest scale of V in what a row sees: of a whole chunk that is the same for all rows.

const std = @import("std");
const simd = @import("../../isa/simd.zig");
const math = @import("../math.zig");
const softCap = @import("../cap_logits.zig").softCap;
const arena = @import("../../kv/arena.zig");
const elements = @import("../../kv/elements.zig");
const activations = @import("../../quant/activations.zig");
const blocks = @import("blocks.zig");
const item_rows_max = @import("items.zig").item_rows_max;
const panels = @import("panel.zig");
const weighted = @import("weighted.zig");
const Chunk = blocks.Chunk;
const Panel = panels.Panel;
const Span = panels.Span;

const format: arena.Format = .q8_0;
const block_tokens = arena.block_tokens;
const chunk_tokens = blocks.chunk_tokens;
const four = arena.dot_group;
const group = arena.scale_group;
const groups_max = arena.scaled_dim_max / group;

/// Tokens of one vector of scores.
const lanes = simd.row_lanes;
const per_block = block_tokens / lanes;
const log2e: f32 = std.math.log2e;
/// Adding it leaves a number below 2²² in the low mantissa bits, rounded half to even.
const round: f32 = 0x1.8p23;

comptime {
    std.debug.assert(arena.scaled_dim_max == activations.group_len and group == activations.Kind.per32.blockLen());
    std.debug.assert(group % (weighted.dims * weighted.sums_per_total) == 0);
}

/// Values of the positions of a chunk.
const Row = [chunk_tokens]f32;

/// What the rows of a unit share.
pub const Unit = struct {
    scoring: panels.Scoring,
    key_groups: usize,
    value_groups: usize,
    queries: [item_rows_max]activations.Group32 align(64),
    /// By row and group: the scale of q, times what makes scores of it in base 2, or before a softcap in base e.
    factors: [item_rows_max][groups_max]f32,
    key_scales: [groups_max]Row,
    value_scales: [groups_max]Row,
    /// For rows that see the whole chunk.
    whole: [groups_max]Row,
    whole_steps: [groups_max]f32,

    pub fn init(unit: *Unit, view: arena.LayerView, scoring: panels.Scoring) void {
        std.debug.assert(view.format == format);
        unit.scoring = scoring;
        unit.key_groups = view.key_dim / group;
        unit.value_groups = view.value_dim / group;
    }

    pub fn setQuery(unit: *Unit, row: usize, q: []const f32) void {
        const query = &unit.queries[row];
        activations.quantizeColumn(.per32, q, std.mem.asBytes(query));
        const factor = scoreFactor(unit.scoring);
        for (unit.factors[row][0..unit.key_groups], query.scales[0..unit.key_groups]) |*each, scale| each.* = scale * factor;
    }

    /// Values always lie beside their keys.
    pub const takes_values_in_keys = false;

    /// Reads the scales of what the rows see of a chunk.
    pub noinline fn startChunk(unit: *Unit, chunk: *const Chunk, seen: Span) void {
        for (seen.firstBlock()..seen.endBlock()) |block| {
            loadScales(unit.key_scales[0..unit.key_groups], chunk.k[block], chunk.key_dim, block);
            loadScales(unit.value_scales[0..unit.value_groups], chunk.v[block], chunk.value_dim, block);
        }
        if (!std.meta.eql(seen, Span.whole)) return;
        for (unit.whole[0..unit.value_groups], unit.whole_steps[0..unit.value_groups], unit.value_scales[0..unit.value_groups]) |*row, *step, *scales| {
            step.* = normalise(scales, seen, row);
        }
    }

    /// Fills `result` for those rows that see a position of the chunk.
    pub fn compute(unit: *const Unit, chunk: *const Chunk, panel: *const Panel, result: *panels.Result) void {
        switch (panel.rows) {
            inline 1, 2, 3, 4, 6, 12 => |n| if (n <= panels.rows_max) computeRows(n, unit, chunk, panel, result),
            else => unreachable,
        }
    }
};

/// What the products of quantised queries and keys are multiplied by, besides their scales.
pub fn scoreFactor(scoring: panels.Scoring) f32 {
    return if (scoring.softcap > 0) scoring.scale else scoring.scale * log2e;
}

fn loadScales(rows: []Row, bytes: [*]const u8, dim: usize, block: usize) void {
    const scales = elements.scalesOf(format, bytes, dim);
    for (rows, 0..) |*row, g| {
        simd.store(row[block * block_tokens ..].ptr, simd.f16ToF32(simd.lanes, scales[g * block_tokens ..][0..block_tokens].*));
    }
}

/// target = scales · (`weight_max` / the largest of the span), zero in the rest of its blocks; the step: the largest /
/// `weight_max`. Infinities and NaN are the largest, so that the step is one.
fn normalise(scales: *const Row, span: Span, target: *Row) f32 {
    var top: simd.U32x16 = @splat(0);
    for (span.firstBlock()..span.endBlock()) |block| {
        const seen = span.masked(block, simd.load(scales[block * block_tokens ..].ptr), 0);
        simd.store(target[block * block_tokens ..].ptr, seen);
        top = @max(top, @as(simd.U32x16, @bitCast(seen)));
    }
    const largest: f32 = @bitCast(simd.reduceMaxBits(top));
    const factor: f32 = if (largest > 0 and largest < std.math.inf(f32)) weighted.weight_max / largest else 0;
    for (span.firstBlock()..span.endBlock()) |block| {
        const row = target[block * block_tokens ..].ptr;
        simd.store(row, simd.load(row) * simd.splat(factor));
    }
    return largest / weighted.weight_max;
}

noinline fn computeRows(comptime n: usize, unit: *const Unit, chunk: *const Chunk, panel: *const Panel, result: *panels.Result) void {
    const all = panel.all();
    if (all.isEmpty()) return;
    std.debug.assert(all.end <= chunk_tokens);
    var scores: [n]Row = undefined;
    scoreRows(n, unit, chunk, panel.row_first, all, &scores);
    var weights: [n]RowWeights = undefined;
    for (panel.spans[0..n], &scores, &weights, result.states[0..n]) |span, *row, *target, *state| {
        state.* = weigh(unit, row, span, all, target);
    }
    sumRows(n, unit.value_groups, chunk, all, &weights, result.out[0..n]);
}

// Scores --------------------------------------------------------------------------------------------------------

/// Vectors of tokens beside each other for `rows` rows: their sums leave registers for K and what is made of it.
fn tokensWide(comptime rows: usize) usize {
    const accumulators = if (simd.registers == 32) 24 else 8;
    return if (simd.fast) std.math.floorPowerOfTwo(usize, @min(8, @max(1, accumulators / rows))) else 1;
}

/// Scores in base 2, before a softcap in base e, for the positions of a span, rounded to whole blocks.
fn scoreRows(comptime n: usize, unit: *const Unit, chunk: *const Chunk, row_first: usize, span: Span, scores: *[n]Row) void {
    @setEvalBranchQuota(50_000);
    const queries = unit.queries[row_first..][0..n];
    const factors = unit.factors[row_first..][0..n];
    const end = span.endBlock() * per_block;
    var vector: usize = span.firstBlock() * per_block;
    // The rest of a chunk that is not full is scored by single vectors.
    inline for (comptime [_]usize{ tokensWide(n), 1 }) |wide| {
        while (vector + wide <= end) : (vector += wide) {
            for (0..unit.key_groups) |g| scoreVectors(n, wide, chunk, queries, factors, &unit.key_scales[g], g, vector, scores);
        }
    }
}

/// Adds what group g of the dimensions gives for the `wide · lanes` positions from vector number `first` on.
noinline fn scoreVectors(
    comptime n: usize,
    comptime wide: usize,
    chunk: *const Chunk,
    queries: *const [n]activations.Group32,
    factors: *const [n][groups_max]f32,
    scales: *const Row,
    g: usize,
    first: usize,
    scores: *[n]Row,
) void {
    var keys: [wide][*]const i8 = undefined;
    inline for (0..wide) |i| {
        const block = (first + i) / per_block;
        const token = (first + i) % per_block * lanes;
        keys[i] = @as([*]const i8, @ptrCast(chunk.k[block])) + g * group * block_tokens + token * four;
        // V of this block comes in while K is used, and the next chunk's K while V is: hardware prefetch stops at pages.
        blocks.prefetch(chunk.v[block] + (g * block_tokens + token) * group, lanes * group);
    }
    var sums: [n][wide]simd.RowI32 = undefined;
    inline for (0..n) |r| {
        sums[r] = @splat(simd.signedStart(queries[r].offsets[g]));
    }
    // Written out several times the compiler would sum row by row and keep loaded vectors in memory.
    for (0..group / four) |at| {
        var rows: [wide]simd.SignedRows = undefined;
        inline for (0..wide) |i| {
            const bytes: simd.RowI8 = keys[i][at * four * block_tokens ..][0 .. four * lanes].*;
            rows[i] = .from(bytes);
        }
        inline for (0..n) |r| {
            const q = simd.broadcast4(queries[r].q[g * group + at * four ..].ptr);
            inline for (0..wide) |i| sums[r][i] = simd.dotSigned(sums[r][i], rows[i], q);
        }
    }
    const is_later: @Vector(lanes, bool) = @splat(g > 0);
    inline for (0..wide) |i| {
        const key_scales: simd.RowF32 = scales[(first + i) * lanes ..][0..lanes].*;
        inline for (0..n) |r| {
            const target = scores[r][(first + i) * lanes ..][0..lanes];
            // The groups before are in memory: together with this one's they would not fit the registers.
            const before = @select(f32, is_later, @as(simd.RowF32, target.*), simd.splatRows(0));
            target.* = simd.fma(simd.toFloat(sums[r][i]), key_scales * simd.splatRows(factors[r][g]), before);
        }
    }
}

// Weights -------------------------------------------------------------------------------------------------------

/// A row's weights in each group of the dimensions, and what one of them stands for.
const RowWeights = struct {
    groups: [groups_max]weighted.Weights,
    steps: [groups_max]f32,
};

/// Softmax and weights of one row; weights are zero where `all` has blocks of which the row sees nothing.
noinline fn weigh(unit: *const Unit, scores: *Row, span: Span, all: Span, target: *RowWeights) panels.State {
    const count = unit.value_groups;
    const from = all.firstBlock() * block_tokens;
    const to = all.endBlock() * block_tokens;
    if (span.isEmpty()) {
        for (target.groups[0..count]) |*each| each.clear(from, to);
        @memset(target.steps[0..count], 0);
        return .{};
    }
    const first = span.firstBlock() * block_tokens;
    const end = span.endBlock() * block_tokens;
    const state = softmax(scores, span, unit.scoring.softcap);
    var own: Row = undefined;
    for (target.groups[0..count], target.steps[0..count], 0..) |*weights, *step, g| {
        var factors: *const Row = &unit.whole[g];
        if (std.meta.eql(span, Span.whole)) {
            step.* = unit.whole_steps[g];
        } else {
            step.* = normalise(&unit.value_scales[g], span, &own);
            factors = &own;
            weights.clear(from, first);
            weights.clear(end, to);
        }
        var j = first;
        while (j < end) : (j += block_tokens) {
            const rounded = simd.fma(simd.load(scores[j..].ptr), simd.load(factors[j..].ptr), simd.splat(round));
            weights.store(j, @bitCast(rounded));
        }
    }
    return state;
}

/// Turns scores of a span into 2^(score − max), and the rest of their blocks into zeros. The result's max is in base e.
fn softmax(scores: *Row, span: Span, softcap: f32) panels.State {
    var top = simd.splat(-std.math.inf(f32));
    for (span.firstBlock()..span.endBlock()) |block| {
        const row = scores[block * block_tokens ..].ptr;
        var score = simd.load(row);
        if (softcap > 0) score = softCap(score, simd.splat(softcap)) * simd.splat(log2e);
        score = span.masked(block, score, -std.math.inf(f32));
        simd.store(row, score);
        top = simd.max(score, top);
    }
    const max = simd.reduceMax(top);
    // All scores −inf: 2^(−inf − 0) = 0 instead of 2^NaN.
    const base = simd.splat(if (max == -std.math.inf(f32)) 0 else max);
    var sums = simd.splat(0);
    for (span.firstBlock()..span.endBlock()) |block| {
        const row = scores[block * block_tokens ..].ptr;
        const p = math.exp2BelowZero(simd.load(row) - base);
        simd.store(row, p);
        sums += p;
    }
    return .{ .max = max * std.math.ln2, .sum = simd.reduceAdd(sums) };
}

// Weighted sums -------------------------------------------------------------------------------------------------

/// Vectors of values beside each other for `rows` rows: within a group, and as many as `weighted.total` takes or a multiple.
fn valuesWide(comptime rows: usize) usize {
    const registers_of_sum = @sizeOf(weighted.Sum) / @sizeOf(simd.RowI32);
    const accumulators = if (simd.registers == 32) 24 else 12;
    const fitting = if (simd.fast) accumulators / rows / registers_of_sum else 1;
    const wide = std.math.floorPowerOfTwo(usize, @max(1, fitting));
    return @min(group / weighted.dims, @max(weighted.sums_per_total, wide));
}

/// out[r][d] = step · Σ weights[r][j]·V[j][d] over the blocks of `all`.
fn sumRows(
    comptime n: usize,
    groups: usize,
    chunk: *const Chunk,
    all: Span,
    weights: *const [n]RowWeights,
    out: *[n][arena.head_dim_max]f32,
) void {
    @setEvalBranchQuota(50_000);
    const wide = comptime valuesWide(n);
    for (0..groups) |g| {
        inline for (0..group / weighted.dims / wide) |part| {
            sumVectors(n, wide, chunk, all, g, g * group + part * wide * weighted.dims, weights, out);
        }
        for (all.firstBlock()..all.endBlock()) |block| {
            // The next chunk's scales, which its start reads all at once.
            @prefetch(elements.scalesOf(format, chunk.next_k[block], chunk.key_dim) + g * block_tokens, .{ .locality = 2 });
            @prefetch(elements.scalesOf(format, chunk.next_v[block], chunk.value_dim) + g * block_tokens, .{ .locality = 2 });
        }
    }
}

/// The sums of `wide` vectors of values from dimension d, of group g, on.
inline fn sumVectors(
    comptime n: usize,
    comptime wide: usize,
    chunk: *const Chunk,
    all: Span,
    g: usize,
    d: usize,
    weights: *const [n]RowWeights,
    out: *[n][arena.head_dim_max]f32,
) void {
    var sums: [n][wide]weighted.Sum = @splat(@splat(weighted.zero));
    const per_four = block_tokens / four;
    // One loop over fours of tokens: nested ones would be written out, and sums kept in memory.
    for (all.firstBlock() * per_four..all.endBlock() * per_four) |at| {
        const block = at / per_four;
        const source = @as([*]const i8, @ptrCast(chunk.v[block])) + (at % per_four * chunk.value_dim + d) * four;
        const ahead = wide * weighted.dims * four;
        blocks.prefetch(chunk.next_k[block] + d * block_tokens + at % per_four * ahead, ahead);
        var values: [wide]weighted.Values = undefined;
        inline for (0..wide) |i| values[i] = weighted.load(source + i * weighted.dims * four);
        inline for (0..n) |r| {
            const weight = weights[r].groups[g].load(at * four);
            inline for (0..wide) |i| sums[r][i] = weighted.add(sums[r][i], values[i], weight);
        }
    }
    const each = weighted.sums_per_total;
    inline for (0..n) |r| inline for (0..wide / each) |i| {
        const total = simd.toFloat(weighted.total(sums[r][i * each ..][0..each]));
        out[r][d + i * lanes ..][0..lanes].* = total * simd.splatRows(weights[r].steps[g]);
    };
}
