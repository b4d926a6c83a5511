//! Tests of the exports through their checked functions, on the level that the tests were compiled for.

const std = @import("std");
const abi = @import("../abi.zig");
const activations = @import("../quant/activations.zig");
const arenas = @import("arenas.zig");
const context_module = @import("context.zig");
const convert = @import("convert.zig");
const layers = @import("layers.zig");
const measurements = @import("measurements.zig");
const sampling = @import("sampling.zig");
const symbols = @import("symbols.zig");
const thunk = @import("thunk.zig");
const weights = @import("weights.zig");
const objects = @import("objects.zig");
const testing = @import("../testing/testing.zig");
const Status = @import("status.zig").Status;
const Context = context_module.Context;

const none = objects.none;
const form_f32 = activations.form_f32;
const Kind = activations.Kind;

fn create(threads: u32, units: u32, out: @import("buffers.zig").Output) !void {
    return context_module.create(null, 0, threads, null, 0, none, units, out);
}

pub fn open(threads: u32, units: u32) !*Context {
    var id: u32 = 0;
    try create(threads, units, @ptrCast(&id));
    return objects.get(Context, id);
}

pub fn close(context: *Context) void {
    context_module.stop(context.id) catch unreachable;
}

fn makeVector(context: *Context, values: []const f32) !u32 {
    var id: u32 = 0;
    const len: u32 = @intCast(values.len);
    try weights.vectorCreate(context, len, @ptrCast(values.ptr), len * 4, @ptrCast(&id));
    return id;
}

fn makeWeights(context: *Context, rows: u32, k: u32, values: []const f32) !u32 {
    var id: u32 = 0;
    try weights.weightsCreate(context, 0, rows, k, @ptrCast(&id));
    try weights.weightsLoad(context, id, 0, rows, @ptrCast(values.ptr), @intCast(values.len * 4));
    return id;
}

fn put(context: *Context, unit: u32, values: []const f32) !void {
    try context_module.write(context, unit, @ptrCast(values.ptr), @intCast(values.len * 4));
}

fn take(context: *Context, unit: u32, values: []f32) !void {
    try context_module.read(context, unit, @ptrCast(values.ptr), @intCast(values.len * 4));
}

test "a context owns what is created through it" {
    const context = try open(2, 4);
    const id = context.id;
    const vector = try makeVector(context, &.{ 1, 2, 3 });
    const matrix = try makeWeights(context, 2, 2, &.{ 1, 2, 3, 4 });
    try std.testing.expectEqual(3, objects.countOwned(id));
    try context_module.destroyObject(vector);
    try std.testing.expectError(error.UnknownId, context_module.destroyObject(vector));
    try std.testing.expectError(error.WrongKind, context_module.destroyObject(id));
    try context_module.stop(id);
    try std.testing.expectError(error.UnknownId, context_module.stop(id));
    var words: [4]u32 = undefined;
    try std.testing.expectError(error.UnknownId, weights.weightsInfo(matrix, @ptrCast(&words), 16));
    try std.testing.expectEqual(0, objects.countOwned(id));
}

test "a context keeps its thread and its team on its CPUs until it goes" {
    const cpus = @import("../system/cpus.zig");
    const before = cpus.allowed() orelse return error.SkipZigTest;
    const cpu = before.last().?;
    var id: u32 = 0;
    const list: [*]const u8 = @ptrCast(&cpu);
    const place: [*]u8 = @ptrCast(&id);
    try context_module.create(null, 0, 0, list, 4, none, 1, place);
    const context = try objects.get(Context, id);
    try std.testing.expectEqual(1, context.threads());
    try std.testing.expectEqual(1, cpus.allowed().?.count());
    try std.testing.expect(cpus.allowed().?.contains(cpu));
    close(context);
    try std.testing.expectEqual(before, cpus.allowed().?);

    try context_module.create(null, 0, 3, list, 4, none, 1, place);
    const crowded = try objects.get(Context, id);
    var seen: Seen = .{};
    crowded.team.runEvery(Seen.work, &seen);
    for (&seen.masks) |mask| {
        try std.testing.expectEqual(1, mask.count());
        try std.testing.expect(mask.contains(cpu));
    }
    close(crowded);
    const bad = [_]u32{ cpu, 8191 };
    try std.testing.expectError(error.UnavailableCpu, context_module.create(null, 0, 0, @ptrCast(&bad), 8, none, 1, place));
    try std.testing.expectError(error.UnknownNode, context_module.create(null, 0, 0, null, 0, 1000, 1, place));
    try std.testing.expectEqual(before, cpus.allowed().?);
}

