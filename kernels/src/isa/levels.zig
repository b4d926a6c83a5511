//! The one list of instruction-set levels, read by build.zig (one object per level) and by dispatch.zig
//! (what a machine must have). Within an architecture the best level comes first, the one that every machine
//! has last.

const std = @import("std");

pub const Level = struct {
    name: []const u8,
    /// Null for a level that any architecture can be compiled for.
    arch: ?std.Target.Cpu.Arch,
    /// Compiler CPU model and features, as after `-mcpu=`: +name and −name. Detection requires exactly what this turns on.
    mcpu: []const u8,
    /// A level whose features this one has, too, and adds only such as multiply (src/isa_ops.zig): the other ops are that
    /// one's, and are not compiled again.
    builds_on: ?[]const u8 = null,
};

/// Without its model's preference for registers of 256 bits, which suits code that has little for longer ones to do.
const wide = "x86_64_v4-prefer_256_bit";
/// vpdpwssd stays one instruction.
const vnni = wide ++ "+avx512vnni+fast_dpwssd";

pub const all = [_]Level{
    .{ .name = "amx", .arch = .x86_64, .mcpu = vnni ++ "+avx512bf16+amx_tile+amx_int8+amx_bf16", .builds_on = "x86_64_v4" },
    .{ .name = "x86_64_v4_bf16", .arch = .x86_64, .mcpu = vnni ++ "+avx512bf16", .builds_on = "x86_64_v4" },
    .{ .name = "x86_64_v4_vnni", .arch = .x86_64, .mcpu = vnni, .builds_on = "x86_64_v4" },
    .{ .name = "x86_64_v4", .arch = .x86_64, .mcpu = wide },
    .{ .name = "avx_vnni", .arch = .x86_64, .mcpu = "x86_64_v3+avxvnni", .builds_on = "x86_64_v3" },
    .{ .name = "x86_64_v3", .arch = .x86_64, .mcpu = "x86_64_v3" },
    .{ .name = "baseline", .arch = .x86_64, .mcpu = "x86_64" },
    // Without bf16: bfdot and bfmmla would round the activations to bf16 too, sum products in pairs, and round those sums
    // in a way of their own that differs between processors (FPCR.EBF). BF16 weights are widened and multiplied as f32.
    .{ .name = "neon_i8mm", .arch = .aarch64, .mcpu = "generic+dotprod+i8mm", .builds_on = "neon" },
    .{ .name = "neon_dotprod", .arch = .aarch64, .mcpu = "generic+dotprod", .builds_on = "neon" },
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

/// Whether `names`, separated by commas, has the level, or one that builds on it; an empty list has all of them, and the least
/// one is in every list.
pub fn isNamed(level: Level, names: []const u8) bool {
    if (names.len == 0) return true;
    const arch = level.arch orelse return true;
    const levels = ofRuntime(arch);
    if (std.mem.eql(u8, level.name, levels[levels.len - 1].name)) return true;
    for (levels) |other| {
        const needs = std.mem.eql(u8, other.name, level.name) or isOn(other, level);
        var parts = std.mem.splitScalar(u8, names, ',');
        while (parts.next()) |name| if (needs and std.mem.eql(u8, name, other.name)) return true;
    }
    return false;
}

fn isOn(level: Level, other: Level) bool {
    return std.mem.eql(u8, level.builds_on orelse return false, other.name);
}

/// Whether another level takes ops of this one.
pub fn isBuiltOn(comptime level: Level) bool {
    comptime {
        for (all) |other| if (isOn(other, level)) return true;
        return false;
    }
}

/// The level of that name.
pub fn named(comptime name: []const u8) Level {
    comptime {
        for (all ++ portable) |level| if (std.mem.eql(u8, level.name, name)) return level;
        unreachable;
    }
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
        var parts = std.mem.splitAny(u8, level.mcpu, "+-");
        var set = @field(family.cpu, parts.first()).features;
        while (parts.next()) |name| {
            const feature = @backingInt(@as(family.Feature, @field(family.Feature, name)));
            const sign = level.mcpu[name.ptr - level.mcpu.ptr - 1];
            if (sign == '+') set.addFeature(feature) else set.removeFeature(feature);
        }
        set.populateDependencies(&family.all_features);
        return set;
    }
}

/// What the levels of an architecture turn on, together.
pub fn featuresOfAll(comptime arch: std.Target.Cpu.Arch) std.Target.Cpu.Feature.Set {
    comptime {
        var set = features(of(arch)[0]);
        for (of(arch)[1..]) |level| set.addFeatureSet(features(level));
        return set;
    }
}

/// What a level with matrix tiles adds to another one.
pub const tile_features = "+amx_tile+amx_int8+amx_bf16";

pub fn hasTiles(comptime level: Level) bool {
    return std.mem.find(u8, level.mcpu, tile_features) != null;
}

test "a level has all that the one has on which it builds, and comes before it" {
    inline for (all, 0..) |level, i| {
        const below = comptime named(level.builds_on orelse continue);
        try std.testing.expect(below.builds_on == null and below.arch == level.arch);
        try std.testing.expect(comptime features(level).isSuperSetOf(features(below)));
        for (all[0..i]) |earlier| try std.testing.expect(!std.mem.eql(u8, earlier.name, below.name));
        // With it the library has both.
        try std.testing.expect(isNamed(below, level.name) and isNamed(level, level.name));
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
