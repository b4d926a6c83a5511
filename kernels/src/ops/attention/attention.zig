//! Causal attention of a step's tokens over the KV arena: out = softmax(q·K·scale)·V per query head, grouped heads (Ainslie
//! et al. 2023) and the online softmax of Milakov & Gimelshein 2018 / Dao et al. 2022. One kernel for decode and prefill.
//!
//! A row is one (query, head). The value of a row is a function of its q, its position and K, V by position, and of nothing
//! else, because every sum has one order:
//!
//!   1. a row at position p sees positions p − window + 1 to p, or 0 to p without a window; positions are cut into chunks of
//!      `chunk_tokens`, counted from position 0; chunks of which it sees nothing are left out;
//!   2. of what it sees of a chunk, each score is an FMA chain over d ascending, times scale, then
//!      softcap · tanh(score / softcap) where there is a cap; m = max; p = exp(score − m), 0 where that is no normal number;
//!      l = Σ p in 16 lanes (position mod 16), then the fixed tree; o[d] is an FMA chain over positions ascending;
//!   3. chunks join in ascending order, (M, L, O) starting from (−inf, 0, 0): M' = max(M, m), a = exp(M − M'),
//!      b = exp(m − M'), L' = fma(L, a, l·b), O' = fma(O, a, o·b); the result is O / L;
//!   4. a sink s of the head (OpenAI 2025, gpt-oss) joins last, as a score whose value is zero: M' = max(M, s),
//!      a = exp(M − M'), the result is O · a / fma(L, a, exp(s − M')).
//!
//! Where K and V are int8 with a scale for each 32 dimensions (q8_0), both products are of integers, their sums exact in int32,
//! and step 2 is, with groups g of 32 dimensions:
//!
//!   - q becomes int8 with a scale s_g for each group, as activations of matmuls do; f_g = s_g · (scale · log2 e);
//!   - a score in base 2 is a chain over groups from 0, fma(f32(Σ q·K), scale of K · f_g, score); with a cap, f_g = s_g · scale
//!     and the capped score times log2 e; m and p = 2^(score − m) as above, m · ln 2 goes to step 3;
//!   - with S_g the largest scale of V in what the row sees of the chunk, the weight of a position in a group is
//!     p · (scale of V · (32639 / S_g)), rounded once, to an integer w, half to even; o[d] = f32(Σ w·V) · (S_g / 32639).
//!
//! A row never reads K or V of other positions into its sums, so what lies there (another prefill chunk, an earlier owner,
//! NaN) cannot matter, and what no query sees any more need not be there.

const std = @import("std");
const Job = @import("../../system/job.zig").Job;
const arena = @import("../../kv/arena.zig");
const batch = @import("../../kv/batch.zig");
const attention_blocks = @import("blocks.zig");
const floats = @import("floats.zig");
const integers = @import("integers.zig");
const items = @import("items.zig");
const panels = @import("panel.zig");

const chunk_tokens = attention_blocks.chunk_tokens;

/// q: [n, heads, key_dim]; out: [n, heads, value_dim], not aliased; heads a multiple of the view's kv_heads. K and V of all
/// positions that each query sees are in the view at the slots its sequence's extents name. scale: usually 1/√key_dim.
/// softcap: bound of the scores (Gemma Team 2024), 0 for none. sinks: [heads].
pub const Args = extern struct {
    q: [*]const f32,
    out: [*]f32,
    seqs: [*]const batch.Seq,
    extents: [*]const batch.Extent,
    view: arena.LayerView,
    n_seqs: u32,
    heads: u32,
    scale: f32,
    softcap: f32 = 0,
    sinks: ?[*]const f32 = null,
    split: items.Split = .{},

    pub fn work(args: *const Args) items.Work {
        return .{
            .seqs = args.seqs,
            .n_seqs = args.n_seqs,
            .heads = args.heads,
            .kv_heads = args.view.kv_heads,
            .key_dim = args.view.key_dim,
            .value_dim = args.view.value_dim,
            .window = args.view.window,
            .item_rows = args.split.rows,
        };
    }
};

