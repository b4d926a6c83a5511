//! The one list of instruction-set levels, read by build.zig (one object per level) and by dispatch.zig
//! (what a machine must have). Within an architecture the best level comes first, the one that every machine
//! has last.

const std = @import("std");

pub const Level = struct {
    name: []const u8,
    /// Null for a level that any architecture can be compiled for.
    arch: ?std.Target.Cpu.Arch,
    /// Compiler CPU model and features, as after `-mcpu=`. Detection requires exactly what this turns on.
    mcpu: []const u8,
};

pub const all = [_]Level{
    .{ .name = "x86_64_v4_vnni", .arch = .x86_64, .mcpu = "x86_64_v4+avx512vnni" },
    .{ .name = "x86_64_v3", .arch = .x86_64, .mcpu = "x86_64_v3" },
    .{ .name = "baseline", .arch = .x86_64, .mcpu = "x86_64" },
    .{ .name = "neon_dotprod", .arch = .aarch64, .mcpu = "generic+dotprod" },
    .{ .name = "neon", .arch = .aarch64, .mcpu = "generic" },
};

const portable = [_]Level{.{ .name = "baseline", .arch = null, .mcpu = "baseline" }};

/// The levels of `arch`, best first; never empty.
pub fn of(comptime arch: std.Target.Cpu.Arch) []const Level {
    comptime {
        var found: []const Level = &.{};
        for (all) |level| {
            if (level.arch == arch) found = found ++ .{level};
        }
        return if (found.len == 0) &portable else found;
    }
}

/// As `of`, for an architecture known at run time (build.zig).
pub fn ofRuntime(arch: std.Target.Cpu.Arch) []const Level {
    return switch (arch) {
        inline .x86_64, .aarch64 => |known| comptime of(known),
        else => &portable,
    };
}

/// The compiler's feature set of a level.
pub fn features(comptime level: Level) std.Target.Cpu.Feature.Set {
    comptime {
        @setEvalBranchQuota(200_000);
        const family = switch (level.arch.?) {
            .x86_64 => std.Target.x86,
            .aarch64 => std.Target.aarch64,
            else => unreachable,
        };
        var parts = std.mem.splitScalar(u8, level.mcpu, '+');
        var set = @field(family.cpu, parts.first()).features;
        while (parts.next()) |name| {
            set.addFeature(@backingInt(@as(family.Feature, @field(family.Feature, name))));
        }
        set.populateDependencies(&family.all_features);
        return set;
    }
}

test "every architecture has levels and names are unique within it" {
    for ([_]std.Target.Cpu.Arch{ .x86_64, .aarch64, .riscv64 }) |arch| {
        const levels = ofRuntime(arch);
        try std.testing.expect(levels.len > 0);
        for (levels, 0..) |a, i| {
            for (levels[i + 1 ..]) |b| try std.testing.expect(!std.mem.eql(u8, a.name, b.name));
        }
    }
}
