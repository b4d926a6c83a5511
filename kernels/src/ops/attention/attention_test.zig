//! Attention against a plain f64 reference, and bit for bit against its definition and itself: one result for a
//! (query, head), whatever else is in the batch, however the prompt is cut, wherever the blocks lie, with any number of
//! members, and however the work is shared out.

const options = @import("kumi_options");
const std = @import("std");
const attention = @import("attention.zig");
const arena = @import("../../kv/arena.zig");
const batch = @import("../../kv/batch.zig");
const definition = @import("definition.zig");
const floats = @import("floats.zig");
const items = @import("items.zig");
const row_lanes = @import("row_lanes.zig");
const elements = @import("../../kv/elements.zig");
const testing = @import("../../testing/testing.zig");
const gpa = std.testing.allocator;

const Shape = struct {
    heads: u32,
    kv_heads: u32,
    dim: u32,
    /// As `dim` unless given.
    value_dim: u32 = 0,
    window: u32 = 0,
    softcap: f32 = 0,
    /// Each head has a sink of its own, of about the size of the scores.
    has_sinks: bool = false,
    /// Where values are; in keys only the first `dim − value_dim` elements of those are their own.
    values: arena.Values = .own,
    format: arena.Format,

    fn valueDim(shape: Shape) u32 {
        return if (shape.value_dim == 0) shape.dim else shape.value_dim;
    }

    fn rowsMax(shape: Shape) u32 {
        return @min(items.item_rows_max, if (shape.values == .own) floats.rowsMax(shape.dim) else row_lanes.rows_max);
    }

    fn windowed(shape: Shape, window: u32) Shape {
        var result = shape;
        result.window = window;
        return result;
    }
};

