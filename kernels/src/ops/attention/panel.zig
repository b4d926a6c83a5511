//! Rows that go through the registers together, what a chunk of positions gives for them, and how chunks join.

const std = @import("std");
const simd = @import("../../isa/simd.zig");
const math = @import("../math.zig");
const arena = @import("../../kv/arena.zig");
const chunk_tokens = @import("blocks.zig").chunk_tokens;
const block_tokens = arena.block_tokens;

comptime {
    std.debug.assert(block_tokens == simd.lanes);
}

/// Most rows of a panel: as many as vectors of sums leave room for.
pub const rows_max = if (simd.register_lanes == simd.lanes and simd.fast) 12 else 6;

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

/// Positions `first` to `end` − 1 of a chunk; none where `first` ≥ `end`.
pub const Span = struct {
    first: u32,
    end: u32,

    pub const whole: Span = .{ .first = 0, .end = chunk_tokens };

    pub fn isEmpty(span: Span) bool {
        return span.first >= span.end;
    }

    pub fn firstBlock(span: Span) usize {
        return span.first / block_tokens;
    }

    pub fn endBlock(span: Span) usize {
        return (span.end + block_tokens - 1) / block_tokens;
    }

    /// `value`, of which lane i belongs to the i-th position of a block, with `other` in lanes of positions outside.
    pub inline fn masked(span: Span, block: usize, value: simd.F32x16, other: f32) simd.F32x16 {
        const first: u32 = @intCast(block * block_tokens);
        if (span.first <= first and span.end >= first + block_tokens) return value;
        const position = std.simd.iota(u32, simd.lanes) + @as(simd.U32x16, @splat(first));
        const kept = @select(f32, position < @as(simd.U32x16, @splat(span.end)), value, simd.splat(other));
        return @select(f32, position >= @as(simd.U32x16, @splat(span.first)), kept, simd.splat(other));
    }
};

/// Consecutive rows of a unit, and what each sees of the chunk. Rows ascend in position, so both ends ascend.
pub const Panel = struct {
    /// Number of the first row among those of the unit.
    row_first: u32,
    rows: u32,
    spans: [rows_max]Span,

    pub fn sees(panel: *const Panel, row: usize) bool {
        return !panel.spans[row].isEmpty();
    }

    /// What some row sees, and what lies between.
    pub fn all(panel: *const Panel) Span {
        return .{ .first = panel.spans[0].first, .end = panel.spans[panel.rows - 1].end };
    }
};

/// Largest score of a row in a chunk, and the sum of its exp(score − max).
pub const State = struct { max: f32 = -std.math.inf(f32), sum: f32 = 0 };

/// What a chunk gives for the rows of a panel.
pub const Result = struct {
    states: [rows_max]State,
    out: [rows_max][arena.head_dim_max]f32,
};

/// What is done to the product of a query and a key.
pub const Scoring = struct { scale: f32, softcap: f32 };

/// M, L and O of a row over the chunks so far.
pub const Total = struct {
    state: State = .{},
    started: bool = false,

    /// Joins the next chunk's (max, sum, out); `total` is where O is kept, of the length of a head.
    pub fn join(row: *Total, part: State, total: []f32, out: [*]const f32) void {
        const factors: Factors = .ofRows((row)[0..1], (&part)[0..1]);
        row.mix(factors.before[0], factors.next[0], total, out);
        row.state = .{ .max = factors.states.max[0], .sum = factors.states.sum[0] };
    }

    /// O' = fma(O, a, o·b).
    inline fn mix(row: *Total, a: f32, b: f32, total: []f32, out: [*]const f32) void {
        const T = @Vector(8, f32);
        var d: usize = 0;
        while (d < total.len) : (d += 8) {
            const before: T = if (row.started) total[d..][0..8].* else @splat(0);
            total[d..][0..8].* = simd.fma(before, @as(T, @splat(a)), @as(T, out[d..][0..8].*) * @as(T, @splat(b)));
        }
        row.started = true;
    }

    pub fn finish(row: *const Total, total: []f32, sink: ?f32) void {
        const last: Last(f32) = .of(row.state.max, row.state.sum, sink);
        for (total) |*value| value.* = last.apply(value.*);
    }
};

/// O / L, or with a sink O · a / L'. T: f32, or a vector of rows.
pub fn Last(comptime T: type) type {
    return struct {
        a: T,
        sum: T,

        pub fn of(max: T, sum: T, sink: ?T) @This() {
            const score = sink orelse return .{ .a = if (T == f32) 1 else @splat(1), .sum = sum };
            const base = finiteBase(simd.max(max, score));
            const a = math.exp(max - base);
            return .{ .a = a, .sum = simd.fma(sum, a, math.exp(score - base)) };
        }

        pub inline fn apply(last: @This(), total: T) T {
            return total * last.a / last.sum;
        }
    };
}

/// Max and sum of 16 rows, one in each lane.
pub const States = struct {
    max: simd.F32x16 = @splat(-std.math.inf(f32)),
    sum: simd.F32x16 = @splat(0),

    fn of(states: []const State) States {
        var sides: [2][simd.lanes]f32 = .{ @splat(-std.math.inf(f32)), @splat(0) };
        for (states, 0..) |state, i| {
            sides[0][i] = state.max;
            sides[1][i] = state.sum;
        }
        return .{ .max = sides[0], .sum = sides[1] };
    }
};

/// What some rows and their parts are multiplied by when they join, and max and sum then.
pub const Factors = struct {
    before: simd.F32x16,
    next: simd.F32x16,
    states: States,

    pub fn of(rows: States, parts: States) Factors {
        const max = simd.max(rows.max, parts.max);
        const base = finiteBase(max);
        const a = math.exp(rows.max - base);
        const b = math.exp(parts.max - base);
        return .{ .before = a, .next = b, .states = .{ .max = max, .sum = simd.fma(rows.sum, a, parts.sum * b) } };
    }

    noinline fn ofRows(rows: []const Total, parts: []const State) Factors {
        std.debug.assert(rows.len == parts.len and rows.len <= simd.lanes);
        var states: [simd.lanes]State = undefined;
        for (states[0..rows.len], rows) |*state, row| state.* = row.state;
        return .of(.of(states[0..rows.len]), .of(parts));
    }
};

/// What is subtracted of scores whose largest is `max`: 0 for −inf, so that exp(−inf − 0) = 0 instead of exp(NaN). f32 or a
/// vector of it.
pub inline fn finiteBase(max: anytype) @TypeOf(max) {
    const none = -std.math.inf(f32);
    if (@TypeOf(max) == f32) return if (max == none) 0 else max;
    return @select(f32, max == @as(@TypeOf(max), @splat(none)), @as(@TypeOf(max), @splat(0)), max);
}

/// Joins a chunk's results to the totals of the panel's rows that see it; outs: where O of each row is kept.
pub fn joinPanel(panel: *const Panel, result: *const Result, totals: []Total, outs: []const []f32) void {
    const n = panel.rows;
    const factors: Factors = .ofRows(totals[0..n], result.states[0..n]);
    const before: [simd.lanes]f32 = factors.before;
    const next: [simd.lanes]f32 = factors.next;
    const max: [simd.lanes]f32 = factors.states.max;
    const sum: [simd.lanes]f32 = factors.states.sum;
    for (totals[0..n], outs[0..n], 0..) |*total, out, r| {
        if (!panel.sees(r)) continue;
        total.mix(before[r], next[r], out, &result.out[r]);
        total.state = .{ .max = max[r], .sum = sum[r] };
    }
}
