//! The inner part of attention: one chunk of positions for a panel of rows. attention.zig has the formulas.
//!
//! Rows go through the registers together, so that a loaded vector of K or V serves one FMA of each. How many rows and how
//! many vectors is a matter of the register count alone: each element is a chain of its own, and its order is the same
//! in every shape.

const std = @import("std");
const simd = @import("../../isa/simd.zig");
const math = @import("../math.zig");
const softCap = @import("../cap_logits.zig").softCap;
const arena = @import("../../kv/arena.zig");
const elements = @import("../../kv/elements.zig");
const blocks = @import("blocks.zig");
const Chunk = blocks.Chunk;
const Format = arena.Format;

const block_tokens = arena.block_tokens;
const chunk_tokens = blocks.chunk_tokens;
const scale_group = arena.scale_group;

comptime {
    std.debug.assert(block_tokens == simd.lanes);
}

const step = simd.register_lanes;
const V = @Vector(step, f32);
/// Registers for sums: those that loaded values and factors leave. AVX2 has 16, AVX-512 and NEON have 32.
const accumulators = if (step == 8) 12 else 24;

/// Most rows of a panel.
pub const rows_max = if (step == simd.lanes and simd.fast) 12 else 6;

/// Rows of the next panel where `left` remain: one of 1, 2, 3, 4, 6, 12, and no single row after full panels.
pub fn rowsOf(left: u32) u32 {
    return switch (left) {
        1, 2, 3, 4 => left,
        5 => 3,
        7, 8 => 4,
        6, 9, 10, 11 => 6,
        else => rows_max,
    };
}

/// Vectors beside each other for `rows` rows: a power of two, which divides a group that shares a scale or is a multiple.
fn wideOf(comptime rows: usize) usize {
    return if (simd.fast) std.math.floorPowerOfTwo(usize, @min(8, accumulators / rows)) else 1;
}

/// Largest score of a row in a chunk, and the sum of its exp(score − max).
pub const State = struct { max: f32 = -std.math.inf(f32), sum: f32 = 0 };

/// Some rows: their queries, and positions `first` to `end` − 1 of the chunk that each sees; none where `first` ≥ `end`. Rows
/// ascend in position, so both ascend.
pub const Panel = struct {
    q: [rows_max][*]const f32,
    first: [rows_max]u32,
    end: [rows_max]u32,
    rows: u32,

    pub fn sees(panel: *const Panel, row: usize) bool {
        return panel.first[row] < panel.end[row];
    }

    fn span(panel: *const Panel, row: usize) Span {
        return .{ .first = panel.first[row], .end = panel.end[row] };
    }
};

/// Positions of a chunk.
const Span = struct { first: u32, end: u32 };

/// What a chunk gives for the rows of a panel.
pub const Result = struct {
    states: [rows_max]State,
    out: [rows_max][arena.head_dim_max]f32,
};

/// What is done to the product of a query and a key.
pub const Scoring = struct { scale: f32, softcap: f32 };

/// Fills `result` for those rows that see a position of the chunk.
pub fn compute(comptime format: Format, chunk: *const Chunk, panel: *const Panel, scoring: Scoring, result: *Result) void {
    switch (panel.rows) {
        inline 1, 2, 3, 4, 6, 12 => |n| if (n <= rows_max) computeRows(format, n, chunk, panel, scoring, result),
        else => unreachable,
    }
}

