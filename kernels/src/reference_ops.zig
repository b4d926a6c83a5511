//! Root of the reference library's one object: the table of isa_ops.zig with each op's scalar reference in place of its
//! kernel, so that a benchmark runs both through the same calls on the same data. One member does all the work. Ops that
//! only move or prepare data (packing, tables, rows) are the library's own. Every level has the same table, compiled for
//! the best one of the machine that builds it.
//!
//! Nothing here is part of the product.

const builtin = @import("builtin");
const std = @import("std");
const isa_levels = @import("isa/levels.zig");
const Ops = @import("ops.zig").Ops;
const Job = @import("system/job.zig").Job;
const Stop = @import("system/job.zig").Stop;
const activations = @import("quant/activations.zig");
const activate = @import("ops/activate.zig");
const attention = @import("ops/attention/attention.zig");
const attention_definition = @import("ops/attention/definition.zig");
const cap_logits = @import("ops/cap_logits.zig");
const delta_rule = @import("ops/delta_rule.zig");
const embed = @import("ops/embed.zig");
const gated_norm = @import("ops/gated_norm.zig");
const glu = @import("ops/glu.zig");
const head_columns = @import("ops/head_columns.zig");
const latent_split = @import("ops/latent_split.zig");
const layer_norm = @import("ops/layer_norm.zig");
const load = @import("ops/load.zig");
const matmul = @import("ops/matmul/matmul.zig");
const mix_experts = @import("ops/mix_experts.zig");
const quantize_activations = @import("ops/quantize_activations.zig");
const rms_norm = @import("ops/rms_norm.zig");
const rope = @import("ops/rope.zig");
const rope_append = @import("ops/rope_append.zig");
const route = @import("ops/route.zig");
const sample = @import("ops/sample.zig");
const sample_test = @import("ops/sample_test.zig");
const score = @import("ops/score.zig");
const short_conv = @import("ops/short_conv.zig");

const gpa = std.heap.page_allocator;

pub const table: Ops = .{
    .embed = &alone(embed.Args, embed.reference),
    .quantize_activations = &alone(quantize_activations.Args, quantizeActivations),
    .matmul = &alone(matmul.Group, matmul.reference),
    .rms_norm = &alone(rms_norm.Args, rmsNorm),
    .layer_norm = &alone(layer_norm.Args, layerNorm),
    .glu = &alone(glu.Args, gated),
    .activate = &alone(activate.Args, activated),
    .rope_table = &@import("ops/rope_table.zig").run,
    .rope_append = &alone(rope_append.Args, ropeAppend),
    .attention = &alone(attention.Args, attend),
    .attention_integers = &alone(attention.Args, attend),
    .cap_logits = &alone(cap_logits.Args, cap_logits.reference),
    .route = &alone(route.Args, route.reference),
    .gather_columns = &@import("ops/gather_columns.zig").run,
    .mix_experts = &alone(mix_experts.Args, mix_experts.reference),
    .short_conv = &alone(short_conv.Args, convolve),
    .delta_rule = &alone(delta_rule.Args, recur),
    .gated_norm = &alone(gated_norm.Args, normGated),
    .split_heads = &@import("ops/split_heads.zig").run,
    .latent_split = &alone(latent_split.Args, latent_split.reference),
    .head_columns = &alone(head_columns.Args, headColumns),
    .gather_rows = &@import("ops/gather_rows.zig").run,
    .sample = &alone(sample.Args, choose),
    .score = &alone(score.Args, scoreRows),
    .pack = &load.pack,
    .encode = &load.encode,
    .decode = &load.decode,
    .measure = &@import("ops/measure.zig").run,
    .measure_variants = &@import("ops/measure.zig").variantCount,
};

comptime {
    for (isa_levels.of(builtin.cpu.arch)) |level| {
        @export(&table, .{ .name = "kumi_ops_" ++ level.name, .visibility = .hidden });
    }
}

/// An op that the first member to come does as a whole.
fn alone(comptime Args: type, comptime all: fn (args: *const Args) void) fn (*const Args, *const Job) callconv(.c) void {
    return struct {
        fn run(args: *const Args, job: *const Job) callconv(.c) void {
            if (job.claim(1, 1) != null) all(args);
        }
    }.run;
}

fn quantizeActivations(args: *const quantize_activations.Args) void {
    for (0..args.n) |i| quantizeRow(args.x[i * args.k ..][0..args.k], i, &args.y);
}

fn rmsNorm(args: *const rms_norm.Args) void {
    const row = gpa.alloc(f32, args.k) catch @panic("out of memory");
    defer gpa.free(row);
    for (0..args.n) |i| {
        rms_norm.reference(args.x[i * args.k ..][0..args.k], args.w[0..args.k], row, args.eps);
        if (args.accumulate == 1) for (row, args.y.f32.?[i * args.k ..][0..args.k]) |*value, before| {
            value.* += before;
        };
        store(row, i, &args.y);
    }
}