/// Sequences laid out in an arena full of NaN; the content of sequence s at a position depends on s and the position alone.
const World = struct {
    shape: Shape,
    cache: arena.Arena,
    seqs: std.ArrayList(batch.Seq) = .empty,
    extents: std.ArrayList(batch.Extent) = .empty,
    /// Which sequence's content a batch entry has.
    contents: std.ArrayList(u32) = .empty,
    tokens: u32 = 0,
    next_block: u32,

    const slots = 4096;

    fn init(shape: Shape, first_block: u32) !World {
        const cache: arena.Arena = try .init(.{
            .layers = &.{.{ .kv_heads = shape.kv_heads, .key_dim = shape.dim, .value_dim = shape.valueDim(), .window = shape.window, .values = @backingInt(shape.values) }},
            .slots = slots,
            .format = shape.format,
        });
        @memset(cache.memory, 0xff);
        return .{ .shape = shape, .cache = cache, .next_block = first_block };
    }

    fn deinit(world: *World) void {
        world.cache.deinit();
        world.seqs.deinit(gpa);
        world.extents.deinit(gpa);
        world.contents.deinit(gpa);
    }

    /// Positions first … end − 1 of sequence `content` are this step's tokens; its KV lies in extents of `extent_blocks`.
    /// Blocks that none of them sees are missing.
    fn add(world: *World, content: u32, first: u32, end: u32, extent_blocks: u32) !void {
        const extent_first: u32 = @intCast(world.extents.items.len);
        const kv_first = ((first + 1) -| world.cache.layer(0).window) / 16 * 16;
        var position = kv_first;
        while (position < end) {
            const count = @min(end - position, extent_blocks * 16);
            const slot_first = world.next_block * 16;
            for (0..count) |i| world.write(content, position + @as(u32, @intCast(i)), slot_first + i);
            try world.extents.append(gpa, .{ .slot_first = slot_first, .token_count = count });
            position += count;
            world.next_block += (count + 15) / 16 + 1;
        }
        try world.seqs.append(gpa, .{
            .token_first = world.tokens,
            .token_count = end - first,
            .position_first = first,
            .extent_first = extent_first,
            .extent_count = @as(u32, @intCast(world.extents.items.len)) - extent_first,
            .kv_first = kv_first,
        });
        try world.contents.append(gpa, content);
        world.tokens += end - first;
    }

    fn write(world: *World, content: u32, position: u32, slot: usize) void {
        const view = world.cache.layer(0);
        const dim = world.shape.dim;
        for (0..world.shape.kv_heads) |head| {
            var rng: testing.Rng = .init(@as(u64, content) << 40 | @as(u64, position) << 8 | head);
            var values: [2][arena.head_dim_max]f32 = undefined;
            for (0..@max(dim, view.value_dim)) |d| for (&values) |*side| {
                // Multiples of 1/64 are exact in each format without scales.
                side[d] = @as(f32, @floatFromInt(rng.between(i32, -127, 127))) / 64.0;
            };
            elements.writeKey(view, head, slot, values[0][0..dim]);
            if (view.values == .own) elements.writeValue(view, head, slot, values[1][0..view.value_dim]);
        }
    }

    /// Makes each value the end of its key.
    fn copyKeysToValues(world: *World) void {
        const view = world.cache.layer(0);
        var value: [arena.head_dim_max]f32 = undefined;
        for (0..world.next_block * 16) |slot| for (0..world.shape.kv_heads) |head| {
            for (value[0..view.value_dim], view.key_dim - view.value_dim..) |*each, d| each.* = elements.readKey(view, head, slot, d).value();
            elements.writeValue(view, head, slot, value[0..view.value_dim]);
        };
    }

    /// Runs the step and compares some rows with the references; result [tokens, heads, value dim] is the caller's.
    fn run(world: *World, parts: u32) ![]f32 {
        return world.runOp(parts, .{}, true);
    }

    /// As `run`, with items cut into units of `split_chunks` chunks, for a caller that compares with a checked result.
    fn runSplit(world: *World, parts: u32, split_chunks: u32) ![]f32 {
        return world.runOp(parts, .{ .chunks = split_chunks }, false);
    }

    fn runOp(world: *World, parts: u32, split: items.Split, check: bool) ![]f32 {
        const row = world.shape.heads * world.shape.dim;
        var q = try testing.guarded(f32, world.tokens * row);
        defer q.deinit();
        var out = try testing.guarded(f32, world.tokens * world.shape.heads * world.shape.valueDim());
        defer out.deinit();
        @memset(out.bytes, 0xff);
        for (world.seqs.items, world.contents.items) |seq, content| {
            for (0..seq.token_count) |t| {
                var rng: testing.Rng = .init(@as(u64, content) << 40 | (seq.position_first + t) << 8 | 255);
                rng.fill(q.slice(f32)[(seq.token_first + t) * row ..][0..row], 2);
            }
        }
        var args: attention.Args = .{
            .q = q.slice(f32).ptr,
            .out = out.slice(f32).ptr,
            .seqs = world.seqs.items.ptr,
            .extents = world.extents.items.ptr,
            .view = world.cache.layer(0),
            .n_seqs = @intCast(world.seqs.items.len),
            .heads = world.shape.heads,
            .scale = 1.0 / @sqrt(@as(f32, @floatFromInt(world.shape.dim))),
            .softcap = world.shape.softcap,
            .sinks = if (world.shape.has_sinks) &sinks_of_heads else null,
            .split = split,
        };
        const work = args.work();
        const room = items.roomOf(work);
        const finished = try gpa.alloc(u32, room.items);
        defer gpa.free(finished);
        @memset(finished, 0);
        var partials = try testing.guarded(f32, room.floats);
        defer partials.deinit();
        @memset(partials.bytes, 0xff);
        args.split.finished = finished.ptr;
        args.split.partials = partials.slice(f32).ptr;
        if (world.shape.format == .q8_0) testing.runParts(attention.runIntegers, &args, parts) else testing.runParts(attention.run, &args, parts);
        if (check) try world.checkSome(&args);
        return gpa.dupe(f32, out.slice(f32));
    }

    /// The first, middle and last token of each sequence against the references.
    fn checkSome(world: *World, args: *const attention.Args) !void {
        const dim = world.shape.valueDim();
        const expected = try gpa.alloc(f64, dim);
        defer gpa.free(expected);
        const defined = try gpa.alloc(f32, dim);
        defer gpa.free(defined);
        for (world.seqs.items) |seq| for ([_]usize{ 0, seq.token_count / 2, seq.token_count - 1 }) |t| for ([_]usize{ 0, world.shape.heads - 1 }) |head| {
            definition.reference(args, seq, t, head, expected);
            const got = args.out[((seq.token_first + t) * world.shape.heads + head) * dim ..][0..dim];
            // Weights of 15 bits for values below 2.
            const tolerance: f64 = if (world.shape.format == .q8_0) 5e-4 else 1e-5;
            for (expected, got) |want, value| try std.testing.expectApproxEqAbs(want, value, tolerance);
            definition.exact(args, seq, t, head, defined);
            try testing.expectBitwise(defined, got);
        };
    }
};

