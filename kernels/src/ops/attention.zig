//! Causal attention of a step's tokens over the KV arena: out = softmax(q·K·scale)·V per query head, grouped heads (Ainslie
//! et al. 2023) and the online softmax of Milakov & Gimelshein 2018 / Dao et al. 2022. One kernel for decode and prefill.
//!
//! A row is one (query, head). The value of a row is a function of its q, its position and K, V by position, and of nothing
//! else, because every sum has one order:
//!
//!   1. positions are cut into chunks of `chunk_tokens`, counted from position 0;
//!   2. in a chunk, each score is an FMA chain over d ascending, times scale; m = max; p = exp(score − m); l = Σ p in 16
//!      lanes (position mod 16), then the fixed tree; o[d] is an FMA chain over positions ascending;
//!   3. chunks join in ascending order, (M, L, O) starting from (−inf, 0, 0): M' = max(M, m), a = exp(M − M'),
//!      b = exp(m − M'), L' = fma(L, a, l·b), O' = fma(O, a, o·b); the result is O / L.
//!
//! Rows of one KV head are taken six at a time, so that a loaded vector of K or V serves six FMAs. A row never reads K or V
//! of later positions into its sums, so what lies there (another prefill chunk, an earlier owner, NaN) cannot matter.

const std = @import("std");
const simd = @import("../simd.zig");
const math = @import("../math.zig");
const Job = @import("../job.zig").Job;
const arena = @import("../kv/arena.zig");
const batch = @import("../kv/batch.zig");

/// Positions of a chunk. Part of the definition of the result: changing it changes the last bits.
pub const chunk_tokens = 256;
const block_tokens = arena.block_tokens;
const chunk_blocks = chunk_tokens / block_tokens;
/// Rows that go through the registers together.
const panel_rows = 6;
/// Rows of one work item; they share K and V in the cache.
const item_rows = 8 * panel_rows;

comptime {
    std.debug.assert(block_tokens == simd.lanes);
}

/// q, out: [n, heads, head_dim], not aliased; heads a multiple of the view's kv_heads. K and V of all positions up to each
/// query's are in the view at the slots its sequence's extents name. scale: usually 1/√head_dim.
pub const Args = extern struct {
    q: [*]const f32,
    out: [*]f32,
    seqs: [*]const batch.Seq,
    extents: [*]const batch.Extent,
    view: arena.LayerView,
    n_seqs: u32,
    heads: u32,
    scale: f32,

    fn group(args: *const Args) u32 {
        return args.heads / args.view.kv_heads;
    }
};

/// Consecutive rows of one sequence and one KV head; row r is token r / group, head r % group.
const Item = struct {
    seq: batch.Seq,
    kv_head: u32,
    row_first: u32,
    row_end: u32,
};

/// Walks the work items, those with the most positions first (by powers of two), and hands out the claimed ones.
const Items = struct {
    args: *const Args,
    classes: u33 = 0,
    class: u6 = 33,
    seq: u32 = 0,
    /// Items before the current sequence.
    passed: u32 = 0,
    total: u32 = 0,

    fn init(args: *const Args) Items {
        var items: Items = .{ .args = args };
        for (args.seqs[0..args.n_seqs]) |seq| {
            items.total += items.count(seq);
            items.classes |= @as(u33, 1) << classOf(seq);
        }
        items.seq = args.n_seqs;
        return items;
    }

    fn classOf(seq: batch.Seq) u6 {
        return 32 - @as(u6, @clz(seq.position_first + seq.token_count));
    }

    fn blocks(items: *const Items, seq: batch.Seq) u32 {
        return std.math.divCeil(u32, seq.token_count * items.args.group(), item_rows) catch unreachable;
    }

    fn count(items: *const Items, seq: batch.Seq) u32 {
        return items.blocks(seq) * items.args.view.kv_heads;
    }

    /// Item `index`; calls have ascending indices below `total`.
    fn at(items: *Items, index: u32) Item {
        while (true) : (items.seq += 1) {
            if (items.seq >= items.args.n_seqs) {
                items.class -= 1;
                while (items.classes >> items.class & 1 == 0) items.class -= 1;
                items.seq = 0;
            }
            const seq = items.args.seqs[items.seq];
            if (classOf(seq) != items.class) continue;
            const here = items.count(seq);
            if (index - items.passed >= here) {
                items.passed += here;
                continue;
            }
            const kv_heads = items.args.view.kv_heads;
            const block = items.blocks(seq) - 1 - (index - items.passed) / kv_heads;
            return .{
                .seq = seq,
                .kv_head = (index - items.passed) % kv_heads,
                .row_first = block * item_rows,
                .row_end = @min((block + 1) * item_rows, seq.token_count * items.args.group()),
            };
        }
    }
};

