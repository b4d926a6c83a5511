//! A mixture of experts: of router logits to what the chosen experts add to the residual stream, in one call.
//!
//! route → tokens sorted by expert → gate and up of all experts as one run of the matmul → f(gate) · up → down in the same
//! manner → the weighted sum. Experts without a gate have f(up). An expert multiplies its tokens as any matrix does its
//! columns, so a token's result does not depend on how many others chose the expert. What an expert with a single token
//! multiplies is read where it lies; for others columns are copied side by side.

const std = @import("std");
const activations = @import("../quant/activations.zig");
const Activation = activations.Activation;
const ExpertRows = @import("../ops/expert_rows.zig").ExpertRows;
const Copy = @import("../ops/expert_rows.zig").Copy;
const activate_op = @import("../ops/activate.zig");
const gather_op = @import("../ops/gather_columns.zig");
const glu_op = @import("../ops/glu.zig");
const matmul_op = @import("../ops/matmul/matmul.zig");
const mix_op = @import("../ops/mix_experts.zig");
const route_op = @import("../ops/route.zig");
const buffers = @import("buffers.zig");
const objects = @import("objects.zig");
const status = @import("status.zig");
const Context = @import("context.zig").Context;
const Stacked = @import("stacked.zig").Stacked;

/// What a layer's experts are and where they work. Rows are pairs of a token and one of its experts: tokens · used of them.
pub const Call = extern struct {
    /// [tokens, hidden], in the forms that gate and up read and perhaps others.
    x: u32,
    x_forms: u32,
    /// [tokens, experts] f32: of the router.
    logits: u32,
    /// A vector [experts] that is added to scores where experts are chosen, or NONE.
    choice_bias: u32,
    experts: u32,
    /// Experts of a token.
    used: u32,
    groups: u32,
    groups_used: u32,
    /// An ExpertScoring.
    scoring: u32,
    normalise: u32,
    scale: f32,
    /// [experts · ffn, hidden] or NONE, [experts · ffn, hidden], [experts · hidden, ffn]; ffn and hidden multiples of 16. A
    /// bias is a vector of as many values as there are rows, or NONE.
    gate: u32,
    gate_bias: u32,
    up: u32,
    up_bias: u32,
    down: u32,
    down_bias: u32,
    /// A GateFunction, without a gate an ActivationFunction that has no parameters.
    function: u32,
    /// What a shared expert gives, [tokens, hidden] f32, and its gate before the sigmoid, [tokens] f32; NONE: there is none.
    shared: u32,
    shared_gate: u32,
    /// [tokens, used] u32, f32: which experts were chosen, ascending, and their weights.
    chosen: u32,
    weights: u32,
    /// [rows, hidden] in the forms that gate and up read.
    gathered: u32,
    /// [rows, ffn] f32 each; the first is not looked at without a gate.
    gate_products: u32,
    up_products: u32,
    /// [rows, ffn] in the forms that down reads, and that are wanted.
    gated: u32,
    gated_forms: u32,
    /// [rows, hidden] f32; may begin where gate_products does.
    products: u32,
    /// [tokens, hidden] f32: what is added to.
    y: u32,
};

/// All that a call names, checked.
const Checked = struct {
    tokens: u32,
    rows: u32,
    call: *const Call,
    gate: ?Stacked,
    up: Stacked,
    down: Stacked,
    x: Activation,
    gathered_forms: u32,
    gathered: Activation,
    gated: Activation,
    route: route_op.Args,
    inner: Inner,
    mix: mix_op.Args,

    fn of(context: *Context, call: *const Call, tokens: u32) status.Error!Checked {
        const rows = std.math.mul(u32, tokens, call.used) catch return error.Overflow;
        const gate: ?Stacked = if (call.gate == objects.none) null else try .of(context, call.gate, call.gate_bias, call.experts);
        const up: Stacked = try .of(context, call.up, call.up_bias, call.experts);
        const down: Stacked = try .of(context, call.down, call.down_bias, call.experts);
        const hidden = up.weights.k;
        const ffn = up.rows;
        if (down.weights.k != ffn or down.rows != hidden) return error.ShapeMismatch;
        if (gate) |matrices| if (matrices.weights.k != hidden or matrices.rows != ffn) return error.ShapeMismatch;
        const forms = up.form() | if (gate) |matrices| matrices.form() else 0;
        if (forms & ~call.x_forms != 0 or down.form() & ~call.gated_forms != 0) return error.InvalidArgument;
        const gated = try context.activation(call.gated, call.gated_forms, rows, ffn);
        return .{
            .tokens = tokens,
            .rows = rows,
            .call = call,
            .gate = gate,
            .up = up,
            .down = down,
            .x = try context.activation(call.x, call.x_forms, tokens, hidden),
            .gathered_forms = forms,
            .gathered = try context.activation(call.gathered, forms, rows, hidden),
            .gated = gated,
            .route = try routeOf(context, call, tokens, rows),
            .inner = if (gate == null) try .ungated(context, call, gated, rows, ffn) else try .gated(context, call, gated, rows, ffn),
            .mix = .{
                .products = try context.matrix(call.products, rows, hidden),
                .rows = undefined,
                .weights = try context.matrix(call.weights, rows, 1),
                .shared = try optionalMatrix(context, call.shared, tokens, hidden),
                .shared_gate = try optionalMatrix(context, call.shared_gate, tokens, 1),
                .y = try context.matrix(call.y, tokens, hidden),
                .k = hidden,
                .n = tokens,
                .used = call.used,
            },
        };
    }
};