/// From sinks that leave nothing to some that take nothing.
const sinks_of_heads = [_]f32{ 1.5, -0.5, 40, -100, 2.25, 0, 3, -7 };

const shapes = [_]Shape{
    .{ .heads = 8, .kv_heads = 2, .dim = 64, .format = .f16 },
    .{ .heads = 3, .kv_heads = 3, .dim = 8, .format = .f32 },
    .{ .heads = 14, .kv_heads = 2, .dim = 24, .format = .bf16 },
    .{ .heads = 9, .kv_heads = 3, .dim = 80, .format = .f16 },
    .{ .heads = 2, .kv_heads = 1, .dim = 256, .format = .f16 },
    .{ .heads = 5, .kv_heads = 1, .dim = 40, .format = .f32 },
    .{ .heads = 50, .kv_heads = 1, .dim = 16, .format = .bf16 },
    .{ .heads = 8, .kv_heads = 2, .dim = 64, .format = .q8_0 },
    .{ .heads = 3, .kv_heads = 3, .dim = 96, .format = .q8_0 },
    .{ .heads = 14, .kv_heads = 2, .dim = 32, .format = .q8_0 },
    .{ .heads = 6, .kv_heads = 3, .dim = 160, .format = .q8_0 },
    .{ .heads = 4, .kv_heads = 2, .dim = 72, .value_dim = 40, .format = .f16 },
    .{ .heads = 3, .kv_heads = 1, .dim = 24, .value_dim = 88, .format = .f32 },
    .{ .heads = 4, .kv_heads = 2, .dim = 64, .value_dim = 96, .format = .q8_0 },
    // Of about the size of the scores: they are bent, not cut.
    .{ .heads = 4, .kv_heads = 1, .dim = 32, .softcap = 1.5, .format = .f16 },
    .{ .heads = 7, .kv_heads = 1, .dim = 32, .softcap = 3, .format = .q8_0 },
    .{ .heads = 8, .kv_heads = 2, .dim = 64, .has_sinks = true, .format = .f16 },
    // Latent attention: values are the ends of keys, and queries longer than what lies together of one.
    .{ .heads = 5, .kv_heads = 1, .dim = 576, .value_dim = 512, .values = .in_keys, .format = .f16 },
    .{ .heads = 6, .kv_heads = 2, .dim = 40, .value_dim = 24, .values = .in_keys, .format = .f32 },
    .{ .heads = 3, .kv_heads = 1, .dim = 264, .value_dim = 264, .values = .in_keys, .format = .bf16 },
    .{ .heads = 40, .kv_heads = 1, .dim = 128, .value_dim = 104, .values = .in_keys, .softcap = 2, .format = .f16 },
    .{ .heads = 8, .kv_heads = 1, .dim = 32, .value_dim = 32, .values = .in_keys, .has_sinks = true, .format = .bf16 },
    .{ .heads = 3, .kv_heads = 1, .dim = 520, .value_dim = 328, .format = .f32 },
};

