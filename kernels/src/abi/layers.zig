//! The ops of a transformer layer: ids and regions checked, then one run of the team (or a few) per call.
//!
//! Regions of f32 rows are one number. An activation is a region and a mask of its forms: `forms` beside x says in which it is
//! there, beside y in which it is wanted, at least one (quant/activations.zig: Layout). NONE means "not wanted". Regions may be
//! the same where an op's documentation allows it.

const std = @import("std");
const kv_batch = @import("batch.zig");
const kv_arena = @import("../kv/arena.zig");
const Token = @import("../kv/batch.zig").Token;
const arenas = @import("arenas.zig");
const buffers = @import("buffers.zig");
const status = @import("status.zig");
const objects = @import("objects.zig");
const activations = @import("../quant/activations.zig");
const matmul_op = @import("../ops/matmul/matmul.zig");
const embed_op = @import("../ops/embed.zig");
const quantize_op = @import("../ops/quantize_activations.zig");
const rms_norm_op = @import("../ops/rms_norm.zig");
const layer_norm_op = @import("../ops/layer_norm.zig");
const glu_op = @import("../ops/glu.zig");
const activate_op = @import("../ops/activate.zig");
const math = @import("../ops/math.zig");
const cap_logits_op = @import("../ops/cap_logits.zig");
const rope_append_op = @import("../ops/rope_append.zig");
const gather_op = @import("../ops/gather_rows.zig");
const attention_op = @import("../ops/attention/attention.zig");
const attention_items = @import("../ops/attention/items.zig");
const rope = @import("../ops/rope.zig");
const Context = @import("context.zig").Context;
const weights_module = @import("weights.zig");
const Weights = weights_module.Weights;

const none = objects.none;

/// y[i] = scale · row ids[i] of w. ids: u32 below the rows of w; y: [ids, k].
pub fn embed(context: *Context, w: u32, ids: buffers.Input, ids_bytes: u32, scale: f32, y: u32) status.Error!void {
    const weights = try objects.get(Weights, w);
    const rows = try buffers.all(u32, ids, ids_bytes);
    if (!std.math.isFinite(scale)) return error.InvalidArgument;
    for (rows) |row| if (row >= weights.rows) return error.InvalidArgument;
    const args: embed_op.Args = .{
        .weights = weights.piece.bytes.ptr,
        .ids = rows.ptr,
        .y = try context.matrix(y, @intCast(rows.len), weights.k),
        .format = @backingInt(weights.format),
        .rows = weights.rows,
        .k = weights.k,
        .n = @intCast(rows.len),
        .scale = scale,
    };
    if (rows.len > 0) try context.run(context.ops.embed, &args);
}

/// y[i] += the row of w that the position of the batch's token i names. y: [tokens, k].
pub fn addPositions(context: *Context, arena_id: u32, w: u32, y: u32) status.Error!void {
    const weights = try objects.get(Weights, w);
    const batch = try kv_batch.current(context, arena_id);
    if (batch.positions_end > weights.rows) return error.ShapeMismatch;
    const tokens = batch.group(0).tokens;
    comptime std.debug.assert(@offsetOf(Token, "position") == 0);
    const args: embed_op.Args = .{
        .weights = weights.piece.bytes.ptr,
        .ids = @ptrCast(tokens.ptr),
        .ids_stride = @sizeOf(Token) / @sizeOf(u32),
        .y = try context.matrix(y, batch.token_count, weights.k),
        .format = @backingInt(weights.format),
        .rows = weights.rows,
        .k = weights.k,
        .n = batch.token_count,
        .scale = 1,
        .accumulate = 1,
    };
    try context.run(context.ops.embed, &args);
}

/// y = x / √(mean(x²) + eps) · w over n rows of the vector's length. y may be x.
pub fn rmsNorm(context: *Context, x: u32, w: u32, n: u32, eps: f32, y: u32, forms: u32) status.Error!void {
    const vector = try objects.get(@import("context.zig").Vector, w);
    const k: u32 = @intCast(vector.values.len);
    if (!(eps >= 0)) return error.InvalidArgument;
    const args: rms_norm_op.Args = .{
        .x = try context.matrix(x, n, k),
        .w = vector.values.ptr,
        .y = try context.activation(y, forms, n, k),
        .k = k,
        .n = n,
        .eps = eps,
    };
    if (n > 0) try context.run(context.ops.rms_norm, &args);
}

