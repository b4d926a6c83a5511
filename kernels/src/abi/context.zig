//! A context: one thread team, one level's ops, a workspace of regions, the current batch. It belongs to the thread
//! that created it, and owns the objects that were created through it.

const std = @import("std");
const dispatch = @import("../isa/dispatch.zig");
const memory = @import("../system/memory.zig");
const objects = @import("objects.zig");
const Ops = @import("../ops.zig").Ops;
const Job = @import("../system/job.zig").Job;
const thread_team = @import("../system/thread_team.zig");
const Restriction = @import("../system/restriction.zig").Restriction;
const weight_pool = @import("../system/weight_pool.zig");
const activations = @import("../quant/activations.zig");
const batch = @import("batch.zig");
const buffers = @import("buffers.zig");
const placement_module = @import("placement.zig");
const status = @import("status.zig");

pub const gpa = std.heap.c_allocator;

/// Bytes of a workspace unit. A region is the number of its first unit; `objects.none` is "no region".
pub const unit_bytes = 64;
pub const threads_max = thread_team.members_max;

pub const Context = struct {
    pub const kind: objects.Kind = .context;

    id: u32 = 0,
    level: dispatch.LevelIndex,
    ops: *const Ops,
    team: thread_team.Team = .{},
    workspace: memory.Block = .{},
    /// Scratch of ops that need some; grows to the largest need seen.
    scratch: memory.Block = .{},
    batch: batch.Batch = .{},
    weights: weight_pool.Pool = .{ .gpa = gpa },
    /// The memory node that the context's memory should be on.
    node: ?u32 = null,
    numa: placement_module.NumaState = .anywhere,
    /// Keeps the creating thread on the context's CPUs.
    restriction: Restriction = .{},
    /// The caller's word that may interrupt ops between `arm` and `disarm`.
    stop_word: ?*const std.atomic.Value(i32) = null,
    /// 1 while a call is inside: a second thread gets an error instead of a race.
    busy: std.atomic.Value(u32) = .init(0),

    /// Runs an op on the team; it claims its work. An interrupted op has computed any part of it.
    pub fn run(context: *Context, op: anytype, args: anytype) status.Error!void {
        const Args = @typeInfo(@TypeOf(args)).pointer.child;
        const typed: *const fn (*const Args, *const Job) callconv(.c) void = op;
        context.team.run(@ptrCast(typed), args);
        if (context.team.wasStopped()) return error.Interrupted;
    }

    pub fn threads(context: *const Context) u32 {
        return context.team.count;
    }

    /// `count` values of `T` at a region.
    pub fn region(context: *const Context, comptime T: type, unit: u32, count: usize) status.Error![*]T {
        comptime std.debug.assert(@alignOf(T) <= unit_bytes);
        std.debug.assert(context.workspace.bytes.len % unit_bytes == 0);
        const first = @as(usize, unit) * unit_bytes;
        const bytes = std.math.mul(usize, count, @sizeOf(T)) catch return error.Overflow;
        const end = std.math.add(usize, first, bytes) catch return error.Overflow;
        if (unit == objects.none or end > context.workspace.bytes.len) return error.RegionOutsideWorkspace;
        return @ptrCast(@alignCast(context.workspace.bytes.ptr + first));
    }

    /// `count` values of f32, `rows` × `k` of them.
    pub fn matrix(context: *const Context, unit: u32, rows: u32, k: u32) status.Error![*]f32 {
        return context.region(f32, unit, @as(usize, rows) * k);
    }

    /// A matrix [n, k] in the forms of a mask, one after another in a region.
    pub fn activation(context: *const Context, unit: u32, forms: u32, n: u32, k: u32) status.Error!activations.Activation {
        const layout: activations.Layout = try .of(forms, n, k);
        return layout.at(@alignCast(try context.region(u8, unit, layout.bytes)));
    }

    /// At least `len` bytes for the time of one call, aligned to 64.
    pub fn scratchBytes(context: *Context, len: usize) status.Error![*]align(unit_bytes) u8 {
        try context.scratch.reserve(@max(len, 1));
        std.debug.assert(context.scratch.bytes.len >= len);
        return @alignCast(context.scratch.bytes.ptr);
    }

    pub fn vector(context: *const Context, id: u32, n: u32) status.Error![*]const f32 {
        _ = context;
        const found = try objects.get(Vector, id);
        if (found.values.len != n) return error.ShapeMismatch;
        return found.values.ptr;
    }

    pub fn optionalVector(context: *const Context, id: u32, n: u32) status.Error!?[*]const f32 {
        if (id == objects.none) return null;
        return try context.vector(id, n);
    }

    pub fn destroy(context: *Context) void {
        context.team.stop(gpa);
        context.restriction.leave();
        context.workspace.deinit();
        context.scratch.deinit();
        context.batch.deinit();
        context.weights.deinit();
        gpa.destroy(context);
    }
};

/// A constant f32 vector: norm weights, biases, frequency factors.
pub const Vector = struct {
    pub const kind: objects.Kind = .vector;
    values: []align(unit_bytes) f32,

    pub fn destroy(vector: *Vector) void {
        gpa.free(vector.values);
        gpa.destroy(vector);
    }
};

