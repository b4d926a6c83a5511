//! Between the projections of latent attention (DeepSeek-AI 2024) and what is done for each head: the latent vector of a token
//! is normed and put behind the part of its key that RoPE turns, so that a key is [turned | latent] and its end the value; the
//! part of each query that is turned goes to the front of that query.

const std = @import("std");
const Job = @import("../system/job.zig").Job;
const rms_norm = @import("rms_norm.zig");

/// kv: [n, latent + turned]; w: [latent]; keys: [n, turned + latent]; q: [n, heads, plain + turned]; queries: [n, heads,
/// turned + latent], of which only the front is written. Nothing is aliased.
pub const Args = extern struct {
    kv: [*]const f32,
    w: [*]const f32,
    keys: [*]f32,
    q: [*]const f32,
    queries: [*]f32,
    n: u32,
    heads: u32,
    latent: u32,
    turned: u32,
    plain: u32,
    eps: f32,
};

pub fn reference(args: *const Args) void {
    for (0..args.n) |token| {
        const parts = Token.of(args, token);
        rms_norm.reference(parts.latent, args.w[0..args.latent], parts.normed, args.eps);
        @memcpy(parts.front, parts.turned);
        for (0..args.heads) |head| moveQuery(args, token, head);
    }
}

const Token = struct {
    latent: []const f32,
    turned: []const f32,
    front: []f32,
    normed: []f32,

    fn of(args: *const Args, token: usize) Token {
        const width: usize = args.latent + args.turned;
        const kv = args.kv[token * width ..][0..width];
        const key = args.keys[token * width ..][0..width];
        return .{
            .latent = kv[0..args.latent],
            .turned = kv[args.latent..],
            .front = key[0..args.turned],
            .normed = key[args.turned..],
        };
    }
};

/// Members share tokens' keys and their queries.
pub fn run(args: *const Args, job: *const Job) callconv(.c) void {
    const parts = args.heads + 1;
    while (job.claim(args.n * parts, 8)) |claimed| for (claimed.first..claimed.end) |i| {
        const token = i / parts;
        if (i % parts > 0) {
            moveQuery(args, token, i % parts - 1);
            continue;
        }
        const of = Token.of(args, token);
        rms_norm.scaleRow(of.latent, args.w[0..args.latent], of.normed, rms_norm.inverseRms(of.latent, args.eps));
        @memcpy(of.front, of.turned);
    };
}

fn moveQuery(args: *const Args, token: usize, head: usize) void {
    const row = token * args.heads + head;
    const q = args.q + row * (args.plain + args.turned) + args.plain;
    const query = args.queries + row * (args.turned + args.latent);
    @memcpy(query[0..args.turned], q[0..args.turned]);
}

const testing = @import("../testing/testing.zig");

test "latent_split is the reference for any sizes and member count" {
    var rng: testing.Rng = .init(78);
    for ([_][4]u32{ .{ 1, 16, 8, 8 }, .{ 4, 64, 24, 40 }, .{ 3, 512, 64, 128 } }) |size| for ([_]u32{ 1, 5 }) |n| {
        const heads, const latent, const turned, const plain = size;
        const width = latent + turned;
        var kv = try testing.guarded(f32, n * width);
        defer kv.deinit();
        var w = try testing.guarded(f32, latent);
        defer w.deinit();
        var q = try testing.guarded(f32, n * heads * (plain + turned));
        defer q.deinit();
        for ([_]*testing.GuardedBuffer{ &kv, &w, &q }) |buffer| rng.fill(buffer.slice(f32), 3);
        var results: [4][2]testing.GuardedBuffer = undefined;
        for (&results) |*result| result.* = .{ try testing.guarded(f32, n * width), try testing.guarded(f32, n * heads * width) };
        defer for (&results) |*result| for (result) |*buffer| buffer.deinit();
        for (&results, 0..) |*result, parts| {
            for (result) |*buffer| @memset(buffer.slice(f32), 7);
            const args: Args = .{
                .kv = kv.slice(f32).ptr,
                .w = w.slice(f32).ptr,
                .keys = result[0].slice(f32).ptr,
                .q = q.slice(f32).ptr,
                .queries = result[1].slice(f32).ptr,
                .n = n,
                .heads = heads,
                .latent = latent,
                .turned = turned,
                .plain = plain,
                .eps = 1e-6,
            };
            if (parts == 0) reference(&args) else testing.runParts(run, &args, @intCast(parts));
            try testing.expectClose(results[0][0].slice(f32), result[0].slice(f32), 1e-6, 5e-6);
            try testing.expectBitwise(results[0][1].slice(f32), result[1].slice(f32));
            if (parts > 0) try testing.expectBitwise(results[1][0].slice(f32), result[0].slice(f32));
        }
        for (0..n * heads) |row| {
            const moved = results[1][1].slice(f32)[row * width ..][0..width];
            try std.testing.expectEqualSlices(f32, q.slice(f32)[row * (plain + turned) + plain ..][0..turned], moved[0..turned]);
            for (moved[turned..]) |untouched| try std.testing.expectEqual(7, untouched);
        }
    };
}