/// What becomes of the first products of each expert.
const Inner = union(enum) {
    glu: glu_op.Args,
    activate: activate_op.Args,

    fn gated(context: *Context, call: *const Call, y: Activation, rows: u32, ffn: u32) status.Error!Inner {
        return .{ .glu = .{
            .gate = try context.matrix(call.gate_products, rows, ffn),
            .up = try context.matrix(call.up_products, rows, ffn),
            .y = y,
            .k = ffn,
            .n = rows,
            .function = std.enums.fromInt(glu_op.Function, call.function) orelse return error.InvalidArgument,
        } };
    }

    fn ungated(context: *Context, call: *const Call, y: Activation, rows: u32, ffn: u32) status.Error!Inner {
        const function = std.enums.fromInt(activate_op.Function, call.function) orelse return error.InvalidArgument;
        if (function == .xielu) return error.InvalidArgument;
        return .{ .activate = .{
            .x = try context.matrix(call.up_products, rows, ffn),
            .y = y,
            .k = ffn,
            .n = rows,
            .function = function,
        } };
    }

    fn run(inner: *const Inner, context: *Context) status.Error!void {
        switch (inner.*) {
            .glu => |*args| try context.run(context.ops.glu, args),
            .activate => |*args| try context.run(context.ops.activate, args),
        }
    }
};

fn optionalMatrix(context: *Context, region: u32, rows: u32, k: u32) status.Error!?[*]const f32 {
    return if (region == objects.none) null else try context.matrix(region, rows, k);
}

fn routeOf(context: *Context, call: *const Call, tokens: u32, rows: u32) status.Error!route_op.Args {
    return .{
        .logits = try context.matrix(call.logits, tokens, call.experts),
        .bias = try context.optionalVector(call.choice_bias, call.experts),
        .chosen = try context.region(u32, call.chosen, rows),
        .weights = try context.matrix(call.weights, rows, 1),
        .n = tokens,
        .experts = call.experts,
        .used = call.used,
        .groups = call.groups,
        .groups_used = call.groups_used,
        .scoring = std.enums.fromInt(route_op.Scoring, call.scoring) orelse return error.InvalidArgument,
        .normalise = call.normalise,
        .scale = call.scale,
    };
}

fn checkNumbers(call: *const Call) status.Error!void {
    if (call.experts == 0 or call.experts > route_op.experts_max) return error.InvalidArgument;
    if (call.used == 0 or call.used > @min(call.experts, route_op.used_max)) return error.InvalidArgument;
    if (call.groups == 0 or call.experts % call.groups != 0) return error.InvalidArgument;
    if (call.groups_used == 0 or call.groups_used > call.groups) return error.InvalidArgument;
    if (call.experts / call.groups * call.groups_used < call.used) return error.InvalidArgument;
    if (call.normalise > 1 or !std.math.isFinite(call.scale)) return error.InvalidArgument;
}