/// y += x / √(mean(x²) + eps) · w over n rows of the vector's length. y must not be x.
pub fn rmsNormAdd(context: *Context, x: u32, w: u32, n: u32, eps: f32, y: u32) status.Error!void {
    const vector = try objects.get(@import("context.zig").Vector, w);
    const k: u32 = @intCast(vector.values.len);
    if (!(eps >= 0) or x == y) return error.InvalidArgument;
    const args: rms_norm_op.Args = .{
        .x = try context.matrix(x, n, k),
        .w = vector.values.ptr,
        .y = .{ .f32 = try context.matrix(y, n, k) },
        .k = k,
        .n = n,
        .eps = eps,
        .accumulate = 1,
    };
    if (n > 0) try context.run(context.ops.rms_norm, &args);
}

/// y = (x − mean(x)) / √(var(x) + eps) · w + b over n rows of k values. w, b: vectors of k values or NONE. y must not be x.
pub fn layerNorm(context: *Context, x: u32, w: u32, b: u32, k: u32, n: u32, eps: f32, y: u32, forms: u32) status.Error!void {
    if (!(eps >= 0) or x == y or k == 0) return error.InvalidArgument;
    const args: layer_norm_op.Args = .{
        .x = try context.matrix(x, n, k),
        .w = try context.optionalVector(w, k),
        .b = try context.optionalVector(b, k),
        .y = try context.activation(y, forms, n, k),
        .k = k,
        .n = n,
        .eps = eps,
    };
    if (n > 0) try context.run(context.ops.layer_norm, &args);
}

/// x = cap · tanh(scale · x / cap) in place over n rows of k values; cap 0: scale · x.
pub fn capLogits(context: *Context, x: u32, k: u32, n: u32, scale: f32, cap: f32) status.Error!void {
    if (!std.math.isFinite(scale) or !std.math.isFinite(cap) or cap < 0) return error.InvalidArgument;
    const args: cap_logits_op.Args = .{ .x = try context.matrix(x, n, k), .k = k, .n = n, .scale = scale, .cap = cap };
    if (n > 0 and k > 0) try context.run(context.ops.cap_logits, &args);
}

/// Quantises n rows of k values in the forms that are wanted; f32, which is a copy, may be one.
pub fn quantizeActivations(context: *Context, x: u32, k: u32, n: u32, y: u32, forms: u32) status.Error!void {
    const args: quantize_op.Args = .{
        .x = try context.matrix(x, n, k),
        .y = try context.activation(y, forms, n, k),
        .k = k,
        .n = n,
    };
    if (n > 0) try context.run(context.ops.quantize_activations, &args);
}

/// The activations of a matmul, in the forms that its weights read.
const Columns = struct { x: u32, forms: u32, count: u32 };

fn item(context: *Context, in: Columns, w: u32, b: u32, y: u32, accumulate: u32) status.Error!matmul_op.Item {
    const weights = try objects.get(Weights, w);
    const k = weights.k;
    const x = try context.activation(in.x, in.forms, in.count, k);
    // Only what the format reads has to be there.
    const columns: ?*const anyopaque = if (weights.format.activationKind()) |kind| x.of(kind) else x.f32;
    return .{
        .weights = weights.piece.bytes.ptr,
        .x = columns orelse return error.InvalidArgument,
        .bias = try context.optionalVector(b, weights.rows),
        .y = try context.matrix(y, in.count, weights.rows),
        .format = @backingInt(weights.format),
        .rows = weights.rows,
        .k = k,
        .columns = in.count,
        .y_stride = weights.rows,
        .accumulate = accumulate,
    };
}

