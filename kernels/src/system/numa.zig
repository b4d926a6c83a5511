//! The machine's memory nodes: which CPUs and how much memory each has, as the system tells in /sys, and memory that
//! prefers one of them.

const std = @import("std");
const builtin = @import("builtin");
const linux = std.os.linux;
const cgroup = @import("cgroup.zig");
const CpuSet = @import("cpus.zig").CpuSet;

/// Ids are below this: the most that Linux can be built for.
pub const nodes_max = 1024;

pub const Node = struct {
    id: u32,
    /// Those that this process may use; may be empty.
    cpus: CpuSet,
    /// 0 for a node without memory; null where the system does not tell.
    memory_bytes: ?u64,
};

/// The nodes of a machine. Every CPU that may be used is in exactly one of them.
pub const Topology = struct {
    /// The folder that is /sys on a real machine.
    root: []const u8,
    /// CPUs that may be used and are online.
    usable: CpuSet,
    ids: CpuSet = .{},
    /// CPUs that no node lists: they count to the first one that has some.
    strays: CpuSet = .{},
    strays_home: u32 = 0,

    /// A machine that tells no nodes has one with all CPUs.
    pub fn read(root: []const u8, allowed: *const CpuSet) Topology {
        var topology: Topology = .{ .root = root, .usable = allowed.* };
        if (readList(root, "devices/system/cpu/online")) |online| topology.usable.intersect(&online);
        const online = readList(root, "devices/system/node/online") orelse CpuSet{};
        topology.strays = topology.usable;
        var home: ?u32 = null;
        var id = online.nextFrom(0);
        while (id) |at| : (id = online.nextFrom(at + 1)) {
            if (at >= nodes_max) break;
            const members = topology.listed(at) orelse continue;
            topology.ids.add(at);
            if (home == null and members.count() > 0) home = at;
            topology.strays.subtract(&members);
        }
        if (home == null) topology.ids.add(topology.ids.nextFrom(0) orelse 0);
        topology.strays_home = home orelse topology.ids.nextFrom(0).?;
        std.debug.assert(topology.ids.contains(topology.strays_home));
        std.debug.assert(topology.usable.containsAll(&topology.strays));
        return topology;
    }

    pub fn count(topology: *const Topology) u32 {
        return topology.ids.count();
    }

    /// Null when there is no such node.
    pub fn node(topology: *const Topology, id: u32) ?Node {
        if (id >= nodes_max or !topology.ids.contains(id)) return null;
        var set = topology.listed(id) orelse CpuSet{};
        if (id == topology.strays_home) set.unite(&topology.strays);
        return .{ .id = id, .cpus = set, .memory_bytes = topology.memoryBytes(id) };
    }

    fn listed(topology: *const Topology, id: u32) ?CpuSet {
        var name: [64]u8 = undefined;
        const path = std.fmt.bufPrint(&name, "devices/system/node/node{d}/cpulist", .{id}) catch return null;
        var set = readList(topology.root, path) orelse return null;
        set.intersect(&topology.usable);
        std.debug.assert(topology.usable.containsAll(&set));
        return set;
    }

    fn memoryBytes(topology: *const Topology, id: u32) ?u64 {
        var name: [64]u8 = undefined;
        const path = std.fmt.bufPrint(&name, "devices/system/node/node{d}/meminfo", .{id}) catch return null;
        var buffer: [4096]u8 = undefined;
        const text = cgroup.readIn(topology.root, path, &buffer) orelse return null;
        const label = "MemTotal:";
        const at = std.mem.find(u8, text, label) orelse return null;
        var words = std.mem.tokenizeAny(u8, text[at + label.len ..], " \t\n");
        const kib = std.fmt.parseInt(u64, words.next() orelse return null, 10) catch return null;
        return std.math.mul(u64, kib, 1024) catch null;
    }
};

fn readList(root: []const u8, path: []const u8) ?CpuSet {
    var buffer: [16 * 1024]u8 = undefined;
    return CpuSet.parse(cgroup.readIn(root, path, &buffer) orelse return null);
}

const page = std.heap.page_size_min;
const mpol_preferred = 1;

/// Asks for pages of this node for memory that nothing has touched yet. Preferred and not bound: a full node then costs
/// speed, where a strict binding would have the system end the process although other nodes have room. False where the
/// system refuses, as containers may.
pub fn bind(mapping: []align(page) const u8, node: u32) bool {
    std.debug.assert(mapping.len > 0);
    if (builtin.os.tag != .linux or node >= nodes_max) return false;
    var mask: [nodes_max / 64]u64 = @splat(0);
    mask[node / 64] = @as(u64, 1) << @intCast(node % 64);
    // The system counts one bit less than it is told.
    const rc = linux.syscall6(.mbind, @intFromPtr(mapping.ptr), mapping.len, mpol_preferred, @intFromPtr(&mask), nodes_max + 1, 0);
    return linux.errno(rc) == .SUCCESS;
}

