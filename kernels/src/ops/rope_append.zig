//! Between the Q/K/V matmul and attention: an optional bound of all three (Groeneveld et al. 2024, OLMo), an optional norm of
//! each head of q and k, an RMSNorm (Qwen 3) or a LayerNorm (Command R+), RoPE of both, and k and v stored in the KV arena at
//! their tokens' slots. Some models norm after RoPE (Hunyuan), and some sharpen attention with the position:
//! q · (1 + sharpening · ln(⌊position / sharpening_length⌋ + 1)) (Llama 4, Ministral 3).

const std = @import("std");
const simd = @import("../isa/simd.zig");
const Job = @import("../system/job.zig").Job;
const arena = @import("../kv/arena.zig");
const elements = @import("../kv/elements.zig");
const Token = @import("../kv/batch.zig").Token;
const rope = @import("rope.zig");
const rms_norm = @import("rms_norm.zig");
const layer_norm = @import("layer_norm.zig");
const math = @import("math.zig");

/// q: [n, heads, key_dim], changed in place; k: [n, kv_heads, key_dim]; v: [n, kv_heads, value_dim], not read where values are
/// parts of keys; cos_sin: rope table
/// [positions][2][n_rot / 2]; q_norm, k_norm: [key_dim], or that for each head, or null. kv_heads, key_dim and value_dim are
/// the view's. Every token's position is in the table and its slot in the arena; n_rot ≤ key_dim. n_rot 0: nothing is rotated,
/// no table is read.
pub const Args = extern struct {
    q: [*]f32,
    k: [*]const f32,
    v: [*]const f32,
    cos_sin: ?[*]const f32,
    q_norm: ?[*]const f32,
    k_norm: ?[*]const f32,
    tokens: [*]const Token,
    view: arena.LayerView,
    n: u32,
    heads: u32,
    n_rot: u32,
    pairing: rope.Pairing,
    eps: f32,
    norm_order: NormOrder = .before,
    /// 0: none.
    sharpening: f32 = 0,
    sharpening_length: u32 = 1,
    norm: HeadNorm = .rms,
    /// Values from one head's weights to the next: 0 or key_dim.
    q_norm_stride: u32 = 0,
    k_norm_stride: u32 = 0,
    /// q, k and v are kept within ±clamp; 0: as they are.
    clamp: f32 = 0,
};

/// How heads are normed.
pub const HeadNorm = enum(u32) { rms = 0, layer = 1 };

/// Whether heads are normed before RoPE or after it.
pub const NormOrder = enum(u32) { before = 0, after = 1 };

/// Members take heads, all tokens of one before the next, so that few of them write the same block of K.
pub fn run(args: *const Args, job: *const Job) callconv(.c) void {
    // Where values are parts of keys theirs are claimed and left.
    const heads = args.heads + 2 * args.view.kv_heads;
    // A head of one token takes a tenth of a microsecond; a claim should take some microseconds.
    const heads_per_claim = @max(1, 16 / args.n);
    while (job.claim(heads, heads_per_claim)) |claimed| {
        for (claimed.first..claimed.end) |head| runHead(args, @intCast(head));
    }
}

fn runHead(args: *const Args, head: u32) void {
    const kv_heads = args.view.kv_heads;
    std.debug.assert(head < args.heads + 2 * kv_heads);
    std.debug.assert(args.n_rot <= args.view.key_dim);
    for (0..args.n) |index| {
        if (head < kv_heads) {
            appendKey(args, index, head);
        } else if (head < 2 * kv_heads) {
            appendValue(args, index, head - kv_heads);
        } else {
            const dim = args.view.key_dim;
            const q_head = head - 2 * kv_heads;
            const q = args.q[(index * args.heads + q_head) * dim ..][0..dim];
            const position = args.tokens[index].position;
            if (args.clamp != 0) clampTo(args.clamp, q, q);
            normAndRotate(args, q, if (args.q_norm) |w| w + q_head * args.q_norm_stride else null, position);
            if (args.sharpening != 0) sharpen(args, q, position);
        }
    }
}

fn normAndRotate(args: *const Args, head: []f32, norm: ?[*]const f32, position: u32) void {
    if (args.norm_order == .before) normHead(args, head, norm);
    const n_rot: usize = args.n_rot;
    if (args.cos_sin) |table| rope.rotate(args.pairing, head, table[position * n_rot ..][0..n_rot]);
    if (args.norm_order == .after) normHead(args, head, norm);
}

fn normHead(args: *const Args, head: []f32, norm: ?[*]const f32) void {
    if (norm) |w| switch (args.norm) {
        .rms => rms_norm.scaleRow(head, w[0..head.len], head, rms_norm.inverseRms(head, args.eps)),
        .layer => layer_norm.normRow(head, w, null, head, .of(head, args.eps)),
    };
}

/// What queries at this position are multiplied by.
pub fn sharpeningAt(sharpening: f32, length: u32, position: u32) f32 {
    const periods: f64 = @floatFromInt(position / length);
    return @floatCast(1.0 + sharpening * math.ln(periods + 1.0));
}

