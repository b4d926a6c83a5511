//! How an elementwise op hands on its result: 256 values at a time, as f32, as quantised columns for the next matmul, or
//! both. A unit of 256 values is a whole number of quantisation blocks, so members of the team can share one token.

const std = @import("std");
const activations = @import("../../quant/activations.zig");
const Job = @import("../../system/job.zig").Job;

/// Values handed on at once.
pub const unit = activations.group_len;

/// Where the rows of a result [n, k] go; null is "not wanted". q32 needs k % 32 == 0 and q256 k % 256 == 0.
pub const Sink = struct {
    y: ?[*]f32,
    q32: ?[*]u8,
    q256: ?[*]u8,
    k: usize,

    /// Writes values [first, first + values.len) of a row; `first` is a multiple of `unit`.
    pub fn put(sink: Sink, row: usize, first: usize, values: []const f32) void {
        std.debug.assert(first % unit == 0 and values.len <= unit and first + values.len <= sink.k);
        if (sink.y) |y| {
            const target = y[row * sink.k + first ..][0..values.len];
            if (target.ptr != values.ptr) @memcpy(target, values);
        }
        if (sink.q32) |q| sink.quantize(.per32, q, row, first, values);
        if (sink.q256) |q| sink.quantize(.per256, q, row, first, values);
    }

    /// A column is a sequence of groups, and a unit is one group.
    fn quantize(sink: Sink, kind: activations.Kind, columns: [*]u8, row: usize, first: usize, values: []const f32) void {
        const group = columns + row * activations.columnBytes(kind, sink.k) + first / unit * activations.group_bytes;
        activations.quantizeColumn(kind, values, group[0..activations.group_bytes]);
    }
};

/// Claims some of `rows` × ⌈k / unit⌉ units at a time, contiguous in row-major order.
pub const Share = struct {
    job: *const Job,
    next_unit: u32 = 0,
    end: u32 = 0,
    total: u32,
    units: u32,
    k: usize,

    /// Units claimed at once: about a microsecond of work.
    const claim_units = 4;

    pub fn init(job: *const Job, rows: usize, k: usize) Share {
        const units: u32 = @intCast(std.math.divCeil(usize, k, unit) catch unreachable);
        return .{ .job = job, .total = @intCast(units * rows), .units = units, .k = k };
    }

    pub fn next(share: *Share) ?struct { row: usize, first: usize, len: usize } {
        if (share.next_unit == share.end) {
            const claimed = share.job.claim(share.total, claim_units) orelse return null;
            share.next_unit = claimed.first;
            share.end = claimed.end;
        }
        const first = @as(usize, share.next_unit % share.units) * unit;
        defer share.next_unit += 1;
        return .{ .row = share.next_unit / share.units, .first = first, .len = @min(unit, share.k - first) };
    }
};

const testing = @import("../../testing/testing.zig");

/// Test helper: the result in all three forms, each ending at a guard page, checked against one plain pass.
pub const TestSinks = struct {
    y: testing.GuardedBuffer,
    q32: testing.GuardedBuffer,
    q256: testing.GuardedBuffer,
    n: usize,
    k: usize,

    pub fn init(n: usize, k: usize) !TestSinks {
        const bytes32 = if (k % 32 == 0) activations.columnBytes(.per32, k) else 0;
        const bytes256 = if (k % 256 == 0) activations.columnBytes(.per256, k) else 0;
        return .{
            .y = try testing.guarded(f32, n * k),
            .q32 = try .init(n * bytes32),
            .q256 = try .init(n * bytes256),
            .n = n,
            .k = k,
        };
    }

    pub fn deinit(sinks: *TestSinks) void {
        sinks.y.deinit();
        sinks.q32.deinit();
        sinks.q256.deinit();
    }

    pub fn ptr32(sinks: TestSinks) ?[*]u8 {
        return if (sinks.k % 32 == 0) sinks.q32.bytes.ptr else null;
    }

    pub fn ptr256(sinks: TestSinks) ?[*]u8 {
        return if (sinks.k % 256 == 0) sinks.q256.bytes.ptr else null;
    }

    /// The quantised columns are those of `quantizeColumn` over whole rows of y.
    pub fn check(sinks: TestSinks) !void {
        try sinks.checkKind(.per32, sinks.q32.bytes);
        try sinks.checkKind(.per256, sinks.q256.bytes);
    }

    fn checkKind(sinks: TestSinks, kind: activations.Kind, columns: []const u8) !void {
        if (sinks.k % kind.blockLen() != 0) return;
        const bytes = activations.columnBytes(kind, sinks.k);
        const column = try std.testing.allocator.alignedAlloc(u8, .@"64", bytes);
        defer std.testing.allocator.free(column);
        for (0..sinks.n) |row| {
            @memset(column, 0);
            activations.quantizeColumn(kind, sinks.y.slice(f32)[row * sinks.k ..][0..sinks.k], column);
            try std.testing.expectEqualSlices(u8, column, columns[row * bytes ..][0..bytes]);
        }
    }
};
