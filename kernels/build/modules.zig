//! What every part of the build uses: for which machine something is compiled, with which options.

const std = @import("std");
const isa_levels = @import("../src/isa/levels.zig");

/// Old enough for every distribution still in use; the library needs nothing newer.
const glibc_version = "2.17";

/// The oldest macOS that Deno's own users are likely to have.
const macos_version = "13.0";

pub const Optimize = std.builtin.Optimize;

pub const Target = struct {
    arch: std.Target.Cpu.Arch,
    os: std.Target.Os.Tag,
    /// The C library on Linux, else glibc.
    musl: bool = false,
    /// For tests under emulation. They are linked statically, so that they need no foreign C library.
    emulated: bool = false,

    pub fn triple(target: Target, b: *std.Build) []const u8 {
        const suffix = switch (target.os) {
            .linux => if (target.emulated or target.musl) "-musl" else "-gnu." ++ glibc_version,
            .macos => "." ++ macos_version,
            else => "",
        };
        return b.fmt("{t}-{t}{s}", .{ target.arch, target.os, suffix });
    }

    pub fn resolve(target: Target, b: *std.Build, level: isa_levels.Level) std.Build.ResolvedTarget {
        const query = std.Build.parseTargetQuery(.{
            .arch_os_abi = target.triple(b),
            .cpu_features = level.mcpu,
        }) catch @panic("isa/levels.zig names an unknown CPU");
        return b.resolveTargetQuery(query);
    }
};

/// What the code is compiled for: kumi_options.
pub const Use = struct {
    /// One level's ops come with the code, and no other level is there; otherwise the levels' objects must be linked to it.
    single_level: bool,
    debug_info: bool,
    /// Whether tests print what they ran, by op and format.
    report: bool = false,
    /// The program of src/programs/ that it is.
    program: []const u8 = "",
    /// The levels that a library has, separated by commas; empty for all.
    built_levels: []const u8 = "",
};

pub fn rootModule(
    b: *std.Build,
    target: Target,
    level: isa_levels.Level,
    root: []const u8,
    optimize: Optimize,
    use: Use,
) *std.Build.Module {
    const options = b.addOptions();
    options.addOption([]const u8, "level", level.name);
    options.addOption(bool, "single_level", use.single_level);
    options.addOption([]const u8, "built_levels", use.built_levels);
    options.addOption(bool, "emulated", target.emulated);
    options.addOption(bool, "report", use.report);
    options.addOption([]const u8, "program", use.program);
    options.addOption(bool, "plain", std.mem.eql(u8, level.mcpu, plain_level.mcpu));
    return b.createModule(.{
        .root_source_file = b.path(root),
        .target = target.resolve(b, level),
        .optimize = optimize,
        .link_libc = true,
        .pic = true,
        .strip = !use.debug_info,
        .imports = &.{.{ .name = "kumi_options", .module = options.createModule() }},
    });
}

/// What compilers do without any help: a multiplication and an addition where the kernels ask for a fused one, SSE where
/// LLVM finds a use for it. For a benchmark alone: results have other bits. It stands in for the least level.
pub const plain_level: isa_levels.Level = .{ .name = "baseline", .arch = .x86_64, .mcpu = "x86_64_v2" };

/// The level that every machine of the architecture has.
pub fn leastLevel(arch: std.Target.Cpu.Arch) isa_levels.Level {
    const levels = isa_levels.ofRuntime(arch);
    return levels[levels.len - 1];
}

pub fn addObject(
    b: *std.Build,
    target: Target,
    level: isa_levels.Level,
    root: []const u8,
    name: []const u8,
    optimize: Optimize,
    built_levels: []const u8,
) *std.Build.Step.Compile {
    const object = b.addObject(.{
        .name = name,
        .root_module = rootModule(b, target, level, root, optimize, .{
            .single_level = false,
            .debug_info = optimize == .debug or optimize == .safe,
            .built_levels = built_levels,
        }),
    });
    // Support routines compiled with one level's instructions must not be linked into the others: they come
    // from the link step alone, which knows the least level only.
    object.bundle_compiler_rt = false;
    object.bundle_ubsan_rt = false;
    // Without marked exports the linker for Windows would export what the C library's start-up code has, too.
    if (target.os == .windows) object.dll_export_fns = true;
    return object;
}

/// An object for each level of the architecture, best first: src/isa_ops.zig compiled for it. Ops call nothing of the C
/// library, so that the same objects do for glibc and musl, for the library and for programs that tests run.
/// `built_levels`: which levels, as in `Use`.
pub fn addOps(b: *std.Build, target: Target, optimize: Optimize, built_levels: []const u8) []const *std.Build.Step.Compile {
    const levels = isa_levels.ofRuntime(target.arch);
    var objects: std.ArrayList(*std.Build.Step.Compile) = .empty;
    const ops_target: Target = .{ .arch = target.arch, .os = target.os };
    for (levels) |level| {
        if (!isa_levels.isNamed(level, built_levels)) continue;
        const object = addObject(b, ops_target, level, "src/isa_ops.zig", opsName(b, level), optimize, "");
        objects.append(b.allocator, object) catch @panic("out of memory");
    }
    return objects.items;
}

pub fn opsName(b: *std.Build, level: isa_levels.Level) []const u8 {
    return b.fmt("kumi_ops_{s}", .{level.name});
}

/// The root of every program of src/programs/.
pub const program_root = "src/program.zig";
