//! The program whose instructions bench/instruction_counts.ts counts: `count_matmul FORMAT COLUMNS REPEAT` computes one
//! claim of a matrix times COLUMNS columns, REPEAT times, and prints how many multiply-adds that takes once. Without a
//! repetition it shows what is not the multiplication's. All values are zero: the kernels' paths do not depend on them.

const std = @import("std");
const activations = @import("../quant/activations.zig");
const format_file = @import("../quant/format.zig");
const Format = format_file.Format;
const Job = @import("../system/job.zig").Job;
const Stop = @import("../system/job.zig").Stop;
const matmul = @import("../ops/matmul/matmul.zig");

/// Enough panels that a claim has some, as in a real matrix.
const rows = 512;
const k = 2048;
const columns_max = 64;

var weights: [rows * k * 4]u8 align(64) = @splat(0);
var x: [columns_max * k]f32 = @splat(0);
var quantised: [columns_max * k / activations.group_len * activations.group_bytes]u8 align(64) = @splat(0);
var y: [columns_max * rows]f32 = @splat(0);

pub fn main(init: std.process.Init) !void {
    const arguments = try init.minimal.args.toSlice(init.arena.allocator());
    if (arguments.len != 4) return error.WrongArguments;
    const format = std.meta.stringToEnum(Format, arguments[1]) orelse return error.UnknownFormat;
    const columns = try std.fmt.parseInt(u32, arguments[2], 10);
    if (columns > columns_max) return error.TooManyColumns;
    const item: matmul.Item = .{
        .weights = &weights,
        .x = if (format.activationKind() == null) &x else &quantised,
        .bias = null,
        .y = &y,
        .format = @backingInt(format),
        .rows = rows,
        .k = k,
        .columns = columns,
        .y_stride = rows,
        .accumulate = 0,
    };
    const group: matmul.Group = .of(&.{item});
    const units = matmul.unitCount(&group, 1);
    std.debug.assert(rows % units == 0);
    const text = try std.fmt.allocPrint(init.arena.allocator(), "macs {d}\n", .{rows / units * k * columns});
    try std.Io.File.stdout().writeStreamingAll(init.io, text);
    for (0..try std.fmt.parseInt(u32, arguments[3], 10)) |_| {
        var next: std.atomic.Value(u32) = .init(units - 1);
        var stop: Stop = .{};
        matmul.run(&group, &.{ .part = 0, .parts = 1, .next = &next, .stop = &stop });
    }
}
