//! Status codes that cross the ABI, and the Zig errors they stand for.

const std = @import("std");

/// What an export returns: 0, or one of these negative numbers. Functions that return a count return it as a
/// non-negative number instead of `ok`.
pub const Status = enum(i32) {
    ok = 0,
    invalid_argument = -1,
    unknown_id = -2,
    wrong_kind = -3,
    out_of_memory = -4,
    region_outside_workspace = -5,
    unknown_isa = -6,
    unsupported_isa = -7,
    shape_mismatch = -8,
    unsupported_format = -9,
    no_batch = -10,
    too_many_objects = -11,
    buffer_too_small = -12,
    thread_failed = -13,
    context_busy = -14,
    overflow = -15,
    invalid_batch = -16,
    misaligned_buffer = -17,
    arena_mismatch = -18,
    interrupted = -19,
    internal = -99,
};

/// Errors that wrappers return; each maps to the status of the same meaning.
pub const Error = error{
    InvalidArgument,
    UnknownId,
    WrongKind,
    OutOfMemory,
    RegionOutsideWorkspace,
    UnknownIsa,
    UnsupportedIsa,
    ShapeMismatch,
    UnsupportedFormat,
    NoBatch,
    TooManyObjects,
    BufferTooSmall,
    ThreadFailed,
    ContextBusy,
    Overflow,
    InvalidBatch,
    MisalignedBuffer,
    ArenaMismatch,
    Interrupted,
};

fn statusOf(err: Error) Status {
    return switch (err) {
        error.InvalidArgument => .invalid_argument,
        error.UnknownId => .unknown_id,
        error.WrongKind => .wrong_kind,
        error.OutOfMemory => .out_of_memory,
        error.RegionOutsideWorkspace => .region_outside_workspace,
        error.UnknownIsa => .unknown_isa,
        error.UnsupportedIsa => .unsupported_isa,
        error.ShapeMismatch => .shape_mismatch,
        error.UnsupportedFormat => .unsupported_format,
        error.NoBatch => .no_batch,
        error.TooManyObjects => .too_many_objects,
        error.BufferTooSmall => .buffer_too_small,
        error.ThreadFailed => .thread_failed,
        error.ContextBusy => .context_busy,
        error.Overflow => .overflow,
        error.InvalidBatch => .invalid_batch,
        error.MisalignedBuffer => .misaligned_buffer,
        error.ArenaMismatch => .arena_mismatch,
        error.Interrupted => .interrupted,
    };
}

/// The return value of an export: `Error!void` → status, `Error!u32` → count or status.
pub fn code(result: anytype) i32 {
    const value = result catch |err| return @backingInt(statusOf(err));
    return switch (@TypeOf(value)) {
        void => 0,
        u32 => std.math.cast(i32, value) orelse @backingInt(Status.overflow),
        else => comptime unreachable,
    };
}

test "code keeps counts and turns errors into negative numbers" {
    try std.testing.expectEqual(0, code(@as(Error!void, {})));
    try std.testing.expectEqual(7, code(@as(Error!u32, 7)));
    try std.testing.expectEqual(-15, code(@as(Error!u32, 1 << 31)));
    try std.testing.expectEqual(-2, code(@as(Error!void, error.UnknownId)));
}