/// K and V that are multiplied as f32: the same instructions on levels that differ in products of integers.
pub fn run(args: *const Args, job: *const Job) callconv(.c) void {
    switch (args.view.format) {
        .q8_0 => unreachable,
        inline else => |format| Run(floats.Unit(format)).all(args, job),
    }
}

/// K and V in q8_0.
pub fn runIntegers(args: *const Args, job: *const Job) callconv(.c) void {
    std.debug.assert(args.view.format == .q8_0);
    Run(integers.Unit).all(args, job);
}

/// The rows of a unit and where their vectors are.
const Rows = struct {
    args: *const Args,
    unit: items.Unit,
    group: u32,

    fn position(rows: Rows, row: u32) u32 {
        return rows.unit.seq.position_first + row / rows.group;
    }

    /// Number of the row's head among those of all tokens.
    fn index(rows: Rows, row: u32) usize {
        const unit = rows.unit;
        std.debug.assert(row >= unit.row_first and row < unit.row_end);
        const token: usize = unit.seq.token_first + row / rows.group;
        return token * rows.args.heads + unit.kv_head * rows.group + row % rows.group;
    }

    fn out(rows: Rows, row: u32) []f32 {
        const dim = rows.args.view.value_dim;
        return rows.args.out[rows.index(row) * dim ..][0..dim];
    }

    fn finish(rows: Rows, row: u32, total: *const panels.Total) void {
        const sink = if (rows.args.sinks) |sinks| sinks[rows.unit.kv_head * rows.group + row % rows.group] else null;
        total.finish(rows.out(row), sink);
    }

    fn query(rows: Rows, row: u32) []const f32 {
        const dim = rows.args.view.key_dim;
        return rows.args.q[rows.index(row) * dim ..][0..dim];
    }

    /// The first position that the row sees.
    fn firstSeen(rows: Rows, row: u32) u32 {
        return (rows.position(row) + 1) -| rows.args.view.window;
    }

    /// What a row sees of a chunk.
    fn span(rows: Rows, row: u32, chunk: u32) panels.Span {
        const chunk_first = chunk * chunk_tokens;
        return .{
            .first = @min(chunk_tokens, rows.firstSeen(row) -| chunk_first),
            .end = @min(chunk_tokens, (rows.position(row) + 1) -| chunk_first),
        };
    }

    fn panel(rows: Rows, row: u32, chunk: u32) panels.Panel {
        var result: panels.Panel = .{
            .row_first = row - rows.unit.row_first,
            .rows = panels.rowsOf(rows.unit.row_end - row),
            .spans = undefined,
        };
        for (result.spans[0..result.rows], row..) |*each, r| each.* = rows.span(@intCast(r), chunk);
        return result;
    }

    /// Max, sum and out of a chunk for a row, in memory.
    fn partial(rows: Rows, row: u32, chunk: u32) [*]f32 {
        const number = rows.unit.partial(chunk, row - rows.unit.row_first);
        return rows.args.split.partials + number * rows.args.work().partialLen();
    }

    fn store(rows: Rows, row: u32, chunk: u32, state: panels.State, head: []const f32) void {
        const target = rows.partial(row, chunk);
        target[0] = state.max;
        target[1] = state.sum;
        @memcpy(target[items.partial_out..][0..head.len], head);
    }

    /// Joins the chunks of the whole item, if this was the last of its units to be finished.
    fn joinIfLast(rows: Rows) void {
        const unit = rows.unit;
        // Acquire and release: the last one sees what the others stored.
        if (@atomicRmw(u32, &rows.args.split.finished[unit.item], .Add, 1, .acq_rel) + 1 != unit.units) return;
        for (unit.row_first..unit.row_end) |each| {
            const row: u32 = @intCast(each);
            var total: panels.Total = .{};
            var chunk = rows.firstSeen(row) / chunk_tokens;
            while (chunk * chunk_tokens <= rows.position(row)) : (chunk += 1) {
                const part = rows.partial(row, chunk);
                total.join(.{ .max = part[0], .sum = part[1] }, rows.out(row), part + items.partial_out);
            }
            rows.finish(row, &total);
        }
    }
};