/// Those that go through all lengths: one of each format under emulation, where FMAs are slow.
const shapes_in_lengths = if (options.emulated) [_]Shape{ shapes[0], shapes[1], shapes[2], shapes[8], shapes[14], shapes[16], shapes[18] } else shapes;
const lengths = if (options.emulated) [_]u32{ 1, 16, 17, 257 } else [_]u32{ 1, 2, 15, 16, 17, 255, 256, 257, 515 };

test "attention matches the reference over lengths, chunk borders and formats" {
    for (shapes_in_lengths) |shape| {
        for (lengths) |length| {
            var world: World = try .init(shape, 3);
            defer world.deinit();
            try world.add(1, length - 1, length, 4);
            try world.add(2, length - @min(length, 70), length, 1);
            gpa.free(try world.run(2));
        }
    }
}

test "attention gives the same bits for any batch, chunking, placement and member count" {
    for (if (options.emulated) [_]Shape{ shapes[0], shapes[8], shapes[18] } else shapes) |shape| {
        const length = 280;
        const row = shape.heads * shape.valueDim();
        var whole: World = try .init(shape, 0);
        defer whole.deinit();
        try whole.add(7, 0, length, 100);
        const expected = try whole.run(1);
        defer gpa.free(expected);
        for ([_][2]u32{ .{ 2, 0 }, .{ 3, 1 } }) |way| {
            const again = try whole.runSplit(way[0], way[1]);
            defer gpa.free(again);
            try testing.expectBitwise(expected, again);
        }
        // Prefill chunks of many sizes, each beside other sequences, in other places; 1 is decode. Small ones start near the
        // border between two chunks of keys, in time for 7 to begin at every place within a block.
        var rng: testing.Rng = .init(51);
        for (if (options.emulated) [_]u32{ 1, 7, 257 } else [_]u32{ 1, 2, 7, 64, 257 }) |step| {
            var first: u32 = if (step < 7) 250 else if (step == 7) 168 else 0;
            while (first < length) : (first += step) {
                const end = @min(length, first + step);
                var world: World = try .init(shape, rng.between(u32, 0, 9));
                defer world.deinit();
                try world.add(3, 20, 21 + rng.between(u32, 0, 4), 2);
                try world.add(7, first, end, rng.between(u32, 1, 9));
                try world.add(4, 0, 1 + rng.between(u32, 0, 20), 1);
                const got = try world.runSplit(rng.between(u32, 1, 3), 0);
                defer gpa.free(got);
                const seq = world.seqs.items[1];
                try testing.expectBitwise(expected[first * row .. end * row], got[seq.token_first * row ..][0 .. (end - first) * row]);
                if (step < 7) first += 5; // a sample is enough
            }
        }
    }
}

test "attention gives the same bits however its items are cut" {
    for (if (options.emulated) [_]Shape{shapes[1]} else [_]Shape{ shapes[0], shapes[1], shapes[7], shapes[16], shapes[17] }) |shape| {
        var world: World = try .init(shape, 0);
        defer world.deinit();
        for ([_][2]u32{ .{ 1299, 1300 }, .{ 10, 11 }, .{ 500, 530 }, .{ 767, 768 } }, 0..) |range, i| {
            try world.add(@intCast(i), range[0], range[1], 7);
        }
        const expected = try world.run(1);
        defer gpa.free(expected);
        for ([_]u32{ 1, 2, 3, 5, 100 }) |split_chunks| {
            const got = try world.runSplit(3, split_chunks);
            defer gpa.free(got);
            try testing.expectBitwise(expected, got);
        }
        for ([_]u32{ 1, 7, shape.rowsMax() }) |rows| for ([_]u32{ 0, 2 }) |split_chunks| {
            const got = try world.runOp(2, .{ .rows = rows, .chunks = split_chunks }, false);
            defer gpa.free(got);
            try testing.expectBitwise(expected, got);
        };
    }
}