/// The mask of each member of a team of three.
const Seen = struct {
    masks: [3]@import("../system/cpus.zig").CpuSet = @splat(.{}),

    fn work(args: *const anyopaque, job: *const @import("../system/job.zig").Job) callconv(.c) void {
        const seen: *Seen = @ptrCast(@alignCast(@constCast(args)));
        seen.masks[job.part] = @import("../system/cpus.zig").allowed().?;
    }
};

test "contexts come and go" {
    for (0..100) |i| close(try open(@intCast(1 + i % 4), @intCast(i)));
}

test "instruction set levels are named, and refused by name" {
    var id: u32 = 0;
    const place: [*]u8 = @ptrCast(&id);
    try std.testing.expectError(error.UnknownIsa, context_module.create("x86_64_v99", 10, 1, null, 0, none, 1, place));
    for (@import("../isa/dispatch.zig").levels, 0..) |level, i| {
        const name: [*]const u8 = level.name.ptr;
        const supported = @import("../isa/dispatch.zig").supported(@intCast(i));
        const result = context_module.create(name, @intCast(level.name.len), 1, null, 0, none, 1, place);
        if (!supported) {
            try std.testing.expectError(error.UnsupportedIsa, result);
        } else {
            try result;
            try context_module.stop(id);
        }
    }
    try std.testing.expectError(error.InvalidArgument, create(1000, 1, place));
    try std.testing.expectError(error.BufferTooSmall, context_module.create(null, 4, 1, null, 0, none, 1, place));
    try std.testing.expectError(error.BufferTooSmall, create(1, 1, null));
    try std.testing.expectError(error.OutOfMemory, create(1, 0xFFFF_FFFF, place));
    var small: [3]u8 = undefined;
    try std.testing.expectError(error.BufferTooSmall, context_module.isaLevelNames(&small, 3));
}

test "regions end inside the workspace" {
    const context = try open(1, 2);
    defer close(context);
    var buffer: [200]u8 = @splat(7);
    try context_module.write(context, 0, &buffer, 128);
    try context_module.write(context, 1, &buffer, 64);
    for ([_][2]u32{ .{ 0, 129 }, .{ 1, 65 }, .{ 2, 1 }, .{ none, 0 }, .{ none, 64 }, .{ 0xFFFF_FFFE, 64 } }) |bad| {
        try std.testing.expectError(error.RegionOutsideWorkspace, context_module.read(context, bad[0], &buffer, bad[1]));
    }
    try std.testing.expectError(error.BufferTooSmall, context_module.read(context, 0, null, 1));
    try context_module.workspaceResize(context, 1);
    try std.testing.expectError(error.RegionOutsideWorkspace, context_module.read(context, 1, &buffer, 64));
}

