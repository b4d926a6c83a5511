//! What layers keep of a sequence that is not keys and values: the last inputs of a short convolution, the matrix of each head
//! of linear attention. Slots of one size hold the state of one sequence each, all layers one after another; where a layer's
//! part begins is the caller's plan.
//!
//! Address space is reserved once; the system commits a page when a state is first written.

const std = @import("std");
const pages = @import("../system/pages.zig");
const memory_module = @import("../system/memory.zig");
const page = pages.page;

/// Slots and what lies in them begin at multiples of this.
pub const alignment = 64;
pub const slots_max = 1 << 20;

/// Where the state of a sequence lies. What a step finds after the tokens before its first is read from `read`, what it leaves
/// after its last is written to `write`. They may be the same; where they differ a step that was broken off can be
/// computed again. At position 0 nothing is read.
pub const Slot = extern struct {
    read: u32,
    write: u32,
};

pub const States = struct {
    slots: u32,
    slot_bytes: u32,
    memory: []align(page) u8,

    pub const Error = error{ InvalidShape, OutOfMemory };

    /// Reserves address space for `slots` states of `slot_bytes` each, a multiple of `alignment`; neither is 0.
    pub fn init(slots: u32, slot_bytes: u32) Error!States {
        if (slots == 0 or slots > slots_max or slot_bytes == 0 or slot_bytes % alignment != 0) return error.InvalidShape;
        const bytes = std.math.mul(usize, slots, slot_bytes) catch return error.InvalidShape;
        if (bytes > memory_module.bytes_max) return error.InvalidShape;
        return .{
            .slots = slots,
            .slot_bytes = slot_bytes,
            .memory = try pages.map(std.mem.alignForward(usize, bytes, page), .reservation),
        };
    }

    pub fn deinit(states: *States) void {
        pages.unmap(states.memory);
        states.* = undefined;
    }

    pub fn slot(states: States, index: u32) []align(alignment) u8 {
        std.debug.assert(index < states.slots);
        return @alignCast(states.memory[@as(usize, index) * states.slot_bytes ..][0..states.slot_bytes]);
    }

    /// Returns the whole pages inside a slot that holds nothing of use to the system.
    pub fn giveBack(states: States, index: u32) void {
        const start = @as(usize, index) * states.slot_bytes;
        std.debug.assert(start + states.slot_bytes <= states.memory.len);
        const first = std.mem.alignForward(usize, start, page);
        const end = std.mem.alignBackward(usize, start + states.slot_bytes, page);
        if (first < end) pages.giveBack(@alignCast(states.memory[first..end]));
    }

    /// Bytes that the system holds in memory for the states now; null where it does not tell.
    pub fn residentBytes(states: States) ?usize {
        return pages.residentBytes(states.memory);
    }
};

/// One layer's part of the states of a step's sequences, as ops take it.
pub const View = extern struct {
    /// The layer's part of slot 0.
    base: [*]u8,
    slot_bytes: usize,
    /// One for each sequence of the step.
    slots: [*]const Slot,

    /// What sequence `index` of the step finds.
    pub fn before(view: View, index: usize) [*]const f32 {
        return view.at(view.slots[index].read);
    }

    /// Where sequence `index` of the step leaves its state.
    pub fn after(view: View, index: usize) [*]f32 {
        return view.at(view.slots[index].write);
    }

    fn at(view: View, slot: u32) [*]f32 {
        return @ptrCast(@alignCast(view.base + slot * view.slot_bytes));
    }
};

test "states are committed when they are written, and give their pages back" {
    var states: States = try .init(4, 2 * page + 64);
    defer states.deinit();
    const none = states.residentBytes() orelse return;
    for (0..4) |i| @memset(states.slot(@intCast(i)), 7);
    const all = states.residentBytes().?;
    try std.testing.expect(all >= none + 4 * 2 * page);
    states.giveBack(1);
    try std.testing.expectEqual(all - page, states.residentBytes().?);
    try std.testing.expect(std.mem.allEqual(u8, states.slot(0), 7));
    try std.testing.expect(std.mem.allEqual(u8, states.slot(2), 7));
    var small: States = try .init(2, 64);
    defer small.deinit();
    small.giveBack(1);
}

test "states begin at cache lines" {
    try std.testing.expectError(error.InvalidShape, States.init(0, 64));
    try std.testing.expectError(error.InvalidShape, States.init(4, 96));
    try std.testing.expectError(error.InvalidShape, States.init(slots_max, 1 << 31));
    var states: States = try .init(3, 192);
    defer states.deinit();
    @memset(states.slot(1), 7);
    try std.testing.expectEqual(0, states.slot(0)[191]);
    try std.testing.expectEqual(states.slot(2).ptr - states.slot(1).ptr, 192);
    const view: View = .{ .base = states.memory.ptr + 64, .slot_bytes = 192, .slots = &.{.{ .read = 0, .write = 2 }} };
    try std.testing.expectEqual(@intFromPtr(view.before(0)), @intFromPtr(states.slot(0).ptr) + 64);
    try std.testing.expectEqual(@intFromPtr(view.after(0)), @intFromPtr(states.slot(2).ptr) + 64);
}
