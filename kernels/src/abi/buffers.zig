//! Buffers that come across the ABI: a pointer that may be null, misaligned or shorter than an op needs.

const std = @import("std");
const status = @import("status.zig");

/// A typed array that the library reads.
pub const Input = ?[*]const u8;
/// A typed array that the library writes.
pub const Output = ?[*]u8;

/// The first `count` values of `T` in a buffer of `bytes` bytes. A count of 0 needs no buffer.
pub fn values(comptime T: type, buffer: Input, bytes: u32, count: usize) status.Error![]const T {
    if (count == 0) return &.{};
    const start = buffer orelse return error.BufferTooSmall;
    const needed = std.math.mul(usize, count, @sizeOf(T)) catch return error.Overflow;
    if (needed > bytes) return error.BufferTooSmall;
    if (@intFromPtr(start) % @alignOf(T) != 0) return error.MisalignedBuffer;
    const typed: [*]const T = @ptrCast(@alignCast(start));
    return typed[0..count];
}

/// As `values`, for writing.
pub fn room(comptime T: type, buffer: Output, bytes: u32, count: usize) status.Error![]T {
    return @constCast(try values(T, buffer, bytes, count));
}

/// All of a buffer as `T`s; its length must be a multiple of the size of `T`.
pub fn all(comptime T: type, buffer: Input, bytes: u32) status.Error![]const T {
    if (bytes % @sizeOf(T) != 0) return error.InvalidArgument;
    return values(T, buffer, bytes, bytes / @sizeOf(T));
}

/// One value of `T`, a struct written by TypeScript; the length must match exactly.
pub fn one(comptime T: type, buffer: Input, bytes: u32) status.Error!*const T {
    if (bytes != @sizeOf(T)) return error.InvalidArgument;
    const slice = try values(T, buffer, bytes, 1);
    return &slice[0];
}

/// The place for one u32 result.
pub fn result(buffer: Output) status.Error!*u32 {
    const slice = try room(u32, buffer, @sizeOf(u32), 1);
    return &slice[0];
}

test "values checks length, alignment and null" {
    var data: [4]u32 align(8) = .{ 1, 2, 3, 4 };
    const bytes: [*]u8 = @ptrCast(&data);
    try std.testing.expectEqualSlices(u32, data[0..3], try values(u32, bytes, 16, 3));
    try std.testing.expectEqual(4, (try all(u32, bytes, 16)).len);
    try std.testing.expectEqual(0, (try values(u32, null, 0, 0)).len);
    try std.testing.expectError(error.BufferTooSmall, values(u32, bytes, 16, 5));
    try std.testing.expectError(error.BufferTooSmall, values(u32, null, 16, 1));
    try std.testing.expectError(error.MisalignedBuffer, values(u32, bytes + 1, 15, 1));
    try std.testing.expectError(error.InvalidArgument, all(u32, bytes, 15));
    try std.testing.expectError(error.InvalidArgument, one(u32, bytes, 8));
    try std.testing.expectError(error.Overflow, values(u64, bytes, 16, std.math.maxInt(usize) / 4));
}
