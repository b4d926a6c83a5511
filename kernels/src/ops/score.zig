//! Log-softmax of given tokens, their place among all, and the most likely token, per row of logits.

const std = @import("std");
const Job = @import("../system/job.zig").Job;
const logits = @import("logits.zig");

pub const Result = extern struct {
    /// ln softmax(row)[target], −inf where the target's logit is −inf or NaN.
    logprob: f32,
    argmax: u32,
    argmax_logprob: f32,
    /// Place of the target, see `logits.rank`.
    rank: u32,
};

/// logits: [n, vocab]; targets: [n], each < vocab (see `valid`); results: [n]; scratch: `scratchBytes(vocab, parts)`,
/// aligned to 64 bytes.
pub const Args = extern struct {
    logits: [*]const f32,
    targets: [*]const u32,
    results: [*]Result,
    scratch: [*]u8,
    vocab: u32,
    n: u32,

    pub fn valid(args: *const Args) bool {
        if (args.vocab == 0) return false;
        for (args.targets[0..args.n]) |target| if (target >= args.vocab) return false;
        return true;
    }
};

pub fn scratchBytes(vocab: u32, parts: u32) usize {
    return partBytes(vocab) * parts;
}

fn partBytes(vocab: u32) usize {
    return std.mem.alignForward(usize, logits.blockCount(vocab) * 4, 64);
}

pub fn reference(row: []const f32, target: u32) struct { logprob: f64, argmax: u32, rank: u32 } {
    var best: u32 = 0;
    for (row, 0..) |x, id| if (x > row[best]) {
        best = @intCast(id);
    };
    var sum: f64 = 0;
    for (row) |x| sum += @exp(@as(f64, x) - row[best]);
    var rank: u32 = 1;
    for (row, 0..) |x, id| if (x > row[target] or (x == row[target] and id < target)) {
        rank += 1;
    };
    return .{ .logprob = @as(f64, row[target]) - row[best] - @log(sum), .argmax = best, .rank = rank };
}

pub fn run(args: *const Args, job: *const Job) callconv(.c) void {
    const vocab: usize = args.vocab;
    const bytes = args.scratch[partBytes(args.vocab) * job.part ..][0..partBytes(args.vocab)];
    const tops: []f32 = @alignCast(std.mem.bytesAsSlice(f32, bytes));
    while (job.claim(args.n, 1)) |claimed| {
        const row = args.logits[claimed.first * vocab ..][0..vocab];
        const scan: logits.Scan = .init(row, tops);
        const log_sum = logits.logSumExp(row, scan.max);
        const best = scan.argmax(row);
        args.results[claimed.first] = .{
            .logprob = logits.logprob(row, args.targets[claimed.first], scan.max, log_sum),
            .argmax = best,
            .argmax_logprob = logits.logprob(row, best, scan.max, log_sum),
            .rank = logits.rank(row, scan, args.targets[claimed.first]),
        };
    }
}

const testing = @import("../testing/testing.zig");

test "score matches the reference for any vocabulary and member count" {
    var rng: testing.Rng = .init(61);
    for ([_]u32{ 1, 7, 16, 127, 129, 512, 5003 }) |vocab| {
        const n = 4;
        var row = try testing.guarded(f32, n * vocab);
        defer row.deinit();
        var targets = try testing.guarded(u32, n);
        defer targets.deinit();
        var results = try testing.guarded(Result, n);
        defer results.deinit();
        var scratch: testing.GuardedBuffer = try .init(scratchBytes(vocab, 3));
        defer scratch.deinit();
        rng.fill(row.slice(f32), 12);
        for (targets.slice(u32)) |*target| target.* = rng.between(u32, 0, vocab - 1);
        const args: Args = .{
            .logits = row.slice(f32).ptr,
            .targets = targets.slice(u32).ptr,
            .results = results.slice(Result).ptr,
            .scratch = scratch.bytes.ptr,
            .vocab = vocab,
            .n = n,
        };
        try std.testing.expect(args.valid());
        testing.runParts(run, &args, 3);
        for (results.slice(Result), 0..) |result, i| {
            const expected = reference(row.slice(f32)[i * vocab ..][0..vocab], targets.slice(u32)[i]);
            try std.testing.expectEqual(expected.argmax, result.argmax);
            try std.testing.expectEqual(expected.rank, result.rank);
            try std.testing.expectApproxEqAbs(expected.logprob, result.logprob, 2e-6);
        }
        targets.slice(u32)[2] = vocab;
        try std.testing.expect(!args.valid());
    }
}

test "score with NaN, infinities and ties" {
    const inf = std.math.inf(f32);
    const nan = std.math.nan(f32);
    const rows = [_][4]f32{ .{ nan, 1, 1, -inf }, .{ nan, inf, inf, 3 }, .{ nan, nan, -inf, nan }, .{ -0.0, 0, 0, -0.0 } };
    const targets = [_]u32{ 2, 0, 1, 3 };
    var results: [4]Result = undefined;
    var scratch: [64]u8 align(64) = undefined;
    const args: Args = .{ .logits = &rows[0], .targets = &targets, .results = &results, .scratch = &scratch, .vocab = 4, .n = 4 };
    testing.runParts(run, &args, 1);
    try std.testing.expectEqual(Result{ .logprob = -0.6931472, .argmax = 1, .argmax_logprob = -0.6931472, .rank = 2 }, results[0]);
    try std.testing.expectEqual(Result{ .logprob = -inf, .argmax = 1, .argmax_logprob = -0.6931472, .rank = 4 }, results[1]);
    try std.testing.expectEqual(Result{ .logprob = -inf, .argmax = 0, .argmax_logprob = -inf, .rank = 2 }, results[2]);
    try std.testing.expectEqual(Result{ .logprob = -1.3862944, .argmax = 0, .argmax_logprob = -1.3862944, .rank = 4 }, results[3]);
}
