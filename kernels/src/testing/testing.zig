//! Helpers for tests alone: buffers that end at an inaccessible page, seeded random data, bitwise comparison.

const builtin = @import("builtin");
const std = @import("std");
const coverage = @import("coverage.zig");
const Job = @import("../system/job.zig").Job;
const Stop = @import("../system/job.zig").Stop;
const tile_trap = @import("../emulation/tile_trap.zig");

const page_bytes = std.heap.page_size_max;

/// A buffer whose last byte is the last byte before an inaccessible page, so that an op that reads or
/// writes past the end crashes in the test instead of being lucky in production.
pub const GuardedBuffer = struct {
    mapping: []align(std.heap.page_size_min) u8,
    bytes: []u8,

    /// Maps `len` zeroed bytes (0 allowed). The start is aligned only as far as `len` is.
    pub fn init(len: usize) !GuardedBuffer {
        const body = std.mem.alignForward(usize, len, page_bytes);
        const mapping = try std.posix.mmap(
            null,
            body + page_bytes,
            .{ .READ = true, .WRITE = true },
            .{ .TYPE = .PRIVATE, .ANONYMOUS = true },
            -1,
            0,
        );
        errdefer std.posix.munmap(mapping);
        const guard: *align(std.heap.page_size_min) anyopaque = @ptrCast(@alignCast(mapping.ptr + body));
        if (std.c.mprotect(guard, page_bytes, .{}) != 0) return error.GuardPageFailed;
        return .{ .mapping = mapping, .bytes = mapping[body - len ..][0..len] };
    }

    pub fn deinit(buffer: *GuardedBuffer) void {
        std.posix.munmap(buffer.mapping);
        buffer.* = undefined;
    }

    /// The bytes as `T`s; the length must be a multiple of the size of `T`.
    pub fn slice(buffer: GuardedBuffer, comptime T: type) []T {
        std.debug.assert(buffer.bytes.len % @sizeOf(T) == 0);
        return @alignCast(std.mem.bytesAsSlice(T, buffer.bytes));
    }
};

/// A guarded buffer with room for exactly `count` values of `T`.
pub fn guarded(comptime T: type, count: usize) !GuardedBuffer {
    return GuardedBuffer.init(count * @sizeOf(T));
}

/// Seeded generator: the same seed gives the same data on every machine.
pub const Rng = struct {
    state: std.Random.Xoshiro256,

    pub fn init(seed: u64) Rng {
        return .{ .state = .init(seed) };
    }

    pub fn random(rng: *Rng) std.Random {
        return rng.state.random();
    }

    /// Uniform integer in [at_least, at_most].
    pub fn between(rng: *Rng, comptime T: type, at_least: T, at_most: T) T {
        return rng.random().intRangeAtMost(T, at_least, at_most);
    }

    /// Uniform in [-1, 1).
    pub fn unit(rng: *Rng) f32 {
        const bits: f32 = @floatFromInt(rng.random().int(u24));
        return bits * (2.0 / 16777216.0) - 1.0;
    }

    /// Fills with uniform values in [-scale, scale).
    pub fn fill(rng: *Rng, values: []f32, scale: f32) void {
        for (values) |*value| value.* = rng.unit() * scale;
    }

    pub fn fillBytes(rng: *Rng, bytes: []u8) void {
        rng.random().bytes(bytes);
    }

    pub fn pick(rng: *Rng, comptime T: type, choices: []const T) T {
        return choices[rng.random().uintLessThan(usize, choices.len)];
    }
};

/// Fails with the first differing index when two slices of floats differ in any bit (so -0 ≠ 0, NaN = NaN).
pub fn expectBitwise(expected: []const f32, actual: []const f32) !void {
    try std.testing.expectEqual(expected.len, actual.len);
    for (expected, actual, 0..) |want, got, i| {
        if (@as(u32, @bitCast(want)) == @as(u32, @bitCast(got))) continue;
        std.debug.print("index {d}: expected {d} (0x{x}), found {d} (0x{x})\n", .{
            i, want, @as(u32, @bitCast(want)), got, @as(u32, @bitCast(got)),
        });
        return error.TestExpectedEqual;
    }
}

/// Fails where |expected − actual| > absolute + relative · |expected|, or where either is NaN.
pub fn expectClose(expected: []const f32, actual: []const f32, absolute: f32, relative: f32) !void {
    try std.testing.expectEqual(expected.len, actual.len);
    for (expected, actual, 0..) |want, got, i| {
        if (@abs(want - got) <= absolute + relative * @abs(want)) continue;
        std.debug.print("index {d}: expected {d}, found {d}\n", .{ i, want, got });
        return error.TestExpectedApprox;
    }
}

/// Makes the tile instructions of a level that has them usable; where that fails, the first one ends the test.
pub fn enableTiles() void {
    if (has_tiles) _ = tile_trap.enable() catch {};
}

const has_tiles = builtin.cpu.arch == .x86_64 and builtin.cpu.has(.x86, .amx_tile);

/// Runs an op as a team of `parts` members would, one member after the other on this thread.
/// `run` is the op's `run(args, job)`.
pub fn runParts(comptime run: anytype, args: anytype, parts: u32) void {
    coverage.note(args);
    enableTiles();
    var next: std.atomic.Value(u32) = .init(0);
    var stop: Stop = .{};
    for (0..parts) |part| {
        const job: Job = .{ .part = @intCast(part), .parts = parts, .next = &next, .stop = &stop };
        run(args, &job);
    }
}

test "GuardedBuffer ends at an inaccessible page" {
    for ([_]usize{ 0, 1, 63, 4096, 70_000 }) |len| {
        var buffer: GuardedBuffer = try .init(len);
        defer buffer.deinit();
        @memset(buffer.bytes, 0xAA);
        const end = @intFromPtr(buffer.bytes.ptr) + len;
        try std.testing.expect(end % std.heap.page_size_min == 0);
        try std.testing.expectEqual(end, @intFromPtr(buffer.mapping.ptr) + buffer.mapping.len - page_bytes);
    }
}

test "Rng repeats itself and stays in range" {
    var a: Rng = .init(7);
    var b: Rng = .init(7);
    for (0..1000) |_| {
        const x = a.unit();
        try std.testing.expectEqual(x, b.unit());
        try std.testing.expect(x >= -1 and x < 1);
        try std.testing.expect(a.between(u32, 3, 5) == b.between(u32, 3, 5));
    }
}