test "matmul, norm, gather and embedding check their shapes" {
    const context = try open(2, 64);
    defer close(context);
    const w = try makeWeights(context, 3, 2, &.{ 1, 2, 3, 4, 5, 6 });
    const bias = try makeVector(context, &.{ 100, 200, 300 });
    try put(context, 0, &.{ 1, 1, 2, -1 });
    try layers.matmul(context, 0, form_f32, 2, 0, w, bias, 1, none, none, none, none, none, none);
    var y: [6]f32 = undefined;
    try take(context, 1, &y);
    try std.testing.expectEqualSlices(f32, &.{ 103, 207, 311, 100, 202, 304 }, &y);
    try layers.matmul(context, 0, form_f32, 2, 1, w, none, 1, none, none, none, none, none, none);
    try take(context, 1, &y);
    try std.testing.expectEqualSlices(f32, &.{ 106, 214, 322, 100, 204, 308 }, &y);

    const short = try makeVector(context, &.{1});
    try std.testing.expectError(error.ShapeMismatch, layers.matmul(context, 0, form_f32, 1, 0, w, short, 1, none, none, none, none, none, none));
    try std.testing.expectError(error.WrongKind, layers.matmul(context, 0, form_f32, 1, 0, bias, none, 1, none, none, none, none, none, none));
    try std.testing.expectError(error.InvalidArgument, layers.matmul(context, 0, form_f32, 1, 0, none, none, 1, none, none, none, none, none, none));
    try std.testing.expectError(error.InvalidArgument, layers.matmul(context, 0, form_f32, 1, 2, w, none, 1, none, none, none, none, none, none));
    try std.testing.expectError(error.RegionOutsideWorkspace, layers.matmul(context, none, form_f32, 1, 0, w, none, 1, none, none, none, none, none, none));
    try std.testing.expectError(error.RegionOutsideWorkspace, layers.matmul(context, 0, form_f32, 0xFFFF_FFFF, 0, w, none, 1, none, none, none, none, none, none));

    const index = [_]u32{ 1, 0, 1 };
    try layers.gatherRows(context, 0, 2, @ptrCast(&index), 12, 8);
    try take(context, 8, &y);
    try std.testing.expectEqualSlices(f32, &.{ 2, -1, 1, 1, 2, -1 }, &y);
    try std.testing.expectError(error.InvalidArgument, layers.gatherRows(context, 0, 2, @ptrCast(&index), 12, 0));
    try std.testing.expectError(error.InvalidArgument, layers.gatherRows(context, 0, 2, @ptrCast(&index), 11, 8));
    try layers.embed(context, w, @ptrCast(&index), 12, 1, 8);
    try take(context, 8, &y);
    try std.testing.expectEqualSlices(f32, &.{ 3, 4, 1, 2, 3, 4 }, &y);
    const outside = [_]u32{3};
    try std.testing.expectError(error.InvalidArgument, layers.embed(context, w, @ptrCast(&outside), 4, 1, 8));
    // A matmul needs the form that its weights read, an op at least one, and quantised forms whole blocks.
    try std.testing.expectError(error.InvalidArgument, layers.matmul(context, 0, 0, 1, 0, w, none, 1, none, none, none, none, none, none));
    const k32 = try makeWeights(context, 1, 32, &@as([32]f32, @splat(1)));
    try std.testing.expectError(error.InvalidArgument, layers.matmul(context, 0, Kind.per32.form(), 1, 0, k32, none, 8, none, none, none, none, none, none));
    try std.testing.expectError(error.InvalidArgument, layers.rmsNorm(context, 0, bias, 1, 1e-5, 1, 0));
    try std.testing.expectError(error.InvalidArgument, layers.quantizeActivations(context, 0, 32, 1, 8, 0));
    try std.testing.expectError(error.ShapeMismatch, layers.rmsNorm(context, 0, bias, 1, 1e-5, 1, Kind.per32.form()));
    try std.testing.expectError(error.InvalidArgument, layers.rmsNorm(context, 0, bias, 1, std.math.nan(f32), 1, form_f32));
    try std.testing.expectError(error.InvalidArgument, layers.embed(context, w, @ptrCast(&index), 12, std.math.inf(f32), 8));
    try std.testing.expectError(error.InvalidArgument, layers.rmsNormAdd(context, 1, bias, 1, 1e-5, 1));
    try std.testing.expectError(error.RegionOutsideWorkspace, layers.rmsNormAdd(context, 1, bias, 0xFFFF_FFFF, 1e-5, 2));
    try put(context, 1, &.{ 8, -8, 1 });
    try layers.capLogits(context, 1, 3, 1, 0.5, 0);
    try take(context, 1, y[0..3]);
    try std.testing.expectEqualSlices(f32, &.{ 4, -4, 0.5 }, y[0..3]);
    try std.testing.expectError(error.InvalidArgument, layers.capLogits(context, 1, 3, 1, 1, -1));
    try std.testing.expectError(error.InvalidArgument, layers.capLogits(context, 1, 3, 1, std.math.nan(f32), 1));
    try std.testing.expectError(error.RegionOutsideWorkspace, layers.capLogits(context, 1, 0xFFFF_FFFF, 1, 1, 1));
    try std.testing.expectError(error.InvalidArgument, layers.gateUp(context, 0, form_f32, 1, w, none, w, none, 8, 9, 99, 10, form_f32));
}

