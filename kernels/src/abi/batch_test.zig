//! Batches that contradict themselves or the arena must be refused whole.

const std = @import("std");
const arenas = @import("arenas.zig");
const batch = @import("batch.zig");
const context_test = @import("context_test.zig");
const objects = @import("objects.zig");
const Context = @import("context.zig").Context;
const LayerShape = @import("../kv/arena.zig").LayerShape;

const layer: LayerShape = .{ .kv_heads = 2, .key_dim = 16, .value_dim = 16 };

const Case = struct {
    context: *Context,
    arena: u32,

    fn init() !Case {
        return with(&.{ layer, layer });
    }

    fn with(layers: []const LayerShape) !Case {
        const context = try context_test.open(1, 1);
        errdefer context_test.close(context);
        var id: u32 = 0;
        try arenas.create(context, @ptrCast(layers.ptr), @intCast(layers.len * @sizeOf(LayerShape)), 64, 1, @ptrCast(&id));
        return .{ .context = context, .arena = id };
    }

    fn deinit(case: Case) void {
        context_test.close(case.context);
    }

    fn set(case: Case, words: []const u32) !void {
        try batch.set(case.context, case.arena, @ptrCast(words.ptr), @intCast(words.len * 4));
    }

    fn refused(case: Case, expected: anyerror, words: []const u32) !void {
        try std.testing.expectError(expected, case.set(words));
        try std.testing.expectError(error.NoBatch, batch.current(case.context, case.arena));
    }
};

/// Two sequences: a prefill of positions 0–2 in slots 32–34, and one token at position 17 of a sequence that lies in slots
/// 0–15 and 48–49.
const good = [_]u32{
    4,  2,  3,  1,
    0,  32, 1,  33,
    2,  34, 17, 49,
    0,  3,  0,  0,
    1,  0,  3,  1,
    17, 1,  2,  0,
    32, 3,  0,  16,
    48, 2,
};

test "a batch that fits the arena is taken" {
    const case: Case = try .init();
    defer case.deinit();
    try std.testing.expectError(error.NoBatch, batch.current(case.context, case.arena));
    for (0..3) |_| try case.set(&good);
    const current = try batch.current(case.context, case.arena);
    try std.testing.expectEqual(4, current.tokens.items.len);
    try std.testing.expectEqual(18, current.positions_end);
    try std.testing.expectError(error.ArenaMismatch, batch.current(case.context, case.arena ^ 1));
}

test "every word that is changed alone is noticed" {
    const case: Case = try .init();
    defer case.deinit();
    for (0..good.len) |i| {
        for ([_]u32{ 1, 16, 0x8000_0000, 0xFFFF_FFFF }) |change| {
            var bad = good;
            bad[i] ^= change;
            case.set(&bad) catch continue;
            // The only changes that keep it consistent: an extent moved to other whole blocks moves its tokens too, so
            // none here may succeed, except moving a block that holds no token of the batch.
            try std.testing.expectEqual(26, i);
        }
    }
}

test "random batches never crash" {
    const case: Case = try .init();
    defer case.deinit();
    var rng: @import("../testing/testing.zig").Rng = .init(12);
    for (0..20_000) |_| {
        var words = good;
        for (0..rng.between(u32, 1, 4)) |_| {
            words[rng.between(usize, 0, words.len - 1)] = rng.pick(u32, &.{ 0, 1, 2, 3, 16, 17, 48, 64, 0xFFFF_FFFF });
        }
        const length = rng.between(usize, 0, words.len);
        case.set(words[0..if (rng.between(u32, 0, 3) == 0) length else words.len]) catch {};
    }
}

test "structural errors have their own status" {
    const case: Case = try .init();
    defer case.deinit();
    try case.refused(error.BufferTooSmall, good[0..3]);
    try case.refused(error.BufferTooSmall, good[0 .. good.len - 1]);
    try case.refused(error.InvalidBatch, &(good ++ .{0}));
    try case.refused(error.InvalidBatch, &.{ 0, 0, 0, 0 });
    try std.testing.expectError(error.UnknownId, batch.set(case.context, objects.none, @ptrCast(&good), @sizeOf(@TypeOf(good))));
    try std.testing.expectError(error.WrongKind, batch.set(case.context, case.context.id, @ptrCast(&good), @sizeOf(@TypeOf(good))));
}

test "two tokens must not share a slot" {
    const case: Case = try .init();
    defer case.deinit();
    // Two sequences of one token each, both in slot 0.
    try case.refused(error.InvalidBatch, &.{ 2, 2, 2, 1, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0, 1, 1, 0, 1, 1, 0, 0, 1, 0, 1 });
    // One shares the other's first block, and they write different slots.
    try case.set(&.{ 2, 2, 4, 1, 16, 16, 16, 32, 0, 1, 16, 0, 2, 0, 1, 1, 16, 2, 2, 0, 0, 16, 16, 1, 0, 16, 32, 1 });
}

test "groups have slots of their own, and blocks that no query sees may be missing" {
    var local = layer;
    local.window = 4;
    local.group = 1;
    const case: Case = try .with(&.{ layer, local });
    defer case.deinit();
    // One token at position 20: all 21 positions in group 0, those from 16 on in group 1.
    const words = [_]u32{
        1,  1,  2,  2,
        20, 20, 20, 36,
        0,  1,  20, 0,
        1,  0,  0,  1,
        20, 1,  1,  16,
        0,  21, 32, 5,
    };
    try case.set(&words);
    const current = try batch.current(case.context, case.arena);
    try std.testing.expectEqual(36, current.group(1).tokens[0].slot);
    try std.testing.expectEqual(16, current.group(1).seqs[0].kv_first);
    try case.refused(error.InvalidBatch, words[0..3] ++ .{1} ++ words[4..]);
    // Group 0 sees everything, so nothing of it may be missing.
    var bad = words;
    bad[13] = 16;
    bad[20] = 16;
    bad[21] = 5;
    try case.refused(error.InvalidBatch, &bad);
    // Both groups' tokens in one slot.
    bad = words;
    bad[7] = 20;
    bad[22] = 16;
    try case.refused(error.InvalidBatch, &bad);
    // A token at 19 would see 16 to 19, one at 18 also 15.
    inline for (.{ 19, 18 }) |position| {
        const other = [_]u32{
            1,        1,            2,        2,
            position, position,     position, position + 16,
            0,        1,            position, 0,
            1,        0,            0,        1,
            position, 1,            1,        16,
            0,        position + 1, 32,       position - 15,
        };
        if (position == 19) try case.set(&other) else try case.refused(error.InvalidBatch, &other);
    }
}
