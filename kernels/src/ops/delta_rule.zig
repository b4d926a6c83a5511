//! Linear attention as a recurrence, token by token: a matrix S [key_dim, value_dim] of each head forgets, is read and written.
//!
//!     S ← g·S;  d = β·(v − Sᵀk);  S ← S + k·dᵀ;  y = Sᵀq          the gated delta rule (Yang, Kautz & Hatamizadeh 2024)
//!     S ← g·S;  d = Δ·v;          S ← S + k·dᵀ;  y = Sᵀq + D·v     state space duality, Mamba-2 (Dao & Gu 2024)
//!
//! with Δ = softplus(α + dt), g = e^(a·Δ), β = σ(b). As y = g·Sᵀq + (q·k)·d with S as it was before, one pass over S a token
//! does: it writes what token t leaves and sums up what t + 1 reads. Both kinds of sums go over keys in ascending order,
//! one FMA each, so a value column's bits depend neither on the other columns nor on where a step ends.
//!
//! The state: [head][value_dim / 16][key_dim][16 value columns].

const std = @import("std");
const simd = @import("../isa/simd.zig");
const math = @import("math.zig");
const Seq = @import("../kv/batch.zig").Seq;
const View = @import("../kv/states.zig").View;
const Job = @import("../system/job.zig").Job;
const F32x16 = simd.F32x16;

pub const Rule = enum(u32) { delta, additive };

/// Which key head the value head h of H uses, where there are K of them.
pub const Sharing = enum(u32) {
    /// ⌊h · K / H⌋
    neighbours,
    /// h mod K
    strided,
};

/// qkv: [n, row]: rows with key_heads queries from `query_first` on, keys from `key_first`, values of the heads from
/// `value_first`. alpha, and beta with the delta rule: [n, gate_row], in which those of `gate_group` heads follow each other,
/// with 2 · gate_group from group to group; decay (a), dt, and skip (D) or null: [heads]; y: [n, heads, value_dim],
/// not aliased. key_dim and value_dim are multiples of 16.
pub const Args = extern struct {
    qkv: [*]const f32,
    alpha: [*]const f32,
    beta: ?[*]const f32,
    decay: [*]const f32,
    dt: [*]const f32,
    skip: ?[*]const f32,
    y: [*]f32,
    seqs: [*]const Seq,
    states: View,
    seq_count: u32,
    heads: u32,
    key_heads: u32,
    key_dim: u32,
    value_dim: u32,
    row: u32,
    query_first: u32,
    key_first: u32,
    value_first: u32,
    gate_row: u32,
    gate_group: u32,
    sharing: Sharing,
    rule: Rule,

    fn keyHead(args: *const Args, head: usize) usize {
        return switch (args.sharing) {
            .neighbours => head / (args.heads / args.key_heads),
            .strided => head % args.key_heads,
        };
    }

    /// Where a head's alpha and beta stand in a row of them.
    fn gatePlace(args: *const Args, head: usize) usize {
        return head / args.gate_group * 2 * args.gate_group + head % args.gate_group;
    }
};

/// Values of a state.
pub fn stateLen(heads: u32, key_dim: u32, value_dim: u32) usize {
    return @as(usize, heads) * key_dim * value_dim;
}

/// `matrix`: room for one head's, [key_dim, value_dim].
pub fn reference(args: *const Args, matrix: []f64) void {
    for (args.seqs[0..args.seq_count], 0..) |seq, index| for (0..args.heads) |head| {
        if (seq.position_first == 0) @memset(matrix, 0) else for (matrix, 0..) |*value, i| {
            value.* = args.states.before(index)[placeOf(args, head, i)];
        }
        for (seq.token_first..seq.token_first + seq.token_count) |token| referenceToken(args, head, token, matrix);
        for (matrix, 0..) |value, i| args.states.after(index)[placeOf(args, head, i)] = @floatCast(value);
    };
}

/// Where element `i` of a head's [key_dim, value_dim] lies in the state.
fn placeOf(args: *const Args, head: usize, i: usize) usize {
    const key = i / args.value_dim;
    const value = i % args.value_dim;
    return ((head * (args.value_dim / 16) + value / 16) * args.key_dim + key) * 16 + value % 16;
}