noinline fn computeRows(
    comptime format: Format,
    comptime n: usize,
    chunk: *const Chunk,
    panel: *const Panel,
    scoring: Scoring,
    result: *Result,
) void {
    // What all rows see that see something.
    var common: Span = .{ .first = 0, .end = chunk_tokens };
    for (0..n) |r| {
        if (panel.sees(r)) common = .{ .first = @max(common.first, panel.first[r]), .end = @min(common.end, panel.end[r]) };
    }
    const all: Span = .{ .first = panel.first[0], .end = panel.end[n - 1] };
    if (all.first >= all.end) return;
    std.debug.assert(all.end <= chunk_tokens);
    var weights: [n][chunk_tokens]f32 = undefined;
    scores(format, n, chunk, panel.q[0..n], scoring.scale, all, &weights);
    if (scoring.softcap > 0) for (&weights) |*row| capScores(row, all, scoring.softcap);
    for (0..n) |r| result.states[r] = softmax(&weights[r], panel.first[r], panel.end[r]);
    if (common.first >= common.end) {
        // Rows that see different positions: at the edges of a window, or with one of few tokens.
        for (0..n) |r| {
            if (panel.sees(r)) weightedRow(format, chunk, weights[r..][0..1], panel.span(r), true, result.out[r..][0..1]);
        }
        return;
    }
    const is_start = all.first >= common.first;
    // The few positions that only the earlier rows of the panel see.
    if (!is_start) for (0..n) |r| {
        if (panel.first[r] < common.first and panel.sees(r)) {
            const span: Span = .{ .first = panel.first[r], .end = common.first };
            weightedRow(format, chunk, weights[r..][0..1], span, true, result.out[r..][0..1]);
        } else @memset(result.out[r][0..chunk.value_dim], 0);
    };
    weightedSum(format, n, chunk, &weights, common, is_start, result.out[0..n]);
    // The few that only the later rows see.
    for (0..n) |r| {
        const span: Span = .{ .first = common.end, .end = panel.end[r] };
        if (panel.sees(r) and span.first < span.end) weightedRow(format, chunk, weights[r..][0..1], span, false, result.out[r..][0..1]);
    }
}

/// A pointer to elements that bytes of a block hold.
inline fn elementsOf(comptime format: Format, block: [*]const u8) [*]const Format.Element(format) {
    return @ptrCast(@alignCast(block));
}

/// `step` scales as f32.
inline fn loadScales(source: [*]const u16) V {
    return simd.f16ToF32(step, source[0..step].*);
}

/// sums[r][i] += factors[r] · values[i]; whichever are fewer are loaded first and stay in registers.
inline fn multiplyAdd(
    comptime n: usize,
    comptime wide: usize,
    comptime T: type,
    sums: *[n][wide]T,
    factors: anytype,
    values: anytype,
) void {
    if (wide <= n) {
        var loaded: [wide]T = undefined;
        inline for (0..wide) |i| loaded[i] = values.at(i);
        inline for (0..n) |r| inline for (0..wide) |i| {
            sums[r][i] = simd.fma(@as(T, @splat(factors.at(r, i))), loaded[i], sums[r][i]);
        };
    } else inline for (0..wide) |i| {
        const value = values.at(i);
        inline for (0..n) |r| sums[r][i] = simd.fma(@as(T, @splat(factors.at(r, i))), value, sums[r][i]);
    }
}

/// weights[r][j] = scale · q[r]·K[j] for the positions of a span, rounded to whole blocks.
fn scores(
    comptime format: Format,
    comptime n: usize,
    chunk: *const Chunk,
    q: *const [n][*]const f32,
    scale: f32,
    span: Span,
    weights: *[n][chunk_tokens]f32,
) void {
    @setEvalBranchQuota(50_000);
    const count = (span.end + block_tokens - 1) / block_tokens * (block_tokens / step);
    comptime var wide = wideOf(n);
    var vector: usize = span.first / block_tokens * (block_tokens / step);
    inline while (true) {
        while (vector + wide <= count) : (vector += wide) scoreVectors(format, n, wide, chunk, q, scale, vector, weights);
        if (wide == 1) break;
        wide /= 2;
    }
}

