//! What the arena lays out, commits and gives back, and the shapes that it refuses.

const std = @import("std");
const arena_file = @import("arena.zig");
const page = @import("../system/pages.zig").page;
const Arena = arena_file.Arena;
const Format = arena_file.Format;
const LayerShape = arena_file.LayerShape;
const groups_max = arena_file.groups_max;
const huge_page = arena_file.huge_page;
const no_window = arena_file.no_window;

test "Arena lays out layers without overlap and gives pages back" {
    const shapes: [3]LayerShape = @splat(.{ .kv_heads = 2, .key_dim = 64, .value_dim = 64 });
    var arena: Arena = try .init(.{ .layers = &shapes, .slots = 256, .format = .f16 });
    defer arena.deinit();
    try std.testing.expectEqual(@as(usize, 3 * 2 * 64 * 2 * 2), arena.bytes_per_token);
    for (0..3) |i| {
        const view = arena.layer(@intCast(i));
        @memset(view.k[0 .. view.keyHeadBytes() * 2], @intCast(1 + i));
        @memset(view.v[0 .. view.valueHeadBytes() * 2], @intCast(101 + i));
    }
    for (0..3) |i| {
        const view = arena.layer(@intCast(i));
        const bytes = view.keyHeadBytes() * 2;
        try std.testing.expectEqual(@as(u8, @intCast(1 + i)), view.k[0]);
        try std.testing.expectEqual(@as(u8, @intCast(1 + i)), view.k[bytes - 1]);
        try std.testing.expectEqual(@as(u8, @intCast(101 + i)), view.v[0]);
        try std.testing.expectEqual(@as(u8, @intCast(101 + i)), view.v[bytes - 1]);
    }
    arena.giveBack(64, 128);
    const view = arena.layer(1);
    try std.testing.expectEqual(@as(u8, 2), view.k[64 * 128 - 1]);
    try std.testing.expectEqual(@as(u8, 0), view.k[64 * 128]);
    try std.testing.expectEqual(@as(u8, 0), view.v[192 * 128 - 1]);
    try std.testing.expectEqual(@as(u8, 102), view.v[192 * 128]);
}

test "Arena keeps values once that are parts of keys" {
    const latent: LayerShape = .{ .kv_heads = 1, .key_dim = 576, .value_dim = 512, .values = 1 };
    const shapes = [_]LayerShape{ latent, .{ .kv_heads = 1, .key_dim = 576, .value_dim = 512 }, latent };
    var arena: Arena = try .init(.{ .layers = &shapes, .slots = 64, .format = .f16 });
    defer arena.deinit();
    try std.testing.expectEqual(2 * (3 * 576 + 512), arena.bytes_per_token);
    for (0..3) |i| {
        const view = arena.layer(@intCast(i));
        @memset(view.k[0..view.keyHeadBytes()], @intCast(1 + i));
        @memset(view.v[0..view.valueHeadBytes()], 101);
    }
    for (0..3) |i| {
        const view = arena.layer(@intCast(i));
        const kept: usize = if (i == 1) 64 * 512 * 2 else 0;
        try std.testing.expectEqual(kept, view.valueHeadBytes());
        for (view.k[0..view.keyHeadBytes()]) |byte| try std.testing.expectEqual(@as(u8, @intCast(1 + i)), byte);
    }
    arena.giveBack(0, 64);
    try std.testing.expectEqual(0, arena.layer(2).k[64 * 576]);
}

test "Arena in q8_0 has room for scales and gives whole blocks back" {
    const shapes: [2]LayerShape = @splat(.{ .kv_heads = 1, .key_dim = 96, .value_dim = 96 });
    var arena: Arena = try .init(.{ .layers = &shapes, .slots = 512, .format = .q8_0 });
    defer arena.deinit();
    try std.testing.expectEqual(2 * 2 * (96 + 3 * 2), arena.bytes_per_token);
    @memset(arena.memory, 7);
    const view = arena.layer(1);
    try std.testing.expectEqual(32 * 16 * (96 + 3 * 2), view.keyHeadBytes());
    try std.testing.expectEqual(view.keyHeadBytes(), @intFromPtr(view.k) - @intFromPtr(arena.layer(0).v));
    arena.giveBack(160, 256);
    const block_bytes = view.keyBlockBytes();
    // Pages that other blocks share stay.
    for (0..10 * block_bytes) |i| try std.testing.expectEqual(7, view.k[i]);
    try std.testing.expectEqual(0, view.k[18 * block_bytes]);
    for (26 * block_bytes..32 * block_bytes) |i| try std.testing.expectEqual(7, view.k[i]);
}

test "Arena commits what is touched or prefaulted, and tells how much" {
    const shapes: [2]LayerShape = @splat(.{ .kv_heads = 2, .key_dim = 64, .value_dim = 64 });
    var arena: Arena = try .init(.{ .layers = &shapes, .slots = 16 * 1024, .format = .f16 });
    defer arena.deinit();
    try std.testing.expectEqual(0, @intFromPtr(arena.memory.ptr) % huge_page);
    arena.preferHugePages(false);
    try std.testing.expectEqual(0, arena.residentBytes() orelse return error.SkipZigTest);
    const view = arena.layer(1);
    view.k[0] = 1;
    try std.testing.expectEqual(page, arena.residentBytes().?);
    try arena.prefault(0, 8 * page);
    try std.testing.expectEqual(9 * page, arena.residentBytes().?);
    try arena.prefault(arena.memory.len - page, 1 << 40);
    try arena.prefault(arena.memory.len, 1);
    try std.testing.expectEqual(10 * page, arena.residentBytes().?);
    arena.giveBack(0, arena.slots);
    try std.testing.expectEqual(0, arena.residentBytes().?);
    try arena.prefault(0, arena.memory.len);
    try std.testing.expectEqual(arena.memory.len, arena.residentBytes().?);
}