pub fn run(args: *const Args, job: *const Job) callconv(.c) void {
    switch (args.view.format) {
        inline else => |format| runFormat(format, args, job),
    }
}

fn runFormat(comptime format: arena.Format, args: *const Args, job: *const Job) void {
    var items: Items = .init(args);
    while (job.claim(items.total, 1)) |claimed| runItem(format, args, items.at(claimed.first));
}

fn runItem(comptime format: arena.Format, args: *const Args, item: Item) void {
    const group = args.group();
    const positions = item.seq.position_first + (item.row_end - 1) / group + 1;
    var states: [item_rows]State = @splat(.{});
    var walk: BlockWalk = .{ .extents = args.extents[item.seq.extent_first..][0..item.seq.extent_count] };
    var chunk: Chunk(format) = .init(args.view, item.kv_head, positions, &walk);
    var chunk_first: u32 = 0;
    while (chunk_first < positions) : (chunk_first += chunk_tokens) {
        chunk.advance(&walk);
        var row = item.row_first;
        while (row < item.row_end) {
            const rows = @min(panel_rows, item.row_end - row);
            var panel: Panel = undefined;
            for (0..rows) |r| {
                const index = row + @as(u32, @intCast(r));
                const head = (item.seq.token_first + index / group) * args.heads + item.kv_head * group + index % group;
                const offset = @as(usize, head) * args.view.head_dim;
                panel.q[r] = args.q + offset;
                panel.out[r] = args.out + offset;
                // Positions of this chunk that the row sees.
                panel.tokens[r] = @min(chunk_tokens, (item.seq.position_first + index / group + 1) -| chunk_first);
            }
            const panel_states = states[row - item.row_first ..][0..rows];
            switch (rows) {
                inline 1...panel_rows => |n| panelChunk(format, n, args, &chunk, &panel, panel_states[0..n]),
                else => unreachable,
            }
            row += rows;
        }
    }
    for (item.row_first..item.row_end, states[0 .. item.row_end - item.row_first]) |index, state| {
        const head = (item.seq.token_first + index / group) * args.heads + item.kv_head * group + index % group;
        const out = args.out[head * args.view.head_dim ..][0..args.view.head_dim];
        for (out) |*value| value.* /= state.sum;
    }
}

/// M and L of a row over the chunks so far; O is in `out`.
const State = struct { max: f32 = -std.math.inf(f32), sum: f32 = 0 };

const Panel = struct {
    q: [panel_rows][*]const f32,
    out: [panel_rows][*]f32,
    tokens: [panel_rows]u32,
};

/// The blocks of a sequence in order of position.
const BlockWalk = struct {
    extents: []const batch.Extent,
    extent: usize = 0,
    token: u32 = 0,

    fn next(walk: *BlockWalk) u32 {
        while (walk.token >= walk.extents[walk.extent].token_count) {
            walk.extent += 1;
            walk.token = 0;
        }
        defer walk.token += block_tokens;
        return (walk.extents[walk.extent].slot_first + walk.token) / block_tokens;
    }
};

/// Where K and V of a chunk's blocks lie, and how to read them.
fn Chunk(comptime format: arena.Format) type {
    return struct {
        const Self = @This();
        const T = if (format == .f32) f32 else u16;

        k_head: [*]const T,
        v_head: [*]const T,
        dim: usize,
        k: [chunk_blocks][*]const T,
        v: [chunk_blocks][*]const T,
        /// The next chunk's, for prefetching; valid addresses, no more, where there is none.
        next_k: [chunk_blocks][*]const T,
        next_v: [chunk_blocks][*]const T,
        /// Blocks after the next chunk.
        blocks_left: u32,

        /// Stands before the first chunk; `advance` goes to it.
        fn init(view: arena.LayerView, kv_head: u32, positions: u32, walk: *BlockWalk) Self {
            const offset = kv_head * view.headBytes();
            var chunk: Self = .{
                .k_head = @ptrCast(@alignCast(view.k + offset)),
                .v_head = @ptrCast(@alignCast(view.v + offset)),
                .dim = view.head_dim,
                .k = undefined,
                .v = undefined,
                .next_k = undefined,
                .next_v = undefined,
                .blocks_left = (positions + block_tokens - 1) / block_tokens,
            };
            @memset(&chunk.next_k, chunk.k_head);
            @memset(&chunk.next_v, chunk.v_head);
            chunk.fillNext(walk);
            return chunk;
        }

        fn advance(chunk: *Self, walk: *BlockWalk) void {
            chunk.k = chunk.next_k;
            chunk.v = chunk.next_v;
            chunk.fillNext(walk);
        }

        fn fillNext(chunk: *Self, walk: *BlockWalk) void {
            const count = @min(chunk.blocks_left, chunk_blocks);
            for (chunk.next_k[0..count], chunk.next_v[0..count]) |*k, *v| {
                const offset = @as(usize, walk.next()) * block_tokens * chunk.dim;
                k.* = chunk.k_head + offset;
                v.* = chunk.v_head + offset;
            }
            chunk.blocks_left -= count;
        }

        inline fn read(comptime n: usize, source: [*]const T) @Vector(n, f32) {
            return switch (format) {
                .f32 => source[0..n].*,
                .f16 => simd.f16ToF32(n, source[0..n].*),
                .bf16 => simd.bf16ToF32(n, source[0..n].*),
            };
        }
    };
}

