//! Sampling against a plain reference that sorts, its edges, and the distribution of what it draws.

const options = @import("kumi_options");
const std = @import("std");
const sample = @import("sample.zig");
const testing = @import("../testing/testing.zig");
const gpa = std.testing.allocator;
const inf = std.math.inf(f32);
const nan = std.math.nan(f32);

const greedy: sample.Params = .{
    .temperature = 0,
    .top_p = 1,
    .min_p = 0,
    .repeat_penalty = 1,
    .presence_penalty = 0,
    .frequency_penalty = 0,
    .top_k = 0,
    .seed_lo = 1,
    .seed_hi = 2,
    .position = 3,
    .logprobs_n = 0,
    .history_first = 0,
    .history_count = 0,
    .bias_first = 0,
    .bias_count = 0,
    .flags = .{},
};

const Entry = struct { x: f64, id: u32, p: f64 = 0 };

fn moreLikely(_: void, a: Entry, b: Entry) bool {
    return if (a.x != b.x) a.x > b.x else a.id < b.id;
}

/// Everything by a full sort and f64 probabilities. Null when no token is possible.
pub fn reference(allocator: std.mem.Allocator, row: []const f32, params: sample.Params, data: []const u32) !?u32 {
    const entries = try allocator.alloc(Entry, row.len);
    defer allocator.free(entries);
    for (entries, row, 0..) |*entry, raw, id| {
        var x = raw;
        for (0..params.bias_count) |i| {
            if (data[params.bias_first + 2 * i] == id) x += @bitCast(data[params.bias_first + 2 * i + 1]);
        }
        var count: f32 = 0;
        for (data[params.history_first..][0..params.history_count]) |seen| count += if (seen == id) 1 else 0;
        if (count > 0) {
            x = if (x > 0) x / params.repeat_penalty else x * params.repeat_penalty;
            x -= count * params.frequency_penalty + params.presence_penalty;
        }
        if (std.math.isNan(x)) x = -inf;
        entry.* = .{ .x = @min(x, std.math.floatMax(f32)), .id = @intCast(id) };
    }
    std.sort.pdq(Entry, entries, {}, moreLikely);
    const max = entries[0].x;
    if (max == -inf) return null;
    if (params.temperature == 0) return entries[0].id;
    var kept = entries;
    if (params.top_k > 0) kept = kept[0..@min(kept.len, params.top_k)];
    var total: f64 = 0;
    for (kept) |*entry| {
        entry.p = @exp(entry.x - max);
        total += entry.p;
    }
    if (params.top_p < 1) {
        var sum: f64 = 0;
        for (kept, 1..) |entry, count| {
            sum += entry.p;
            if (sum < params.top_p * total) continue;
            kept = kept[0..count];
            break;
        }
    }
    while (kept[kept.len - 1].p < params.min_p) kept.len -= 1;
    total = 0;
    for (kept) |*entry| {
        entry.p = @exp((entry.x - max) / params.temperature);
        total += entry.p;
    }
    const random = sample.randomBits(@as(u64, params.seed_hi) << 32 | params.seed_lo, params.position);
    var rest = total * @as(f64, @floatFromInt(random >> 11)) / 0x1p53;
    for (0..row.len) |id| for (kept) |entry| {
        if (entry.id != id) continue;
        if (rest < entry.p) return entry.id;
        rest -= entry.p;
    };
    return null;
}

/// Runs rows of `vocab` logits with their parameters on `parts` members; guard pages behind everything.
fn runSample(rows: []const f32, params: []const sample.Params, data: []const u32, vocab: u32, parts: u32, results: []sample.Result) !void {
    var x = try testing.guarded(f32, rows.len);
    defer x.deinit();
    @memcpy(x.slice(f32), rows);
    var words = try testing.guarded(u32, data.len);
    defer words.deinit();
    @memcpy(words.slice(u32), data);
    var scratch: testing.GuardedBuffer = try .init(sample.scratchBytes(vocab, parts));
    defer scratch.deinit();
    @memset(scratch.bytes, 0xff);
    const args: sample.Args = .{
        .logits = x.slice(f32).ptr,
        .params = params.ptr,
        .data = words.slice(u32).ptr,
        .results = results.ptr,
        .scratch = scratch.bytes.ptr,
        .vocab = vocab,
        .n = @intCast(params.len),
        .data_count = @intCast(data.len),
    };
    try std.testing.expect(args.valid());
    testing.runParts(sample.run, &args, parts);
    try std.testing.expectEqualSlices(f32, rows[0..0], x.slice(f32)[0..0]);
    for (rows, x.slice(f32)) |a, b| try std.testing.expectEqual(@as(u32, @bitCast(a)), @as(u32, @bitCast(b)));
}

