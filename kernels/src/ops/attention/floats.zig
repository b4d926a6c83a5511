//! The inner part of attention over K and V that are multiplied as f32: one chunk of positions for a panel of rows.
//! attention.zig has the formulas.
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
const item_rows_max = @import("items.zig").item_rows_max;
const panels = @import("panel.zig");
const Chunk = blocks.Chunk;
const Format = arena.Format;
const Panel = panels.Panel;
const Span = panels.Span;

const block_tokens = arena.block_tokens;
const chunk_tokens = blocks.chunk_tokens;

const step = simd.register_lanes;
const V = @Vector(step, f32);
/// Registers for sums: those that loaded values and factors leave. AVX2 has 16, AVX-512 and NEON have 32.
const accumulators = if (step == 8) 12 else 24;

/// Vectors beside each other for `rows` rows: a power of two.
fn wideOf(comptime rows: usize) usize {
    return if (simd.fast) std.math.floorPowerOfTwo(usize, @min(8, accumulators / rows)) else 1;
}

/// Elements of a query that lie together; longer ones are in parts.
const part_dim = 256;
/// Not a multiple of 1 KiB, so that the rows of a panel lie in different lines of the cache.
const query_stride = part_dim + simd.lanes;
/// Queries at a fixed distance: one pointer reaches all of a panel.
const Queries = struct {
    first: [*]const [query_stride]f32,
    /// From one part of a query to the next.
    part_rows: usize,
};

/// Rows of a unit at most, with keys of so many elements.
pub fn rowsMax(key_dim: u32) u32 {
    return item_rows_max / ((key_dim + part_dim - 1) / part_dim);
}

/// What the rows of a unit share.
pub fn Unit(comptime format: Format) type {
    return struct {
        scoring: panels.Scoring,
        part_rows: usize,
        queries: [item_rows_max][query_stride]f32,

        const Self = @This();

        pub fn init(unit: *Self, view: arena.LayerView, scoring: panels.Scoring) void {
            std.debug.assert(view.format == format);
            unit.scoring = scoring;
            unit.part_rows = rowsMax(view.key_dim);
        }

        pub fn setQuery(unit: *Self, row: usize, q: []const f32) void {
            std.debug.assert(row < unit.part_rows);
            var first: usize = 0;
            var part = row;
            while (first < q.len) : (first += part_dim) {
                const elements_here = q[first..@min(q.len, first + part_dim)];
                @memcpy(unit.queries[part][0..elements_here.len], elements_here);
                part += unit.part_rows;
            }
        }

        pub const takes_values_in_keys = true;
        pub const kv_format = format;

        /// Nothing has to be prepared of a chunk for all rows.
        pub fn startChunk(_: *Self, _: *const Chunk, _: Span) void {}

        /// Fills `result` for those rows that see a position of the chunk.
        pub fn compute(unit: *const Self, chunk: *const Chunk, panel: *const Panel, result: *panels.Result) void {
            const queries: Queries = .{ .first = unit.queries[panel.row_first..].ptr, .part_rows = unit.part_rows };
            switch (panel.rows) {
                inline 1, 2, 3, 4, 6, 12 => |n| if (n <= panels.rows_max) computeRows(format, n, chunk, panel, queries, unit.scoring, result),
                else => unreachable,
            }
        }
    };
}

noinline fn computeRows(
    comptime format: Format,
    comptime n: usize,
    chunk: *const Chunk,
    panel: *const Panel,
    queries: Queries,
    scoring: panels.Scoring,
    result: *panels.Result,
) void {
    const spans = panel.spans[0..n];
    // What all rows see that see something.
    var common: Span = .whole;
    for (spans) |span| {
        if (!span.isEmpty()) common = .{ .first = @max(common.first, span.first), .end = @min(common.end, span.end) };
    }
    const all = panel.all();
    if (all.isEmpty()) return;
    std.debug.assert(all.end <= chunk_tokens);
    var weights: [n][chunk_tokens]f32 = undefined;
    scores(format, n, chunk, queries, scoring.scale, all, &weights);
    if (scoring.softcap > 0) for (&weights) |*row| capScores(row, all, scoring.softcap);
    for (spans, 0..) |span, r| result.states[r] = softmax(&weights[r], span);
    if (common.isEmpty()) {
        // Rows that see different positions: at the edges of a window, or with one of few tokens.
        for (spans, 0..) |span, r| {
            if (!span.isEmpty()) weightedRow(format, chunk, weights[r..][0..1], span, true, result.out[r..][0..1]);
        }
        return;
    }
    const is_start = all.first >= common.first;
    // The few positions that only the earlier rows of the panel see.
    if (!is_start) for (spans, 0..) |span, r| {
        if (span.first < common.first and !span.isEmpty()) {
            const before: Span = .{ .first = span.first, .end = common.first };
            weightedRow(format, chunk, weights[r..][0..1], before, true, result.out[r..][0..1]);
        } else @memset(result.out[r][0..chunk.value_dim], 0);
    };
    weightedSum(format, n, chunk, &weights, common, is_start, result.out[0..n]);
    // The few that only the later rows see.
    for (spans, 0..) |span, r| {
        const after: Span = .{ .first = common.end, .end = span.end };
        if (!span.isEmpty() and !after.isEmpty()) weightedRow(format, chunk, weights[r..][0..1], after, false, result.out[r..][0..1]);
    }
}

/// A pointer to elements that bytes of a block hold.
inline fn elementsOf(comptime format: Format, block: [*]const u8) [*]const Format.Element(format) {
    return @ptrCast(@alignCast(block));
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
            sums[r][i] = simd.fma(@as(T, @splat(factors.at(r))), loaded[i], sums[r][i]);
        };
    } else inline for (0..wide) |i| {
        const value = values.at(i);
        inline for (0..n) |r| sums[r][i] = simd.fma(@as(T, @splat(factors.at(r))), value, sums[r][i]);
    }
}