/// One chunk for `n` rows: scores, softmax, weighted sum of V, joined to what earlier chunks gave.
fn panelChunk(
    comptime format: arena.Format,
    comptime n: usize,
    args: *const Args,
    chunk: *const Chunk(format),
    panel: *const Panel,
    states: *[n]State,
) void {
    const tokens = panel.tokens[n - 1]; // rows ascend in position: the last sees the most
    if (tokens == 0) return;
    var weights: [n][chunk_tokens]f32 = undefined;
    scores(format, n, chunk, panel.q[0..n], args.scale, tokens, &weights);
    var part: [n]State = undefined;
    inline for (0..n) |r| part[r] = softmax(weights[r][0..], panel.tokens[r]);
    var out: [n][arena.head_dim_max]f32 = undefined;
    const common = panel.tokens[0];
    weightedSum(format, n, chunk, &weights, 0, common, &out);
    inline for (0..n) |r| {
        // The few positions that only the later rows of the panel see.
        if (panel.tokens[r] > common) weightedSum(format, 1, chunk, weights[r..][0..1], common, panel.tokens[r], out[r..][0..1]);
        if (panel.tokens[r] > 0) join(&states[r], part[r], panel.out[r][0..chunk.dim], out[r][0..chunk.dim]);
    }
}

/// weights[r][j] = scale · q[r]·K[j] for the chunk's first `tokens` positions, rounded up to whole blocks.
fn scores(
    comptime format: arena.Format,
    comptime n: usize,
    chunk: *const Chunk(format),
    q: *const [n][*]const f32,
    scale: f32,
    tokens: u32,
    weights: *[n][chunk_tokens]f32,
) void {
    const wide = switch (n) {
        1 => 4,
        2, 3 => 2,
        else => 1,
    };
    const count = (tokens + block_tokens - 1) / block_tokens;
    var block: usize = 0;
    while (block + wide <= count) : (block += wide) scoreBlocks(format, n, wide, chunk, q, scale, block, weights);
    if (wide == 1) return;
    while (block < count) : (block += 1) scoreBlocks(format, n, 1, chunk, q, scale, block, weights);
}

inline fn scoreBlocks(
    comptime format: arena.Format,
    comptime n: usize,
    comptime wide: usize,
    chunk: *const Chunk(format),
    q: *const [n][*]const f32,
    scale: f32,
    block: usize,
    weights: *[n][chunk_tokens]f32,
) void {
    var sums: [n][wide]simd.F32x16 = @splat(@splat(simd.splat(0)));
    for (0..chunk.dim) |d| {
        var keys: [wide]simd.F32x16 = undefined;
        inline for (0..wide) |b| {
            keys[b] = Chunk(format).read(block_tokens, chunk.k[block + b] + d * block_tokens);
            // V of this block comes in while K is used, and the next chunk's K while V is: hardware prefetch stops at pages.
            @prefetch(chunk.v[block + b] + d * block_tokens, .{ .locality = 2 });
        }
        inline for (0..n) |r| {
            const query = simd.splat(q[r][d]);
            inline for (0..wide) |b| sums[r][b] = simd.fma(query, keys[b], sums[r][b]);
        }
    }
    inline for (0..n) |r| inline for (0..wide) |b| {
        simd.store(weights[r][(block + b) * block_tokens ..].ptr, sums[r][b] * simd.splat(scale));
    };
}