/// y += what the experts of each token give.
pub fn run(context: *Context, call: buffers.Input, call_bytes: u32, tokens: u32) status.Error!void {
    const checked_call = try buffers.one(Call, call, call_bytes);
    try checkNumbers(checked_call);
    var checked: Checked = try .of(context, checked_call, tokens);
    if (tokens == 0) return;
    try context.run(context.ops.route, &checked.route);
    const memory: Memory = try .of(context, &checked);
    const sorted: ExpertRows = .init(checked.route.chosen[0..checked.rows], checked_call.used, checked_call.experts, memory.words);
    try gather(context, &checked, sorted.copiesOf(memory.copies));
    try context.run(context.ops.matmul, &matmul_op.Group.of(gateUpItems(&checked, &sorted, memory.items)));
    try checked.inner.run(context);
    try context.run(context.ops.matmul, &matmul_op.Group.of(downItems(&checked, &sorted, memory.items)));
    checked.mix.rows = sorted.rows.ptr;
    try context.run(context.ops.mix_experts, &checked.mix);
}

/// What a call writes down between its ops.
const Memory = struct {
    /// Two for each expert that a token can have chosen.
    items: []matmul_op.Item,
    copies: []Copy,
    words: []u32,

    fn of(context: *Context, checked: *const Checked) status.Error!Memory {
        const call = checked.call;
        const items = 2 * @as(usize, @min(call.experts, checked.rows));
        const words = ExpertRows.words(checked.tokens, call.used, call.experts);
        const items_bytes = items * @sizeOf(matmul_op.Item);
        const copies_bytes = checked.rows * @as(usize, @sizeOf(Copy));
        const bytes = try context.scratchBytes(items_bytes + copies_bytes + words * @sizeOf(u32));
        const first_items: [*]matmul_op.Item = @ptrCast(bytes);
        const first_copy: [*]Copy = @ptrCast(@alignCast(bytes + items_bytes));
        const first_word: [*]u32 = @ptrCast(@alignCast(bytes + items_bytes + copies_bytes));
        return .{ .items = first_items[0..items], .copies = first_copy[0..checked.rows], .words = first_word[0..words] };
    }
};

fn gather(context: *Context, checked: *const Checked, copies: []const Copy) status.Error!void {
    if (copies.len == 0) return;
    const k = checked.up.weights.k;
    if (checked.gathered.f32) |target| {
        try copyForm(context, @ptrCast(checked.x.f32.?), @ptrCast(target), k * @sizeOf(f32), copies);
    }
    for (std.enums.values(activations.Kind)) |kind| {
        const target = checked.gathered.of(kind) orelse continue;
        try copyForm(context, checked.x.of(kind).?, target, activations.columnBytes(kind, k), copies);
    }
}

fn copyForm(context: *Context, source: [*]const u8, target: [*]u8, stride: usize, copies: []const Copy) status.Error!void {
    const args: gather_op.Args = .{
        .source = source,
        .target = target,
        .copies = copies.ptr,
        .stride = stride,
        .n = @intCast(copies.len),
    };
    try context.run(context.ops.gather_columns, &args);
}

fn gateUpItems(checked: *const Checked, sorted: *const ExpertRows, room: []matmul_op.Item) []const matmul_op.Item {
    var len: usize = 0;
    for (0..checked.call.experts) |expert| {
        const count = sorted.count(expert);
        if (count == 0) continue;
        const first: usize = sorted.starts[expert];
        const token = sorted.onlyToken(expert);
        const from = if (token == null) &checked.gathered else &checked.x;
        const gate, const up = switch (checked.inner) {
            .glu => |args| .{ args.gate, args.up },
            .activate => |args| .{ undefined, args.x },
        };
        for ([_]?Stacked{ checked.gate, checked.up }, [_][*]const f32{ gate, up }) |each, products| {
            const matrices = each orelse continue;
            const x = matrices.column(from, token orelse first);
            room[len] = matrices.item(expert, x, count, @constCast(products) + first * matrices.rows, matrices.rows);
            len += 1;
        }
    }
    return room[0..len];
}

fn downItems(checked: *const Checked, sorted: *const ExpertRows, room: []matmul_op.Item) []const matmul_op.Item {
    var len: usize = 0;
    for (0..checked.call.experts) |expert| {
        const count = sorted.count(expert);
        if (count == 0) continue;
        const first: usize = sorted.starts[expert];
        const down = checked.down;
        const x = down.column(&checked.gated, first);
        room[len] = down.item(expert, x, count, @constCast(checked.mix.products) + first * down.rows, down.rows);
        len += 1;
    }
    return room[0..len];
}

comptime {
    std.debug.assert(@alignOf(Copy) <= @alignOf(matmul_op.Item));
}