/// Scores of the `wide · step` positions from vector number `first` on.
inline fn scoreVectors(
    comptime format: Format,
    comptime n: usize,
    comptime wide: usize,
    chunk: *const Chunk,
    q: *const [n][*]const f32,
    scale: f32,
    first: usize,
    weights: *[n][chunk_tokens]f32,
) void {
    const per_block = block_tokens / step;
    var keys: [wide][*]const Format.Element(format) = undefined;
    var scales: [wide][*]const u16 = undefined;
    var ahead: [wide][*]const u8 = undefined;
    inline for (0..wide) |i| {
        const block = chunk.k[(first + i) / per_block];
        const lane = (first + i) % per_block * step;
        keys[i] = elementsOf(format, block) + lane;
        if (format.hasScales()) scales[i] = elements.scalesOf(format, block, chunk.key_dim) + lane;
        // V of this block comes in while K is used, and the next chunk's K while V is: hardware prefetch stops at pages.
        ahead[i] = chunk.v[(first + i) / per_block] + lane * 8 * comptime format.elementBytes();
    }
    var d: usize = 0;
    while (d < chunk.key_dim) {
        const group_first = d;
        const end = if (format.hasScales()) d + scale_group else chunk.key_dim;
        if (format.hasScales()) inline for (0..wide) |i| {
            @prefetch(elements.scalesOf(format, chunk.v[(first + i) / per_block], chunk.value_dim) + d / scale_group * block_tokens, .{ .locality = 2 });
        };
        var sums: [n][wide]V = @splat(@splat(@splat(0)));
        while (d < end) : (d += 8) {
            inline for (0..wide) |i| prefetch(ahead[i] + d * block_tokens * comptime format.elementBytes(), step * 8 * format.elementBytes());
            // Unrolled where the registers have room for what the compiler then loads early.
            const unrolled = if (n * wide <= 8 or step == simd.lanes) 8 else 1;
            for (0..8 / unrolled) |outer| inline for (0..unrolled) |inner| {
                const at = d + outer * unrolled + inner;
                const values: Keys(format, wide) = .{ .keys = &keys, .offset = at * block_tokens };
                multiplyAdd(n, wide, V, &sums, Queries(n){ .q = q, .d = at }, values);
            };
        }
        inline for (0..wide) |i| {
            const factor: V = if (format.hasScales()) loadScales(scales[i] + group_first / scale_group * block_tokens) else undefined;
            inline for (0..n) |r| {
                const target = weights[r][(first + i) * step ..][0..step];
                var total = sums[r][i];
                // The groups before are in memory: together with this one's they would not fit the registers.
                if (format.hasScales()) total = simd.fma(total, factor, if (group_first == 0) @as(V, @splat(0)) else target.*);
                target.* = if (d == chunk.key_dim) total * @as(V, @splat(scale)) else total;
            }
        }
    }
}

inline fn prefetch(address: [*]const u8, comptime bytes: usize) void {
    comptime var offset: usize = 0;
    inline while (offset < bytes) : (offset += 64) @prefetch(address + offset, .{ .locality = 2 });
}

fn Queries(comptime n: usize) type {
    return struct {
        q: *const [n][*]const f32,
        d: usize,

        inline fn at(queries: @This(), comptime r: usize, comptime i: usize) f32 {
            _ = i;
            return queries.q[r][queries.d];
        }
    };
}

fn Keys(comptime format: Format, comptime wide: usize) type {
    return struct {
        keys: *const [wide][*]const Format.Element(format),
        offset: usize,

        inline fn at(values: @This(), comptime i: usize) V {
            return elements.load(format, step, values.keys[i] + values.offset);
        }
    };
}

/// Bounds the scores of a span, rounded to whole blocks.
noinline fn capScores(weights: *[chunk_tokens]f32, span: Span, cap: f32) void {
    var j: usize = span.first / block_tokens * block_tokens;
    while (j < span.end) : (j += simd.lanes) {
        simd.store(weights[j..].ptr, softCap(simd.load(weights[j..].ptr), simd.splat(cap)));
    }
}

/// Turns scores `first` to `end` − 1 into exp(score − max), and the rest of their blocks into zeros.
noinline fn softmax(weights: *[chunk_tokens]f32, first: u32, end: u32) State {
    if (first >= end) return .{};
    const start = first / block_tokens * block_tokens;
    maskLanes(weights[start..][0..simd.lanes], first % block_tokens, simd.lanes);
    maskLanes(weights[(end - 1) / block_tokens * block_tokens ..][0..simd.lanes], 0, (end - 1) % block_tokens + 1);
    var top = simd.splat(-std.math.inf(f32));
    var j: usize = start;
    while (j < end) : (j += simd.lanes) top = simd.max(simd.load(weights[j..].ptr), top);
    const max = simd.reduceMax(top);
    // All scores −inf: exp(−inf − 0) = 0 instead of exp(NaN).
    const base = simd.splat(if (max == -std.math.inf(f32)) 0 else max);
    var sums = simd.splat(0);
    j = start;
    while (j < end) : (j += simd.lanes) {
        const p = math.expBelowZero(simd.load(weights[j..].ptr) - base);
        simd.store(weights[j..].ptr, p);
        sums += p;
    }
    return .{ .max = max, .sum = simd.reduceAdd(sums) };
}

