//! Products of heads against f64, and what of latent attention is refused.

const std = @import("std");
const activations = @import("../quant/activations.zig");
const context_module = @import("context.zig");
const Context = context_module.Context;
const latent = @import("latent.zig");
const objects = @import("objects.zig");
const testing = @import("../testing/testing.zig");
const values = @import("experts_test.zig");
const gpa = std.testing.allocator;

const heads = 3;
const rows = 32;
const k = 24;
const x_width = 40;
const x_first = 8;
const y_width = 48;
const y_first = 16;
const tokens = 5;
const untouched = 7;

const World = struct {
    context: *Context,
    matrix: []f32,
    x: []f32,
    call: latent.HeadProducts,

    fn init(threads: u32) !World {
        var rng: testing.Rng = .init(83);
        const context = try @import("context_test.zig").open(threads, 1024);
        const matrix = try values.filled(&rng, heads * rows * k);
        return .{
            .context = context,
            .matrix = matrix,
            .x = try values.filled(&rng, tokens * heads * x_width),
            .call = .{
                .x = 0,
                .x_width = x_width,
                .x_first = x_first,
                .heads = heads,
                .weights = try values.matrixId(context, matrix, k),
                .columns = 100,
                .columns_forms = activations.form_f32,
                .y = 200,
                .y_width = y_width,
                .y_first = y_first,
            },
        };
    }

    fn deinit(world: *World) void {
        gpa.free(world.matrix);
        gpa.free(world.x);
        context_module.stop(world.context.id) catch unreachable;
    }

    /// y of tokens [first, end).
    fn run(world: *World, first: usize, end: usize, y: []f32) !void {
        try values.put(world.context, world.call.x, world.x[first * heads * x_width .. end * heads * x_width]);
        @memset(y, untouched);
        try values.put(world.context, world.call.y, y);
        try latent.headProducts(world.context, @ptrCast(&world.call), @sizeOf(latent.HeadProducts), @intCast(end - first));
        try context_module.read(world.context, world.call.y, @ptrCast(y.ptr), @intCast(y.len * 4));
    }
};

test "each head multiplies by its own matrix, into its own part of a row" {
    for ([_]u32{ 1, 3 }) |threads| {
        var world: World = try .init(threads);
        defer world.deinit();
        const row = heads * y_width;
        var y: [tokens * row]f32 = undefined;
        try world.run(0, tokens, &y);
        for (0..tokens) |token| for (0..heads) |head| {
            const got = y[token * row + head * y_width ..][0..y_width];
            const x = world.x[(token * heads + head) * x_width + x_first ..][0..k];
            for (0..rows) |r| {
                var want: f64 = 0;
                for (x, world.matrix[(head * rows + r) * k ..][0..k]) |value, w| want += @as(f64, value) * w;
                try std.testing.expectApproxEqAbs(want, got[y_first + r], 1e-5);
            }
            for (got[0..y_first]) |value| try std.testing.expectEqual(untouched, value);
        };
        var alone: [row]f32 = undefined;
        try world.run(3, 4, &alone);
        try testing.expectBitwise(y[3 * row .. 4 * row], &alone);
    }
}

test "products of heads that cannot be are refused" {
    var world: World = try .init(1);
    defer world.deinit();
    const right = world.call;
    var y: [tokens * heads * y_width]f32 = undefined;
    inline for (.{
        .{ "heads", 0, error.InvalidArgument },
        .{ "heads", 5, error.ShapeMismatch },
        .{ "x_first", x_width - k + 1, error.ShapeMismatch },
        .{ "x_width", k + x_first - 1, error.ShapeMismatch },
        .{ "y_first", y_width - rows + 1, error.ShapeMismatch },
        .{ "columns_forms", 0, error.InvalidArgument },
        .{ "weights", objects.none, error.UnknownId },
        .{ "columns", 1023, error.RegionOutsideWorkspace },
    }) |case| {
        world.call = right;
        @field(world.call, case[0]) = case[1];
        try std.testing.expectError(case[2], world.run(0, tokens, &y));
    }
    world.call = right;
    try world.run(0, tokens, &y);
}

test "a split that cannot be is refused" {
    const context = try @import("context_test.zig").open(1, 1024);
    defer context_module.stop(context.id) catch unreachable;
    const norm: [32]f32 = @splat(1);
    const right: latent.LatentSplit = .{
        .kv = 0,
        .norm = try values.vectorId(context, &norm),
        .eps = 1e-6,
        .keys = 100,
        .q = 200,
        .queries = 300,
        .heads = 2,
        .latent = 32,
        .turned = 8,
        .plain = 16,
    };
    try latent.split(context, @ptrCast(&right), @sizeOf(latent.LatentSplit), 3);
    inline for (.{
        .{ "eps", -1, error.InvalidArgument },
        .{ "heads", 0, error.InvalidArgument },
        .{ "latent", 16, error.ShapeMismatch },
        .{ "turned", 0, error.ShapeMismatch },
        .{ "norm", objects.none, error.UnknownId },
        .{ "queries", 1023, error.RegionOutsideWorkspace },
    }) |case| {
        var call = right;
        @field(call, case[0]) = case[1];
        try std.testing.expectError(case[2], latent.split(context, @ptrCast(&call), @sizeOf(latent.LatentSplit), 3));
    }
}
