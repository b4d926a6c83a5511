//! The whole of a mixture of experts against products of its matrices by themselves, in f64.

const std = @import("std");
const activations = @import("../quant/activations.zig");
const context_module = @import("context.zig");
const Context = context_module.Context;
const experts = @import("experts.zig");
const activate = @import("../ops/activate.zig");
const glu = @import("../ops/glu.zig");
const route = @import("../ops/route.zig");
const objects = @import("objects.zig");
const weights = @import("weights.zig");
const testing = @import("../testing/testing.zig");
const gpa = std.testing.allocator;
const none = objects.none;

const hidden = 32;
const ffn = 48;
const count = 5;
const used = 3;
const tokens = 7;

/// Values of a mixture, and their ids in a context.
const World = struct {
    context: *Context,
    matrices: [3][]f32,
    biases: [3][]f32,
    x: []f32,
    logits: []f32,
    call: experts.Call,

    fn init(rng: *testing.Rng, threads: u32) !World {
        const context = try @import("context_test.zig").open(threads, 4096);
        const sizes = [3]usize{ ffn * hidden, ffn * hidden, hidden * ffn };
        var world: World = .{ .context = context, .matrices = undefined, .biases = undefined, .x = undefined, .logits = undefined, .call = undefined };
        for (&world.matrices, &world.biases, sizes, [_]u32{ ffn, ffn, hidden }) |*matrix, *bias, size, rows| {
            matrix.* = try filled(rng, count * size);
            bias.* = try filled(rng, count * rows);
        }
        world.x = try filled(rng, tokens * hidden);
        world.logits = try filled(rng, tokens * count);
        world.call = .{
            .x = 0,
            .x_forms = activations.form_f32,
            .logits = 100,
            .choice_bias = none,
            .experts = count,
            .used = used,
            .groups = 1,
            .groups_used = 1,
            .scoring = @backingInt(route.Scoring.softmax),
            .normalise = 1,
            .scale = 0.5,
            .gate = try matrixId(context, world.matrices[0], hidden),
            .gate_bias = try vectorId(context, world.biases[0]),
            .up = try matrixId(context, world.matrices[1], hidden),
            .up_bias = try vectorId(context, world.biases[1]),
            .down = try matrixId(context, world.matrices[2], ffn),
            .down_bias = try vectorId(context, world.biases[2]),
            .function = @backingInt(glu.Function.silu),
            .shared = none,
            .shared_gate = none,
            .chosen = 200,
            .weights = 300,
            .gathered = 400,
            .gate_products = 600,
            .up_products = 800,
            .gated = 1000,
            .gated_forms = activations.form_f32,
            .products = 600,
            .y = 1200,
        };
        return world;
    }

    fn deinit(world: *World) void {
        for (world.matrices, world.biases) |matrix, bias| {
            gpa.free(matrix);
            gpa.free(bias);
        }
        gpa.free(world.x);
        gpa.free(world.logits);
        context_module.stop(world.context.id) catch unreachable;
    }

    /// y of tokens [first, end), from zero.
    fn run(world: *World, first: usize, end: usize, y: []f32) !void {
        const n: u32 = @intCast(end - first);
        try put(world.context, world.call.x, world.x[first * hidden .. end * hidden]);
        try put(world.context, world.call.logits, world.logits[first * count .. end * count]);
        @memset(y, 0);
        try put(world.context, world.call.y, y);
        try experts.run(world.context, @ptrCast(&world.call), @sizeOf(experts.Call), n);
        try context_module.read(world.context, world.call.y, @ptrCast(y.ptr), @intCast(y.len * 4));
    }

    /// What the experts that were chosen give to a token.
    fn expected(world: *const World, token: usize, y: *[hidden]f64) !void {
        var chosen: [used]u32 = undefined;
        var shares: [used]f32 = undefined;
        const args: route.Args = .{
            .logits = world.logits[token * count ..].ptr,
            .bias = null,
            .chosen = &chosen,
            .weights = &shares,
            .n = 1,
            .experts = count,
            .used = used,
            .groups = 1,
            .groups_used = 1,
            .scoring = .softmax,
            .normalise = 1,
            .scale = world.call.scale,
        };
        route.reference(&args);
        @memset(y, 0);
        for (chosen, shares) |expert, share| {
            var inner: [ffn]f64 = undefined;
            for (&inner, 0..) |*value, row| {
                const up = world.product(1, expert * ffn + row, hidden, world.x[token * hidden ..][0..hidden]);
                if (world.call.gate == none) {
                    value.* = if (up > 0) up * up else 0;
                    continue;
                }
                const gate = world.product(0, expert * ffn + row, hidden, world.x[token * hidden ..][0..hidden]);
                value.* = gate / (1.0 + @exp(-gate)) * up;
            }
            for (y, 0..) |*value, row| value.* += share * world.product(2, expert * hidden + row, ffn, &inner);
        }
    }

    fn product(world: *const World, which: usize, row: usize, k: usize, x: anytype) f64 {
        var sum: f64 = world.biases[which][row];
        for (world.matrices[which][row * k ..][0..k], x) |w, value| sum += @as(f64, w) * value;
        return sum;
    }
};

