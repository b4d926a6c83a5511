//! The KV cache of one worker: K and V of every layer, addressed by token slot.
//!
//! Address space is reserved once and holds no memory: the system commits a page when an append first touches it, unless
//! `prefault` did so before, and `giveBack` returns the pages of a free run. Slots come in blocks of 16 tokens:
//!
//!     K  [layer][kv head][block][head_dim][16 tokens]   tokens are lanes: scores need no horizontal sums
//!     V  [layer][kv head][block][16 tokens][head_dim]   head dimensions are lanes: outputs need none either
//!
//! In q8_0 each 32 dimensions of a token share a scale; a block's elements are followed by their f16 scales
//! [head_dim / 32][16 tokens], for K and V alike.
//!
//! Lanes of a block beyond the tokens written so far hold zeros or an earlier owner's values; readers mask them.

const std = @import("std");
const builtin = @import("builtin");
const pages = @import("../system/pages.zig");
const page = pages.page;
const huge_page = 2 * 1024 * 1024;
/// madvise: map and fill pages as if they had been written (Linux 5.14).
const madv_populate_write = 23;

/// Tokens of a block, and lanes of the virtual float vector.
pub const block_tokens = 16;
pub const head_dim_max = 256;
/// Dimensions of one token that share a scale, in formats that have scales.
pub const scale_group = 32;

/// Element type of K and V; the numbers are ggml's type ids.
pub const Format = enum(u32) {
    f32 = 0,
    f16 = 1,
    /// int8 times the scale of its group.
    q8_0 = 8,
    bf16 = 30,

    pub fn fromInt(id: u32) ?Format {
        return switch (id) {
            0 => .f32,
            1 => .f16,
            8 => .q8_0,
            30 => .bf16,
            else => null,
        };
    }

    /// Of one element, without its share of a scale.
    pub fn elementBytes(format: Format) usize {
        return switch (format) {
            .f32 => 4,
            .f16, .bf16 => 2,
            .q8_0 => 1,
        };
    }

    /// The number or the bits in which an element is stored.
    pub fn Element(comptime format: Format) type {
        return switch (format) {
            .f32 => f32,
            .f16, .bf16 => u16,
            .q8_0 => i8,
        };
    }

    pub fn hasScales(format: Format) bool {
        return format == .q8_0;
    }

    /// Bytes of K, and of V, of one head's block.
    pub fn blockBytes(format: Format, head_dim: u32) usize {
        const scales = if (format.hasScales()) head_dim / scale_group * block_tokens * @sizeOf(u16) else 0;
        return @as(usize, head_dim) * block_tokens * format.elementBytes() + scales;
    }

    /// What head_dim must be a multiple of.
    fn headDimStep(format: Format) u32 {
        return if (format.hasScales()) scale_group else 8;
    }
};

/// K and V of one layer, as ops take it.
pub const LayerView = extern struct {
    k: [*]u8,
    v: [*]u8,
    /// Slots of the arena, a multiple of `block_tokens`.
    slots: u32,
    kv_heads: u32,
    head_dim: u32,
    format: Format,

    /// Bytes of K, and of V, of one block of one KV head.
    pub fn blockBytes(view: LayerView) usize {
        return view.format.blockBytes(view.head_dim);
    }

    /// Bytes of K, and of V, of one KV head.
    pub fn headBytes(view: LayerView) usize {
        return view.slots / block_tokens * view.blockBytes();
    }
};

pub const Shape = struct {
    layers: u32,
    kv_heads: u32,
    head_dim: u32,
    slots: u32,
    format: Format,
};