const FileTree = @import("../testing/file_tree.zig").FileTree;
const in_sys = "devices/system/";

fn readTree(tree: *const FileTree, allowed: []const u8) Topology {
    return .read(tree.root(), &CpuSet.parse(allowed).?);
}

fn expectNode(topology: *const Topology, id: u32, cpu_list: []const u8, memory_bytes: ?u64) !void {
    const node = topology.node(id) orelse return error.TestUnexpectedResult;
    try std.testing.expectEqual(CpuSet.parse(cpu_list).?, node.cpus);
    try std.testing.expectEqual(memory_bytes, node.memory_bytes);
}

test "one node and two nodes, limited to allowed CPUs" {
    var one: FileTree = try .init(in_sys, &.{
        .{ "cpu/online", "0-3\n" },
        .{ "node/online", "0\n" },
        .{ "node/node0/cpulist", "0-3\n" },
        .{ "node/node0/meminfo", "Node 0 MemTotal:       1024 kB\nNode 0 MemFree:  7 kB\n" },
    });
    defer one.deinit();
    var topology = readTree(&one, "0-3");
    try std.testing.expectEqual(1, topology.count());
    try expectNode(&topology, 0, "0-3", 1 << 20);
    try std.testing.expectEqual(null, topology.node(1));
    try std.testing.expectEqual(null, topology.node(0xFFFF_FFFE));

    var two: FileTree = try .init(in_sys, &.{
        .{ "cpu/online", "0-7" },
        .{ "node/online", "0,2" },
        .{ "node/node0/cpulist", "0-1,4-5\n" },
        .{ "node/node2/cpulist", "2-3,6-7\n" },
        .{ "node/node2/meminfo", "Node 2 MemTotal: 3 kB" },
    });
    defer two.deinit();
    topology = readTree(&two, "1-6");
    try std.testing.expectEqual(2, topology.count());
    try expectNode(&topology, 0, "1,4-5", null);
    try expectNode(&topology, 2, "2-3,6", 3072);
    try std.testing.expectEqual(null, topology.node(1));
}

test "nodes without CPUs, without memory, and with CPUs that are offline" {
    var tree: FileTree = try .init(in_sys, &.{
        .{ "cpu/online", "0-1,3" },
        .{ "node/online", "0-2" },
        .{ "node/node0/cpulist", "\n" },
        .{ "node/node0/meminfo", "Node 0 MemTotal: 4 kB\n" },
        .{ "node/node1/cpulist", "0-2\n" },
        .{ "node/node1/meminfo", "Node 1 MemTotal: 0 kB\n" },
        .{ "node/node2/cpulist", "5\n" },
    });
    defer tree.deinit();
    const topology = readTree(&tree, "0-7");
    try std.testing.expectEqual(3, topology.count());
    try expectNode(&topology, 0, "", 4096);
    // CPU 2 is offline, CPU 3 is in no node.
    try expectNode(&topology, 1, "0-1,3", 0);
    try expectNode(&topology, 2, "", null);
}

test "a machine that tells nothing, or nonsense, has one node with all CPUs" {
    var allowed = CpuSet.parse("2,5").?;
    var topology: Topology = .read("/nowhere", &allowed);
    try std.testing.expectEqual(1, topology.count());
    try expectNode(&topology, 0, "2,5", null);
    var tree: FileTree = try .init(in_sys, &.{ .{ "node/online", "0-x" }, .{ "node/node0/cpulist", "0" } });
    defer tree.deinit();
    topology = readTree(&tree, "2,5");
    try std.testing.expectEqual(1, topology.count());
    try expectNode(&topology, 0, "2,5", null);
}

test "memory comes from the node that it is bound to" {
    const cpus = @import("cpus.zig");
    const allowed = cpus.allowed() orelse return error.SkipZigTest;
    const topology: Topology = .read("/sys", &allowed);
    const node = topology.ids.nextFrom(0).?;
    var block: @import("memory.zig").Block = try .init(1 << 20);
    defer block.deinit();
    if (!bind(block.mapping, node)) return error.SkipZigTest;
    try std.testing.expect(!bind(block.mapping, nodes_max - 1));
    @memset(block.bytes, 1);
    var mode: i32 = -1;
    var mask: [nodes_max / 64]u64 = @splat(0);
    const of_address = 2;
    const rc = linux.syscall5(.get_mempolicy, @intFromPtr(&mode), @intFromPtr(&mask), nodes_max + 1, @intFromPtr(block.mapping.ptr), of_address);
    if (linux.errno(rc) != .SUCCESS) return error.SkipZigTest;
    try std.testing.expectEqual(mpol_preferred, mode);
    try std.testing.expectEqual(@as(u64, 1) << @intCast(node % 64), mask[node / 64]);
}
