//! The ops of layers with a state: short convolutions, the delta rule, and what stands behind them.

const std = @import("std");
const simd = @import("../isa/simd.zig");
const delta_rule_op = @import("../ops/delta_rule.zig");
const gated_norm_op = @import("../ops/gated_norm.zig");
const glu_op = @import("../ops/glu.zig");
const short_conv_op = @import("../ops/short_conv.zig");
const split_heads_op = @import("../ops/split_heads.zig");
const epilogue = @import("../ops/epilogue.zig");
const buffers = @import("buffers.zig");
const objects = @import("objects.zig");
const sizes = @import("sizes.zig");
const states = @import("states.zig");
const status = @import("status.zig");
const Batch = @import("batch.zig").Batch;
const context_module = @import("context.zig");
const Context = context_module.Context;

const none = objects.none;

/// A short convolution: ops/short_conv.zig has the formula.
pub const ShortConv = extern struct {
    states: u32,
    /// Bytes into each state at which the layer's inputs begin.
    state_offset: u32,
    /// [tokens, stride] f32; in each row the inputs begin at x_first, factors of the inputs at before_first and of the results
    /// at after_first, or NONE.
    x: u32,
    stride: u32,
    x_first: u32,
    before_first: u32,
    after_first: u32,
    /// A vector [channels, taps], and one of [channels] or NONE.
    weights: u32,
    bias: u32,
    channels: u32,
    taps: u32,
    silu: u32,
    /// Elements of a head; the first query_heads are normed and scaled, key_heads behind them normed.
    head: u32,
    query_heads: u32,
    key_heads: u32,
    scale: f32,
    eps: f32,
    /// [tokens, channels]
    y: u32,
    y_forms: u32,
};

/// Linear attention: ops/delta_rule.zig has the formulas.
pub const DeltaRule = extern struct {
    states: u32,
    /// Bytes into each state at which the heads' matrices begin.
    state_offset: u32,
    /// [tokens, row] f32
    x: u32,
    row: u32,
    query_first: u32,
    key_first: u32,
    value_first: u32,
    /// [tokens, gate_row] f32 each, perhaps the same; where alphas and betas begin in a row. beta: NONE with the additive rule.
    alpha: u32,
    alpha_first: u32,
    beta: u32,
    beta_first: u32,
    gate_row: u32,
    gate_group: u32,
    /// Vectors [heads]; skip may be NONE.
    decay: u32,
    dt: u32,
    skip: u32,
    heads: u32,
    key_heads: u32,
    key_dim: u32,
    value_dim: u32,
    /// A HeadSharing.
    sharing: u32,
    /// A StateRule.
    rule: u32,
    /// [tokens, heads, value_dim] f32
    y: u32,
};

/// The batch, of which states were told.
fn currentBatch(context: *Context) status.Error!*const Batch {
    if (context.batch.arena == none or context.batch.states == none) return error.NoBatch;
    return &context.batch;
}

/// The short convolution of the batch's tokens.
pub fn shortConv(context: *Context, call: buffers.Input, call_bytes: u32) status.Error!void {
    const c = try buffers.one(ShortConv, call, call_bytes);
    const batch = try currentBatch(context);
    const n = batch.token_count;
    if (c.taps < 2 or c.taps > short_conv_op.taps_max or c.silu > 1) return error.InvalidArgument;
    if (c.channels == 0 or c.channels % simd.lanes != 0) return error.ShapeMismatch;
    if (!std.math.isFinite(c.scale) or !(c.eps >= 0)) return error.InvalidArgument;
    if (c.head == 0 or c.head % simd.lanes != 0 or epilogue.unit % c.head != 0) return error.ShapeMismatch;
    const normed = try sizes.product(&.{ try sum(c.query_heads, c.key_heads), c.head });
    if (normed > c.channels) return error.ShapeMismatch;
    for ([_]u32{ c.x_first, c.before_first, c.after_first }, 0..) |first, i| {
        if (i > 0 and first == none) continue;
        if (!sizes.inRow(first, c.channels, c.stride)) return error.ShapeMismatch;
    }
    const x = try context.matrix(c.x, n, c.stride);
    const args: short_conv_op.Args = .{
        .x = x + c.x_first,
        .before = if (c.before_first == none) null else x + c.before_first,
        .after = if (c.after_first == none) null else x + c.after_first,
        .w = try context.vector(c.weights, try sizes.product(&.{ c.channels, c.taps })),
        .bias = try context.optionalVector(c.bias, c.channels),
        .y = try context.activation(c.y, c.y_forms, n, c.channels),
        .seqs = batch.group(0).seqs.ptr,
        .states = try states.current(context, c.states, c.state_offset, try sizes.product(&.{ c.channels, c.taps - 1, @sizeOf(f32) })),
        .seq_count = batch.seq_count,
        .channels = c.channels,
        .stride = c.stride,
        .taps = c.taps,
        .silu = c.silu,
        .head = c.head,
        .query_heads = c.query_heads,
        .key_heads = c.key_heads,
        .scale = c.scale,
        .eps = c.eps,
    };
    try context.run(context.ops.short_conv, &args);
}

fn sum(a: u32, b: u32) status.Error!u32 {
    return std.math.add(u32, a, b) catch error.Overflow;
}