test "Arena stores layers of different shapes, and those of different groups in the same rows" {
    const wide: LayerShape = .{ .kv_heads = 2, .key_dim = 96, .value_dim = 64 };
    const narrow: LayerShape = .{ .kv_heads = 1, .key_dim = 32, .value_dim = 128, .window = 20, .group = 1 };
    var local = wide;
    local.window = 20;
    local.group = 1;
    var arena: Arena = try .init(.{ .layers = &.{ wide, local, wide, narrow, local }, .slots = 64, .format = .f16 });
    defer arena.deinit();
    try std.testing.expectEqual(2, arena.groups);
    try std.testing.expectEqual(no_window, arena.windowOf(0));
    try std.testing.expectEqual(20, arena.windowOf(1));
    // Two rows of the wide shape, which the first and third layer share with the second and fifth, and one of the narrow.
    try std.testing.expectEqual(2 * 2 * (96 + 64) * 2 + (32 + 128) * 2, arena.bytes_per_token);
    for ([_][2]u32{ .{ 0, 1 }, .{ 2, 4 } }) |pair| {
        try std.testing.expectEqual(arena.layer(pair[0]).k, arena.layer(pair[1]).k);
        try std.testing.expectEqual(arena.layer(pair[0]).v, arena.layer(pair[1]).v);
    }
    for ([_]u32{ 0, 2, 3 }, 1..) |index, value| {
        const view = arena.layer(index);
        @memset(view.k[0 .. view.keyHeadBytes() * view.kv_heads], @intCast(value));
        @memset(view.v[0 .. view.valueHeadBytes() * view.kv_heads], @intCast(value));
    }
    for ([_]u32{ 0, 2, 3 }, 1..) |index, value| {
        const view = arena.layer(index);
        for (view.k[0 .. view.keyHeadBytes() * view.kv_heads]) |byte| try std.testing.expectEqual(value, byte);
        for (view.v[0 .. view.valueHeadBytes() * view.kv_heads]) |byte| try std.testing.expectEqual(value, byte);
    }
    try std.testing.expectEqual(1, arena.groupOf(3));
    try std.testing.expectEqual(20, arena.layer(3).window);
}

test "Arena refuses impossible shapes" {
    const good: LayerShape = .{ .kv_heads = 1, .key_dim = 8, .value_dim = 16 };
    try expectShape(true, &.{good}, 16, .f32);
    for ([_]LayerShape{
        .{ .kv_heads = 1, .key_dim = 12, .value_dim = 16 },
        .{ .kv_heads = 1, .key_dim = 8, .value_dim = 20 },
        .{ .kv_heads = 1, .key_dim = 8, .value_dim = 0 },
        .{ .kv_heads = 1, .key_dim = 584, .value_dim = 8 },
        .{ .kv_heads = 1, .key_dim = 16, .value_dim = 24, .values = 1 },
        .{ .kv_heads = 1, .key_dim = 16, .value_dim = 16, .values = 2 },
        .{ .kv_heads = 0, .key_dim = 8, .value_dim = 16 },
        .{ .kv_heads = 1, .key_dim = 8, .value_dim = 16, .window = 5 },
        .{ .kv_heads = 1, .key_dim = 8, .value_dim = 16, .group = 2 },
        .{ .kv_heads = 1, .key_dim = 8, .value_dim = 16, .group = groups_max },
        .{ .kv_heads = 0xffffffff, .key_dim = 576, .value_dim = 576 },
    }) |bad| try expectShape(false, &.{ good, bad }, 0xfffffff0, .f32);
    try expectShape(false, &.{}, 16, .f32);
    try expectShape(false, &.{good}, 24, .f32);
    try expectShape(false, &.{good}, 0, .f32);
    try expectShape(false, &.{good}, 16, .q8_0);
    const scaled: LayerShape = .{ .kv_heads = 1, .key_dim = 256, .value_dim = 256 };
    try expectShape(true, &.{scaled}, 16, .q8_0);
    var other = scaled;
    other.key_dim = 288;
    try expectShape(false, &.{other}, 16, .q8_0);
    other = scaled;
    other.values = 1;
    try expectShape(false, &.{other}, 16, .q8_0);
    try expectShape(true, &.{ scaled, other }, 16, .f16);
}

fn expectShape(is_good: bool, layers: []const LayerShape, slots: u32, format: Format) !void {
    var arena = Arena.init(.{ .layers = layers, .slots = slots, .format = format }) catch |err| {
        try std.testing.expectEqual(error.InvalidShape, err);
        return std.testing.expect(!is_good);
    };
    arena.deinit();
    try std.testing.expect(is_good);
}
