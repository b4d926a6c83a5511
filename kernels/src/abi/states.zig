//! States of sequences as native objects, and which of them a step reads and writes.

const std = @import("std");
const kv_states = @import("../kv/states.zig");
const memory = @import("../system/memory.zig");
const numa = @import("../system/numa.zig");
const objects = @import("objects.zig");
const buffers = @import("buffers.zig");
const status = @import("status.zig");
const Context = @import("context.zig").Context;

const gpa = std.heap.c_allocator;

pub const States = struct {
    pub const kind: objects.Kind = .states;

    native: kv_states.States,
    /// Per slot the number of the last step that writes it: finds a slot that two sequences use.
    stamps: []u32,
    stamp_memory: memory.Block,
    stamp: u32 = 0,

    fn nextStamp(states: *States) u32 {
        if (states.stamp == std.math.maxInt(u32)) {
            @memset(states.stamps, 0);
            states.stamp = 0;
        }
        states.stamp += 1;
        std.debug.assert(states.stamp > 0); // what slots bear at first
        return states.stamp;
    }

    pub fn destroy(states: *States) void {
        states.native.deinit();
        states.stamp_memory.deinit();
        gpa.destroy(states);
    }
};

/// Reserves address space for `slots` states of `slot_bytes`, a multiple of 64; memory is committed on first touch.
pub fn create(context: *Context, slots: u32, slot_bytes: u32, out: buffers.Output) status.Error!void {
    const place = try buffers.result(out);
    const states = try gpa.create(States);
    errdefer gpa.destroy(states);
    var native = kv_states.States.init(slots, slot_bytes) catch |err| return switch (err) {
        error.InvalidShape => error.ShapeMismatch,
        error.OutOfMemory => error.OutOfMemory,
    };
    errdefer native.deinit();
    if (context.node) |node| _ = numa.bind(native.memory, node);
    var stamps: memory.Block = try .init(@as(usize, slots) * @sizeOf(u32));
    errdefer stamps.deinit();
    const values: [*]u32 = @ptrCast(@alignCast(stamps.bytes.ptr));
    states.* = .{ .native = native, .stamps = values[0..slots], .stamp_memory = stamps };
    place.* = try objects.add(States, states, context.id);
}

/// Gives the memory of a slot that nobody needs back to the system.
pub fn giveBack(id: u32, slot: u32) status.Error!void {
    const states = try objects.get(States, id);
    if (slot >= states.native.slots) return error.InvalidArgument;
    states.native.giveBack(slot);
}

/// out: one f64, the bytes of memory behind the states now; −1 where the system does not tell.
pub fn resident(id: u32, out: buffers.Output, out_bytes: u32) status.Error!void {
    const place = try buffers.room(f64, out, out_bytes, 1);
    const states = try objects.get(States, id);
    place[0] = if (states.native.residentBytes()) |bytes| @floatFromInt(bytes) else -1;
}

/// Says where the sequences of the batch set last have their states. slots: a StateSlot for each, in order. What one writes no
/// other reads or writes. Setting a batch forgets them.
pub fn set(context: *Context, id: u32, slots: buffers.Input, slots_bytes: u32) status.Error!void {
    const batch = &context.batch;
    if (batch.arena == objects.none) return error.NoBatch;
    batch.states = objects.none;
    const states = try objects.get(States, id);
    const given = try buffers.all(kv_states.Slot, slots, slots_bytes);
    if (given.len != batch.seq_count) return error.InvalidBatch;
    const stamp = states.nextStamp();
    for (given) |slot| {
        if (slot.write >= states.stamps.len or states.stamps[slot.write] == stamp) return error.InvalidBatch;
        states.stamps[slot.write] = stamp;
    }
    for (given, batch.seqs.items[0..given.len]) |slot, seq| {
        if (seq.position_first == 0) continue;
        if (slot.read >= states.stamps.len) return error.InvalidBatch;
        if (slot.read != slot.write and states.stamps[slot.read] == stamp) return error.InvalidBatch;
    }
    batch.slots.clearRetainingCapacity();
    try batch.slots.appendSlice(gpa, given);
    batch.states = id;
}

/// A layer's part of the states of the current batch, which begins `offset` bytes into each and has `bytes`.
pub fn current(context: *Context, id: u32, offset: u32, bytes: usize) status.Error!kv_states.View {
    const batch = &context.batch;
    if (batch.arena == objects.none or batch.states == objects.none) return error.NoBatch;
    if (batch.states != id) return error.ArenaMismatch;
    const native = (try objects.get(States, id)).native;
    if (offset % kv_states.alignment != 0) return error.InvalidArgument;
    const end = std.math.add(usize, offset, bytes) catch return error.Overflow;
    if (end > native.slot_bytes) return error.ShapeMismatch;
    return .{ .base = native.memory.ptr + offset, .slot_bytes = native.slot_bytes, .slots = batch.slots.items.ptr };
}
