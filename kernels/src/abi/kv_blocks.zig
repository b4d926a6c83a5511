//! Block allocators of KV caches as native objects. They need no arena, so that a simulation can use them alone.

const std = @import("std");
const buddy = @import("../kv/buddy.zig");
const objects = @import("objects.zig");
const buffers = @import("buffers.zig");
const status = @import("status.zig");
const Context = @import("context.zig").Context;

const gpa = std.heap.c_allocator;

pub const KvBlocks = struct {
    pub const kind: objects.Kind = .kv_blocks;

    native: buddy.Buddy,
    /// 1 while a call is inside: a second thread gets an error instead of a race.
    busy: std.atomic.Value(u32) = .init(0),

    pub fn destroy(blocks: *KvBlocks) void {
        blocks.native.deinit();
        gpa.destroy(blocks);
    }
};

/// The allocator behind an id, marked busy until `leave`.
fn enter(id: u32) status.Error!*KvBlocks {
    const blocks = try objects.get(KvBlocks, id);
    if (blocks.busy.swap(1, .acquire) != 0) return error.ContextBusy;
    return blocks;
}

fn leave(blocks: *KvBlocks) void {
    blocks.busy.store(0, .release);
}

/// owner: a context, with which it is freed, or `none`. blocks: 1 to `kvBlocksMax`, all free.
pub fn create(owner: u32, blocks: u32, out: buffers.Output) status.Error!void {
    const place = try buffers.result(out);
    if (owner != objects.none) _ = try objects.get(Context, owner);
    const object = try gpa.create(KvBlocks);
    errdefer gpa.destroy(object);
    object.* = .{ .native = try .init(blocks) };
    errdefer object.native.deinit();
    place.* = try objects.add(KvBlocks, object, if (owner == objects.none) null else owner);
}

/// Takes `count` blocks, at least 1, and writes their runs in the order in which a sequence fills them. after: the block to
/// continue behind, or `none`. room: free blocks wanted behind a run that is begun. out: KvRuns, room for `count`. Returns
/// the number of runs, or 0 when fewer blocks are free.
pub fn allocate(id: u32, count: u32, after: u32, room: u32, out: buffers.Output, out_bytes: u32) status.Error!u32 {
    const blocks = try enter(id);
    defer leave(blocks);
    if (count == 0) return error.InvalidArgument;
    if (after != objects.none and after >= blocks.native.blocks) return error.InvalidArgument;
    if (count > blocks.native.free) return 0;
    const runs = try buffers.room(buddy.Run, out, out_bytes, count);
    return blocks.native.allocate(count, if (after == objects.none) null else after, room, runs) orelse 0;
}

/// Takes exactly these blocks: returns 1, or 0 when one of them is not free or does not exist.
pub fn allocateAt(id: u32, first: u32, count: u32) status.Error!u32 {
    const blocks = try enter(id);
    defer leave(blocks);
    return @intFromBool(blocks.native.allocAt(first, count));
}

/// Adds a reference to each of these blocks, which must be in use.
pub fn share(id: u32, first: u32, count: u32) status.Error!void {
    const blocks = try enter(id);
    defer leave(blocks);
    return blocks.native.share(first, count);
}

/// Takes a reference from each of these blocks, which must be in use. Returns how many became free.
pub fn release(id: u32, first: u32, count: u32) status.Error!u32 {
    const blocks = try enter(id);
    defer leave(blocks);
    return blocks.native.release(first, count);
}

/// References of a block, 0 when it is free.
pub fn references(id: u32, block: u32) status.Error!u32 {
    const blocks = try enter(id);
    defer leave(blocks);
    return blocks.native.referencesOf(block);
}

/// Finds up to `blocks_limit` free blocks whose memory could be given back: in a free run of at least `blocks_min`, of which
/// as many were in use since they were last reported here. out: one KvRun. Returns 1, or 0 when there are none.
pub fn takeIdle(id: u32, blocks_min: u32, blocks_limit: u32, out: buffers.Output, out_bytes: u32) status.Error!u32 {
    const blocks = try enter(id);
    defer leave(blocks);
    const place = try buffers.room(buddy.Run, out, out_bytes, 1);
    place[0] = blocks.native.takeIdle(blocks_min, blocks_limit) orelse return 0;
    return 1;
}

pub fn stats(id: u32, out: buffers.Output, out_bytes: u32) status.Error!void {
    const blocks = try enter(id);
    defer leave(blocks);
    const place = try buffers.room(buddy.Stats, out, out_bytes, 1);
    place[0] = blocks.native.stats();
}

/// Checks every invariant; returns a KvFault.
pub fn verify(id: u32) status.Error!u32 {
    const blocks = try enter(id);
    defer leave(blocks);
    return @backingInt(blocks.native.verify());
}

test "allocators have ids, check their arguments and refuse a second caller" {
    var id: u32 = 0;
    try std.testing.expectError(error.UnknownId, create(5, 10, @ptrCast(&id)));
    try std.testing.expectError(error.InvalidArgument, create(objects.none, 0, @ptrCast(&id)));
    try create(objects.none, 100, @ptrCast(&id));
    var runs: [10]buddy.Run = undefined;
    const out: buffers.Output = @ptrCast(&runs);
    try std.testing.expectError(error.InvalidArgument, allocate(id, 0, objects.none, 0, out, 80));
    try std.testing.expectError(error.InvalidArgument, allocate(id, 1, 100, 0, out, 80));
    try std.testing.expectError(error.BufferTooSmall, allocate(id, 11, objects.none, 0, out, 80));
    try std.testing.expectEqual(0, allocate(id, 101, objects.none, 0, out, 80));
    try std.testing.expectEqual(1, allocate(id, 10, objects.none, 0xFFFF_FFFF, out, 80));
    try std.testing.expectEqual(1, allocateAt(id, 90, 10));
    try std.testing.expectEqual(0, allocateAt(id, 95, 0xFFFF_FFFF));
    try share(id, 90, 5);
    try std.testing.expectEqual(2, references(id, 94));
    try std.testing.expectError(error.InvalidArgument, references(id, 100));
    try std.testing.expectEqual(5, release(id, 90, 10));
    try std.testing.expectError(error.InvalidArgument, release(id, 90, 10));
    try std.testing.expectEqual(1, takeIdle(id, 1, 10, out, 80));
    var figures: buddy.Stats = undefined;
    try stats(id, @ptrCast(&figures), @sizeOf(buddy.Stats));
    try std.testing.expectEqual(85, figures.free);
    const blocks = try enter(id);
    try std.testing.expectError(error.ContextBusy, share(id, 90, 1));
    leave(blocks);
    try std.testing.expectEqual(0, verify(id));
    try objects.remove(id);
    try std.testing.expectError(error.UnknownId, verify(id));
}

test "allocators go away with the context that owns them" {
    const context_test = @import("context_test.zig");
    const context = try context_test.open(1, 1);
    var id: u32 = 0;
    try create(context.id, 100, @ptrCast(&id));
    context_test.close(context);
    try std.testing.expectError(error.UnknownId, verify(id));
}