fn referenceToken(args: *const Args, head: usize, token: usize, matrix: []f64) void {
    const rows: Rows = .of(args, head, token);
    const place = token * args.gate_row + args.gatePlace(head);
    const raw = @as(f64, args.alpha[place]) + args.dt[head];
    const step = if (raw > 30) raw else @log(1.0 + @exp(raw));
    const keep = @exp(step * args.decay[head]);
    for (matrix) |*value| value.* *= keep;
    for (0..args.value_dim) |j| {
        const value: f64 = rows.v[j];
        var found: f64 = 0;
        for (0..args.key_dim) |i| found += rows.k[i] * matrix[i * args.value_dim + j];
        const written = switch (args.rule) {
            .delta => (value - found) / (1.0 + @exp(-@as(f64, args.beta.?[place]))),
            .additive => value * step,
        };
        var sum: f64 = if (args.skip) |skip| skip[head] * value else 0;
        for (0..args.key_dim) |i| {
            matrix[i * args.value_dim + j] += rows.k[i] * written;
            sum += rows.q[i] * matrix[i * args.value_dim + j];
        }
        args.y[(token * args.heads + head) * args.value_dim + j] = @floatCast(sum);
    }
}

/// What a head has of a token.
const Rows = struct {
    q: [*]const f32,
    k: [*]const f32,
    v: [*]const f32,

    fn of(args: *const Args, head: usize, token: usize) Rows {
        const row = args.qkv + token * args.row;
        const key = args.keyHead(head) * args.key_dim;
        return .{ .q = row + args.query_first + key, .k = row + args.key_first + key, .v = row + args.value_first + head * args.value_dim };
    }
};

/// Vectors of value columns that are worked on together: as many as keep two sums and what is written in registers.
const block_vectors = if (simd.registers * simd.row_lanes >= 32 * 16) 4 else 2;

/// Members share blocks of value columns of all heads of all sequences.
pub fn run(args: *const Args, job: *const Job) callconv(.c) void {
    std.debug.assert(args.key_dim % simd.lanes == 0 and args.value_dim % simd.lanes == 0);
    std.debug.assert(args.heads % args.key_heads == 0);
    const vectors = args.value_dim / simd.lanes;
    const blocks = std.math.divCeil(u32, vectors, block_vectors) catch unreachable;
    while (job.claim(args.seq_count * args.heads * blocks, 1)) |claimed| {
        const first = claimed.first % blocks * block_vectors;
        const head = claimed.first / blocks % args.heads;
        const index = claimed.first / blocks / args.heads;
        switch (@min(block_vectors, vectors - first)) {
            inline 1...block_vectors => |count| columns(count, args, index, head, first),
            else => unreachable,
        }
    }
}

/// All tokens of the step of one sequence through `count` vectors of a head's value columns.
fn columns(comptime count: usize, args: *const Args, index: usize, head: usize, first: usize) void {
    const seq = args.seqs[index];
    const tile = @as(usize, args.key_dim) * simd.lanes;
    const offset = (head * (args.value_dim / simd.lanes) + first) * tile;
    const to = args.states.after(index) + offset;
    var from: [*]const f32 = to;
    if (seq.position_first == 0) @memset(to[0 .. count * tile], 0) else from = args.states.before(index) + offset;
    var rows: Rows = .of(args, head, seq.token_first);
    var sums = read(count, from, args.key_dim, rows);
    var gates: Gates = undefined;
    for (0..seq.token_count) |t| {
        const token = seq.token_first + t;
        if (t % simd.lanes == 0) gates = .of(args, head, token, @min(simd.lanes, seq.token_count - t));
        const keep = simd.splat(gates.keep[t % simd.lanes]);
        const written = writeToken(count, args, head, token, first * simd.lanes, rows, sums, keep, gates.write[t % simd.lanes]);
        if (t + 1 == seq.token_count) {
            _ = update(count, false, from, to, args.key_dim, rows, rows, keep, written);
        } else {
            const next: Rows = .of(args, head, token + 1);
            sums = update(count, true, from, to, args.key_dim, rows, next, keep, written);
            rows = next;
        }
        from = to;
    }
}

