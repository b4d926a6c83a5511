//! Runs the measurements of measure.zig and keeps each one's best variant.

const std = @import("std");
const futex = @import("../futex.zig");
const measure = @import("../measure.zig");
const memory = @import("../memory.zig");
const thread_team = @import("../thread_team.zig");
const buffers = @import("buffers.zig");
const status = @import("status.zig");
const Context = @import("context.zig").Context;

const mib_default = 1024;
const repeats = 3;
/// A pass of a peak measurement takes at least this long, so that starting the team does not count.
const pass_ns = 20 * std.time.ns_per_ms;

/// what: 0 read bandwidth in GB/s, 1 f32 multiply-adds in GMAC/s, 2 int8 multiply-adds in GMAC/s; of all threads together.
/// mib: memory to read, 0 for 1 GiB; must exceed the caches. out: one f64.
pub fn run(context: *Context, what: u32, mib: u32, out: buffers.Output, out_bytes: u32) status.Error!void {
    const place = try buffers.room(f64, out, out_bytes, 1);
    place[0] = switch (what) {
        0 => try readBandwidth(context, if (mib == 0) mib_default else mib),
        1 => peak(context, .float_peak),
        2 => peak(context, .int8_peak),
        else => return error.InvalidArgument,
    };
}

fn readBandwidth(context: *Context, mib: u32) status.Error!f64 {
    var block: memory.Block = try .init(@as(usize, mib) * 1024 * 1024);
    defer block.deinit();
    var results: [thread_team.members_max]measure.Result = undefined;
    var args: measure.Args = .{
        .bytes = block.bytes.ptr,
        .len = block.bytes.len,
        .results = &results,
        .what = @backingInt(measure.What.read_bandwidth),
        .variant = 0,
        .rounds = 0,
    };
    // Pages that were never written are all one page of zeros.
    @memset(block.bytes, 1);
    var best: u64 = std.math.maxInt(u64);
    for (0..measure.variants(.read_bandwidth)) |variant| {
        args.variant = @intCast(variant);
        for (0..repeats) |_| best = @min(best, timed(context, &args));
    }
    return @as(f64, @floatFromInt(block.bytes.len)) / @as(f64, @floatFromInt(@max(best, 1)));
}

fn peak(context: *Context, what: measure.What) f64 {
    var results: [thread_team.members_max]measure.Result = undefined;
    var best: f64 = 0;
    for (0..measure.variants(what)) |variant| {
        var args: measure.Args = .{
            .bytes = null,
            .len = 0,
            .results = &results,
            .what = @backingInt(what),
            .variant = @intCast(variant),
            .rounds = 1000,
        };
        while (timed(context, &args) < pass_ns and args.rounds < 1 << 30) args.rounds *= 2;
        for (0..repeats) |_| {
            const ns: f64 = @floatFromInt(@max(timed(context, &args), 1));
            var macs: u64 = 0;
            for (results[0..context.threads()]) |result| macs += result.macs;
            best = @max(best, @as(f64, @floatFromInt(macs)) / ns);
        }
    }
    return best;
}

fn timed(context: *Context, args: *const measure.Args) u64 {
    const started = futex.nowNs();
    context.runEvery(context.ops.measure, args);
    return futex.nowNs() -% started;
}