fn layerNorm(args: *const layer_norm.Args) void {
    const row = gpa.alloc(f32, args.k) catch @panic("out of memory");
    defer gpa.free(row);
    for (0..args.n) |i| {
        layer_norm.reference(args.x[i * args.k ..][0..args.k], args.w, args.b, row, args.eps);
        store(row, i, &args.y);
    }
}

fn activated(args: *const activate.Args) void {
    const row = gpa.alloc(f32, args.k) catch @panic("out of memory");
    defer gpa.free(row);
    for (0..args.n) |i| {
        activate.reference(args.function, args.parameters, args.x[i * args.k ..][0..args.k], row);
        store(row, i, &args.y);
    }
}

fn gated(args: *const glu.Args) void {
    const row = gpa.alloc(f32, args.k) catch @panic("out of memory");
    defer gpa.free(row);
    for (0..args.n) |i| {
        glu.reference(args.function, args.gate[i * args.k ..][0..args.k], args.up[i * args.k ..][0..args.k], row);
        store(row, i, &args.y);
    }
}

fn convolve(args: *const short_conv.Args) void {
    const last = args.seqs[args.seq_count - 1];
    const n = last.token_first + last.token_count;
    const y = gpa.alloc(f32, n * args.channels) catch @panic("out of memory");
    defer gpa.free(y);
    short_conv.reference(args, y);
    for (0..n) |i| store(y[i * args.channels ..][0..args.channels], i, &args.y);
}

fn recur(args: *const delta_rule.Args) void {
    const matrix = gpa.alloc(f64, args.key_dim * args.value_dim) catch @panic("out of memory");
    defer gpa.free(matrix);
    delta_rule.reference(args, matrix);
}

fn normGated(args: *const gated_norm.Args) void {
    const row = gpa.alloc(f32, args.k) catch @panic("out of memory");
    defer gpa.free(row);
    for (0..args.n) |i| {
        var first: usize = 0;
        while (first < args.k) : (first += args.head) {
            const at = i * args.k + first;
            const w = args.w + if (args.shared == 1) 0 else first;
            gated_norm.reference(args.order, args.x[at..][0..args.head], args.gate[at..][0..args.head], w[0..args.head], row[first..][0..args.head], args.eps);
        }
        store(row, i, &args.y);
    }
}

fn headColumns(args: *const head_columns.Args) void {
    for (0..args.heads * args.n) |row| store(head_columns.rowOf(args, row), row, &args.y);
}

fn store(row: []const f32, index: usize, y: *const activations.Activation) void {
    if (y.f32) |target| @memcpy(target[index * row.len ..][0..row.len], row);
    quantizeRow(row, index, y);
}

fn quantizeRow(row: []const f32, index: usize, y: *const activations.Activation) void {
    if (y.of(.per32)) |target| {
        const bytes = activations.columnBytes(.per32, row.len);
        const groups: [*]activations.Group32 = @ptrCast(@alignCast(target + index * bytes));
        for (0..row.len / 32) |block| {
            const group = &groups[block / 8];
            const i = block % 8;
            group.scales[i] = quantizeBlock(row[block * 32 ..][0..32], group.q[i * 32 ..][0..32]);
            group.offsets[i] = -8 * sumOf(group.q[i * 32 ..][0..32]);
        }
    }
    if (y.of(.per256)) |target| {
        const bytes = activations.columnBytes(.per256, row.len);
        const groups: [*]activations.Group256 = @ptrCast(@alignCast(target + index * bytes));
        for (0..row.len / 256) |block| {
            const group = &groups[block];
            group.scale = quantizeBlock(row[block * 256 ..][0..256], &group.q);
            group.unused = @splat(0);
            for (&group.sums16, 0..) |*sum, i| sum.* = @intCast(sumOf(group.q[i * 16 ..][0..16]));
            for (&group.sums32, 0..) |*sum, i| sum.* = @intCast(sumOf(group.q[i * 32 ..][0..32]));
        }
    }
}

/// The rule of quant/activations.zig for finite values, one after the other. Returns the scale.
fn quantizeBlock(x: []const f32, q: []i8) f32 {
    var largest: f32 = 0;
    for (x) |value| largest = @max(largest, @abs(value));
    if (largest < 0x1p-100) {
        @memset(q, 0);
        return 0;
    }
    const inverse = 127.0 / largest;
    for (x, q) |value, *out| {
        // Adding and taking away 1.5 · 2^23 rounds half to even.
        const magic: f32 = 12582912.0;
        out.* = @trunc(std.math.clamp((value * inverse + magic) - magic, -127, 127));
    }
    return largest / 127.0;
}