/// Windows of one token, within a block, of a block, near it, smaller than a chunk, of a chunk, larger, and than the context.
const windows = if (options.emulated) [_]u32{ 1, 16, 250, 700 } else [_]u32{ 1, 5, 16, 17, 100, 255, 256, 300, 700 };

test "attention with a window matches the reference, and gives the same bits for any chunking, placement and cut" {
    for (if (options.emulated) [_]Shape{ shapes[0], shapes[8] } else [_]Shape{ shapes[0], shapes[1], shapes[2], shapes[8], shapes[11], shapes[13], shapes[14], shapes[16], shapes[18] }) |plain| {
        for (windows) |window| {
            const shape = plain.windowed(window);
            const length = 600;
            const row = shape.heads * shape.valueDim();
            // Prefill in two ways, so that each position is computed by panels that begin elsewhere.
            var whole: World = try .init(shape, 0);
            defer whole.deinit();
            try whole.add(7, 0, length, 100);
            const expected = try whole.run(2);
            defer gpa.free(expected);
            for ([_][2]u32{ .{ 240, 247 }, .{ 255, 256 }, .{ 256, 257 }, .{ 250, 530 }, .{ 511, 600 } }, 1..) |part, i| {
                const first, const end = part;
                var world: World = try .init(shape, 5);
                defer world.deinit();
                try world.add(3, 300, 302, 2);
                try world.add(7, first, end, @intCast(i));
                try world.add(4, 0, 3, 1);
                for ([_]u32{ 0, 1, 2 }) |split_chunks| {
                    const got = try world.runSplit(2, split_chunks);
                    defer gpa.free(got);
                    const at = world.seqs.items[1].token_first * row;
                    try testing.expectBitwise(expected[first * row .. end * row], got[at..][0 .. (end - first) * row]);
                }
            }
        }
    }
}

test "values that are parts of keys give the bits of values beside them" {
    for ([_]arena.Format{ .f32, .f16, .bf16 }) |format| {
        var results: [2][]f32 = undefined;
        for (&results, [_]arena.Values{ .own, .in_keys }) |*result, where| {
            const shape: Shape = .{ .heads = 3, .kv_heads = 1, .dim = 288, .value_dim = 264, .values = where, .format = format };
            var world: World = try .init(shape, 0);
            defer world.deinit();
            try world.add(1, 300, 310, 3);
            try world.add(2, 17, 18, 7);
            if (where == .own) world.copyKeysToValues();
            result.* = try world.run(2);
        }
        defer for (results) |result| gpa.free(result);
        try testing.expectBitwise(results[0], results[1]);
    }
}

test "a window as long as the context changes no bit" {
    for ([_]Shape{ shapes[0], shapes[7], shapes[12] }) |shape| {
        var results: [2][]f32 = undefined;
        for (&results, [_]u32{ 0, 530 }) |*result, window| {
            var world: World = try .init(shape.windowed(window), 0);
            defer world.deinit();
            try world.add(1, 490, 530, 7);
            try world.add(2, 529, 530, 7);
            result.* = try world.run(2);
        }
        defer for (results) |result| gpa.free(result);
        try testing.expectBitwise(results[0], results[1]);
    }
}

test "attention hands out every item once, long sequences first" {
    const shape: Shape = .{ .heads = 4, .kv_heads = 2, .dim = 8, .format = .f32 };
    var world: World = try .init(shape, 0);
    defer world.deinit();
    for ([_]u32{ 3, 700, 40, 1, 650 }, 0..) |length, i| try world.add(@intCast(i), 0, length, 8);
    gpa.free(try world.run(3));
}
