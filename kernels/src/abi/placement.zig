//! Which CPUs a context's threads use, and which memory node its memory is on.

const std = @import("std");
const cpus = @import("../system/cpus.zig");
const memory = @import("../system/memory.zig");
const numa = @import("../system/numa.zig");
const objects = @import("objects.zig");
const restriction = @import("../system/restriction.zig");
const buffers = @import("buffers.zig");
const status = @import("status.zig");

/// Where the system describes the machine.
const sysfs = "/sys";

/// Whether memory is on the node that was asked for.
pub const NumaState = enum(u32) {
    /// None was asked for.
    anywhere = 0,
    /// It is, or the machine has no other node.
    bound = 1,
    /// The system refused, as containers may.
    refused = 2,
};

pub const Placement = struct {
    /// Null: as the system likes.
    set: ?cpus.CpuSet = null,
    /// Whether the caller named the CPUs: then a refusal is an error.
    named: bool = false,
    /// Null: wherever the system puts it.
    node: ?u32 = null,
    numa: NumaState = .anywhere,

    /// list: numbers of CPUs, empty for no choice. node_id: a memory node, whose CPUs are taken where none are named, or
    /// `objects.none`. On a machine with one node that changes nothing.
    pub fn choose(list: []const u32, node_id: u32) status.Error!Placement {
        var placement: Placement = .{};
        if (list.len > 0) {
            placement.set = try named(list);
            placement.named = true;
        }
        if (node_id == objects.none) return placement;
        const topology = machine();
        const node = topology.node(node_id) orelse return error.UnknownNode;
        placement.numa = .bound;
        if (topology.count() == 1) return placement;
        if (placement.set == null and node.cpus.count() > 0) placement.set = node.cpus;
        var probe: memory.Block = try .init(1);
        defer probe.deinit();
        if (numa.bind(probe.mapping, node_id)) placement.node = node_id else placement.numa = .refused;
        return placement;
    }
};

fn named(list: []const u32) status.Error!cpus.CpuSet {
    var set: cpus.CpuSet = .{};
    for (list) |cpu| {
        if (cpu >= cpus.CpuSet.bits) return error.UnavailableCpu;
        set.add(cpu);
    }
    const available = restriction.available() orelse return error.UnavailableCpu;
    return if (available.containsAll(&set)) set else error.UnavailableCpu;
}

/// This machine's nodes, with the CPUs that a context may be given.
fn machine() numa.Topology {
    return .read(sysfs, &availableOrAll());
}

/// CPUs are numbered from 0 where the system has no masks.
fn availableOrAll() cpus.CpuSet {
    if (restriction.available()) |set| return set;
    var set: cpus.CpuSet = .{};
    for (0..cpus.usable()) |cpu| set.add(@intCast(cpu));
    return set;
}

/// How many threads this process should use: its CPUs, limited by the control group's quota.
pub fn usableCpus() status.Error!u32 {
    return cpus.limited(availableOrAll().count());
}

/// Lets other threads go before the calling one from now on. Returns 1, or 0 where the system does not do that.
pub fn giveWay() status.Error!u32 {
    return @intFromBool(cpus.giveWay());
}

/// Gives the calling thread only the time that no other wants from now on. Returns 1, or 0 where the system does not do that.
pub fn standBack() status.Error!u32 {
    return @intFromBool(cpus.standBack());
}

/// The control group's quota in thousandths of a CPU's time; 0 without one.
pub fn cpuQuota() status.Error!u32 {
    return cpus.quota() orelse 0;
}

/// out: f64 values, for each memory node its id, its bytes of memory (−1 where the system does not tell), the number of its
/// CPUs that a context may be given, and their numbers. Returns how many values.
pub fn nodes(out: buffers.Output, out_bytes: u32) status.Error!u32 {
    const place = try buffers.room(f64, out, out_bytes, out_bytes / @sizeOf(f64));
    const topology = machine();
    var used: u32 = 0;
    var next = topology.ids.nextFrom(0);
    while (next) |id| : (next = topology.ids.nextFrom(id + 1)) {
        const node = topology.node(id).?;
        if (used + 3 + node.cpus.count() > place.len) return error.BufferTooSmall;
        const bytes: f64 = if (node.memory_bytes) |bytes| @floatFromInt(bytes) else -1;
        place[used..][0..3].* = .{ @floatFromInt(id), bytes, @floatFromInt(node.cpus.count()) };
        used += 3;
        var cpu = node.cpus.nextFrom(0);
        while (cpu) |number| : (cpu = node.cpus.nextFrom(number + 1)) {
            place[used] = @floatFromInt(number);
            used += 1;
        }
    }
    return used;
}

test "named CPUs must be available, and nodes must exist" {
    const set = restriction.available() orelse return error.SkipZigTest;
    const last = set.last().?;
    const placement = try Placement.choose(&.{ last, last }, objects.none);
    try std.testing.expectEqual(1, placement.set.?.count());
    try std.testing.expect(placement.named and placement.numa == .anywhere);
    for ([_]u32{ last + 1, cpus.CpuSet.bits, objects.none }) |bad| {
        try std.testing.expectError(error.UnavailableCpu, Placement.choose(&.{ last, bad }, objects.none));
    }
    try std.testing.expectError(error.UnknownNode, Placement.choose(&.{}, numa.nodes_max - 1));
    const id = machine().ids.nextFrom(0).?;
    const there = try Placement.choose(&.{}, id);
    try std.testing.expect(there.numa != .anywhere and !there.named);
    if (machine().count() == 1) try std.testing.expectEqual(null, there.set);
}

test "nodes lists each available CPU once" {
    const set = restriction.available() orelse return error.SkipZigTest;
    var values: [20_000]f64 = undefined;
    const used = try nodes(@ptrCast(&values), @sizeOf(@TypeOf(values)));
    var found: cpus.CpuSet = .{};
    var at: u32 = 0;
    while (at < used) {
        const count: u32 = @trunc(values[at + 2]);
        for (values[at + 3 ..][0..count]) |cpu| found.add(@trunc(cpu));
        at += 3 + count;
    }
    try std.testing.expectEqual(used, at);
    try std.testing.expectEqual(set, found);
    try std.testing.expectError(error.BufferTooSmall, nodes(@ptrCast(&values), 16));
    try std.testing.expect(try usableCpus() <= set.count());
}