test "sample draws the reference's token for random parameters" {
    var rng: testing.Rng = .init(81);
    for (0..60) |round| {
        const vocab = rng.pick(u32, &.{ 1, 2, 15, 17, 128, 129, 700, 2100 });
        const n = 4;
        const rows = try gpa.alloc(f32, n * vocab);
        defer gpa.free(rows);
        const scale = rng.pick(f32, &.{ 0, 0.1, 3, 20, 60 });
        for (rows) |*x| x.* = rng.unit() * scale;
        if (round % 4 == 0) for (rows) |*x| {
            x.* = rng.pick(f32, &.{ -1, 0, -0.0, 1, 2, -inf, nan });
        };
        const data = try gpa.alloc(u32, 60);
        defer gpa.free(data);
        for (data[0..40]) |*id| id.* = rng.between(u32, 0, @min(vocab - 1, 30));
        for (0..10) |i| {
            data[40 + 2 * i] = rng.between(u32, 0, vocab - 1);
            data[41 + 2 * i] = @bitCast(if (i == 3) -inf else rng.unit() * 5);
        }
        var params: [n]sample.Params = @splat(greedy);
        for (&params) |*p| randomParams(&rng, p, vocab);
        var results: [n]sample.Result = undefined;
        try runSample(rows, &params, data, vocab, rng.between(u32, 1, 3), &results);
        for (params, results, 0..) |p, result, i| {
            const expected = try reference(gpa, rows[i * vocab ..][0..vocab], p, data) orelse sample.no_token;
            try std.testing.expectEqual(expected, result.token);
            try checkLogprobs(rows[i * vocab ..][0..vocab], p, result);
        }
    }
}

fn randomParams(rng: *testing.Rng, p: *sample.Params, vocab: u32) void {
    p.temperature = rng.pick(f32, &.{ 0, 0.2, 0.8, 1, 1.7 });
    p.top_p = rng.pick(f32, &.{ 1, 1, 0.9, 0.5, 0.999, 0 });
    p.min_p = rng.pick(f32, &.{ 0, 0, 0.05, 0.3, 1 });
    p.top_k = rng.pick(u32, &.{ 0, 0, 1, 3, 40, vocab, 5000 });
    p.seed_lo = rng.random().int(u32);
    p.position = rng.between(u32, 0, 5000);
    p.logprobs_n = rng.pick(u32, &.{ 0, 1, 5, 20 });
    if (rng.between(u32, 0, 1) == 0) {
        p.repeat_penalty = rng.pick(f32, &.{ 1, 1.3, 0.9 });
        p.presence_penalty = rng.unit();
        p.frequency_penalty = rng.unit();
        p.history_count = rng.between(u32, 0, 40);
    }
    if (rng.between(u32, 0, 1) == 0) {
        p.bias_first = 40;
        p.bias_count = rng.between(u32, 0, 10);
    }
}

fn checkLogprobs(row: []const f32, params: sample.Params, result: sample.Result) !void {
    var max: f64 = -inf;
    for (row) |x| if (!std.math.isNan(x)) {
        max = @max(max, x);
    };
    var sum: f64 = 0;
    var possible: u32 = 0;
    for (row) |x| {
        if (std.math.isNan(x) or x == -inf) continue;
        sum += @exp(x - max);
        possible += 1;
    }
    if (result.token != sample.no_token) try std.testing.expectApproxEqAbs(row[result.token] - max - @log(sum), result.logprob, 5e-6);
    try std.testing.expectEqual(@min(params.logprobs_n, possible), result.n);
    for (result.top[0..result.n], 0..) |top, i| {
        try std.testing.expectApproxEqAbs(row[top.id] - max - @log(sum), top.logprob, 5e-6);
        var before: u32 = 0;
        for (row, 0..) |x, id| {
            if (x > row[top.id] or (x == row[top.id] and id < top.id)) before += 1;
        }
        try std.testing.expectEqual(@as(u32, @intCast(i)), before);
    }
}

