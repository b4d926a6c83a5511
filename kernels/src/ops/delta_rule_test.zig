//! The recurrence against its definition in f64, and against itself in other steps.

const std = @import("std");
const delta_rule = @import("delta_rule.zig");
const Args = delta_rule.Args;
const state_steps = @import("state_steps.zig");
const testing = @import("../testing/testing.zig");

const Case = struct {
    heads: u32,
    key_heads: u32,
    key_dim: u32,
    value_dim: u32,
    sharing: delta_rule.Sharing = .neighbours,
    rule: delta_rule.Rule = .delta,
    /// Heads whose gates stand together; 0: alphas and betas in matrices of their own.
    gate_group: u32 = 0,
    skip: bool = false,
};

const cases = [_]Case{
    .{ .heads = 1, .key_heads = 1, .key_dim = 16, .value_dim = 16 },
    .{ .heads = 4, .key_heads = 2, .key_dim = 32, .value_dim = 48, .sharing = .strided },
    .{ .heads = 4, .key_heads = 2, .key_dim = 48, .value_dim = 112, .gate_group = 2 },
    .{ .heads = 2, .key_heads = 2, .key_dim = 128, .value_dim = 128 },
    .{ .heads = 6, .key_heads = 2, .key_dim = 64, .value_dim = 32, .rule = .additive, .skip = true },
};

const n = state_steps.tokens_all;

/// Tensors of a case.
const World = struct {
    case: Case,
    row: u32,
    buffers: [6]testing.GuardedBuffer,

    fn init(case: Case, seed: u64) !World {
        var rng: testing.Rng = .init(400 + seed);
        const row = 2 * case.key_heads * case.key_dim + case.heads * case.value_dim;
        var world: World = .{ .case = case, .row = row, .buffers = undefined };
        const gates = if (case.gate_group == 0) case.heads else 2 * case.heads;
        for (&world.buffers, [_]usize{ n * row, n * gates, n * gates, case.heads, case.heads, case.heads }) |*buffer, count| {
            buffer.* = try testing.guarded(f32, count);
            rng.fill(buffer.slice(f32), 1);
        }
        // Keys and queries of about the length that they have after their norm.
        const values = world.buffers[0].slice(f32);
        for (0..n) |token| for (values[token * row ..][0 .. 2 * case.key_heads * case.key_dim]) |*value| {
            value.* *= 1.7 / @sqrt(@as(f32, @floatFromInt(case.key_dim)));
        };
        for (world.buffers[3].slice(f32)) |*decay| decay.* = -0.1 - @abs(decay.*);
        return world;
    }

    fn deinit(world: *World) void {
        for (&world.buffers) |*buffer| buffer.deinit();
    }

    fn args(world: *const World, step: state_steps.Step, states: @FieldType(Args, "states"), y: []f32) Args {
        const case = world.case;
        const keys = case.key_heads * case.key_dim;
        const joint = case.gate_group != 0;
        const beta = world.buffers[2].slice(f32).ptr;
        return .{
            .qkv = world.buffers[0].slice(f32).ptr,
            .alpha = if (joint) beta + case.gate_group else world.buffers[1].slice(f32).ptr,
            .beta = if (case.rule == .delta) beta else null,
            .decay = world.buffers[3].slice(f32).ptr,
            .dt = world.buffers[4].slice(f32).ptr,
            .skip = if (case.skip) world.buffers[5].slice(f32).ptr else null,
            .y = y.ptr,
            .seqs = step.seqs.ptr,
            .states = states,
            .seq_count = @intCast(step.seqs.len),
            .heads = case.heads,
            .key_heads = case.key_heads,
            .key_dim = case.key_dim,
            .value_dim = case.value_dim,
            .row = world.row,
            .query_first = 0,
            .key_first = keys,
            .value_first = 2 * keys,
            .gate_row = if (joint) 2 * case.heads else case.heads,
            .gate_group = if (joint) case.gate_group else case.heads,
            .sharing = case.sharing,
            .rule = case.rule,
        };
    }
};

test "delta_rule is the reference, whatever steps and members its tokens come in" {
    for (cases, 0..) |case, i| try checkCase(case, i);
}

fn checkCase(case: Case, seed: u64) !void {
    const gpa = std.testing.allocator;
    var world: World = try .init(case, seed);
    defer world.deinit();
    const len = n * case.heads * case.value_dim;
    const state_len = delta_rule.stateLen(case.heads, case.key_dim, case.value_dim);
    const expected = try gpa.alloc(f32, len);
    defer gpa.free(expected);
    const matrix = try gpa.alloc(f64, case.key_dim * case.value_dim);
    defer gpa.free(matrix);
    var exact: state_steps.Run = try .init(state_len);
    defer exact.deinit();
    for (state_steps.manners[0]) |step| delta_rule.reference(&world.args(step, exact.view(step), expected), matrix);
    var first_y: testing.GuardedBuffer = try testing.guarded(f32, len);
    defer first_y.deinit();
    var first: state_steps.Run = try .init(state_len);
    defer first.deinit();
    for (state_steps.manners, 1..) |steps, parts| {
        var y = try testing.guarded(f32, len);
        defer y.deinit();
        var result: state_steps.Run = try .init(state_len);
        defer result.deinit();
        for (steps) |step| testing.runParts(delta_rule.run, &world.args(step, result.view(step), y.slice(f32)), @intCast(parts));
        try testing.expectClose(expected, y.slice(f32), 1e-5, 1e-5);
        try testing.expectClose(exact.ends(), result.ends(), 1e-5, 1e-5);
        if (parts == 1) {
            @memcpy(first_y.bytes, y.bytes);
            @memcpy(first.memory.bytes, result.memory.bytes);
        }
        try testing.expectBitwise(first_y.slice(f32), y.slice(f32));
        try testing.expectBitwise(first.ends(), result.ends());
    }
}
