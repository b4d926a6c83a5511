//! A program whose instructions bench/instruction_counts.ts counts: `count_matmul LEVEL FORMAT COLUMNS REPEAT [ADDRESSES]`
//! (counted.zig) computes a matrix times COLUMNS columns. All values are zero: the kernels' paths do not depend on them.

const std = @import("std");
const activations = @import("../quant/activations.zig");
const Format = @import("../quant/format.zig").Format;
const Job = @import("../system/job.zig").Job;
const Stop = @import("../system/job.zig").Stop;
const matmul = @import("../ops/matmul/matmul.zig");
const Ops = @import("../ops.zig").Ops;
const counted = @import("counted.zig");

/// Enough panels that a claim has some, as in a real matrix.
const rows = 512;
const k = 2048;
const columns_max = 64;

var weights: [rows * k * 4]u8 align(64) = @splat(0);
var x: [columns_max * k]f32 = @splat(0);
var quantised: [columns_max * k / activations.group_len * activations.group_bytes]u8 align(64) = @splat(0);
var y: [columns_max * rows]f32 = @splat(0);

const Op = struct {
    ops: *const Ops,
    group: *const matmul.Group,

    pub fn run(op: Op) void {
        var next: std.atomic.Value(u32) = .init(0);
        var stop: Stop = .{};
        op.ops.matmul(op.group, &.{ .part = 0, .parts = 1, .next = &next, .stop = &stop });
    }
};

pub fn main(init: std.process.Init) !void {
    const options: counted.Options(Format) = try .read(init, columns_max);
    const item: matmul.Item = .{
        .weights = &weights,
        .x = if (options.format.activationKind() == null) &x else &quantised,
        .bias = null,
        .y = &y,
        .format = @backingInt(options.format),
        .rows = rows,
        .k = k,
        .columns = options.count,
        .y_stride = rows,
        .accumulate = 0,
    };
    const group: matmul.Group = .of(&.{item});
    try options.measure(Op{ .ops = options.ops, .group = &group }, rows * k * options.count);
}
