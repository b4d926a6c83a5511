//! What attention is asked, and the rows of a unit of its work.

const std = @import("std");
const arena = @import("../../kv/arena.zig");
const batch = @import("../../kv/batch.zig");
const blocks = @import("blocks.zig");
const items = @import("items.zig");
const panels = @import("panel.zig");

const chunk_tokens = blocks.chunk_tokens;

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
            .values = args.view.values,
            .item_rows = args.split.rows,
        };
    }
};

/// The rows of a unit and where their vectors are.
pub const Rows = struct {
    args: *const Args,
    unit: items.Unit,
    group: u32,

    pub fn position(rows: Rows, row: u32) u32 {
        return rows.unit.seq.position_first + row / rows.group;
    }

    /// Number of the row's head among those of all tokens.
    pub fn index(rows: Rows, row: u32) usize {
        const unit = rows.unit;
        std.debug.assert(row >= unit.row_first and row < unit.row_end);
        const token: usize = unit.seq.token_first + row / rows.group;
        return token * rows.args.heads + unit.kv_head * rows.group + row % rows.group;
    }

    pub fn out(rows: Rows, row: u32) []f32 {
        const dim = rows.args.view.value_dim;
        return rows.args.out[rows.index(row) * dim ..][0..dim];
    }

    pub fn finish(rows: Rows, row: u32, total: *const panels.Total) void {
        total.finish(rows.out(row), rows.sink(row));
    }

    /// The sink of the row's head.
    pub fn sink(rows: Rows, row: u32) ?f32 {
        const sinks = rows.args.sinks orelse return null;
        return sinks[rows.unit.kv_head * rows.group + row % rows.group];
    }

    pub fn query(rows: Rows, row: u32) []const f32 {
        const dim = rows.args.view.key_dim;
        return rows.args.q[rows.index(row) * dim ..][0..dim];
    }

    /// The first position that the row sees.
    pub fn firstSeen(rows: Rows, row: u32) u32 {
        return (rows.position(row) + 1) -| rows.args.view.window;
    }

    /// What a row sees of a chunk.
    pub fn span(rows: Rows, row: u32, chunk: u32) panels.Span {
        const chunk_first = chunk * chunk_tokens;
        return .{
            .first = @min(chunk_tokens, rows.firstSeen(row) -| chunk_first),
            .end = @min(chunk_tokens, (rows.position(row) + 1) -| chunk_first),
        };
    }

    /// Stands before the first chunk of the unit, which has one.
    pub fn chunks(rows: Rows) blocks.Chunk {
        const unit = rows.unit;
        const extents = rows.args.extents[unit.seq.extent_first..][0..unit.seq.extent_count];
        const end = @min(unit.positions, unit.chunk_end * chunk_tokens);
        return .init(rows.args.view, unit.kv_head, unit.seq, extents, unit.chunk_first, end);
    }

    pub fn panel(rows: Rows, row: u32, chunk: u32) panels.Panel {
        var result: panels.Panel = .{
            .row_first = row - rows.unit.row_first,
            .rows = panels.rowsOf(rows.unit.row_end - row),
            .spans = undefined,
        };
        for (result.spans[0..result.rows], row..) |*each, r| each.* = rows.span(@intCast(r), chunk);
        return result;
    }

    /// Max, sum and out of a chunk for a row, in memory.
    pub fn partial(rows: Rows, row: u32, chunk: u32) [*]f32 {
        const number = rows.unit.partial(chunk, row - rows.unit.row_first);
        return rows.args.split.partials + number * rows.args.work().partialLen();
    }

    pub fn store(rows: Rows, row: u32, chunk: u32, state: panels.State, head: []const f32) void {
        const target = rows.partial(row, chunk);
        target[0] = state.max;
        target[1] = state.sum;
        @memcpy(target[items.partial_out..][0..head.len], head);
    }

    /// Joins the chunks of the whole item, if this was the last of its units to be finished.
    pub fn joinIfLast(rows: Rows) void {
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
