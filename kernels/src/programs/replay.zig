//! `replay LEVEL` replays calls into the library that tests/emulation/record.ts recorded, and compares every result, bit
//! for bit: whole forward passes of the demo model, which so give the same logits on every level. The level's ops are the
//! library's.
//!
//! A recording is a sequence of calls, all numbers little-endian: length of the name (u8), name, result (i32), then each
//! argument: u32 and f32 as 4 bytes; a buffer as its length (u32), whether the library wrote to it (u8), and its bytes, as they
//! were before the call or, where written, after it. A name `#FORMAT` without anything else begins another pass.
//!
//! A program and no test: the tests of everything that it imports would come with it, threads and files included.

const std = @import("std");
const abi = @import("../abi.zig");
const coverage = @import("../testing/coverage.zig");
const dispatch = @import("../isa/dispatch.zig");
const testing = @import("../testing/testing.zig");
const thunk = @import("../abi/thunk.zig");

const recording: []const u8 = @embedFile("recording");

const Reader = struct {
    rest: []const u8,

    fn take(reader: *Reader, count: usize) []const u8 {
        defer reader.rest = reader.rest[count..];
        return reader.rest[0..count];
    }

    fn int(reader: *Reader, comptime T: type) T {
        return std.mem.readInt(T, reader.take(@sizeOf(T))[0..@sizeOf(T)], .little);
    }
};

pub fn main(init: std.process.Init) !void {
    const arguments = try init.minimal.args.toSlice(init.arena.allocator());
    if (arguments.len != 2) return error.WrongArguments;
    const level = dispatch.byName(arguments[1]) orelse return error.UnknownLevel;
    coverage.level = dispatch.levels[level].name;
    testing.enableTiles();
    var reader: Reader = .{ .rest = recording };
    var calls: usize = 0;
    var passes: usize = 0;
    while (reader.rest.len > 0) : (calls += 1) {
        const name = reader.take(reader.int(u8));
        if (name[0] == '#') {
            passes += 1;
            coverage.add("forward_pass", name[1..]);
            continue;
        }
        errdefer std.debug.print("call {d} of the recording, {s}\n0 passed; 0 skipped; 1 failed.\n", .{ calls, name });
        try replay(name, &reader);
    }
    if (passes == 0 or calls < 100) return error.EmptyRecording;
    std.debug.print("{d} calls\nAll {d} tests passed.\n", .{ calls, passes });
}

fn replay(name: []const u8, reader: *Reader) !void {
    inline for (abi.functions) |function| {
        if (std.mem.eql(u8, function[0], name)) return replayCall(function[0], function[1], reader);
    }
    return error.UnknownFunction;
}

/// A buffer of a call: the library's own copy, and what it must hold afterwards.
const Buffer = struct {
    bytes: []align(64) u8,
    after: []const u8,
};

fn replayCall(comptime name: []const u8, comptime function: anytype, reader: *Reader) !void {
    const gpa = std.heap.c_allocator;
    const types = @typeInfo(@TypeOf(function)).@"fn".param_types;
    comptime var outer: [types.len]type = undefined;
    inline for (&outer, types) |*each, T| each.* = thunk.Outer(T.?);
    var arguments: @Tuple(&outer) = undefined;
    var list: [types.len]Buffer = undefined;
    var count: usize = 0;
    defer for (list[0..count]) |buffer| gpa.free(buffer.bytes);
    const result = reader.int(i32);
    inline for (outer, 0..) |T, i| {
        switch (T) {
            u32 => arguments[i] = reader.int(u32),
            f32 => arguments[i] = @bitCast(reader.int(u32)),
            else => {
                const len = reader.int(u32);
                const is_written = reader.int(u8) != 0;
                const content = reader.take(len);
                const bytes = try gpa.alignedAlloc(u8, .@"64", len);
                if (is_written) @memset(bytes, 0) else @memcpy(bytes, content);
                list[count] = .{ .bytes = bytes, .after = content };
                count += 1;
                arguments[i] = if (len == 0) null else bytes.ptr;
            },
        }
    }
    if (comptime std.mem.eql(u8, name, "kumi_context_create")) {
        arguments[0] = coverage.level.ptr;
        arguments[1] = @intCast(coverage.level.len);
    }
    if (thunk.call(function, arguments) != result) return error.AnotherStatus;
    for (list[0..count]) |buffer| {
        if (std.mem.findDiff(u8, buffer.after, buffer.bytes)) |at| {
            std.debug.print("byte {d} of {d} differs\n", .{ at, buffer.after.len });
            return error.AnotherResult;
        }
    }
}