fn sharpen(args: *const Args, q: []f32, position: u32) void {
    const factor = sharpeningAt(args.sharpening, args.sharpening_length, position);
    for (q) |*value| value.* *= factor;
}

fn appendKey(args: *const Args, index: usize, kv_head: u32) void {
    const dim = args.view.key_dim;
    const token = args.tokens[index];
    var values: [arena.head_dim_max]f32 = undefined;
    const head = values[0..dim];
    const k = args.k[(index * args.view.kv_heads + kv_head) * dim ..][0..dim];
    if (args.clamp != 0) clampTo(args.clamp, k, head) else @memcpy(head, k);
    const weights = if (args.k_norm) |w| w + kv_head * args.k_norm_stride else null;
    normAndRotate(args, head, weights, token.position);
    elements.writeKey(args.view, kv_head, token.slot, head);
}

fn appendValue(args: *const Args, index: usize, kv_head: u32) void {
    if (args.view.values == .in_keys) return;
    const dim = args.view.value_dim;
    const head = args.v[(index * args.view.kv_heads + kv_head) * dim ..][0..dim];
    if (args.clamp == 0) return elements.writeValue(args.view, kv_head, args.tokens[index].slot, head);
    var values: [arena.head_dim_max]f32 = undefined;
    clampTo(args.clamp, head, values[0..dim]);
    elements.writeValue(args.view, kv_head, args.tokens[index].slot, values[0..dim]);
}

/// out = x within ±bound; NaN stays NaN. out may alias x.
fn clampTo(bound: f32, x: []const f32, out: []f32) void {
    for (x, out) |value, *result| result.* = if (value > bound) bound else if (value < -bound) -bound else value;
}

const testing = @import("../testing/testing.zig");

const Case = struct {
    heads: u32,
    kv_heads: u32,
    dim: u32,
    value_dim: u32,
    n_rot: u32,
    n: u32,
    pairing: rope.Pairing,
    norm: ?HeadNorm,
    /// Whether each head has weights of its own.
    own: bool,
    clamp: f32,
    format: arena.Format,
    order: NormOrder,
    sharpening: f32,
};

test "rope_append matches the reference and keeps other slots as they were" {
    var rng: testing.Rng = .init(41);
    for (std.enums.values(arena.Format)) |format| {
        for ([_]u32{ 8, 24, 64, 96 }) |dim| {
            if (format.hasScales() and dim % arena.scale_group != 0) continue;
            for ([_]u32{ 1, 5, 21 }) |n| {
                const kv_heads = rng.between(u32, 1, 3);
                try checkCase(&rng, .{
                    .heads = kv_heads * rng.between(u32, 1, 4),
                    .kv_heads = kv_heads,
                    .dim = dim,
                    // As large as keys, larger, smaller.
                    .value_dim = switch (n) {
                        1 => dim,
                        5 => dim + 32,
                        else => if (dim > 32) dim - 32 else dim,
                    },
                    .n_rot = if (n == 21 and dim == 64) 0 else dim - 2 * rng.between(u32, 0, 2),
                    .n = n,
                    .pairing = if (n == 5) .halves else .interleaved,
                    .norm = if (n == 1) null else if (n == 5) .rms else .layer,
                    // Of a LayerNorm each head has its own weights in some sizes; in others values are bounded.
                    .own = n == 21 and dim != 24,
                    .clamp = if (dim == 24) 1.2 else 0,
                    .format = format,
                    .order = if (dim == 24 or dim == 96) .after else .before,
                    .sharpening = if (n == 21) 0.1 else 0,
                });
            }
        }
    }
}