/// weights[r][j] = scale · q[r]·K[j] for the positions of a span, rounded to whole blocks.
fn scores(
    comptime format: Format,
    comptime n: usize,
    chunk: *const Chunk,
    queries: Queries,
    scale: f32,
    span: Span,
    weights: *[n][chunk_tokens]f32,
) void {
    @setEvalBranchQuota(50_000);
    const count = span.endBlock() * (block_tokens / step);
    comptime var wide = wideOf(n);
    var vector: usize = span.firstBlock() * (block_tokens / step);
    inline while (true) {
        while (vector + wide <= count) : (vector += wide) scoreVectors(format, n, wide, chunk, queries, scale, vector, weights);
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
    queries: Queries,
    scale: f32,
    first: usize,
    weights: *[n][chunk_tokens]f32,
) void {
    const per_block = block_tokens / step;
    var keys: [wide][*]const Format.Element(format) = undefined;
    var ahead: [wide][*]const u8 = undefined;
    inline for (0..wide) |i| {
        const lane = (first + i) % per_block * step;
        keys[i] = elementsOf(format, chunk.k[(first + i) / per_block]) + lane;
        // V of this block comes in while K is used, and the next chunk's K while V is: hardware prefetch stops at pages.
        ahead[i] = chunk.v[(first + i) / per_block] + lane * 8 * comptime format.elementBytes();
    }
    var sums: [n][wide]V = @splat(@splat(@splat(0)));
    // One loop: written out eight times the compiler would keep broadcast queries in memory.
    var part = queries.first;
    var part_first: usize = 0;
    while (part_first < chunk.key_dim) : (part_first += part_dim) {
        for (part_first..@min(chunk.key_dim, part_first + part_dim)) |d| {
            if (d % 8 == 0) inline for (0..wide) |i| {
                blocks.prefetch(ahead[i] + d * block_tokens * comptime format.elementBytes(), step * 8 * format.elementBytes());
            };
            const values: Keys(format, wide) = .{ .keys = &keys, .offset = d * block_tokens };
            multiplyAdd(n, wide, V, &sums, Factors(query_stride){ .rows = part, .column = d - part_first }, values);
        }
        part += queries.part_rows;
    }
    inline for (0..wide) |i| inline for (0..n) |r| {
        weights[r][(first + i) * step ..][0..step].* = sums[r][i] * @as(V, @splat(scale));
    };
}

/// A column of rows that lie at a fixed distance.
fn Factors(comptime stride: usize) type {
    return struct {
        rows: [*]const [stride]f32,
        column: usize,

        inline fn at(factors: @This(), comptime r: usize) f32 {
            return factors.rows[r][factors.column];
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
    for (span.firstBlock()..span.endBlock()) |block| {
        const row = weights[block * block_tokens ..].ptr;
        simd.store(row, softCap(simd.load(row), simd.splat(cap)));
    }
}

/// Turns scores of a span into exp(score − max), and the rest of their blocks into zeros.
noinline fn softmax(weights: *[chunk_tokens]f32, span: Span) panels.State {
    if (span.isEmpty()) return .{};
    var top = simd.splat(-std.math.inf(f32));
    for (span.firstBlock()..span.endBlock()) |block| {
        const row = weights[block * block_tokens ..].ptr;
        const seen = span.masked(block, simd.load(row), -std.math.inf(f32));
        simd.store(row, seen);
        top = simd.max(seen, top);
    }
    const max = simd.reduceMax(top);
    const base = simd.splat(panels.finiteBase(max));
    var sums = simd.splat(0);
    for (span.firstBlock()..span.endBlock()) |block| {
        const row = weights[block * block_tokens ..].ptr;
        const p = math.expBelowZero(simd.load(row) - base);
        simd.store(row, p);
        sums += p;
    }
    return .{ .max = max, .sum = simd.reduceAdd(sums) };
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
    std.debug.assert(!span.isEmpty());
    var range: Range = .{ .span = span, .is_start = is_start, .d = 0 };
    comptime var wide = wideOf(n);
    inline while (true) {
        while (range.d + wide * step <= chunk.value_dim) : (range.d += wide * step) {
            weightedSumAt(format, n, wide, step, chunk, weights, range, out);
        }
        if (wide == 1) break;
        wide /= 2;
    }
    if (step > 8 and range.d < chunk.value_dim) weightedSumAt(format, n, 1, 8, chunk, weights, range, out);
}

/// Positions of the chunk, whether the sums begin with them, and the first dimension.
const Range = struct { span: Span, is_start: bool, d: usize };

/// The weighted sum in `wide` vectors of `lanes` dimensions.
inline fn weightedSumAt(
    comptime format: Format,
    comptime n: usize,
    comptime wide: usize,
    comptime lanes: usize,
    chunk: *const Chunk,
    weights: *const [n][chunk_tokens]f32,
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
    var j: usize = range.span.first;
    while (j < range.span.end) {
        const block = j / block_tokens;
        const block_end = @min(range.span.end, (block + 1) * block_tokens);
        var source = elementsOf(format, chunk.v[block]) + j % block_tokens * chunk.value_dim + d;
        blocks.prefetch(chunk.next_k[block] + d * block_tokens * element_bytes, wide * lanes * block_tokens * element_bytes);
        while (j < block_end) : (j += 1) {
            multiplyAdd(n, wide, T, &sums, Factors(chunk_tokens){ .rows = weights, .column = j }, Values(format, lanes){ .source = source });
            source += chunk.value_dim;
        }
    }
    inline for (0..n) |r| inline for (0..wide) |i| {
        out[r][d + i * lanes ..][0..lanes].* = sums[r][i];
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
