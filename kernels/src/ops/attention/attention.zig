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
const attention_blocks = @import("blocks.zig");
const floats = @import("floats.zig");
const integers = @import("integers.zig");
const items = @import("items.zig");
const panels = @import("panel.zig");
const row_lanes = @import("row_lanes.zig");
const rows_file = @import("rows.zig");
const Rows = rows_file.Rows;

pub const Args = rows_file.Args;

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

/// Way: how a panel is computed: floats.zig, integers.zig.
fn Run(comptime Way: type) type {
    return struct {
        fn all(args: *const Args, job: *const Job) void {
            var units: items.Units = .init(args.work(), args.split.chunks);
            while (job.claim(units.total, 1)) |claimed| {
                const rows: Rows = .{ .args = args, .unit = units.at(claimed.first), .group = args.heads / args.view.kv_heads };
                switch (args.view.values) {
                    .own => one(rows),
                    .in_keys => if (Way.takes_values_in_keys) row_lanes.compute(Way.kv_format, rows) else unreachable,
                }
                if (rows.unit.units > 1) rows.joinIfLast();
            }
        }

        fn one(rows: Rows) void {
            const unit = rows.unit;
            const cut = unit.units > 1;
            var totals: [items.item_rows_max]panels.Total = @splat(.{});
            if (unit.chunk_first < unit.chunk_end) allChunks(rows, if (cut) null else &totals);
            if (cut) return;
            for (unit.row_first..unit.row_end, totals[0..unit.rows()]) |row, *total| rows.finish(@intCast(row), total);
        }

        /// All rows of the unit over its chunks; without `totals` the results go to memory.
        noinline fn allChunks(rows: Rows, totals: ?*[items.item_rows_max]panels.Total) void {
            const unit = rows.unit;
            const view = rows.args.view;
            var way: Way = undefined;
            way.init(view, .{ .scale = rows.args.scale, .softcap = rows.args.softcap });
            for (unit.row_first..unit.row_end) |row| way.setQuery(row - unit.row_first, rows.query(@intCast(row)));
            var chunk = rows.chunks();
            for (unit.chunk_first..unit.chunk_end) |i| {
                const index: u32 = @intCast(i);
                chunk.advance();
                const seen: panels.Span = .{ .first = rows.span(unit.row_first, index).first, .end = rows.span(unit.row_end - 1, index).end };
                way.startChunk(&chunk, seen);
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
    _ = row_lanes;
    _ = @import("attention_test.zig");
}