pub const Arena = struct {
    shape: Shape,
    /// Starts at a huge page's border where it is that large.
    memory: []align(page) u8,
    mapping: []align(page) u8,

    pub const Error = error{ InvalidShape, OutOfAddressSpace };

    /// Reserves address space. Counts are nonzero, head_dim is a multiple of 8 up to 256 (of 32 in q8_0), slots a multiple
    /// of 16.
    pub fn init(shape: Shape) Error!Arena {
        const bytes = totalBytes(shape) orelse return error.InvalidShape;
        const slack: usize = if (bytes >= huge_page) huge_page else 0;
        const mapping = pages.map(bytes + slack, .reservation) catch return error.OutOfAddressSpace;
        const address = @intFromPtr(mapping.ptr);
        const skip = if (slack == 0) 0 else std.mem.alignForward(usize, address, huge_page) - address;
        return .{ .shape = shape, .memory = @alignCast(mapping[skip..][0..bytes]), .mapping = mapping };
    }

    pub fn deinit(arena: *Arena) void {
        pages.unmap(arena.mapping);
        arena.* = undefined;
    }

    /// Reserved bytes, whole pages; null when the shape is out of bounds.
    pub fn totalBytes(shape: Shape) ?usize {
        if (shape.layers == 0 or shape.kv_heads == 0 or shape.slots == 0 or shape.head_dim == 0) return null;
        if (shape.head_dim % shape.format.headDimStep() != 0 or shape.head_dim > head_dim_max) return null;
        if (shape.slots % block_tokens != 0) return null;
        var bytes: usize = 2 * shape.format.blockBytes(shape.head_dim);
        for ([_]u32{ shape.layers, shape.kv_heads, shape.slots / block_tokens }) |count| {
            bytes = std.math.mul(usize, bytes, count) catch return null;
        }
        if (bytes > 1 << 46) return null; // more than user space has
        return std.mem.alignForward(usize, bytes, page);
    }

    /// Bytes of K and V over all layers that one token takes.
    pub fn bytesPerToken(arena: Arena) usize {
        const shape = arena.shape;
        return 2 * shape.format.blockBytes(shape.head_dim) / block_tokens * shape.kv_heads * shape.layers;
    }

    pub fn layer(arena: Arena, index: u32) LayerView {
        const shape = arena.shape;
        std.debug.assert(index < shape.layers);
        const view_bytes = shape.format.blockBytes(shape.head_dim) * shape.kv_heads * (shape.slots / block_tokens);
        return .{
            .k = arena.memory.ptr + index * view_bytes,
            .v = arena.memory.ptr + (shape.layers + index) * view_bytes,
            .slots = shape.slots,
            .kv_heads = shape.kv_heads,
            .head_dim = shape.head_dim,
            .format = shape.format,
        };
    }

    /// Asks the system for huge pages, or for small ones where it would use huge ones by itself. With huge pages the first
    /// token already commits one in each layer and head. A refusal only costs speed.
    pub fn preferHugePages(arena: Arena, wanted: bool) void {
        if (builtin.os.tag != .linux) return;
        const advice: u32 = if (wanted) std.posix.MADV.HUGEPAGE else std.posix.MADV.NOHUGEPAGE;
        std.posix.madvise(arena.memory.ptr, arena.memory.len, advice) catch {};
    }

    /// Commits the pages of some bytes of the reservation, whose contents stay. A part beyond its end is ignored.
    pub fn prefault(arena: Arena, first: usize, count: usize) error{OutOfMemory}!void {
        if (first >= arena.memory.len) return;
        const start = std.mem.alignBackward(usize, first, page);
        const part = arena.memory[start..@min(arena.memory.len, first +| count)];
        if (builtin.os.tag == .linux) {
            const result = std.os.linux.madvise(part.ptr, part.len, madv_populate_write);
            if (std.os.linux.errno(result) == .NOMEM) return error.OutOfMemory;
        }
        // Older systems refuse the advice, and emulators accept it and do nothing.
        var at: usize = 0;
        while (at < part.len) : (at += page) {
            const byte: *volatile u8 = &part[at];
            byte.* = byte.*;
        }
    }

    /// Bytes that the system holds in memory for the arena now; null where it does not tell.
    pub fn residentBytes(arena: Arena) ?usize {
        return pages.residentBytes(arena.memory);
    }

    /// Returns to the system the whole pages inside a run of free slots, which read as `pages.giveBack` says afterwards. Two
    /// calls into the kernel per layer and head, so worth it for large runs only. Slots are multiples of `block_tokens`.
    pub fn giveBack(arena: Arena, slot_first: u32, slot_count: u32) void {
        const shape = arena.shape;
        std.debug.assert(slot_first % block_tokens == 0 and slot_count % block_tokens == 0);
        std.debug.assert(slot_first + slot_count <= shape.slots);
        const block_bytes = shape.format.blockBytes(shape.head_dim);
        const head_bytes = block_bytes * (shape.slots / block_tokens);
        const block_first = slot_first / block_tokens;
        const block_end = block_first + slot_count / block_tokens;
        for (0..2 * @as(usize, shape.layers) * shape.kv_heads) |head| {
            const first = std.mem.alignForward(usize, head * head_bytes + block_bytes * block_first, page);
            const end = std.mem.alignBackward(usize, head * head_bytes + block_bytes * block_end, page);
            if (first >= end) continue;
            pages.giveBack(@alignCast(arena.memory[first..end]));
        }
    }
};