/// Up to three products of the same activations: y_i = x · w_iᵀ + b_i, or y_i += … when `accumulate` is 1.
/// x: [columns, k]; y_i: [columns, rows of w_i]; b_i: a vector of rows values or NONE. Unused w_i are NONE. For every w_i
/// the form that its format reads must be there (`activation` in symbols.ts's table of formats).
pub fn matmul(
    context: *Context,
    x: u32,
    forms: u32,
    columns: u32,
    accumulate: u32,
    w0: u32,
    b0: u32,
    y0: u32,
    w1: u32,
    b1: u32,
    y1: u32,
    w2: u32,
    b2: u32,
    y2: u32,
) status.Error!void {
    if (accumulate > 1) return error.InvalidArgument;
    const in: Columns = .{ .x = x, .forms = forms, .count = columns };
    var items: [3]matmul_op.Item = undefined;
    var count: usize = 0;
    for ([_][3]u32{ .{ w0, b0, y0 }, .{ w1, b1, y1 }, .{ w2, b2, y2 } }) |part| {
        if (part[0] == none) continue;
        items[count] = try item(context, in, part[0], part[1], part[2], accumulate);
        count += 1;
    }
    if (count == 0) return error.InvalidArgument;
    if (columns > 0) try context.run(context.ops.matmul, &matmul_op.Group.of(items[0..count]));
}

/// y = f(x · w_gateᵀ + b_gate) · (x · w_upᵀ + b_up): [columns, rows], f a GateFunction; a bias is a vector or NONE.
/// scratch_gate and scratch_up hold [columns, rows] f32 each; y may be one of them.
pub fn gateUp(
    context: *Context,
    x: u32,
    forms: u32,
    columns: u32,
    w_gate: u32,
    b_gate: u32,
    w_up: u32,
    b_up: u32,
    scratch_gate: u32,
    scratch_up: u32,
    function: u32,
    y: u32,
    y_forms: u32,
) status.Error!void {
    const gate_function = std.enums.fromInt(glu_op.Function, function) orelse return error.InvalidArgument;
    const in: Columns = .{ .x = x, .forms = forms, .count = columns };
    const gate = try item(context, in, w_gate, b_gate, scratch_gate, 0);
    const up = try item(context, in, w_up, b_up, scratch_up, 0);
    if (gate.rows != up.rows) return error.ShapeMismatch;
    const args: glu_op.Args = .{
        .gate = gate.y,
        .up = up.y,
        .y = try context.activation(y, y_forms, columns, gate.rows),
        .k = gate.rows,
        .n = columns,
        .function = gate_function,
    };
    if (columns == 0) return;
    try context.run(context.ops.matmul, &matmul_op.Group.of(&.{ gate, up }));
    try context.run(context.ops.glu, &args);
}

/// y = f(x · wᵀ + b): [columns, rows], f an ActivationFunction; b a vector or NONE. scratch holds [columns, rows] f32;
/// y may be it. The numbers are xIELU's, as files have them: alphas before their softplus, beta, and the bound eps.
pub fn upActivate(
    context: *Context,
    x: u32,
    forms: u32,
    columns: u32,
    w: u32,
    b: u32,
    scratch: u32,
    function: u32,
    alpha_p: f32,
    alpha_n: f32,
    beta: f32,
    eps: f32,
    y: u32,
    y_forms: u32,
) status.Error!void {
    const activation_function = std.enums.fromInt(activate_op.Function, function) orelse return error.InvalidArgument;
    for ([_]f32{ alpha_p, alpha_n, beta, eps }) |number| if (!std.math.isFinite(number)) return error.InvalidArgument;
    if (eps > 0) return error.InvalidArgument;
    const in: Columns = .{ .x = x, .forms = forms, .count = columns };
    const product = try item(context, in, w, b, scratch, 0);
    const args: activate_op.Args = .{
        .x = product.y,
        .y = try context.activation(y, y_forms, columns, product.rows),
        .k = product.rows,
        .n = columns,
        .function = activation_function,
        .parameters = .{ .positive = softplus(alpha_p), .negative = beta + softplus(alpha_n), .slope = beta, .bound = eps },
    };
    if (columns == 0) return;
    try context.run(context.ops.matmul, &matmul_op.Group.of(&.{product}));
    try context.run(context.ops.activate, &args);
}

/// ln(1 + eˣ), which is x where eˣ is large.
fn softplus(x: f32) f32 {
    return if (x > 30) x else @floatCast(math.ln(1.0 + math.exp2(x * std.math.log2e)));
}