test "sample of rows with NaN, infinities and ties" {
    const rows = [_][4]f32{ .{ nan, 1, 2, 2 }, .{ nan, nan, -inf, nan }, .{ -inf, inf, 3, inf }, .{ 1, 2, 3, nan } };
    const data = [_]u32{ 2, @bitCast(-inf) };
    var results: [4]sample.Result = undefined;
    for ([_]f32{ 0, 1 }) |temperature| {
        var params: [4]sample.Params = @splat(greedy);
        for (&params) |*p| p.temperature = temperature;
        params[3].bias_count = 1;
        params[3].top_k = 1;
        try runSample(@ptrCast(&rows), &params, &data, 4, 2, &results);
        if (temperature == 0) try std.testing.expectEqual(2, results[0].token);
        try std.testing.expectEqual(sample.no_token, results[1].token);
        try std.testing.expect(results[2].token == 1 or (temperature == 1 and results[2].token == 3));
        try std.testing.expectApproxEqAbs(@as(f32, -0.6931472), results[2].logprob, 1e-6);
        try std.testing.expectEqual(1, results[3].token);
    }
}

test "sample refuses what is out of range" {
    const row: [8]f32 = @splat(0);
    const data = [_]u32{ 7, 8, 3, @bitCast(nan), 3, 0 };
    var results: [1]sample.Result = undefined;
    var params = [1]sample.Params{greedy};
    var args: sample.Args = .{
        .logits = &row,
        .params = &params,
        .data = &data,
        .results = &results,
        .scratch = undefined,
        .vocab = 8,
        .n = 1,
        .data_count = data.len,
    };
    try std.testing.expect(args.valid());
    inline for (.{
        .{ "temperature", -1 },           .{ "temperature", nan },       .{ "temperature", inf },  .{ "top_p", nan },
        .{ "min_p", 1.5 },                .{ "min_p", nan },             .{ "repeat_penalty", 0 }, .{ "presence_penalty", inf },
        .{ "logprobs_n", 21 },            .{ "history_count", 7 },       .{ "history_count", 2 },  .{ "bias_count", 4 },
        .{ "history_first", 0xffffffff }, .{ "frequency_penalty", nan },
    }) |case| {
        params[0] = greedy;
        @field(params[0], case[0]) = case[1];
        if (comptime std.mem.eql(u8, case[0], "history_first")) params[0].history_count = 2;
        try std.testing.expect(!args.valid());
    }
    params[0] = greedy;
    params[0].bias_count = 1;
    params[0].bias_first = 2; // a NaN
    try std.testing.expect(!args.valid());
    params[0].bias_first = 4;
    try std.testing.expect(args.valid());
    args.vocab = 3;
    try std.testing.expect(!args.valid());
}

test "sample draws each token as often as it is likely" {
    const row = [_]f32{ 1, 0, -1, 2, -8, 0.5 };
    const rounds = if (options.emulated) 2_000 else 20_000;
    for ([_]f32{ 1, 0.5, 2 }) |temperature| for ([_]u32{ 0, 6 }) |top_k| {
        var counts: [6]f64 = @splat(0);
        var params: [1]sample.Params = .{greedy};
        params[0].temperature = temperature;
        params[0].top_k = top_k;
        params[0].min_p = if (top_k == 6) 1e-9 else 0; // takes the way through the list
        params[0].flags.skip_logprob = true;
        var results: [1]sample.Result = undefined;
        var scratch: [1024]u8 align(64) = undefined;
        const args: sample.Args = .{
            .logits = &row,
            .params = &params,
            .data = undefined,
            .results = &results,
            .scratch = &scratch,
            .vocab = 6,
            .n = 1,
            .data_count = 0,
        };
        try std.testing.expect(sample.scratchBytes(6, 1) <= scratch.len);
        for (0..rounds) |round| {
            params[0].position = @intCast(round % 1000);
            params[0].seed_lo = @intCast(round / 1000);
            testing.runParts(sample.run, &args, 1);
            counts[results[0].token] += 1;
        }
        var total: f64 = 0;
        for (row) |x| total += @exp(x / temperature);
        var chi_squared: f64 = 0;
        for (row, counts) |x, count| {
            const expected = rounds * @exp(x / temperature) / total;
            chi_squared += (count - expected) * (count - expected) / expected;
        }
        try std.testing.expect(chi_squared < 20.5); // 5 degrees of freedom: p = 0.001
    };
}
