//! For tests of ops with states: sequences cut into steps in several manners, each of which must leave the same bits.

const std = @import("std");
const Seq = @import("../kv/batch.zig").Seq;
const states_module = @import("../kv/states.zig");
const Slot = states_module.Slot;
const View = states_module.View;
const testing = @import("../testing/testing.zig");

/// Tokens of the sequences, whose rows follow each other: 23, 1 and 37.
pub const tokens_all = 61;
const starts = [_]u32{ 0, 23, 24 };
pub const sequences = starts.len;
const slots_all = 2 * sequences;

pub const Step = struct {
    seqs: []const Seq,
    slots: []const Slot,
};

/// Tokens first … first + count − 1 of a sequence.
fn part(sequence: usize, first: u32, count: u32) Seq {
    return .{ .token_first = starts[sequence] + first, .token_count = count, .position_first = first, .extent_first = 0, .extent_count = 0 };
}

fn in(read: u32, write: u32) Slot {
    return .{ .read = read, .write = write };
}

/// All end in slots 0, 1 and 2. The first manner: whole sequences.
pub const manners = [_][]const Step{
    &.{.{ .seqs = &.{ part(0, 0, 23), part(1, 0, 1), part(2, 0, 37) }, .slots = &.{ in(9, 0), in(9, 1), in(9, 2) } }},
    &.{
        .{ .seqs = &.{ part(2, 0, 20), part(0, 0, 1) }, .slots = &.{ in(0, 2), in(0, 0) } },
        .{ .seqs = &.{ part(0, 1, 2), part(1, 0, 1), part(2, 20, 1) }, .slots = &.{ in(0, 0), in(1, 1), in(2, 2) } },
        .{ .seqs = &.{ part(0, 3, 20), part(2, 21, 16) }, .slots = &.{ in(0, 0), in(2, 2) } },
    },
    // From slot to slot, and a step that is computed twice.
    &.{
        .{ .seqs = &.{part(2, 0, 17)}, .slots = &.{in(0, 5)} },
        .{ .seqs = &.{ part(1, 0, 1), part(2, 17, 18) }, .slots = &.{ in(1, 1), in(5, 4) } },
        .{ .seqs = &.{ part(1, 0, 1), part(2, 17, 18) }, .slots = &.{ in(1, 1), in(5, 4) } },
        .{ .seqs = &.{ part(2, 35, 2), part(0, 0, 22) }, .slots = &.{ in(4, 2), in(0, 3) } },
        .{ .seqs = &.{part(0, 22, 1)}, .slots = &.{in(3, 0)} },
    },
};

/// The states of a run of a manner.
pub const Run = struct {
    memory: testing.GuardedBuffer,
    slot_bytes: usize,

    /// `len`: values of a state. What nothing was written to is not a number.
    pub fn init(len: usize) !Run {
        const run: Run = .{ .memory = try testing.guarded(f32, slots_all * len), .slot_bytes = len * @sizeOf(f32) };
        @memset(run.memory.slice(f32), std.math.nan(f32));
        return run;
    }

    pub fn deinit(run: *Run) void {
        run.memory.deinit();
    }

    pub fn view(run: Run, step: Step) View {
        return .{ .base = run.memory.bytes.ptr, .slot_bytes = run.slot_bytes, .slots = step.slots.ptr };
    }

    /// The states of all sequences at their ends.
    pub fn ends(run: Run) []const f32 {
        return run.memory.slice(f32)[0 .. run.memory.bytes.len / @sizeOf(f32) / 2];
    }
};
