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
//! Where K and V have scales, the chain of a score runs over the integers of a group and the groups join by one FMA each,
//! score' = fma(chain, scale of K, score) from 0, ascending; o[d] adds (p · scale of V) times the integer.
//!
//! A row never reads K or V of other positions into its sums, so what lies there (another prefill chunk, an earlier owner,
//! NaN) cannot matter, and what no query sees any more need not be there.

const std = @import("std");
const Job = @import("../../system/job.zig").Job;
const arena = @import("../../kv/arena.zig");
const batch = @import("../../kv/batch.zig");
const attention_blocks = @import("blocks.zig");
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
            .value_dim = args.view.value_dim,
            .window = args.view.window,
        };
    }
};

pub fn run(args: *const Args, job: *const Job) callconv(.c) void {
    var units: items.Units = .init(args.work(), args.split.chunks);
    while (job.claim(units.total, 1)) |claimed| {
        const unit = units.at(claimed.first);
        switch (args.view.format) {
            inline else => |format| Run(format).unit(.{ .args = args, .unit = unit, .group = args.heads / args.view.kv_heads }),
        }
    }
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

    /// The first position that the row sees.
    fn firstSeen(rows: Rows, row: u32) u32 {
        return (rows.position(row) + 1) -| rows.args.view.window;
    }

    fn panel(rows: Rows, row: u32, chunk: u32) panels.Panel {
        var result: panels.Panel = .{
            .q = undefined,
            .first = undefined,
            .end = undefined,
            .rows = panels.rowsOf(rows.unit.row_end - row),
        };
        const chunk_first = chunk * chunk_tokens;
        for (0..result.rows) |r| {
            const each = row + @as(u32, @intCast(r));
            result.q[r] = rows.args.q + rows.index(each) * rows.args.view.key_dim;
            result.first[r] = @min(chunk_tokens, rows.firstSeen(each) -| chunk_first);
            result.end[r] = @min(chunk_tokens, (rows.position(each) + 1) -| chunk_first);
        }
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

fn Run(comptime format: arena.Format) type {
    return struct {
        fn unit(rows: Rows) void {
            const cut = rows.unit.units > 1;
            var totals: [items.item_rows]panels.Total = @splat(.{});
            if (rows.unit.chunk_first < rows.unit.chunk_end) {
                const seq = rows.unit.seq;
                const extents = rows.args.extents[seq.extent_first..][0..seq.extent_count];
                var chunk: attention_blocks.Chunk = .init(
                    rows.args.view,
                    rows.unit.kv_head,
                    seq,
                    extents,
                    rows.unit.chunk_first,
                    @min(rows.unit.positions, rows.unit.chunk_end * chunk_tokens),
                );
                for (rows.unit.chunk_first..rows.unit.chunk_end) |index| {
                    chunk.advance();
                    oneChunk(rows, &chunk, @intCast(index), if (cut) null else &totals);
                }
            }
            if (cut) return rows.joinIfLast();
            for (rows.unit.row_first..rows.unit.row_end, totals[0..rows.unit.rows()]) |row, *total| {
                rows.finish(@intCast(row), total);
            }
        }

        /// All rows of the unit over one chunk; without `totals` its results go to memory.
        fn oneChunk(rows: Rows, chunk: *const attention_blocks.Chunk, index: u32, totals: ?*[items.item_rows]panels.Total) void {
            var result: panels.Result = undefined;
            var row = rows.unit.row_first;
            while (row < rows.unit.row_end) {
                const panel = rows.panel(row, index);
                panels.compute(format, chunk, &panel, .{ .scale = rows.args.scale, .softcap = rows.args.softcap }, &result);
                for (0..panel.rows) |r| {
                    if (panel.sees(r)) {
                        const out = result.out[r][0..rows.args.view.value_dim];
                        if (totals) |all| {
                            all[row - rows.unit.row_first].join(result.states[r], rows.out(row), out.ptr);
                        } else rows.store(row, index, result.states[r], out);
                    }
                    row += 1;
                }
            }
        }
    };
}

test {
    _ = items;
    _ = @import("attention_test.zig");
}