test "norms, biases and functions of a feed-forward without a gate" {
    const context = try open(2, 16);
    defer close(context);
    const w = try makeWeights(context, 3, 2, &.{ 1, 2, 3, 4, 5, 6 });
    const b = try makeVector(context, &.{ -10, 1, 2 });
    var y: [3]f32 = undefined;
    try put(context, 0, &.{ 1, 2 });
    const relu_squared: u32 = @backingInt(@import("../ops/activate.zig").Function.relu_squared);
    try layers.upActivate(context, 0, form_f32, 1, w, b, 8, relu_squared, 0, 0, 0, 0, 9, form_f32);
    try take(context, 9, &y);
    try std.testing.expectEqualSlices(f32, &.{ 0, 144, 361 }, &y);
    // Alphas go through softplus, and beta is added to the one below 0: x = −5, 12, 19.
    const xielu: u32 = @backingInt(@import("../ops/activate.zig").Function.xielu);
    try layers.upActivate(context, 0, form_f32, 1, w, b, 8, xielu, 0.25, -1, 0.5, -1e-6, 9, form_f32);
    try take(context, 9, &y);
    const below = (0.5 + @log(1.0 + @exp(-1.0))) * (@exp(-5.0) - 1.0 + 5.0) - 2.5;
    const above = @log(1.0 + @exp(0.25));
    try testing.expectClose(&.{ below, above * 144 + 6.0, above * 361 + 9.5 }, &y, 1e-5, 1e-6);
    try std.testing.expectError(error.InvalidArgument, layers.upActivate(context, 0, form_f32, 1, w, b, 8, 99, 0, 0, 0, 0, 9, form_f32));
    try std.testing.expectError(error.InvalidArgument, layers.upActivate(context, 0, form_f32, 1, w, b, 8, xielu, 0, 0, 0, 1, 9, form_f32));
    try std.testing.expectError(error.ShapeMismatch, layers.upActivate(context, 0, form_f32, 1, w, try makeVector(context, &.{1}), 8, xielu, 0, 0, 0, 0, 9, form_f32));
    // silu(0) · … is 0, and a bias of the gate moves it.
    try put(context, 0, &.{ 0, 0 });
    const one = try makeVector(context, &.{ 1, 0, 40 });
    try layers.gateUp(context, 0, form_f32, 1, w, one, w, b, 8, 9, 0, 10, form_f32);
    try take(context, 10, &y);
    try testing.expectClose(&.{ -10.0 / (1.0 + @exp(-1.0)), 0, 80 }, &y, 1e-6, 1e-6);

    try put(context, 0, &.{ 1, 2, 6 });
    try layers.layerNorm(context, 0, none, none, 3, 1, 0, 8, form_f32);
    try take(context, 8, &y);
    try testing.expectClose(&.{ -0.9258201, -0.46291, 1.38873 }, &y, 1e-6, 1e-6);
    try layers.layerNorm(context, 0, b, one, 3, 1, 0, 8, form_f32);
    try take(context, 8, &y);
    try testing.expectClose(&.{ 10.258201, -0.46291, 42.77746 }, &y, 1e-6, 1e-6);
    try std.testing.expectError(error.InvalidArgument, layers.layerNorm(context, 0, none, none, 3, 1, 0, 0, form_f32));
    try std.testing.expectError(error.InvalidArgument, layers.layerNorm(context, 0, none, none, 3, 1, -1, 8, form_f32));
    try std.testing.expectError(error.ShapeMismatch, layers.layerNorm(context, 0, b, none, 2, 1, 0, 8, form_f32));
}

test "weights refuse what does not fit" {
    const context = try open(1, 1);
    defer close(context);
    var id: u32 = 0;
    const place: [*]u8 = @ptrCast(&id);
    try std.testing.expectError(error.UnsupportedFormat, weights.weightsCreate(context, 4, 16, 256, place));
    try std.testing.expectError(error.ShapeMismatch, weights.weightsCreate(context, 12, 16, 255, place));
    try std.testing.expectError(error.ShapeMismatch, weights.weightsCreate(context, 0, 0, 256, place));
    if (weights.weightsCreate(context, 0, 0xFFFF_FFFF, 0xFFFF_FFFF, place)) return error.TestUnexpectedResult else |_| {}
    try weights.weightsCreate(context, 0, 40, 1, place);
    const rows: [40]f32 = @splat(1);
    const source: [*]const u8 = @ptrCast(&rows);
    try weights.weightsLoad(context, id, 16, 24, source, 96);
    inline for (.{ .{ 0, 0, 0 }, .{ 8, 16, 64 }, .{ 0, 8, 32 }, .{ 32, 16, 64 }, .{ 0, 16, 63 }, .{ 0xFFFF_FFF0, 32, 128 } }) |bad| {
        try std.testing.expect(if (weights.weightsLoad(context, id, bad[0], bad[1], source, bad[2])) false else |_| true);
    }
}

