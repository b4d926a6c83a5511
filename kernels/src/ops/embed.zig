//! y[i] = scale · the decoded row ids[i] of a packed matrix. weights: packed [rows, k]; ids: [n], each below rows (the caller
//! checks); y: [n, k] f32 row-major.

const std = @import("std");
const Job = @import("../system/job.zig").Job;
const format_file = @import("../quant/format.zig");
const Format = format_file.Format;

pub const Args = extern struct {
    weights: [*]const u8,
    ids: [*]const u32,
    y: [*]f32,
    format: u32,
    rows: u32,
    k: u32,
    n: u32,
    scale: f32,
};

pub fn reference(args: *const Args) void {
    const format = Format.fromId(args.format).?;
    for (0..args.n) |i| {
        std.debug.assert(args.ids[i] < args.rows);
        const row = args.y[i * args.k ..][0..args.k];
        format_file.unpackRow(format, args.k, args.weights, args.ids[i], row.ptr);
        for (row) |*value| value.* *= args.scale;
    }
}

/// Executed by every member of the team, a row a claim.
pub fn run(args: *const Args, job: *const Job) callconv(.c) void {
    const format = Format.fromId(args.format).?;
    while (job.claim(args.n, 1)) |claim| {
        const i = claim.first;
        std.debug.assert(args.ids[i] < args.rows);
        const row = args.y[@as(usize, i) * args.k ..][0..args.k];
        format_file.unpackRow(format, args.k, args.weights, args.ids[i], row.ptr);
        if (args.scale != 1) for (row) |*value| {
            value.* *= args.scale;
        };
    }
}

const testing = @import("../testing/testing.zig");

test "embed gathers the rows that were packed" {
    var rng: testing.Rng = .init(41);
    for (std.enums.values(Format)) |format| for ([_]f32{ 1, 25.298222 }) |scale| {
        const rows = 37;
        const k = 512;
        const ids = [_]u32{ 36, 0, 16, 15, 16 };
        var raw: testing.GuardedBuffer = try .init(rows * format.rowBytes(k));
        defer raw.deinit();
        if (!format.isWritten()) for (raw.bytes) |*byte| {
            byte.* = rng.between(u8, 0, 0x3b); // no half is infinite
        };
        var weights: testing.GuardedBuffer = try .init(format.packedBytes(rows, k));
        defer weights.deinit();
        var y = try testing.guarded(f32, ids.len * k);
        defer y.deinit();
        var row: [k]f32 = undefined;
        for (0..rows) |r| {
            rng.fill(&row, 1);
            if (format.isWritten()) format_file.encodeRow(format, &row, raw.bytes[r * format.rowBytes(k) ..][0..format.rowBytes(k)]);
        }
        format_file.packPanels(format, rows, k, raw.bytes, weights.bytes, 0, 3);
        const args: Args = .{
            .weights = weights.bytes.ptr,
            .ids = &ids,
            .y = y.slice(f32).ptr,
            .format = @backingInt(format),
            .rows = rows,
            .k = k,
            .n = ids.len,
            .scale = scale,
        };
        testing.runParts(run, &args, 2);
        for (ids, 0..) |id, i| {
            format_file.decodeRow(format, raw.bytes[id * format.rowBytes(k) ..][0..format.rowBytes(k)], &row);
            for (&row) |*value| value.* *= scale;
            try testing.expectBitwise(&row, y.slice(f32)[i * k ..][0..k]);
        }
        @memset(y.slice(f32), 0);
        reference(&args);
        try testing.expectBitwise(&row, y.slice(f32)[4 * k ..][0..k]);
    };
}