pub fn filled(rng: *testing.Rng, len: usize) ![]f32 {
    const values = try gpa.alloc(f32, len);
    rng.fill(values, 1);
    return values;
}

pub fn put(context: *Context, unit: u32, values: []const f32) !void {
    try context_module.write(context, unit, @ptrCast(values.ptr), @intCast(values.len * 4));
}

pub fn matrixId(context: *Context, values: []const f32, k: u32) !u32 {
    var id: u32 = 0;
    const rows: u32 = @intCast(values.len / k);
    try weights.weightsCreate(context, 0, rows, k, @ptrCast(&id));
    try weights.weightsLoad(context, id, 0, rows, @ptrCast(values.ptr), @intCast(values.len * 4));
    return id;
}

pub fn vectorId(context: *Context, values: []const f32) !u32 {
    var id: u32 = 0;
    const len: u32 = @intCast(values.len);
    try weights.vectorCreate(context, len, @ptrCast(values.ptr), len * 4, @ptrCast(&id));
    return id;
}

test "a mixture adds what the chosen experts give, and a token's bits do not depend on the others" {
    for ([_]u32{ 1, 3 }) |threads| for ([_]bool{ true, false }) |has_gate| {
        var rng: testing.Rng = .init(81);
        var world: World = try .init(&rng, threads);
        defer world.deinit();
        if (!has_gate) {
            world.call.gate = none;
            world.call.function = @backingInt(activate.Function.relu_squared);
        }
        var all: [tokens * hidden]f32 = undefined;
        try world.run(0, tokens, &all);
        for (0..tokens) |token| {
            var want: [hidden]f64 = undefined;
            try world.expected(token, &want);
            for (want, all[token * hidden ..][0..hidden]) |exact, got| try std.testing.expectApproxEqAbs(exact, got, 1e-4);
            var alone: [hidden]f32 = undefined;
            try world.run(token, token + 1, &alone);
            try testing.expectBitwise(all[token * hidden ..][0..hidden], &alone);
        }
        var some: [2 * hidden]f32 = undefined;
        try world.run(3, 5, &some);
        try testing.expectBitwise(all[3 * hidden .. 5 * hidden], &some);
    };
}

test "a mixture that cannot be is refused" {
    var rng: testing.Rng = .init(82);
    var world: World = try .init(&rng, 1);
    defer world.deinit();
    const right = world.call;
    var y: [hidden]f32 = undefined;
    inline for (.{
        .{ "experts", 0, error.InvalidArgument },
        .{ "experts", route.experts_max + 1, error.InvalidArgument },
        .{ "experts", 7, error.ShapeMismatch },
        .{ "used", 0, error.InvalidArgument },
        .{ "used", count + 1, error.InvalidArgument },
        .{ "groups", 2, error.InvalidArgument },
        .{ "groups_used", 2, error.InvalidArgument },
        .{ "scoring", 3, error.InvalidArgument },
        .{ "normalise", 2, error.InvalidArgument },
        .{ "function", 99, error.InvalidArgument },
        .{ "gated_forms", 0, error.InvalidArgument },
        .{ "down", none, error.UnknownId },
        .{ "products", 4095, error.RegionOutsideWorkspace },
    }) |case| {
        world.call = right;
        @field(world.call, case[0]) = case[1];
        try std.testing.expectError(case[2], world.run(0, 1, &y));
    }
    // Rows of two experts would share a panel.
    world.call = right;
    world.call.gate = try matrixId(world.context, world.matrices[0][0 .. count * 8 * hidden], hidden);
    try std.testing.expectError(error.ShapeMismatch, world.run(0, 1, &y));
    // Without a gate: a function of its own, with no parameters.
    for ([_]u32{ 99, @backingInt(activate.Function.xielu) }) |function| {
        world.call = right;
        world.call.gate = none;
        world.call.function = function;
        try std.testing.expectError(error.InvalidArgument, world.run(0, 1, &y));
    }
    world.call = right;
    world.call.scale = std.math.nan(f32);
    try std.testing.expectError(error.InvalidArgument, world.run(0, 1, &y));
}