test "a shared matrix outlives the context that made it, in either order" {
    for ([_]bool{ true, false }) |maker_first| {
        const a = try open(1, 64);
        const b = try open(2, 64);
        const made = try makeWeights(a, 3, 2, &.{ 1, 2, 3, 4, 5, 6 });
        var shared: u32 = 0;
        try weights.weightsShare(b, made, @ptrCast(&shared));
        try std.testing.expectEqual(try objects.get(weights.Weights, made), try objects.get(weights.Weights, shared));
        const values = [_]f32{ 0, 0 };
        try std.testing.expectError(error.InvalidArgument, weights.weightsLoad(a, made, 0, 1, @ptrCast(&values), 8));
        const left, const left_id = if (maker_first) .{ b, shared } else .{ a, made };
        close(if (maker_first) a else b);
        try put(left, 0, &.{ 1, 1 });
        try layers.matmul(left, 0, form_f32, 1, 0, left_id, none, 1, none, none, none, none, none, none);
        var y: [3]f32 = undefined;
        try take(left, 1, &y);
        try std.testing.expectEqualSlices(f32, &.{ 3, 7, 11 }, &y);
        const kept = try objects.get(weights.Weights, left_id);
        try std.testing.expectEqual(1, kept.references.raw);
        const stale = if (maker_first) made else shared;
        try std.testing.expectError(error.UnknownId, weights.weightsShare(left, stale, @ptrCast(&shared)));
        const pieces = &kept.piece.chunk.users;
        // The piece, and the pool that it is from, if that is still there.
        try std.testing.expectEqual(if (maker_first) @as(u32, 1) else 2, pieces.raw);
        close(left);
    }
}

