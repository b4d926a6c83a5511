//! How an elementwise op hands on its result: 256 values at a time, as f32, as quantised columns for the next matmul, or
//! both. A unit of 256 values is a whole number of quantisation blocks, so members of the team can share one token.

const std = @import("std");
const activations = @import("../quant/activations.zig");
const Job = @import("../system/job.zig").Job;

/// Values handed on at once.
pub const unit = activations.group_len;

/// Where the rows of a result [n, k] go; k a multiple of the block of every kind that is wanted.
pub const Sink = struct {
    y: activations.Activation,
    k: usize,

    /// Writes values [first, first + values.len) of a row; `first` is a multiple of `unit`.
    pub fn put(sink: Sink, row: usize, first: usize, values: []const f32) void {
        std.debug.assert(first % unit == 0 and values.len <= unit and first + values.len <= sink.k);
        if (sink.y.f32) |y| {
            const target = y[row * sink.k + first ..][0..values.len];
            if (target.ptr != values.ptr) @memcpy(target, values);
        }
        inline for (comptime std.enums.values(activations.Kind)) |kind| {
            if (sink.y.of(kind)) |columns| {
                // A column is a sequence of groups, and a unit is one group.
                const group = columns + row * activations.columnBytes(kind, sink.k) + first / unit * activations.group_bytes;
                activations.quantizeColumn(kind, values, group[0..activations.group_bytes]);
            }
        }
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

const testing = @import("../testing/testing.zig");

/// Test helper: the result in all forms, each ending at a guard page, checked against one plain pass.
pub const TestSinks = struct {
    y: testing.GuardedBuffer,
    columns: [activations.kinds]testing.GuardedBuffer,
    n: usize,
    k: usize,

    pub fn init(n: usize, k: usize) !TestSinks {
        var sinks: TestSinks = .{ .y = try testing.guarded(f32, n * k), .columns = undefined, .n = n, .k = k };
        for (std.enums.values(activations.Kind), &sinks.columns) |kind, *columns| {
            columns.* = try .init(if (k % kind.blockLen() == 0) n * activations.columnBytes(kind, k) else 0);
        }
        return sinks;
    }

    pub fn deinit(sinks: *TestSinks) void {
        sinks.y.deinit();
        for (&sinks.columns) |*columns| columns.deinit();
    }

    /// All forms that k allows.
    pub fn activation(sinks: TestSinks) activations.Activation {
        var result: activations.Activation = .{ .f32 = sinks.y.slice(f32).ptr };
        for (std.enums.values(activations.Kind), sinks.columns, &result.quantised) |kind, columns, *pointer| {
            if (sinks.k % kind.blockLen() == 0) pointer.* = columns.bytes.ptr;
        }
        return result;
    }

    /// The quantised columns are those of `quantizeColumn` over whole rows of y.
    pub fn check(sinks: TestSinks) !void {
        for (std.enums.values(activations.Kind), sinks.columns) |kind, columns| try sinks.checkKind(kind, columns.bytes);
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