/// Makes all lanes but `first` to `end` − 1 −inf.
inline fn maskLanes(scores_of_block: *[simd.lanes]f32, first: u32, end: u32) void {
    if (first == 0 and end == simd.lanes) return;
    const lane = std.simd.iota(u32, simd.lanes);
    const from = lane >= @as(simd.U32x16, @splat(first));
    const to = lane < @as(simd.U32x16, @splat(end));
    const kept = @select(f32, to, @as(simd.F32x16, scores_of_block.*), simd.splat(-std.math.inf(f32)));
    scores_of_block.* = @select(f32, from, kept, simd.splat(-std.math.inf(f32)));
}

noinline fn weightedRow(
    comptime format: Format,
    chunk: *const Chunk,
    weights: *const [1][chunk_tokens]f32,
    span: Span,
    is_start: bool,
    out: *[1][arena.head_dim_max]f32,
) void {
    weightedSum(format, 1, chunk, weights, span, is_start, out);
}

/// out[r][d] = Σ weights[r][j]·V[j][d] over the span, ascending; goes on from `out` unless it is the start.
fn weightedSum(
    comptime format: Format,
    comptime n: usize,
    chunk: *const Chunk,
    weights: *const [n][chunk_tokens]f32,
    span: Span,
    is_start: bool,
    out: *[n][arena.head_dim_max]f32,
) void {
    @setEvalBranchQuota(50_000);
    std.debug.assert(span.first < span.end);
    const widest = comptime wideOf(n);
    // Weights times the scales of the groups at hand.
    var scaled: [if (format.hasScales()) groupsOf(widest) else 0][n][chunk_tokens]f32 = undefined;
    var range: Range = .{ .first = span.first, .end = span.end, .is_start = is_start, .d = 0 };
    comptime var wide = widest;
    inline while (true) {
        while (range.d + wide * step <= chunk.value_dim) : (range.d += wide * step) {
            if (format.hasScales()) {
                if (range.d % scale_group == 0) scaleWeights(format, n, groupsOf(wide), chunk, weights, range, &scaled);
                weightedSumAt(format, n, wide, step, chunk, &scaled, range, out);
            } else weightedSumAt(format, n, wide, step, chunk, @ptrCast(weights), range, out);
        }
        if (wide == 1) break;
        wide /= 2;
    }
    if (step > 8 and range.d < chunk.value_dim) weightedSumAt(format, n, 1, 8, chunk, @ptrCast(weights), range, out);
}

/// Positions of the chunk, whether the sums begin with them, and the first dimension.
const Range = struct { first: usize, end: usize, is_start: bool, d: usize };

/// Groups of dimensions that `wide` vectors span or lie in.
fn groupsOf(comptime wide: usize) usize {
    return @max(1, wide * step / scale_group);
}

/// target[g][r][j] = weights[r][j] · scale of V[j] in the g-th group from range.d on, for the blocks of the range.
fn scaleWeights(
    comptime format: Format,
    comptime n: usize,
    comptime groups: usize,
    chunk: *const Chunk,
    weights: *const [n][chunk_tokens]f32,
    range: Range,
    target: [*][n][chunk_tokens]f32,
) void {
    var j = range.first / block_tokens * block_tokens;
    while (j < range.end) : (j += block_tokens) {
        const scales = elements.scalesOf(format, chunk.v[j / block_tokens], chunk.value_dim) + range.d / scale_group * block_tokens;
        inline for (0..groups) |g| {
            const factor = simd.f16ToF32(simd.lanes, scales[g * block_tokens ..][0..block_tokens].*);
            inline for (0..n) |r| simd.store(target[g][r][j..].ptr, simd.load(weights[r][j..].ptr) * factor);
        }
    }
}