/// Turns the first `tokens` scores into exp(score − max); the rest of the last block into zeros.
fn softmax(weights: *[chunk_tokens]f32, tokens: u32) State {
    if (tokens == 0) return .{};
    const none = simd.splat(-std.math.inf(f32));
    const whole = tokens / block_tokens * block_tokens;
    const rest = tokens % block_tokens;
    if (rest != 0) {
        const lane = std.simd.iota(u32, simd.lanes);
        const seen = lane < @as(simd.U32x16, @splat(rest));
        const last = weights[whole..][0..simd.lanes];
        last.* = @select(f32, seen, @as(simd.F32x16, last.*), none);
    }
    var top = none;
    var j: usize = 0;
    while (j < tokens) : (j += simd.lanes) top = simd.max(simd.load(weights[j..].ptr), top);
    const max = simd.reduceMax(top);
    // All scores −inf: exp(−inf − 0) = 0 instead of exp(NaN).
    const base = simd.splat(if (max == -std.math.inf(f32)) 0 else max);
    var sums = simd.splat(0);
    j = 0;
    while (j < tokens) : (j += simd.lanes) {
        const p = math.exp(simd.load(weights[j..].ptr) - base);
        simd.store(weights[j..].ptr, p);
        sums += p;
    }
    return .{ .max = max, .sum = simd.reduceAdd(sums) };
}

/// out[r][d] = Σ weights[r][j]·V[j][d] over first ≤ j < end, ascending; goes on from `out` where first > 0.
fn weightedSum(
    comptime format: arena.Format,
    comptime n: usize,
    chunk: *const Chunk(format),
    weights: *const [n][chunk_tokens]f32,
    first: u32,
    end: u32,
    out: *[n][arena.head_dim_max]f32,
) void {
    const wide = switch (n) {
        1 => 4,
        2, 3 => 2,
        else => 1,
    };
    var d: usize = 0;
    while (d + wide * simd.lanes <= chunk.dim) : (d += wide * simd.lanes) {
        weightedSumAt(format, n, wide, simd.lanes, chunk, weights, first, end, d, out);
    }
    if (wide > 1) {
        while (d + simd.lanes <= chunk.dim) : (d += simd.lanes) {
            weightedSumAt(format, n, 1, simd.lanes, chunk, weights, first, end, d, out);
        }
    }
    if (d < chunk.dim) weightedSumAt(format, n, 1, 8, chunk, weights, first, end, d, out);
}

inline fn weightedSumAt(
    comptime format: arena.Format,
    comptime n: usize,
    comptime wide: usize,
    comptime lanes: usize,
    chunk: *const Chunk(format),
    weights: *const [n][chunk_tokens]f32,
    first: u32,
    end: u32,
    d: usize,
    out: *[n][arena.head_dim_max]f32,
) void {
    const V = @Vector(lanes, f32);
    var sums: [n][wide]V = undefined;
    inline for (0..n) |r| inline for (0..wide) |i| {
        sums[r][i] = if (first == 0) @splat(0) else out[r][d + i * lanes ..][0..lanes].*;
    };
    var j: usize = first;
    while (j < end) {
        const block_end = @min(end, (j / block_tokens + 1) * block_tokens);
        var source = chunk.v[j / block_tokens] + j % block_tokens * chunk.dim + d;
        const ahead = chunk.next_k[j / block_tokens] + d * block_tokens;
        const line = 64 / @sizeOf(Chunk(format).T);
        inline for (0..wide * lanes * block_tokens / line) |i| @prefetch(ahead + i * line, .{ .locality = 2 });
        while (j < block_end) : (j += 1) {
            var values: [wide]V = undefined;
            inline for (0..wide) |i| values[i] = Chunk(format).read(lanes, source + i * lanes);
            inline for (0..n) |r| {
                const weight: V = @splat(weights[r][j]);
                inline for (0..wide) |i| sums[r][i] = simd.fma(weight, values[i], sums[r][i]);
            }
            source += chunk.dim;
        }
    }
    inline for (0..n) |r| inline for (0..wide) |i| {
        out[r][d + i * lanes ..][0..lanes].* = sums[r][i];
    };
}

/// Joins a chunk's (max, sum, out) to the row's; see the formula at the top.
fn join(state: *State, part: State, total: []f32, out: []const f32) void {
    const fresh = state.max == -std.math.inf(f32) and state.sum == 0;
    const max = simd.max(state.max, part.max);
    const base: f32 = if (max == -std.math.inf(f32)) 0 else max;
    const a = math.exp(state.max - base);
    const b = math.exp(part.max - base);
    state.* = .{ .max = max, .sum = simd.fma(state.sum, a, part.sum * b) };
    const V = @Vector(8, f32);
    const va: V = @splat(a);
    const vb: V = @splat(b);
    var d: usize = 0;
    while (d < total.len) : (d += 8) {
        const before: V = if (fresh) @splat(0) else total[d..][0..8].*;
        total[d..][0..8].* = simd.fma(before, va, @as(V, out[d..][0..8].*) * vb);
    }
}

test {
    _ = @import("attention_test.zig");
}