/// Σ k·S and Σ q·S over the keys.
fn Sums(comptime count: usize) type {
    return struct { key: [count]F32x16, query: [count]F32x16 };
}

inline fn read(comptime count: usize, from: [*]const f32, key_dim: usize, rows: Rows) Sums(count) {
    var sums: Sums(count) = .{ .key = @splat(simd.splat(0)), .query = @splat(simd.splat(0)) };
    for (0..key_dim) |i| inline for (0..count) |v| {
        const value = simd.load(from + (v * key_dim + i) * simd.lanes);
        sums.key[v] = simd.fma(simd.splat(rows.k[i]), value, sums.key[v]);
        sums.query[v] = simd.fma(simd.splat(rows.q[i]), value, sums.query[v]);
    };
    return sums;
}

/// The result of a token, and what it writes into the columns.
inline fn writeToken(
    comptime count: usize,
    args: *const Args,
    head: usize,
    token: usize,
    first: usize,
    rows: Rows,
    sums: Sums(count),
    keep: F32x16,
    write: f32,
) [count]F32x16 {
    const both = simd.splat(dot(rows.q, rows.k, args.key_dim));
    const y = args.y + (token * args.heads + head) * args.value_dim + first;
    var written: [count]F32x16 = undefined;
    inline for (0..count) |v| {
        const value = simd.load(rows.v + first + v * simd.lanes);
        const wanted = switch (args.rule) {
            .delta => simd.fma(-keep, sums.key[v], value),
            .additive => value,
        };
        written[v] = simd.splat(write) * wanted;
        var out = simd.fma(both, written[v], keep * sums.query[v]);
        if (args.skip) |skip| out = simd.fma(simd.splat(skip[head]), value, out);
        simd.store(y + v * simd.lanes, out);
    }
    return written;
}

/// S ← keep·S + k·writtenᵀ, and the sums of what the next token reads if there is one.
inline fn update(
    comptime count: usize,
    comptime reads: bool,
    from: [*]const f32,
    to: [*]f32,
    key_dim: usize,
    rows: Rows,
    next: Rows,
    keep: F32x16,
    written: [count]F32x16,
) Sums(count) {
    var sums: Sums(count) = .{ .key = @splat(simd.splat(0)), .query = @splat(simd.splat(0)) };
    for (0..key_dim) |i| inline for (0..count) |v| {
        const at = (v * key_dim + i) * simd.lanes;
        const value = simd.fma(simd.splat(rows.k[i]), written[v], keep * simd.load(from + at));
        simd.store(to + at, value);
        if (reads) {
            sums.key[v] = simd.fma(simd.splat(next.k[i]), value, sums.key[v]);
            sums.query[v] = simd.fma(simd.splat(next.q[i]), value, sums.query[v]);
        }
    };
    return sums;
}

/// Products in 16 lanes by FMA, joined by the fixed tree.
inline fn dot(a: [*]const f32, b: [*]const f32, len: usize) f32 {
    var sums = simd.splat(0);
    var i: usize = 0;
    while (i < len) : (i += simd.lanes) sums = simd.fma(simd.load(a + i), simd.load(b + i), sums);
    return simd.reduceAdd(sums);
}

/// Of up to 16 tokens: what their head keeps of its matrix, and how strongly it writes.
const Gates = struct {
    keep: [simd.lanes]f32,
    write: [simd.lanes]f32,

    fn of(args: *const Args, head: usize, token_first: usize, count: usize) Gates {
        var alpha: [simd.lanes]f32 = @splat(0);
        var beta: [simd.lanes]f32 = @splat(0);
        for (0..count) |t| {
            const place = (token_first + t) * args.gate_row + args.gatePlace(head);
            alpha[t] = args.alpha[place];
            if (args.beta) |values| beta[t] = values[place];
        }
        const step = math.softplus(@as(F32x16, alpha) + simd.splat(args.dt[head]));
        return .{
            .keep = math.exp(step * simd.splat(args.decay[head])),
            .write = if (args.rule == .delta) math.sigmoid(@as(F32x16, beta)) else step,
        };
    }
};