/// The weighted sum in `wide` vectors of `lanes` dimensions; weights: one [n][chunk_tokens] for each group at hand.
inline fn weightedSumAt(
    comptime format: Format,
    comptime n: usize,
    comptime wide: usize,
    comptime lanes: usize,
    chunk: *const Chunk,
    weights: [*]const [n][chunk_tokens]f32,
    range: Range,
    out: *[n][arena.head_dim_max]f32,
) void {
    const T = @Vector(lanes, f32);
    const element_bytes = comptime format.elementBytes();
    const d = range.d;
    var sums: [n][wide]T = undefined;
    inline for (0..n) |r| inline for (0..wide) |i| {
        sums[r][i] = if (range.is_start) @splat(0) else out[r][d + i * lanes ..][0..lanes].*;
    };
    var j = range.first;
    while (j < range.end) {
        const block_end = @min(range.end, (j / block_tokens + 1) * block_tokens);
        var source = elementsOf(format, chunk.v[j / block_tokens]) + j % block_tokens * chunk.value_dim + d;
        prefetch(chunk.next_k[j / block_tokens] + d * block_tokens * element_bytes, wide * lanes * block_tokens * element_bytes);
        if (format.hasScales() and d % scale_group == 0) {
            const scales = elements.scalesOf(format, chunk.next_k[j / block_tokens], chunk.key_dim) + d / scale_group * block_tokens;
            prefetch(@ptrCast(scales), groupsOf(wide) * block_tokens * @sizeOf(u16));
        }
        while (j < block_end) : (j += 1) {
            multiplyAdd(n, wide, T, &sums, Weights(format, n, lanes){ .weights = weights, .j = j }, Values(format, lanes){ .source = source });
            source += chunk.value_dim;
        }
    }
    inline for (0..n) |r| inline for (0..wide) |i| {
        out[r][d + i * lanes ..][0..lanes].* = sums[r][i];
    };
}

fn Weights(comptime format: Format, comptime n: usize, comptime lanes: usize) type {
    return struct {
        weights: [*]const [n][chunk_tokens]f32,
        j: usize,

        inline fn at(factors: @This(), comptime r: usize, comptime i: usize) f32 {
            const group = if (format.hasScales()) i * lanes / scale_group else 0;
            return factors.weights[group][r][factors.j];
        }
    };
}

fn Values(comptime format: Format, comptime lanes: usize) type {
    return struct {
        source: [*]const Format.Element(format),

        inline fn at(values: @This(), comptime i: usize) @Vector(lanes, f32) {
            return elements.load(format, lanes, values.source + i * lanes);
        }
    };
}

/// M, L and O of a row over the chunks so far.
pub const Total = struct {
    state: State = .{},
    started: bool = false,

    /// Joins the next chunk's (max, sum, out); `total` is where O is kept, of the length of a head.
    pub noinline fn join(row: *Total, part: State, total: []f32, out: [*]const f32) void {
        const max = simd.max(row.state.max, part.max);
        const base: f32 = if (max == -std.math.inf(f32)) 0 else max;
        const a = math.exp(row.state.max - base);
        const b = math.exp(part.max - base);
        row.state = .{ .max = max, .sum = simd.fma(row.state.sum, a, part.sum * b) };
        const T = @Vector(8, f32);
        var d: usize = 0;
        while (d < total.len) : (d += 8) {
            const before: T = if (row.started) total[d..][0..8].* else @splat(0);
            total[d..][0..8].* = simd.fma(before, @as(T, @splat(a)), @as(T, out[d..][0..8].*) * @as(T, @splat(b)));
        }
        row.started = true;
    }

    /// O / L, or with a sink O · a / L'.
    pub fn finish(row: *const Total, total: []f32, sink: ?f32) void {
        const score = sink orelse {
            for (total) |*value| value.* /= row.state.sum;
            return;
        };
        const max = simd.max(row.state.max, score);
        const base: f32 = if (max == -std.math.inf(f32)) 0 else max;
        const a = math.exp(row.state.max - base);
        const sum = simd.fma(row.state.sum, a, math.exp(score - base));
        for (total) |*value| value.* = value.* * a / sum;
    }
};
