//! Rows of heads become columns of products with a matrix of each head: y[head, token] = a part of x[token, head].

const std = @import("std");
const activations = @import("../quant/activations.zig");
const Job = @import("../system/job.zig").Job;
const epilogue = @import("epilogue.zig");

/// x: [n, heads, width] f32; y: [heads, n, k] in the forms that are wanted, each row elements `first` to `first + k` of its
/// head; not aliased.
pub const Args = extern struct {
    x: [*]const f32,
    y: activations.Activation,
    n: u32,
    heads: u32,
    width: u32,
    first: u32,
    k: u32,
};

/// The row of y.
pub fn rowOf(args: *const Args, row: usize) []const f32 {
    const head = row / args.n;
    const token = row % args.n;
    return args.x[(token * args.heads + head) * args.width + args.first ..][0..args.k];
}

pub fn run(args: *const Args, job: *const Job) callconv(.c) void {
    const sink: epilogue.Sink = .{ .y = args.y, .k = args.k };
    var share: epilogue.Share = .init(job, @as(usize, args.heads) * args.n, args.k);
    while (share.next()) |part| sink.put(part.row, part.first, rowOf(args, part.row)[part.first..][0..part.len]);
}

const testing = @import("../testing/testing.zig");

test "head_columns takes a part of each head, head by head, in every form" {
    var rng: testing.Rng = .init(79);
    // Heads, width, first, k.
    for ([_][4]u32{ .{ 1, 8, 0, 8 }, .{ 4, 96, 0, 64 }, .{ 3, 520, 8, 512 }, .{ 2, 192, 32, 128 } }) |size| for ([_]u32{ 1, 6 }) |n| {
        const heads, const width, const first, const k = size;
        var x = try testing.guarded(f32, n * heads * width);
        defer x.deinit();
        rng.fill(x.slice(f32), 3);
        for (1..4) |parts| {
            var sinks: epilogue.TestSinks = try .init(heads * n, k);
            defer sinks.deinit();
            testing.runParts(run, &Args{
                .x = x.slice(f32).ptr,
                .y = sinks.activation(),
                .n = n,
                .heads = heads,
                .width = width,
                .first = first,
                .k = k,
            }, @intCast(parts));
            for (0..heads) |head| for (0..n) |token| {
                const expected = x.slice(f32)[(token * heads + head) * width + first ..][0..k];
                try std.testing.expectEqualSlices(f32, expected, sinks.y.slice(f32)[(head * n + token) * k ..][0..k]);
            };
            try sinks.check();
        }
    };
}
