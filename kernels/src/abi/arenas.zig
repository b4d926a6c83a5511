//! KV arenas as native objects.

const std = @import("std");
const kv_arena = @import("../kv/arena.zig");
const block_copy = @import("../kv/block_copy.zig");
const memory = @import("../system/memory.zig");
const numa = @import("../system/numa.zig");
const objects = @import("objects.zig");
const buffers = @import("buffers.zig");
const status = @import("status.zig");
const Context = @import("context.zig").Context;

const gpa = std.heap.c_allocator;

pub const Arena = struct {
    pub const kind: objects.Kind = .arena;

    native: kv_arena.Arena,
    /// Per slot the number of the last batch that writes it: finds a slot that is written twice.
    stamps: []u32,
    stamp_memory: memory.Block,
    stamp: u32 = 0,

    /// A number that no slot bears.
    pub fn nextStamp(arena: *Arena) u32 {
        if (arena.stamp == std.math.maxInt(u32)) {
            @memset(arena.stamps, 0);
            arena.stamp = 0;
        }
        arena.stamp += 1;
        std.debug.assert(arena.stamp > 0); // what slots bear at first
        return arena.stamp;
    }

    pub fn destroy(arena: *Arena) void {
        arena.native.deinit();
        arena.stamp_memory.deinit();
        gpa.destroy(arena);
    }
};

/// What `info` tells.
pub const Info = extern struct {
    layers: u32,
    /// Lists of blocks that a sequence has.
    groups: u32,
    slots: u32,
    format: u32,
    bytes_per_token: u32,
    reserved_kib: u32,
};

/// Reserves address space; memory is committed on first touch. layers: an ArenaLayer each. kv_format: ggml id of f32, f16, bf16
/// or q8_0.
pub fn create(
    context: *Context,
    layers: buffers.Input,
    layers_bytes: u32,
    slots: u32,
    kv_format: u32,
    out: buffers.Output,
) status.Error!void {
    const place = try buffers.result(out);
    const format = kv_arena.Format.fromInt(kv_format) orelse return error.UnsupportedFormat;
    const shapes = try buffers.all(kv_arena.LayerShape, layers, layers_bytes);
    const arena = try gpa.create(Arena);
    errdefer gpa.destroy(arena);
    var native = kv_arena.Arena.init(.{ .layers = shapes, .slots = slots, .format = format }) catch |err| return switch (err) {
        error.InvalidShape => error.ShapeMismatch,
        error.OutOfAddressSpace, error.OutOfMemory => error.OutOfMemory,
    };
    errdefer native.deinit();
    if (context.node) |node| _ = numa.bind(native.mapping, node);
    var stamps: memory.Block = try .init(@as(usize, slots) * @sizeOf(u32));
    errdefer stamps.deinit();
    const stamp_values: [*]u32 = @ptrCast(@alignCast(stamps.bytes.ptr));
    arena.* = .{ .native = native, .stamps = stamp_values[0..slots], .stamp_memory = stamps };
    place.* = try objects.add(Arena, arena, context.id);
}

pub fn info(id: u32, out: buffers.Output, out_bytes: u32) status.Error!void {
    const place = try buffers.room(Info, out, out_bytes, 1);
    const arena = try objects.get(Arena, id);
    const native = arena.native;
    place[0] = .{
        .layers = @intCast(native.places.len),
        .groups = native.groups,
        .slots = native.slots,
        .format = @backingInt(native.format),
        .bytes_per_token = std.math.lossyCast(u32, native.bytes_per_token),
        .reserved_kib = std.math.lossyCast(u32, native.memory.len / 1024),
    };
}

/// Gives the memory of a run of free slots back to the system. Both arguments are multiples of 16.
pub fn giveBack(id: u32, slot_first: u32, slot_count: u32) status.Error!void {
    const arena = try objects.get(Arena, id);
    if (slot_first % kv_arena.block_tokens != 0 or slot_count % kv_arena.block_tokens != 0) return error.InvalidArgument;
    const end = std.math.add(u32, slot_first, slot_count) catch return error.Overflow;
    if (end > arena.native.slots) return error.InvalidArgument;
    arena.native.giveBack(slot_first, slot_count);
}

/// Asks for huge pages behind the arena (wanted = 1), or for small ones (0).
pub fn hugePages(id: u32, wanted: u32) status.Error!void {
    const arena = try objects.get(Arena, id);
    if (wanted > 1) return error.InvalidArgument;
    arena.native.preferHugePages(wanted == 1);
}

/// Commits memory for some MiB of the reservation, which may end beyond it.
pub fn prefault(id: u32, mib_first: u32, mib_count: u32) status.Error!void {
    const arena = try objects.get(Arena, id);
    return arena.native.prefault(@as(usize, mib_first) << 20, @as(usize, mib_count) << 20);
}

/// out: one f64, the bytes of memory behind the arena now; −1 where the system does not tell.
pub fn resident(id: u32, out: buffers.Output, out_bytes: u32) status.Error!void {
    const place = try buffers.room(f64, out, out_bytes, 1);
    const arena = try objects.get(Arena, id);
    place[0] = if (arena.native.residentBytes()) |bytes| @floatFromInt(bytes) else -1;
}

/// out: the bytes that one block takes in the layers of a group.
pub fn blockBytes(id: u32, group: u32, out: buffers.Output) status.Error!void {
    const place = try buffers.result(out);
    const arena = try objects.get(Arena, id);
    if (group >= arena.native.groups) return error.InvalidArgument;
    place.* = std.math.cast(u32, block_copy.blockBytes(arena.native, group)) orelse return error.Overflow;
}

/// Copies blocks of a group out of the arena; out has exactly their bytes, as kv/block_copy.zig orders them.
pub fn readBlocks(id: u32, group: u32, first: u32, count: u32, out: buffers.Output, out_bytes: u32) status.Error!void {
    const arena = try checkedBlocks(id, group, first, count, out_bytes);
    block_copy.copy(.from_arena, arena.native, group, first, count, try buffers.room(u8, out, out_bytes, out_bytes));
}

/// Copies blocks of a group into the arena; in has exactly their bytes.
pub fn writeBlocks(id: u32, group: u32, first: u32, count: u32, in: buffers.Input, in_bytes: u32) status.Error!void {
    const arena = try checkedBlocks(id, group, first, count, in_bytes);
    block_copy.copy(.to_arena, arena.native, group, first, count, try buffers.values(u8, in, in_bytes, in_bytes));
}

fn checkedBlocks(id: u32, group: u32, first: u32, count: u32, bytes: u32) status.Error!*Arena {
    const arena = try objects.get(Arena, id);
    if (group >= arena.native.groups) return error.InvalidArgument;
    const end = std.math.add(u32, first, count) catch return error.Overflow;
    if (count == 0 or end > arena.native.slots / kv_arena.block_tokens) return error.InvalidArgument;
    if (bytes != block_copy.blockBytes(arena.native, group) * count) return error.BufferTooSmall;
    return arena;
}