/// Rotates q in place, and stores rotated k, and v, in the arena: the batch's tokens. q: [tokens, heads, key_dim];
/// k: [tokens, kv_heads, key_dim]; v: [tokens, kv_heads, value_dim], of the layer's sizes; where values are parts of keys v is
/// not looked at. rope: NONE where the layer turns
/// nothing. q_norm, k_norm: vectors of key_dim values, or of that for each head, for a norm of each head before the rotation,
/// after it with norm_order 1, or NONE; norm: a HeadNorm. pairing: 0 interleaved, 1 halves. sharpening: 0, or q becomes
/// q · (1 + sharpening · ln(⌊position / length⌋ + 1)). clamp: bound of q, k and v before all that, 0 for none.
pub fn ropeAppend(
    context: *Context,
    rope_id: u32,
    arena_id: u32,
    layer: u32,
    q: u32,
    k: u32,
    v: u32,
    heads: u32,
    q_norm: u32,
    k_norm: u32,
    pairing: u32,
    eps: f32,
    norm_order: u32,
    sharpening: f32,
    sharpening_length: u32,
    norm: u32,
    clamp: f32,
) status.Error!void {
    const table: ?*weights_module.Rope = if (rope_id == none) null else try objects.get(weights_module.Rope, rope_id);
    const arena = try objects.get(arenas.Arena, arena_id);
    const batch = try kv_batch.current(context, arena_id);
    if (layer >= arena.native.places.len or pairing > 1 or !(eps >= 0)) return error.InvalidArgument;
    const order = std.enums.fromInt(rope_append_op.NormOrder, norm_order) orelse return error.InvalidArgument;
    const head_norm = std.enums.fromInt(rope_append_op.HeadNorm, norm) orelse return error.InvalidArgument;
    if (!std.math.isFinite(sharpening) or sharpening_length == 0) return error.InvalidArgument;
    if (!std.math.isFinite(clamp) or clamp < 0) return error.InvalidArgument;
    const view = arena.native.layer(layer);
    if (table) |turns| if (turns.n_rot > view.key_dim or batch.positions_end > turns.max_positions) return error.ShapeMismatch;
    const n = batch.token_count;
    try checkHeads(view, heads, n);
    const q_weights = try headNorm(q_norm, heads, view.key_dim);
    const k_weights = try headNorm(k_norm, view.kv_heads, view.key_dim);
    const args: rope_append_op.Args = .{
        .q = try context.matrix(q, n, try width(heads, view.key_dim)),
        .k = try context.matrix(k, n, try width(view.kv_heads, view.key_dim)),
        .v = if (view.values == .in_keys) undefined else try context.matrix(v, n, try width(view.kv_heads, view.value_dim)),
        .cos_sin = if (table) |turns| turns.table() else null,
        .q_norm = q_weights.values,
        .k_norm = k_weights.values,
        .tokens = batch.group(arena.native.groupOf(layer)).tokens.ptr,
        .view = view,
        .n = n,
        .heads = heads,
        .n_rot = if (table) |turns| turns.n_rot else 0,
        .pairing = if (pairing == 0) .interleaved else .halves,
        .eps = eps,
        .norm_order = order,
        .sharpening = sharpening,
        .sharpening_length = sharpening_length,
        .norm = head_norm,
        .q_norm_stride = q_weights.stride,
        .k_norm_stride = k_weights.stride,
        .clamp = clamp,
    };
    try context.run(context.ops.rope_append, &args);
}

/// Weights of a norm of heads, and the values from one head's to the next.
fn headNorm(id: u32, heads: u32, key_dim: u32) status.Error!struct { values: ?[*]const f32, stride: u32 } {
    if (id == none) return .{ .values = null, .stride = 0 };
    const values = (try objects.get(@import("context.zig").Vector, id)).values;
    if (values.len == key_dim) return .{ .values = values.ptr, .stride = 0 };
    if (values.len != try width(heads, key_dim)) return error.ShapeMismatch;
    return .{ .values = values.ptr, .stride = key_dim };
}