/// Way: how a panel is computed: floats.zig, integers.zig.
fn Run(comptime Way: type) type {
    return struct {
        fn all(args: *const Args, job: *const Job) void {
            var units: items.Units = .init(args.work(), args.split.chunks);
            while (job.claim(units.total, 1)) |claimed| {
                one(.{ .args = args, .unit = units.at(claimed.first), .group = args.heads / args.view.kv_heads });
            }
        }

        fn one(rows: Rows) void {
            const unit = rows.unit;
            const cut = unit.units > 1;
            var totals: [items.item_rows_max]panels.Total = @splat(.{});
            const wanted = if (cut) null else &totals;
            if (unit.chunk_first < unit.chunk_end) switch (rows.args.view.values) {
                .own => allChunks(rows, wanted, null),
                .in_keys => if (Way.turns_values) turningChunks(rows, wanted) else unreachable,
            };
            if (cut) return rows.joinIfLast();
            for (unit.row_first..unit.row_end, totals[0..unit.rows()]) |row, *total| rows.finish(@intCast(row), total);
        }

        /// As `allChunks`, with room for values that are parts of keys: hundreds of KiB, which others need not touch.
        noinline fn turningChunks(rows: Rows, totals: ?*[items.item_rows_max]panels.Total) void {
            var room: Way.Room align(64) = undefined;
            allChunks(rows, totals, &room);
        }

        /// All rows of the unit over its chunks; without `totals` the results go to memory.
        noinline fn allChunks(rows: Rows, totals: ?*[items.item_rows_max]panels.Total, room: ?*align(64) Way.Room) void {
            const unit = rows.unit;
            const view = rows.args.view;
            var way: Way = undefined;
            way.init(view, .{ .scale = rows.args.scale, .softcap = rows.args.softcap });
            for (unit.row_first..unit.row_end) |row| way.setQuery(row - unit.row_first, rows.query(@intCast(row)));
            var chunk: attention_blocks.Chunk = .init(
                view,
                unit.kv_head,
                unit.seq,
                rows.args.extents[unit.seq.extent_first..][0..unit.seq.extent_count],
                unit.chunk_first,
                @min(unit.positions, unit.chunk_end * chunk_tokens),
            );
            for (unit.chunk_first..unit.chunk_end) |i| {
                const index: u32 = @intCast(i);
                chunk.advance();
                const seen: panels.Span = .{ .first = rows.span(unit.row_first, index).first, .end = rows.span(unit.row_end - 1, index).end };
                way.startChunk(&chunk, seen, room);
                oneChunk(rows, &way, &chunk, index, totals);
            }
        }

        fn oneChunk(
            rows: Rows,
            way: *const Way,
            chunk: *const attention_blocks.Chunk,
            index: u32,
            totals: ?*[items.item_rows_max]panels.Total,
        ) void {
            var result: panels.Result = undefined;
            var row = rows.unit.row_first;
            while (row < rows.unit.row_end) {
                const panel = rows.panel(row, index);
                way.compute(chunk, &panel, &result);
                if (totals) |all_totals| {
                    var outs: [panels.rows_max][]f32 = undefined;
                    for (outs[0..panel.rows], row..) |*out, r| out.* = rows.out(@intCast(r));
                    panels.joinPanel(&panel, &result, all_totals[panel.row_first..], &outs);
                } else for (0..panel.rows) |r| {
                    const out = result.out[r][0..rows.args.view.value_dim];
                    if (panel.sees(r)) rows.store(row + @as(u32, @intCast(r)), index, result.states[r], out);
                }
                row += panel.rows;
            }
        }
    };
}

test {
    _ = items;
    _ = @import("values.zig");
    _ = @import("attention_test.zig");
}
