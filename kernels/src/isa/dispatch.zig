//! Chooses the kernels for this machine: which levels it can run, and each level's table of ops.

const std = @import("std");
const builtin = @import("builtin");
const options = @import("kumi_options");
const detect = @import("detect.zig");
const isa_levels = @import("levels.zig");
const Ops = @import("../ops.zig").Ops;

pub const levels = isa_levels.of(builtin.cpu.arch);

/// Index into `levels`.
pub const LevelIndex = u32;

/// True when this machine and its system can run the level.
pub fn supported(index: LevelIndex) bool {
    inline for (levels, 0..) |level, i| {
        if (i == index) return machineHas(level);
    }
    return false;
}

/// The best level that this machine can run. The last of a list needs nothing special.
pub fn best() LevelIndex {
    for (0..levels.len) |i| {
        if (supported(@intCast(i))) return @intCast(i);
    }
    return levels.len - 1;
}

/// The level of that name: null when there is none for this architecture, whether or not it is supported.
pub fn byName(name: []const u8) ?LevelIndex {
    for (levels, 0..) |level, i| {
        if (std.mem.eql(u8, level.name, name)) return @intCast(i);
    }
    return null;
}

/// The ops of a level. The caller has checked `supported`.
pub fn table(index: LevelIndex) *const Ops {
    if (options.single_level) return &@import("../isa_ops.zig").table;
    const tables = comptime blk: {
        @setEvalBranchQuota(20_000);
        var list: [levels.len]*const Ops = undefined;
        for (&list, levels) |*entry, level| {
            if (isBuilt(level)) entry.* = @extern(*const Ops, .{ .name = "kumi_ops_" ++ level.name, .visibility = .hidden });
        }
        break :blk list;
    };
    return tables[index];
}

fn machineHas(comptime level: isa_levels.Level) bool {
    // Unit tests are compiled for one level, whose ops stand in for every name: only that one may run.
    if (options.single_level) return std.mem.eql(u8, level.name, options.level);
    return isBuilt(level) and detect.has(level);
}

/// Whether the library has the level. Who works on kernels may build a few (`zig build -Dlevels=NAME,…`); the others are as
/// though the machine lacked them.
fn isBuilt(comptime level: isa_levels.Level) bool {
    return comptime isa_levels.isNamed(level, options.built_levels);
}

test "some level is supported, and names lead back to it" {
    const index = best();
    try std.testing.expect(supported(index));
    try std.testing.expectEqual(index, byName(levels[index].name).?);
    try std.testing.expectEqual(null, byName("x86_64_v99"));
    try std.testing.expect(!supported(levels.len));
}