fn checkCase(rng: *testing.Rng, case: Case) !void {
    const gpa = std.testing.allocator;
    const layers: [2]arena.LayerShape = @splat(.{ .kv_heads = case.kv_heads, .key_dim = case.dim, .value_dim = case.value_dim });
    var cache: arena.Arena = try .init(.{ .layers = &layers, .slots = 64, .format = case.format });
    defer cache.deinit();
    var q = try testing.guarded(f32, case.n * case.heads * case.dim);
    defer q.deinit();
    var k = try testing.guarded(f32, case.n * case.kv_heads * case.dim);
    defer k.deinit();
    var v = try testing.guarded(f32, case.n * case.kv_heads * case.value_dim);
    defer v.deinit();
    var norm = try testing.guarded(f32, case.dim * if (case.own) case.heads else 1);
    defer norm.deinit();
    const desc: rope.Desc = .{
        .n_rot = @max(2, case.n_rot),
        .max_positions = 100,
        .scaling = 0,
        .freq_factors = 0,
        .base = 10000,
        .factor = 1,
        .original_context = 0,
        .low_freq = 0,
        .high_freq = 0,
        .attn_factor = 1,
        .ext_factor = 0,
    };
    var table = try testing.guarded(f32, rope.tableLen(desc));
    defer table.deinit();
    (try rope.Frequencies.init(desc, null)).fill(desc.n_rot, 0, table.slice(f32));
    for ([_][]f32{ q.slice(f32), k.slice(f32), v.slice(f32), norm.slice(f32) }) |values| rng.fill(values, 2);
    const tokens = try gpa.alloc(Token, case.n);
    defer gpa.free(tokens);
    for (tokens, 0..) |*token, i| token.* = .{ .position = @intCast(70 + i), .slot = @intCast(22 + i) };
    const expected_q = try gpa.dupe(f32, q.slice(f32));
    defer gpa.free(expected_q);
    const original_q = try gpa.dupe(f32, q.slice(f32));
    defer gpa.free(original_q);
    const norm_ptr: ?[*]const f32 = if (case.norm != null) norm.slice(f32).ptr else null;
    const norm_stride = if (case.own) case.dim else 0;
    const args: Args = .{
        .q = q.slice(f32).ptr,
        .k = k.slice(f32).ptr,
        .v = v.slice(f32).ptr,
        .cos_sin = if (case.n_rot == 0) null else table.slice(f32).ptr,
        .q_norm = norm_ptr,
        .k_norm = norm_ptr,
        .tokens = tokens.ptr,
        .view = cache.layer(1),
        .n = case.n,
        .heads = case.heads,
        .n_rot = case.n_rot,
        .pairing = case.pairing,
        .eps = 1e-6,
        .norm_order = case.order,
        .sharpening = case.sharpening,
        // Positions from 70 on: the factor changes within the batch.
        .sharpening_length = 37,
        .norm = case.norm orelse .rms,
        .q_norm_stride = norm_stride,
        .k_norm_stride = norm_stride,
        .clamp = case.clamp,
    };
    var first: ?[]u8 = null;
    defer if (first) |bytes| gpa.free(bytes);
    for (1..4) |parts| {
        @memset(cache.memory, 0x5a);
        @memcpy(q.slice(f32), original_q);
        testing.runParts(run, &args, @intCast(parts));
        if (first) |bytes| try std.testing.expectEqualSlices(u8, bytes, cache.memory);
        if (first == null) first = try gpa.dupe(u8, cache.memory);
    }
    for (tokens, 0..) |token, t| {
        for (0..case.heads) |h| {
            const query = expected_q[(t * case.heads + h) * case.dim ..][0..case.dim];
            expectHead(case, query, norm.slice(f32)[h * norm_stride ..][0..case.dim], table.slice(f32), token);
            const periods: f64 = @floatFromInt(token.position / 37);
            for (query) |*value| value.* = @floatCast(value.* * (1.0 + case.sharpening * @log(periods + 1.0)));
        }
        for (0..case.kv_heads) |h| {
            const at = (t * case.kv_heads + h) * case.dim;
            const key = k.slice(f32)[at..][0..case.dim];
            expectHead(case, key, norm.slice(f32)[h * norm_stride ..][0..case.dim], table.slice(f32), token);
            const value = v.slice(f32)[(t * case.kv_heads + h) * case.value_dim ..][0..case.value_dim];
            keepWithin(case, value);
            const relative: f32 = if (case.format == .bf16) 5e-3 else 6e-4;
            // Half a step where the group's largest value is 5: 2 · √3 after the norm, turned by RoPE.
            const absolute: f32 = if (case.format == .q8_0) 0.02 else 1e-6;
            for (key, 0..) |wanted, d| {
                try testing.expectClose(&.{wanted}, &.{elements.readKey(args.view, h, token.slot, d).value()}, absolute, relative);
            }
            for (value, 0..) |wanted, d| {
                try testing.expectClose(&.{wanted}, &.{elements.readValue(args.view, h, token.slot, d).value()}, absolute, relative);
            }
        }
    }
    try testing.expectClose(expected_q, q.slice(f32), 2e-6, 2e-6);
    const untouched: u8 = 0x5a;
    for (cache.memory[0 .. @intFromPtr(args.view.k) - @intFromPtr(cache.memory.ptr)]) |byte| try std.testing.expectEqual(untouched, byte);
}

/// Reference: changes `head` as q or k should be.
fn expectHead(case: Case, head: []f32, norm: []const f32, table: []const f32, token: Token) void {
    keepWithin(case, head);
    if (case.order == .before) normReference(case, head, norm);
    rope.rotateReference(case.pairing, head, table[token.position * case.n_rot ..][0..case.n_rot]);
    if (case.order == .after) normReference(case, head, norm);
}

fn normReference(case: Case, head: []f32, norm: []const f32) void {
    switch (case.norm orelse return) {
        .rms => rms_norm.reference(head, norm, head, 1e-6),
        .layer => layer_norm.reference(head, norm.ptr, null, head, 1e-6),
    }
}

fn keepWithin(case: Case, values: []f32) void {
    if (case.clamp != 0) for (values) |*value| {
        value.* = std.math.clamp(value.*, -case.clamp, case.clamp);
    };
}
