//! Runs one pass of one of measure.zig's measurements. Which variant is best, and how often to try, is the caller's business:
//! a yardstick is held beside what it measures, before, between and after.

const std = @import("std");
const futex = @import("../system/futex.zig");
const measure = @import("../ops/measure.zig");
const thread_team = @import("../system/thread_team.zig");
const objects = @import("objects.zig");
const buffers = @import("buffers.zig");
const context_module = @import("context.zig");
const status = @import("status.zig");
const Context = context_module.Context;
const Weights = @import("weights.zig").Weights;

/// A pass takes at least this long, so that starting the team does not count.
const pass_ns = 3 * std.time.ns_per_ms;

/// what: 0 read bandwidth in GB/s, 1 f32, 2 int8, 3 bf16 multiply-adds in GMAC/s; of all threads together.
/// variant: from 0 to below the number of them, which is the result.
/// weights: u32 ids of the matrices to read, for 0 alone, whole and in this order; of any context. out: one f64.
pub fn run(
    context: *Context,
    what: u32,
    variant: u32,
    weights: buffers.Input,
    weights_bytes: u32,
    out: buffers.Output,
    out_bytes: u32,
) status.Error!u32 {
    const place = try buffers.room(f64, out, out_bytes, 1);
    const ids = try buffers.all(u32, weights, weights_bytes);
    const kind = std.enums.fromInt(measure.What, what) orelse return error.InvalidArgument;
    const variants = context.ops.measure_variants(what);
    if (variant >= variants or (kind == .read_bandwidth) != (ids.len > 0)) return error.InvalidArgument;
    var list: Spans = try .of(ids);
    defer list.deinit();
    var args: measure.Args = .{
        .spans = list.spans.ptr,
        .unit_first = list.unit_first.ptr,
        .span_count = @intCast(list.spans.len),
        .results = undefined,
        .what = what,
        .variant = variant,
        .rounds = 1,
    };
    place[0] = try pass(context, &args);
    return variants;
}

const Spans = struct {
    spans: []measure.Span,
    unit_first: []u32,

    fn of(ids: []const u32) status.Error!Spans {
        const spans = try context_module.gpa.alloc(measure.Span, ids.len);
        errdefer context_module.gpa.free(spans);
        const unit_first = try context_module.gpa.alloc(u32, ids.len + 1);
        errdefer context_module.gpa.free(unit_first);
        unit_first[0] = 0;
        for (ids, spans, unit_first[1..], 0..) |id, *span, *end, i| {
            const bytes = (try objects.get(Weights, id)).piece.bytes;
            span.* = .{ .first = bytes.ptr, .len = bytes.len };
            const units = std.math.cast(u32, (bytes.len + measure.unit_bytes - 1) / measure.unit_bytes) orelse return error.Overflow;
            end.* = std.math.add(u32, unit_first[i], units) catch return error.Overflow;
        }
        return .{ .spans = spans, .unit_first = unit_first };
    }

    fn deinit(list: *Spans) void {
        context_module.gpa.free(list.spans);
        context_module.gpa.free(list.unit_first);
    }
};

/// The work per nanosecond of a pass that is long enough.
fn pass(context: *Context, args: *measure.Args) status.Error!f64 {
    var results: [thread_team.members_max]measure.Result = undefined;
    args.results = &results;
    while (true) {
        @memset(results[0..context.threads()], .{});
        const started = futex.nowNs();
        try context.run(context.ops.measure, args);
        const ns = futex.nowNs() -% started;
        // The count of claims, which may be a thousand times the rounds, must fit its word.
        if (ns < pass_ns and args.rounds < 1 << 12) {
            args.rounds *= if (ns < pass_ns / 8) 4 else 2;
            continue;
        }
        var work: u64 = 0;
        for (results[0..context.threads()]) |result| work += result.work;
        return @as(f64, @floatFromInt(work)) / @as(f64, @floatFromInt(@max(ns, 1)));
    }
}
