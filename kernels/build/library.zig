//! The library, from an object for each level of instruction set.

const builtin = @import("builtin");
const std = @import("std");
const detect = @import("../src/isa/detect.zig");
const isa_levels = @import("../src/isa/levels.zig");
const modules = @import("modules.zig");
const addObject = modules.addObject;
const leastLevel = modules.leastLevel;
const Optimize = modules.Optimize;
const Target = modules.Target;

pub fn libraryName(os: std.Target.Os.Tag) []const u8 {
    return switch (os) {
        .macos => "libkumi.dylib",
        .windows => "kumi.dll",
        else => "libkumi.so",
    };
}

/// The shared library. Everything outside the ops is compiled for the least demanding level.
/// `objects`: a step that installs these one by one.
pub fn addLibrary(
    b: *std.Build,
    target: Target,
    ops: []const *std.Build.Step.Compile,
    optimize: Optimize,
    built_levels: []const u8,
    objects: ?*std.Build.Step,
) std.Build.LazyPath {
    const least = leastLevel(target.arch);
    // The build API cannot pass `-z nodelete`, so the objects are linked by a command of our own. The flag
    // keeps the code mapped when the last user closes the library while a helper thread still sleeps in it;
    // src/system/resident.zig does it on systems without the flag.
    const link = b.addSystemCommand(&.{ b.graph.zig_exe, "build-lib", "-dynamic", "--name", "kumi", "-lc" });
    link.setName("link kumi");
    link.addArgs(&.{ "-target", target.triple(b), b.fmt("-mcpu={s}", .{least.mcpu}) });
    link.addArg(b.fmt("-O{t}", .{optimize}));
    if (optimize == .fast or optimize == .small) link.addArg("-fstrip");
    if (target.os == .linux) link.addArgs(&.{ "-z", "nodelete" });
    const abi = addObject(b, target, least, "src/abi.zig", "kumi_abi", optimize, built_levels);
    link.addArtifactArg(abi);
    if (objects) |step| installFor(b, step, target, abi.getEmittedBin(), "kumi_abi.o");
    for (ops) |object| {
        link.addArtifactArg(object);
        if (objects) |step| installFor(b, step, target, object.getEmittedBin(), b.fmt("{s}.o", .{object.name}));
    }
    link.addArg("--cache-dir");
    _ = link.addOutputDirectoryArg("link-cache");
    const library = link.addPrefixedOutputFileArg("-femit-bin=", libraryName(target.os));
    if (objects) |step| {
        installFor(b, step, target, library, "library");
        installFor(b, step, target, b.addWriteFiles().add("levels.txt", featureLines(b, target.arch)), "levels.txt");
    }
    return library;
}

/// One object of scalar references under the name of every level. They are compiled for the best level of this machine,
/// where they are measured; for another architecture for the least one.
pub fn addReferences(b: *std.Build, target: Target, optimize: Optimize) []const *std.Build.Step.Compile {
    var level = leastLevel(target.arch);
    if (target.arch == builtin.cpu.arch) {
        const levels = comptime isa_levels.of(builtin.cpu.arch);
        inline for (0..levels.len) |i| {
            const better = levels[levels.len - 1 - i];
            if (detect.has(better)) level = better;
        }
    }
    const object = addObject(b, target, level, "src/reference_ops.zig", "kumi_reference_ops", optimize, "");
    return b.allocator.dupe(*std.Build.Step.Compile, &.{object}) catch @panic("out of memory");
}

/// The object of a library that is as fast as x86-64-v2 compiled in the ordinary way.
pub fn addPlain(b: *std.Build, optimize: Optimize) []const *std.Build.Step.Compile {
    const target: Target = .{ .arch = .x86_64, .os = .linux };
    const object = addObject(b, target, modules.plain_level, "src/isa_ops.zig", "kumi_plain_ops", optimize, "");
    return b.allocator.dupe(*std.Build.Step.Compile, &.{object}) catch @panic("out of memory");
}

fn installFor(b: *std.Build, step: *std.Build.Step, target: Target, file: std.Build.LazyPath, name: []const u8) void {
    step.dependOn(&b.addInstallFile(file, b.fmt("objects/{t}/{s}", .{ target.arch, name })).step);
}

/// A line for each object of a library: its name and the compiler's features that it may use.
fn featureLines(b: *std.Build, arch: std.Target.Cpu.Arch) []const u8 {
    var text: []const u8 = "";
    const levels = isa_levels.ofRuntime(arch);
    for (levels, 0..) |level, i| {
        const target: Target = .{ .arch = arch, .os = .linux };
        const cpu = target.resolve(b, level).result.cpu;
        var names: []const u8 = "";
        for (arch.allFeaturesList(), 0..) |feature, bit| {
            if (cpu.features.isEnabled(@intCast(bit))) names = b.fmt("{s} {s}", .{ names, feature.name });
        }
        text = b.fmt("{s}kumi_ops_{s}{s}\n", .{ text, level.name, names });
        if (i == levels.len - 1) text = b.fmt("{s}kumi_abi{s}\n", .{ text, names });
    }
    return text;
}

/// Analyses the code without making a file of it: seconds, where building every library takes minutes.
pub fn addSystemsStep(b: *std.Build, optimize: Optimize) void {
    const step = b.step("check-systems", "Whether what depends on the system compiles for macOS, Windows and musl");
    for ([_]Target{
        .{ .arch = .aarch64, .os = .macos },
        .{ .arch = .x86_64, .os = .macos },
        .{ .arch = .x86_64, .os = .windows },
        .{ .arch = .x86_64, .os = .linux, .musl = true },
        .{ .arch = .aarch64, .os = .linux, .musl = true },
    }) |target| {
        const name = b.fmt("kumi_abi_{t}_{t}", .{ target.arch, target.os });
        step.dependOn(&addObject(b, target, leastLevel(target.arch), "src/abi.zig", name, optimize, "").step);
    }
}
