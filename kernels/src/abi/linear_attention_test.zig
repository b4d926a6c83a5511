//! States that a step must not use, and calls whose parts do not fit each other, are refused; what is taken computes.

const std = @import("std");
const arenas = @import("arenas.zig");
const batch = @import("batch.zig");
const context_module = @import("context.zig");
const context_test = @import("context_test.zig");
const linear_attention = @import("linear_attention.zig");
const objects = @import("objects.zig");
const states = @import("states.zig");
const Context = context_module.Context;
const LayerShape = @import("../kv/arena.zig").LayerShape;
const Slot = @import("../kv/states.zig").Slot;
const activations = @import("../quant/activations.zig");
const none = objects.none;

/// Three tokens from position 0 on in slots 32–34 of a KV cache, and one at position 17 in slots 0–15 and 48–49.
const steps = [_]u32{ 4, 2, 3, 1, 0, 32, 1, 33, 2, 34, 17, 49, 0, 3, 0, 0, 1, 0, 3, 1, 17, 1, 2, 0, 32, 3, 0, 16, 48, 2 };
const channels = 48;

const Case = struct {
    context: *Context,
    states: u32 = 0,

    fn init() !Case {
        const context = try context_test.open(1, 1024);
        errdefer context_test.close(context);
        const layer: LayerShape = .{ .kv_heads = 2, .key_dim = 16, .value_dim = 16 };
        var arena: u32 = 0;
        try arenas.create(context, @ptrCast(&layer), @sizeOf(LayerShape), 64, 1, @ptrCast(&arena));
        var case: Case = .{ .context = context };
        try states.create(context, 3, 64 * 64, @ptrCast(&case.states));
        try batch.set(context, arena, @ptrCast(&steps), @sizeOf(@TypeOf(steps)));
        return case;
    }

    fn deinit(case: Case) void {
        context_test.close(case.context);
    }

    fn set(case: Case, slots: []const Slot) !void {
        try states.set(case.context, case.states, @ptrCast(slots.ptr), @intCast(slots.len * @sizeOf(Slot)));
    }

    fn vector(case: Case, n: u32, value: f32) !u32 {
        const values = try std.testing.allocator.alloc(f32, n);
        defer std.testing.allocator.free(values);
        @memset(values, value);
        var id: u32 = 0;
        try @import("weights.zig").vectorCreate(case.context, n, @ptrCast(values.ptr), n * 4, @ptrCast(&id));
        return id;
    }
};

test "states that two sequences write, or that there are not, are refused" {
    const case: Case = try .init();
    defer case.deinit();
    // Nothing is read at position 0.
    try case.set(&.{ .{ .read = 9, .write = 0 }, .{ .read = 1, .write = 1 } });
    try case.set(&.{ .{ .read = 9, .write = 0 }, .{ .read = 2, .write = 1 } });
    for ([_][2]Slot{
        .{ .{ .read = 0, .write = 0 }, .{ .read = 1, .write = 0 } },
        .{ .{ .read = 0, .write = 0 }, .{ .read = 0, .write = 1 } },
        .{ .{ .read = 0, .write = 3 }, .{ .read = 1, .write = 1 } },
        .{ .{ .read = 0, .write = 0 }, .{ .read = 3, .write = 1 } },
    }) |slots| {
        try std.testing.expectError(error.InvalidBatch, case.set(&slots));
        try std.testing.expectError(error.NoBatch, states.current(case.context, case.states, 0, 64));
    }
    try std.testing.expectError(error.InvalidBatch, case.set(&.{.{ .read = 0, .write = 0 }}));
    try states.giveBack(case.states, 2);
    try std.testing.expectError(error.InvalidArgument, states.giveBack(case.states, 3));
    try std.testing.expectError(error.ShapeMismatch, states.create(case.context, 2, 100, @ptrCast(@constCast(&[1]u32{0}))));
}