fn sumOf(q: []const i8) i32 {
    var sum: i32 = 0;
    for (q) |value| sum += value;
    return sum;
}

/// Bounds, norm and rotation of each head as in the reference; the cache's own layout is written by the kernel, which finds
/// nothing left to do.
fn ropeAppend(args: *const rope_append.Args) void {
    const dim = args.view.key_dim;
    const kv_heads = args.view.kv_heads;
    const keys = gpa.dupe(f32, args.k[0 .. args.n * kv_heads * dim]) catch @panic("out of memory");
    defer gpa.free(keys);
    const value_dim = if (args.view.values == .in_keys) 0 else args.view.value_dim;
    const values = gpa.dupe(f32, args.v[0 .. args.n * kv_heads * value_dim]) catch @panic("out of memory");
    defer gpa.free(values);
    for ([_][]f32{ args.q[0 .. args.n * args.heads * dim], keys, values }) |part| clampTo(args.clamp, part);
    for (0..args.n) |token| {
        const position = args.tokens[token].position;
        const cos_sin = if (args.cos_sin) |found| found[position * args.n_rot ..][0..args.n_rot] else &.{};
        for (0..args.heads) |head| {
            const q = args.q[(token * args.heads + head) * dim ..][0..dim];
            normAndRotate(args, q, if (args.q_norm) |w| w + head * args.q_norm_stride else null, cos_sin);
            if (args.sharpening == 0) continue;
            const periods: f64 = @floatFromInt(position / args.sharpening_length);
            for (q) |*value| value.* = @floatCast(value.* * (1.0 + args.sharpening * @log(periods + 1.0)));
        }
        for (0..kv_heads) |head| {
            const weights = if (args.k_norm) |w| w + head * args.k_norm_stride else null;
            normAndRotate(args, keys[(token * kv_heads + head) * dim ..][0..dim], weights, cos_sin);
        }
    }
    var rest = args.*;
    rest.k = keys.ptr;
    rest.v = values.ptr;
    rest.clamp = 0;
    rest.k_norm = null;
    rest.heads = 0;
    rest.n_rot = 0;
    rest.cos_sin = null;
    var next: std.atomic.Value(u32) = .init(0);
    var stop: Stop = .{};
    rope_append.run(&rest, &.{ .part = 0, .parts = 1, .next = &next, .stop = &stop });
}

fn normAndRotate(args: *const rope_append.Args, head: []f32, norm: ?[*]const f32, cos_sin: []const f32) void {
    if (args.norm_order == .before) normHead(args, head, norm);
    rope.rotateReference(args.pairing, head, cos_sin);
    if (args.norm_order == .after) normHead(args, head, norm);
}

fn normHead(args: *const rope_append.Args, head: []f32, norm: ?[*]const f32) void {
    const w = norm orelse return;
    switch (args.norm) {
        .rms => rms_norm.reference(head, w[0..head.len], head, args.eps),
        .layer => layer_norm.reference(head, w, null, head, args.eps),
    }
}

fn clampTo(bound: f32, values: []f32) void {
    if (bound != 0) for (values) |*value| {
        value.* = std.math.clamp(value.*, -bound, bound);
    };
}

fn attend(args: *const attention.Args) void {
    const dim = args.view.value_dim;
    const row = gpa.alloc(f64, dim) catch @panic("out of memory");
    defer gpa.free(row);
    for (args.seqs[0..args.n_seqs]) |seq| {
        for (0..seq.token_count) |token| {
            for (0..args.heads) |head| {
                attention_definition.reference(args, seq, token, head, row);
                const out = args.out[((seq.token_first + token) * args.heads + head) * dim ..][0..dim];
                for (out, row) |*value, exact| value.* = @floatCast(exact);
            }
        }
    }
}

fn choose(args: *const sample.Args) void {
    for (args.results[0..args.n], args.params[0..args.n], 0..) |*result, params, i| {
        const row = args.logits[i * args.vocab ..][0..args.vocab];
        const token = sample_test.reference(gpa, row, params, args.data[0..args.data_count]) catch @panic("out of memory");
        result.token = token orelse sample.no_token;
        result.logprob = if (token) |id| @floatCast(score.reference(row, id).logprob) else std.math.nan(f32);
        result.n = 0;
    }
}

fn scoreRows(args: *const score.Args) void {
    for (args.results[0..args.n], args.targets[0..args.n], 0..) |*result, target, i| {
        const row = args.logits[i * args.vocab ..][0..args.vocab];
        const found = score.reference(row, target);
        result.* = .{
            .logprob = @floatCast(found.logprob),
            .argmax = found.argmax,
            .argmax_logprob = @floatCast(score.reference(row, found.argmax).logprob),
            .rank = found.rank,
        };
    }
}