test "a layer runs through a batch" {
    const context = try open(2, 1024);
    defer close(context);
    var arena: u32 = 0;
    const shape: @import("../kv/arena.zig").LayerShape = .{ .kv_heads = 1, .key_dim = 16, .value_dim = 16 };
    try arenas.create(context, @ptrCast(&shape), @sizeOf(@TypeOf(shape)), 32, 0, @ptrCast(&arena));
    var rope: u32 = 0;
    const desc: @import("../ops/rope.zig").Desc = .{
        .n_rot = 16,
        .max_positions = 8,
        .scaling = 0,
        .freq_factors = none,
        .base = 10000,
        .factor = 1,
        .original_context = 8,
        .low_freq = 1,
        .high_freq = 4,
        .attn_factor = 1,
        .ext_factor = 0,
    };
    try weights.ropeCreate(context, @ptrCast(&desc), @sizeOf(@TypeOf(desc)), @ptrCast(&rope));
    var rng: testing.Rng = .init(3);
    var values: [2 * 2 * 16]f32 = undefined;
    rng.fill(&values, 1);
    for ([_]u32{ 0, 16, 32 }) |unit| try put(context, unit, &values);
    const Args = std.meta.ArgsTuple(@TypeOf(layers.ropeAppend));
    const names: Args = .{ context, rope, arena, 0, 0, 16, 32, 2, none, none, 0, 1e-5, 0, 0, 1, 0, 0 };
    try std.testing.expectError(error.NoBatch, @call(.auto, layers.ropeAppend, names));
    const words = [_]u32{ 2, 1, 1, 1, 0, 0, 1, 1, 0, 2, 0, 0, 1, 0, 0, 2 };
    try @import("batch.zig").set(context, arena, @ptrCast(&words), @sizeOf(@TypeOf(words)));
    try @call(.auto, layers.ropeAppend, names);
    inline for (.{ .{ 1, 7 }, .{ 12, 2 }, .{ 13, std.math.nan(f32) }, .{ 14, 0 }, .{ 15, 2 }, .{ 16, -1 }, .{ 16, std.math.inf(f32) } }) |bad| {
        var wrong = names;
        wrong[bad[0]] = bad[1];
        try std.testing.expect(if (@call(.auto, layers.ropeAppend, wrong)) false else |_| true);
    }
    try layers.attention(context, arena, 0, 0, 2, 0.25, 0, none, 64, form_f32);
    var out: [64]f32 = undefined;
    try take(context, 64, &out);
    // The first token sees only itself: both heads give its v.
    try testing.expectClose(values[0..16], out[0..16], 1e-6, 1e-6);
    try testing.expectClose(values[0..16], out[16..32], 1e-6, 1e-6);
    // Quantised, alone or beside f32, it gives the same columns as quantising the f32 result.
    const per32 = Kind.per32.form();
    try layers.attention(context, arena, 0, 0, 2, 0.25, 0, none, 80, per32);
    try layers.quantizeActivations(context, 64, 32, 2, 96, per32);
    try layers.attention(context, arena, 0, 0, 2, 0.25, 0, none, 112, form_f32 | per32);
    const bytes = try convert.activationBytes(per32, 2, 32);
    const direct = try context.region(u8, 80, bytes);
    const indirect = try context.region(u8, 96, bytes);
    const beside = try context.activation(112, form_f32 | per32, 2, 32);
    try std.testing.expectEqualSlices(u8, indirect[0..bytes], direct[0..bytes]);
    try std.testing.expectEqualSlices(u8, indirect[0..bytes], beside.of(.per32).?[0..bytes]);
    try std.testing.expectEqualSlices(f32, &out, beside.f32.?[0..64]);

    try std.testing.expectError(error.InvalidArgument, layers.attention(context, arena, 1, 0, 2, 1, 0, none, 64, form_f32));
    try std.testing.expectError(error.InvalidArgument, layers.attention(context, arena, 0, 0, 2, 1, 0, none, 0, form_f32));
    try std.testing.expectError(error.InvalidArgument, layers.attention(context, arena, 0, 0, 2, 1, -1, none, 64, form_f32));
    try std.testing.expectError(error.ShapeMismatch, layers.attention(context, arena, 0, 0, 0, 1, 0, none, 64, form_f32));
    // Learned positions: the rows of positions 0 and 1 are added, of as many as there are.
    const learned = try makeWeights(context, 2, 4, &.{ 1, 2, 3, 4, 5, 6, 7, 8 });
    try put(context, 0, &.{ 10, 10, 10, 10, 20, 20, 20, 20 });
    try layers.addPositions(context, arena, learned, 0);
    try take(context, 0, out[0..8]);
    try std.testing.expectEqualSlices(f32, &.{ 11, 12, 13, 14, 25, 26, 27, 28 }, out[0..8]);
    try std.testing.expectError(error.ShapeMismatch, layers.addPositions(context, arena, try makeWeights(context, 1, 4, values[0..4]), 0));
    // Without a rope and with a bound nothing turns; norms take weights for all heads or for each.
    for ([_]u32{ 0, 16, 32 }) |unit| try put(context, unit, &values);
    const each = try makeVector(context, &@as([32]f32, @splat(1)));
    var unturned = names;
    unturned[1] = none;
    unturned[16] = 0.5;
    try @call(.auto, layers.ropeAppend, unturned);
    try take(context, 0, &out);
    for (values, out) |value, found| try std.testing.expectEqual(std.math.clamp(value, -0.5, 0.5), found);
    unturned[8] = each;
    unturned[15] = 1;
    try @call(.auto, layers.ropeAppend, unturned);
    unturned[9] = each;
    try std.testing.expectError(error.ShapeMismatch, @call(.auto, layers.ropeAppend, unturned));
    const late = [_]u32{ 1, 1, 1, 1, 8, 8, 0, 1, 8, 0, 1, 0, 0, 9 };
    try @import("batch.zig").set(context, arena, @ptrCast(&late), @sizeOf(@TypeOf(late)));
    try std.testing.expectError(error.ShapeMismatch, @call(.auto, layers.ropeAppend, names));
}