test "a batch forgets the states of the one before" {
    const case: Case = try .init();
    defer case.deinit();
    try case.set(&.{ .{ .read = 0, .write = 0 }, .{ .read = 1, .write = 1 } });
    _ = try states.current(case.context, case.states, 0, 64);
    try batch.set(case.context, case.context.batch.arena, @ptrCast(&steps), @sizeOf(@TypeOf(steps)));
    try std.testing.expectError(error.NoBatch, states.current(case.context, case.states, 0, 64));
}

test "convolution and delta rule refuse calls whose parts do not fit" {
    const case: Case = try .init();
    defer case.deinit();
    try case.set(&.{ .{ .read = 0, .write = 0 }, .{ .read = 1, .write = 1 } });
    const conv: linear_attention.ShortConv = .{
        .states = case.states,
        .state_offset = 0,
        .x = 0,
        .stride = channels,
        .x_first = 0,
        .before_first = none,
        .after_first = none,
        .weights = try case.vector(channels * 4, 0.5),
        .bias = none,
        .channels = channels,
        .taps = 4,
        .silu = 1,
        .head = 16,
        .query_heads = 1,
        .key_heads = 1,
        .scale = 1,
        .eps = 1e-6,
        .y = 100,
        .y_forms = activations.form_f32,
    };
    const rule: linear_attention.DeltaRule = .{
        .states = case.states,
        .state_offset = 64 * 16,
        .x = 100,
        .row = channels,
        .query_first = 0,
        .key_first = 16,
        .value_first = 32,
        .alpha = 200,
        .alpha_first = 0,
        .beta = 210,
        .beta_first = 0,
        .gate_row = 1,
        .gate_group = 1,
        .decay = try case.vector(1, -1),
        .dt = try case.vector(1, 0),
        .skip = none,
        .heads = 1,
        .key_heads = 1,
        .key_dim = 16,
        .value_dim = 16,
        .sharing = 0,
        .rule = 0,
        .y = 300,
    };
    try run(linear_attention.shortConv, case, &conv);
    try run(linear_attention.deltaRule, case, &rule);
    inline for (.{
        .{ "stride", 47, error.ShapeMismatch },       .{ "taps", 9, error.InvalidArgument },                  .{ "channels", 40, error.ShapeMismatch },
        .{ "x_first", 1, error.ShapeMismatch },       .{ "before_first", 1, error.ShapeMismatch },            .{ "head", 24, error.ShapeMismatch },
        .{ "key_heads", 3, error.ShapeMismatch },     .{ "state_offset", 32, error.InvalidArgument },         .{ "state_offset", 4096, error.ShapeMismatch },
        .{ "x", 1023, error.RegionOutsideWorkspace }, .{ "scale", std.math.nan(f32), error.InvalidArgument },
    }) |change| try refused(change[2], linear_attention.shortConv, case, conv, change[0], change[1]);
    inline for (.{
        .{ "row", 47, error.ShapeMismatch },             .{ "value_first", 33, error.ShapeMismatch },       .{ "gate_row", 0, error.ShapeMismatch },
        .{ "alpha_first", 1, error.ShapeMismatch },      .{ "key_dim", 8, error.ShapeMismatch },            .{ "heads", 2, error.ShapeMismatch },
        .{ "key_heads", 0, error.ShapeMismatch },        .{ "rule", 2, error.InvalidArgument },             .{ "sharing", 2, error.InvalidArgument },
        .{ "beta", none, error.RegionOutsideWorkspace }, .{ "state_offset", 64 * 56, error.ShapeMismatch },
    }) |change| try refused(change[2], linear_attention.deltaRule, case, rule, change[0], change[1]);
}

fn run(function: anytype, case: Case, call: anytype) !void {
    try function(case.context, @ptrCast(call), @sizeOf(@TypeOf(call.*)));
}

fn refused(expected: anyerror, function: anytype, case: Case, call: anytype, comptime field: []const u8, value: anytype) !void {
    var other = call;
    @field(other, field) = value;
    try std.testing.expectError(expected, run(function, case, &other));
}