/// isa_name: UTF-8, empty for the best level. threads: 0 for one per CPU, as many as the control group's quota allows.
/// cpu_list: u32 numbers of the CPUs that the team may use, the calling thread included until the context goes; empty for
/// no choice. numa_node: the memory node for all that the context allocates, and whose CPUs it uses where none are
/// listed; NONE for no choice. out: the id.
pub fn create(
    isa_name: buffers.Input,
    isa_bytes: u32,
    threads: u32,
    cpu_list: buffers.Input,
    cpu_bytes: u32,
    numa_node: u32,
    workspace_units: u32,
    out: buffers.Output,
) status.Error!void {
    const place = try buffers.result(out);
    const level = try chooseLevel(try buffers.all(u8, isa_name, isa_bytes));
    if (threads > threads_max) return error.InvalidArgument;
    const placement: placement_module.Placement = try .choose(try buffers.all(u32, cpu_list, cpu_bytes), numa_node);
    const context = try gpa.create(Context);
    context.* = .{ .level = level, .ops = dispatch.table(level), .node = placement.node, .numa = placement.numa };
    context.scratch.node = placement.node;
    context.weights.node = placement.node;
    errdefer context.destroy();
    try setWorkspace(context, workspace_units);
    const set = if (placement.set) |*set| set else null;
    if (set) |chosen| {
        if (!context.restriction.enter(chosen) and placement.named) return error.UnavailableCpu;
    }
    context.team.startOn(gpa, threads, set) catch |err| return switch (err) {
        error.OutOfMemory => error.OutOfMemory,
        else => error.ThreadFailed,
    };
    context.id = try objects.add(Context, context, null);
    place.* = context.id;
}

fn chooseLevel(name: []const u8) status.Error!dispatch.LevelIndex {
    if (name.len == 0) return dispatch.best();
    const level = dispatch.byName(name) orelse return error.UnknownIsa;
    return if (dispatch.supported(level)) level else error.UnsupportedIsa;
}

/// Ends the threads and frees the context and everything that it owns. The caller's id is stale afterwards.
pub fn stop(id: u32) status.Error!void {
    const context = try objects.get(Context, id);
    // Taken for good: whoever comes later finds it busy and then gone.
    if (context.busy.swap(1, .acquire) != 0) return error.ContextBusy;
    try objects.removeOwned(id);
}

/// out: u32 [3]: threads, index of the level in the list of `isaLevelNames` (all levels, not only the supported ones), a
/// NumaState.
pub fn info(context: *Context, out: buffers.Output, out_bytes: u32) status.Error!void {
    const place = try buffers.room(u32, out, out_bytes, 3);
    place[0] = context.threads();
    place[1] = context.level;
    place[2] = @backingInt(context.numa);
}

/// Frees one object; a context is stopped instead.
pub fn destroyObject(id: u32) status.Error!void {
    return objects.remove(id);
}

/// Gives the workspace `units` × 64 bytes. The contents are lost.
pub fn workspaceResize(context: *Context, units: u32) status.Error!void {
    return setWorkspace(context, units);
}

fn setWorkspace(context: *Context, units: u32) status.Error!void {
    const block: memory.Block = try .initOn(context.node, @as(usize, units) * unit_bytes);
    context.workspace.deinit();
    context.workspace = block;
}

/// Remembers the caller's word for `arm`: the first i32 of a buffer in shared memory, which must neither move nor go while
/// the context may be armed. An empty buffer forgets it.
pub fn setStop(context: *Context, word: buffers.Input, bytes: u32) status.Error!void {
    context.team.disarm();
    context.stop_word = null;
    if (bytes == 0) return;
    const words = try buffers.values(std.atomic.Value(i32), word, bytes, 1);
    context.stop_word = &words[0];
}

/// Lets the word interrupt ops: once it has another value than `expected` (the bits of an i32) an op hands out no more
/// work and returns `interrupted`, as do all later ones until `disarm`.
pub fn arm(context: *Context, expected: u32) status.Error!void {
    const word = context.stop_word orelse return error.InvalidArgument;
    context.team.arm(word, @bitCast(expected));
}

/// From here on ops run to their end.
pub fn disarm(context: *Context) status.Error!void {
    context.team.disarm();
}

/// Keeps the calling thread on the CPU that the team's other threads leave to it, until `roam`; for the length of a step.
pub fn stay(context: *Context) status.Error!void {
    context.team.stay();
}

/// The calling thread may be anywhere again.
pub fn roam(context: *Context) status.Error!void {
    context.team.roam();
}

/// Copies from a region into a buffer.
pub fn read(context: *Context, unit: u32, target: buffers.Output, bytes: u32) status.Error!void {
    const source = try context.region(u8, unit, bytes);
    @memcpy(try buffers.room(u8, target, bytes, bytes), source);
}

/// Copies from a buffer into a region.
pub fn write(context: *Context, unit: u32, source: buffers.Input, bytes: u32) status.Error!void {
    const target = try context.region(u8, unit, bytes);
    @memcpy(target, try buffers.values(u8, source, bytes, bytes));
}

/// Writes the names of the levels that this machine supports, best first, joined by commas; gives their length.
pub fn isaLevels(out: buffers.Output, out_bytes: u32) status.Error!u32 {
    return joinNames(out, out_bytes, true);
}

/// As `isaLevels`, but all that the library has for this architecture.
pub fn isaLevelNames(out: buffers.Output, out_bytes: u32) status.Error!u32 {
    return joinNames(out, out_bytes, false);
}

fn joinNames(out: buffers.Output, out_bytes: u32, only_supported: bool) status.Error!u32 {
    const place = try buffers.room(u8, out, out_bytes, out_bytes);
    var len: usize = 0;
    for (dispatch.levels, 0..) |level, i| {
        if (only_supported and !dispatch.supported(@intCast(i))) continue;
        const comma: usize = @intFromBool(len > 0);
        if (len + comma + level.name.len > place.len) return error.BufferTooSmall;
        if (comma == 1) place[len] = ',';
        @memcpy(place[len + comma ..][0..level.name.len], level.name);
        len += comma + level.name.len;
    }
    return @intCast(len);
}