test "an armed context's ops end early once its word changes, unarmed ones never" {
    const context = try open(2, 64);
    defer close(context);
    const w = try makeWeights(context, 3, 2, &.{ 1, 2, 3, 4, 5, 6 });
    try put(context, 0, &.{ 1, 1, 2, -1 });
    const product = .{ context, 0, form_f32, 2, 0, w, none, 1, none, none, none, none, none, none };
    var word: i32 = -1;
    try std.testing.expectError(error.InvalidArgument, context_module.arm(context, 0));
    try std.testing.expectError(error.BufferTooSmall, context_module.setStop(context, @ptrCast(&word), 3));
    try std.testing.expectError(error.InvalidArgument, context_module.arm(context, 0));
    try context_module.setStop(context, @ptrCast(&word), 4);
    try context_module.arm(context, 0xFFFF_FFFF);
    try @call(.auto, layers.matmul, product);
    word = 0;
    try put(context, 1, &.{ 9, 9, 9, 9, 9, 9 });
    try std.testing.expectError(error.Interrupted, @call(.auto, layers.matmul, product));
    var y: [6]f32 = undefined;
    try take(context, 1, &y);
    try std.testing.expectEqualSlices(f32, &@as([6]f32, @splat(9)), &y);
    word = -1;
    try std.testing.expectError(error.Interrupted, @call(.auto, layers.matmul, product));
    try context_module.disarm(context);
    word = 0;
    try @call(.auto, layers.matmul, product);
    try take(context, 1, &y);
    try std.testing.expectEqualSlices(f32, &.{ 3, 7, 11, 0, 2, 4 }, &y);
    try context_module.setStop(context, null, 0);
    try std.testing.expectError(error.InvalidArgument, context_module.arm(context, 0));
}

test "a busy or stopped context refuses calls" {
    const context = try open(1, 1);
    const id = context.id;
    const resize: *const fn (u32, u32) callconv(.c) i32 = @ptrCast(thunk.wrap(context_module.workspaceResize));
    try std.testing.expectEqual(0, resize(id, 2));
    context.busy.store(1, .release);
    try std.testing.expectEqual(@backingInt(Status.context_busy), resize(id, 2));
    try std.testing.expectError(error.ContextBusy, context_module.stop(id));
    context.busy.store(0, .release);
    try context_module.stop(id);
    try std.testing.expectEqual(@backingInt(Status.unknown_id), resize(id, 2));
}

test "quantize and dequantize go there and back" {
    const context = try open(2, 1);
    defer close(context);
    var rng: testing.Rng = .init(9);
    var values: [512]f32 = undefined;
    rng.fill(&values, 1);
    inline for (.{ .{ 0, 2048, 0.0 }, .{ 1, 1024, 1e-3 }, .{ 30, 1024, 1e-2 }, .{ 8, 544, 1e-2 }, .{ 14, 420, 0.1 } }) |case| {
        var bytes: [case[1]]u8 = undefined;
        var back: [512]f32 = undefined;
        try convert.quantize(context, case[0], @ptrCast(&values), 512, &bytes, bytes.len);
        try convert.dequantize(context, case[0], &bytes, bytes.len, @ptrCast(&back), 512);
        try testing.expectClose(&values, &back, case[2], 0);
        try std.testing.expectError(error.BufferTooSmall, convert.quantize(context, case[0], @ptrCast(&values), 512, &bytes, bytes.len - 1));
    }
    try std.testing.expectError(error.ShapeMismatch, convert.quantize(context, 8, @ptrCast(&values), 31, null, 0));
}

test "the tables have distinct names, and the generator prints them" {
    @setEvalBranchQuota(100_000);
    inline for (abi.functions, 0..) |function, i| {
        inline for (abi.functions, 0..) |other, j| {
            if (i < j) comptime std.debug.assert(!std.mem.eql(u8, function[0], other[0]));
        }
    }
    var out: std.Io.Writer.Allocating = .init(std.testing.allocator);
    defer out.deinit();
    try symbols.print(abi, &out.writer);
    try std.testing.expect(std.mem.find(u8, out.written(), "kumi_matmul: {") != null);
    var measured: f64 = 0;
    const context = try open(1, 1);
    defer close(context);
    try std.testing.expectError(error.InvalidArgument, measurements.run(context, 9, 0, null, 0, @ptrCast(&measured), 8));
    _ = sampling;
}