/// Causal attention of the batch's tokens over the layer's K and V, as far back as its window reaches. q: [tokens, heads,
/// key_dim], already rotated; softcap: bound of the scores, 0 for none; sinks: a vector of a score for each head that takes
/// part in its softmax and has no value, or NONE; result [tokens, heads, value_dim], quantised with k = heads · value_dim.
/// y must not be q.
pub fn attention(
    context: *Context,
    arena_id: u32,
    layer: u32,
    q: u32,
    heads: u32,
    scale: f32,
    softcap: f32,
    sinks: u32,
    y: u32,
    y_forms: u32,
) status.Error!void {
    const arena = try objects.get(arenas.Arena, arena_id);
    const batch = try kv_batch.current(context, arena_id);
    if (layer >= arena.native.places.len or y == q) return error.InvalidArgument;
    if (!std.math.isFinite(softcap) or softcap < 0) return error.InvalidArgument;
    const view = arena.native.layer(layer);
    const group = batch.group(arena.native.groupOf(layer));
    const n = batch.token_count;
    try checkHeads(view, heads, n);
    const k = try width(heads, view.value_dim);
    const result = try context.activation(y, y_forms, n, k);
    var args: attention_op.Args = .{
        .q = try context.matrix(q, n, try width(heads, view.key_dim)),
        .out = undefined,
        .seqs = group.seqs.ptr,
        .extents = group.extents.ptr,
        .view = view,
        .n_seqs = batch.seq_count,
        .heads = heads,
        .scale = scale,
        .softcap = softcap,
        .sinks = try context.optionalVector(sinks, heads),
    };
    try placeAttention(context, &args, result.f32, @as(usize, n) * k);
    try context.run(if (view.format == .q8_0) context.ops.attention_integers else context.ops.attention, &args);
    if (y_forms == activations.form_f32) return;
    const quantize: quantize_op.Args = .{ .x = args.out, .y = result, .k = k, .n = n };
    try context.run(context.ops.quantize_activations, &quantize);
}

/// Sets where attention's result goes, `out_len` floats in scratch memory without a region, and whether its work is split.
fn placeAttention(context: *Context, args: *attention_op.Args, y: ?[*]f32, out_len: usize) status.Error!void {
    args.split.rows = attention_items.rowsPerItem(args.work(), context.threads());
    const work = args.work();
    const chunks = attention_items.chunksPerUnit(work, context.threads());
    const room: attention_items.Room = if (chunks == 0) .{ .items = 0, .floats = 0 } else attention_items.roomOf(work);
    const out_floats = if (y == null) out_len else 0;
    const scratch = try context.scratchBytes((out_floats + room.floats) * @sizeOf(f32) + room.items * @sizeOf(u32));
    const floats: [*]f32 = @ptrCast(scratch);
    args.out = y orelse floats;
    if (chunks == 0) return;
    const partials = floats + out_floats;
    std.debug.assert(room.items > 0 and room.floats > 0);
    const finished: [*]u32 = @ptrCast(partials + room.floats);
    @memset(finished[0..room.items], 0);
    args.split = .{ .rows = work.item_rows, .chunks = chunks, .finished = finished, .partials = partials };
}

fn checkHeads(view: kv_arena.LayerView, heads: u32, n: u32) status.Error!void {
    if (heads == 0 or heads % view.kv_heads != 0) return error.ShapeMismatch;
    // Ops count (token, head) pairs in 32 bits.
    const pairs = std.math.mul(u32, n, try width(heads, 2)) catch return error.Overflow;
    if (pairs > 1 << 30) return error.Overflow;
}

fn width(heads: u32, dim: u32) status.Error!u32 {
    return std.math.mul(u32, heads, dim) catch error.Overflow;
}

/// y[i] = row index[i] of x. x: rows of k values, of which the workspace must hold the largest index; index: u32;
/// y: [indices, k], which must not overlap the rows up to the largest index.
pub fn gatherRows(context: *Context, x: u32, k: u32, index: buffers.Input, index_bytes: u32, y: u32) status.Error!void {
    const rows = try buffers.all(u32, index, index_bytes);
    if (rows.len == 0 or k == 0) return;
    const rows_end = std.math.add(u32, std.mem.max(u32, rows), 1) catch return error.Overflow;
    const source = try context.matrix(x, rows_end, k);
    const target = try context.matrix(y, @intCast(rows.len), k);
    std.debug.assert(rows_end > 0);
    const source_end = @intFromPtr(source) + @as(usize, rows_end) * k * @sizeOf(f32);
    const target_end = @intFromPtr(target) + rows.len * k * @sizeOf(f32);
    if (@intFromPtr(source) < target_end and @intFromPtr(target) < source_end) return error.InvalidArgument;
    const args: gather_op.Args = .{ .x = source, .index = rows.ptr, .y = target, .k = k, .n = @intCast(rows.len) };
    try context.run(context.ops.gather_rows, &args);
}