test "Arena lays out layers without overlap and gives pages back" {
    const shape: Shape = .{ .layers = 3, .kv_heads = 2, .head_dim = 64, .slots = 256, .format = .f16 };
    var arena: Arena = try .init(shape);
    defer arena.deinit();
    try std.testing.expectEqual(@as(usize, 3 * 2 * 64 * 2 * 2), arena.bytesPerToken());
    for (0..3) |i| {
        const view = arena.layer(@intCast(i));
        @memset(view.k[0 .. view.headBytes() * 2], @intCast(1 + i));
        @memset(view.v[0 .. view.headBytes() * 2], @intCast(101 + i));
    }
    for (0..3) |i| {
        const view = arena.layer(@intCast(i));
        const bytes = view.headBytes() * 2;
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

test "Arena in q8_0 has room for scales and gives whole blocks back" {
    const shape: Shape = .{ .layers = 2, .kv_heads = 1, .head_dim = 96, .slots = 512, .format = .q8_0 };
    var arena: Arena = try .init(shape);
    defer arena.deinit();
    try std.testing.expectEqual(2 * 2 * (96 + 3 * 2), arena.bytesPerToken());
    @memset(arena.memory, 7);
    const view = arena.layer(1);
    try std.testing.expectEqual(32 * 16 * (96 + 3 * 2), view.headBytes());
    try std.testing.expectEqual(view.headBytes(), @intFromPtr(arena.layer(0).v) - @intFromPtr(view.k));
    arena.giveBack(160, 256);
    const block_bytes = view.blockBytes();
    // Pages that other blocks share stay.
    for (0..10 * block_bytes) |i| try std.testing.expectEqual(7, view.k[i]);
    try std.testing.expectEqual(0, view.k[18 * block_bytes]);
    for (26 * block_bytes..32 * block_bytes) |i| try std.testing.expectEqual(7, view.k[i]);
}

test "Arena commits what is touched or prefaulted, and tells how much" {
    const shape: Shape = .{ .layers = 2, .kv_heads = 2, .head_dim = 64, .slots = 16 * 1024, .format = .f16 };
    var arena: Arena = try .init(shape);
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
    arena.giveBack(0, shape.slots);
    try std.testing.expectEqual(0, arena.residentBytes().?);
    try arena.prefault(0, arena.memory.len);
    try std.testing.expectEqual(arena.memory.len, arena.residentBytes().?);
}

test "Arena refuses impossible shapes" {
    const good: Shape = .{ .layers = 1, .kv_heads = 1, .head_dim = 8, .slots = 16, .format = .f32 };
    var arena: Arena = try .init(good);
    arena.deinit();
    var bad = good;
    bad.head_dim = 12;
    try std.testing.expectError(error.InvalidShape, Arena.init(bad));
    bad = good;
    bad.slots = 24;
    try std.testing.expectError(error.InvalidShape, Arena.init(bad));
    bad = good;
    bad.format = .q8_0;
    try std.testing.expectError(error.InvalidShape, Arena.init(bad));
    bad = .{ .layers = 0xffffffff, .kv_heads = 0xffffffff, .head_dim = 256, .slots = 0xfffffff0, .format = .f32 };
    try std.testing.expectError(error.InvalidShape, Arena.init(bad));
}