/// Linear attention of the batch's tokens.
pub fn deltaRule(context: *Context, call: buffers.Input, call_bytes: u32) status.Error!void {
    const c = try buffers.one(DeltaRule, call, call_bytes);
    const batch = try currentBatch(context);
    const n = batch.token_count;
    const sharing = std.enums.fromInt(delta_rule_op.Sharing, c.sharing) orelse return error.InvalidArgument;
    const rule = std.enums.fromInt(delta_rule_op.Rule, c.rule) orelse return error.InvalidArgument;
    if (c.heads == 0 or c.key_heads == 0 or c.heads % c.key_heads != 0) return error.ShapeMismatch;
    for ([_]u32{ c.key_dim, c.value_dim }) |dim| if (dim == 0 or dim % simd.lanes != 0) return error.ShapeMismatch;
    const keys = try sizes.product(&.{ c.key_heads, c.key_dim });
    const values = try sizes.product(&.{ c.heads, c.value_dim });
    if (!sizes.inRow(c.query_first, keys, c.row) or !sizes.inRow(c.key_first, keys, c.row) or !sizes.inRow(c.value_first, values, c.row)) {
        return error.ShapeMismatch;
    }
    if (c.gate_group == 0 or c.heads % c.gate_group != 0) return error.ShapeMismatch;
    // From the first head's gate to the last one's.
    const span = try sizes.product(&.{ c.heads, 2 });
    for ([_]u32{ c.alpha_first, c.beta_first }) |first| {
        if (!sizes.inRow(first, span - c.gate_group, c.gate_row)) return error.ShapeMismatch;
    }
    const beta = if (rule == .additive) null else try context.matrix(c.beta, n, c.gate_row) + c.beta_first;
    const state_bytes = @as(usize, try sizes.product(&.{ values, c.key_dim })) * @sizeOf(f32);
    const args: delta_rule_op.Args = .{
        .qkv = try context.matrix(c.x, n, c.row),
        .alpha = try context.matrix(c.alpha, n, c.gate_row) + c.alpha_first,
        .beta = beta,
        .decay = try context.vector(c.decay, c.heads),
        .dt = try context.vector(c.dt, c.heads),
        .skip = try context.optionalVector(c.skip, c.heads),
        .y = try context.matrix(c.y, n, values),
        .seqs = batch.group(0).seqs.ptr,
        .states = try states.current(context, c.states, c.state_offset, state_bytes),
        .seq_count = batch.seq_count,
        .heads = c.heads,
        .key_heads = c.key_heads,
        .key_dim = c.key_dim,
        .value_dim = c.value_dim,
        .row = c.row,
        .query_first = c.query_first,
        .key_first = c.key_first,
        .value_first = c.value_first,
        .gate_row = c.gate_row,
        .gate_group = c.gate_group,
        .sharing = sharing,
        .rule = rule,
    };
    // Members claim blocks of at least 16 value columns.
    _ = try sizes.product(&.{ batch.seq_count, values });
    try context.run(context.ops.delta_rule, &args);
}

/// y = x / √(mean(x²) + eps) · w · silu(gate) over each head of n rows of k values, or with an order of 1 of x · silu(gate),
/// not gated again. w: a vector of `head` values for all heads, or of k; k a multiple of head. y must not be x or gate.
pub fn gatedNorm(context: *Context, x: u32, gate: u32, w: u32, k: u32, head: u32, n: u32, eps: f32, order: u32, y: u32, forms: u32) status.Error!void {
    const weights = (try objects.get(context_module.Vector, w)).values;
    if (head == 0 or head > gated_norm_op.head_max or k % head != 0 or !(eps >= 0) or y == x or y == gate) return error.InvalidArgument;
    if (weights.len != head and weights.len != k) return error.ShapeMismatch;
    const args: gated_norm_op.Args = .{
        .x = try context.matrix(x, n, k),
        .gate = try context.matrix(gate, n, k),
        .w = weights.ptr,
        .y = try context.activation(y, forms, n, k),
        .k = k,
        .n = n,
        .head = head,
        .shared = @intFromBool(weights.len == head),
        .eps = eps,
        .order = std.enums.fromInt(gated_norm_op.Order, order) orelse return error.InvalidArgument,
    };
    if (n > 0 and k > 0) try context.run(context.ops.gated_norm, &args);
}

/// y = f(gate) · x over n rows of k values, f a GateFunction; as f32 y may be gate or x.
pub fn gated(context: *Context, gate: u32, x: u32, k: u32, n: u32, function: u32, y: u32, forms: u32) status.Error!void {
    const args: glu_op.Args = .{
        .gate = try context.matrix(gate, n, k),
        .up = try context.matrix(x, n, k),
        .y = try context.activation(y, forms, n, k),
        .k = k,
        .n = n,
        .function = std.enums.fromInt(glu_op.Function, function) orelse return error.InvalidArgument,
    };
    if (n > 0 and k > 0) try context.run(context.ops.glu, &args);
}

/// first, second: [n, heads, dim] of x: [n, heads, 2, dim]. No two regions may be the same.
pub fn splitHeads(context: *Context, x: u32, heads: u32, dim: u32, n: u32, first: u32, second: u32) status.Error!void {
    if (x == first or x == second or first == second) return error.InvalidArgument;
    const half = try sizes.product(&.{ heads, dim });
    const args: split_heads_op.Args = .{
        .x = try context.matrix(x, n, try sizes.product(&.{ half, 2 })),
        .first = try context.matrix(first, n, half),
        .second = try context.matrix(second, n, half),
        .n = n,
        .heads = heads,
        .dim = dim,
    };
    _ = try sizes.product(&.{ n, half });
    if (n > 0 and half > 0) try context.run(context.ops.split_heads, &args);
}
