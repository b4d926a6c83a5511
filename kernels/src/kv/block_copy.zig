//! Blocks of a KV cache as bytes that can be kept elsewhere: what a block holds in the layers of one group, one block after
//! the other
//!
//!     [block][layer of the group][K of each head, V of each head]
//!
//! so that bytes do not depend on where a block lies. They are the elements as the arena stores them, scales included.

const std = @import("std");
const kv_arena = @import("arena.zig");
const Arena = kv_arena.Arena;

pub const Direction = enum { from_arena, to_arena };

/// Bytes of one block in the layers of a group.
pub fn blockBytes(arena: Arena, group: u32) usize {
    std.debug.assert(group < arena.groups);
    var bytes: usize = 0;
    for (0..arena.places.len) |i| {
        const layer: u32 = @intCast(i);
        if (arena.groupOf(layer) != group) continue;
        const view = arena.layer(layer);
        bytes += view.kv_heads * (view.keyBlockBytes() + view.valueBlockBytes());
    }
    std.debug.assert(bytes > 0); // each group has a layer
    return bytes;
}

/// Copies blocks `first` to `first + count - 1` of a group, `blockBytes` each.
pub fn copy(
    comptime direction: Direction,
    arena: Arena,
    group: u32,
    first: u32,
    count: u32,
    bytes: if (direction == .to_arena) []const u8 else []u8,
) void {
    const blocks = arena.slots / kv_arena.block_tokens;
    std.debug.assert(first <= blocks and count <= blocks - first);
    std.debug.assert(bytes.len == blockBytes(arena, group) * count);
    var at: usize = 0;
    for (first..first + count) |block| {
        for (0..arena.places.len) |i| {
            const layer: u32 = @intCast(i);
            if (arena.groupOf(layer) != group) continue;
            const view = arena.layer(layer);
            for ([_][*]u8{ view.k, view.v }, [_]usize{ view.keyBlockBytes(), view.valueBlockBytes() }) |base, size| {
                for (0..view.kv_heads) |head| {
                    const stored = base[(head * blocks + block) * size ..][0..size];
                    if (direction == .to_arena) @memcpy(stored, bytes[at..][0..size]) else @memcpy(bytes[at..][0..size], stored);
                    at += size;
                }
            }
        }
    }
    std.debug.assert(at == bytes.len);
}

test "copy moves keys whose ends are the values once" {
    const shapes = [_]kv_arena.LayerShape{
        .{ .kv_heads = 1, .key_dim = 40, .value_dim = 32, .values = @backingInt(kv_arena.Values.in_keys) },
        .{ .kv_heads = 2, .key_dim = 16, .value_dim = 8 },
    };
    var arena: Arena = try .init(.{ .layers = &shapes, .slots = 4 * kv_arena.block_tokens, .format = .f16 });
    defer arena.deinit();
    for (arena.memory, 0..) |*byte, i| byte.* = @truncate(i * 29 ^ i >> 8);
    const size = blockBytes(arena, 0);
    const keys = kv_arena.Format.f16.blockBytes(40);
    try std.testing.expectEqual(keys + 2 * kv_arena.Format.f16.blockBytes(24), size);
    const bytes = try std.testing.allocator.alloc(u8, size);
    defer std.testing.allocator.free(bytes);
    copy(.from_arena, arena, 0, 2, 1, bytes);
    const view = arena.layer(0);
    try std.testing.expectEqualSlices(u8, view.k[2 * keys ..][0..keys], bytes[0..keys]);
    @memset(arena.memory, 0);
    copy(.to_arena, arena, 0, 1, 1, bytes);
    try std.testing.expectEqualSlices(u8, bytes[0..keys], view.k[keys..][0..keys]);
    for (view.k[2 * keys .. 4 * keys]) |byte| try std.testing.expectEqual(0, byte);
}

test "copy moves the blocks of one group and no others, wherever they lie" {
    const shapes = [_]kv_arena.LayerShape{
        .{ .kv_heads = 2, .key_dim = 32, .value_dim = 64 },
        .{ .kv_heads = 1, .key_dim = 32, .value_dim = 32, .window = 8, .group = 1 },
        .{ .kv_heads = 2, .key_dim = 32, .value_dim = 64 },
    };
    for ([_]kv_arena.Format{ .f16, .q8_0 }) |format| {
        var arena: Arena = try .init(.{ .layers = &shapes, .slots = 8 * kv_arena.block_tokens, .format = format });
        defer arena.deinit();
        for (arena.memory, 0..) |*byte, i| byte.* = @truncate(i * 31 ^ i >> 8);
        const before = try std.testing.allocator.dupe(u8, arena.memory);
        defer std.testing.allocator.free(before);

        const size = blockBytes(arena, 0);
        try std.testing.expectEqual(2 * 2 * (format.blockBytes(32) + format.blockBytes(64)), size);
        try std.testing.expectEqual(2 * format.blockBytes(32), blockBytes(arena, 1));
        const bytes = try std.testing.allocator.alloc(u8, 3 * size);
        defer std.testing.allocator.free(bytes);
        copy(.from_arena, arena, 0, 2, 3, bytes);
        const view = arena.layer(2);
        const key_bytes = view.keyBlockBytes();
        // Block 3, the second layer of the group, the second head.
        const at = size + size / 2 + key_bytes;
        try std.testing.expectEqualSlices(u8, view.k[(8 + 3) * key_bytes ..][0..key_bytes], bytes[at..][0..key_bytes]);

        @memset(arena.memory, 0);
        copy(.to_arena, arena, 0, 2, 3, bytes);
        var written: usize = 0;
        for (arena.memory, before) |now, then| {
            if (now == 0) continue;
            try std.testing.expectEqual(then, now);
            written += 1;
        }
        try std.testing.expect(written > bytes.len * 9 / 10 and written <= bytes.len);
        const moved = try std.testing.allocator.alloc(u8, bytes.len);
        defer std.testing.allocator.free(moved);
        copy(.to_arena, arena, 0, 5, 3, bytes);
        copy(.from_arena, arena, 0, 5, 3, moved);
        try std.testing.expectEqualSlices(u8, bytes, moved);
    }
}
