//! The unit tests and the programs that tests run: on this machine's levels, and on those of others under an emulator.

const builtin = @import("builtin");
const std = @import("std");
const detect = @import("../src/isa/detect.zig");
const isa_levels = @import("../src/isa/levels.zig");
const modules = @import("modules.zig");
const leastLevel = modules.leastLevel;
const Optimize = modules.Optimize;
const program_root = modules.program_root;
const rootModule = modules.rootModule;
const Target = modules.Target;

const TestOptions = struct {
    optimize: Optimize,
    filters: []const []const u8,
    /// Off by default: with it the compiler takes twice as long.
    debug_info: bool,
    /// Whether the tests print what they ran, by op and format.
    report: bool = false,
    /// Calls to replay on each level.
    recording: ?[]const u8,
    /// Optimisation of the ops that the replay calls: the library's, whose objects are there already.
    library_optimize: Optimize,
};

pub fn addTestSteps(b: *std.Build, host: Target, library_optimize: Optimize) void {
    const options: TestOptions = .{
        .optimize = b.option(Optimize, "test-optimize", "Optimisation of the tests (default: safe)") orelse .safe,
        .filters = b.option([]const []const u8, "test-filter", "Run only tests whose name contains this") orelse &.{},
        .debug_info = b.option(bool, "test-debug-info", "Stack traces with lines when a test fails") orelse false,
        .recording = b.option([]const u8, "recording", "Forward passes to replay on each level, from tests/emulation/record.ts"),
        .library_optimize = library_optimize,
    };

    addTestPrograms(b, host, options);
    const native = b.step("test", "Run the unit tests of each level of this machine");
    inline for (comptime isa_levels.of(builtin.cpu.arch)) |level| {
        if (detect.has(level)) {
            const run = b.addRunArtifact(addTests(b, host, level, options));
            run.setName(b.fmt("unit tests ({s})", .{level.name}));
            native.dependOn(&run.step);
        }
    }

    const emulated = b.step("test-aarch64", "Run the unit tests of the aarch64 levels under qemu-aarch64");
    const qemu = b.findProgramLazy(.{ .names = &.{ "qemu-aarch64", "qemu-aarch64-static" } });
    const aarch64: Target = .{ .arch = .aarch64, .os = .linux, .emulated = true };
    var reporting = options;
    reporting.report = true;
    const replay = addReplay(b, aarch64, options);
    for (isa_levels.ofRuntime(.aarch64)) |level| {
        addQemuRun(b, emulated, qemu, addTests(b, aarch64, level, reporting), level);
        if (replay) |program| addQemuRun(b, emulated, qemu, program, level);
    }
    addFallbackTests(b, emulated, qemu);
}

/// A program's run on a processor that has every level. It prints what it ran each time; the level's name is for the replay.
fn addQemuRun(b: *std.Build, step: *std.Build.Step, qemu: std.Build.LazyPath, program: *std.Build.Step.Compile, level: isa_levels.Level) void {
    const run = b.addRunFile(qemu);
    run.setName(b.fmt("{s} ({s}, emulated)", .{ if (program.kind == .@"test") "unit tests" else "replay", level.name }));
    run.addArgs(&.{ "-cpu", "max" });
    run.addArtifactArg(program);
    if (program.kind != .@"test") run.addArg(level.name);
    run.expectExitCode(0);
    run.has_side_effects = true;
    step.dependOn(&run.step);
}

/// Detection on models of processors that lack some of the features.
fn addFallbackTests(b: *std.Build, step: *std.Build.Step, qemu: std.Build.LazyPath) void {
    const target: Target = .{ .arch = .aarch64, .os = .linux, .emulated = true };
    const program = b.addExecutable(.{
        .name = "print_levels",
        .root_module = rootModule(b, target, leastLevel(target.arch), program_root, .debug, .{
            .single_level = true,
            .debug_info = true,
            .program = "print_levels",
        }),
    });
    inline for (.{
        .{ "max", "neon_i8mm\nneon_dotprod\nneon\n" },
        .{ "neoverse-n1", "neon_dotprod\nneon\n" },
        .{ "cortex-a72", "neon\n" },
    }) |entry| {
        const run = b.addRunFile(qemu);
        run.setName("detection on " ++ entry[0] ++ " (emulated)");
        run.addArgs(&.{ "-cpu", entry[0] });
        run.addArtifactArg(program);
        run.expectStdOutEqual(entry[1]);
        step.dependOn(&run.step);
    }
}

fn addTests(
    b: *std.Build,
    target: Target,
    level: isa_levels.Level,
    options: TestOptions,
) *std.Build.Step.Compile {
    return b.addTest(.{
        .name = b.fmt("test_{s}", .{level.name}),
        .root_module = rootModule(b, target, level, "src/tests.zig", options.optimize, .{
            .single_level = true,
            .debug_info = options.debug_info,
            .report = options.report,
        }),
        .filters = options.filters,
    });
}

/// The unit tests as programs, for a runner that knows where each can run: those of this machine's levels; static ones of the
/// other x86-64 levels, for Bochs; and those of matrix tiles, for a trap that computes the tile instructions.
fn addTestPrograms(b: *std.Build, host: Target, given: TestOptions) void {
    const also = b.option([]const []const u8, "emulate", "Build static tests of these levels, too, though this machine has them") orelse &.{};
    const native = b.step("native-tests", "Install the unit tests of each level of this machine");
    const emulated = b.step("emulated-tests", "Install the unit tests of the x86-64 levels that this machine lacks");
    var options = given;
    options.report = true;
    // On Linux the same static program serves this machine and the emulator.
    const replay = addReplay(b, .{ .arch = host.arch, .os = host.os, .emulated = host.os == .linux }, options);
    if (replay) |program| for ([_]*std.Build.Step{ native, emulated }) |step| installProgram(b, step, program, "replay");
    var best: ?isa_levels.Level = null;
    inline for (comptime isa_levels.of(builtin.cpu.arch)) |level| {
        if (detect.has(level)) {
            if (best == null) best = level;
            installTests(b, native, host, level, options, "native");
        }
    }
    const target: Target = .{ .arch = .x86_64, .os = .linux, .emulated = true };
    inline for (comptime isa_levels.of(.x86_64)) |level| {
        const lacking = if (comptime builtin.cpu.arch == .x86_64) !detect.has(level) else true;
        if (lacking or contains(also, level.name)) {
            installTests(b, emulated, target, level, options, "static");
        }
        if (lacking and comptime isa_levels.hasTiles(level)) {
            if (host.os == .linux and host.arch == .x86_64) {
                const trapped: isa_levels.Level = .{ .name = level.name, .arch = .x86_64, .mcpu = b.fmt("{s}{s}", .{ best.?.mcpu, isa_levels.tile_features }) };
                options.filters = if (given.filters.len > 0) given.filters else &.{ "matmul", "tile" };
                installTests(b, emulated, target, trapped, options, "trap");
                options.filters = given.filters;
                if (options.recording) |path| {
                    const module = replayModule(b, target, trapped, path, true);
                    const program = b.addExecutable(.{ .name = "replay_trapped", .root_module = module });
                    installProgram(b, emulated, program, b.fmt("trap/{s}_replay", .{level.name}));
                }
            }
        }
    }
    const probe = b.addExecutable(.{
        .name = "supported_levels",
        .root_module = rootModule(b, target, leastLevel(.x86_64), program_root, .safe, .{ .single_level = false, .debug_info = false, .program = "supported_levels" }),
    });
    installProgram(b, emulated, probe, "supported_levels");
    installProgram(b, emulated, addLoader(b), "loader");
}

/// Installs a level's unit tests as `folder`/<level>.
fn installTests(b: *std.Build, step: *std.Build.Step, target: Target, level: isa_levels.Level, options: TestOptions, folder: []const u8) void {
    installProgram(b, step, addTests(b, target, level, options), b.fmt("{s}/{s}", .{ folder, level.name }));
}

/// The program `replay LEVEL`: the checks and tables around the ops with the safety of tests, and the library's own ops. Null
/// without a recording.
fn addReplay(b: *std.Build, target: Target, options: TestOptions) ?*std.Build.Step.Compile {
    const path = options.recording orelse return null;
    const module = replayModule(b, target, leastLevel(target.arch), path, false);
    for (modules.addOps(b, target, options.library_optimize, "")) |object| module.addObject(object);
    return b.addExecutable(.{ .name = "replay", .root_module = module });
}

fn replayModule(b: *std.Build, target: Target, level: isa_levels.Level, recording: []const u8, single_level: bool) *std.Build.Module {
    const use: modules.Use = .{ .single_level = single_level, .debug_info = false, .report = true, .program = "replay" };
    const module = rootModule(b, target, level, program_root, .safe, use);
    module.addAnonymousImport("recording", .{ .root_source_file = .{ .cwd_relative = recording } });
    return module;
}

fn contains(names: []const []const u8, name: []const u8) bool {
    for (names) |each| {
        if (std.mem.eql(u8, each, name)) return true;
    }
    return false;
}

fn installProgram(b: *std.Build, step: *std.Build.Step, program: *std.Build.Step.Compile, path: []const u8) void {
    step.dependOn(&b.addInstallFile(program.getEmittedBin(), b.fmt("tests/{s}", .{path})).step);
}

/// What starts a program on Bochs's bare machine. Its own code must leave the program's vector registers alone.
fn addLoader(b: *std.Build) *std.Build.Step.Compile {
    const query = std.Build.parseTargetQuery(.{
        .arch_os_abi = "x86_64-freestanding-none",
        .cpu_features = "x86_64-x87-mmx-sse-sse2+soft_float",
    }) catch @panic("the loader's CPU is unknown");
    const loader = b.addExecutable(.{
        .name = "loader",
        .root_module = b.createModule(.{
            .root_source_file = b.path("src/emulation/loader.zig"),
            .target = b.resolveTargetQuery(query),
            .optimize = .small,
            .strip = true,
            .red_zone = false,
            .pic = false,
            // By name, as it lies above the root's folder.
            .imports = &.{.{ .name = "cpuid", .module = b.createModule(.{ .root_source_file = b.path("src/isa/cpuid.zig") }) }},
        }),
    });
    loader.pie = false;
    loader.entry = .{ .symbol_name = "start" };
    loader.setLinkerScript(b.path("src/emulation/loader.ld"));
    return loader;
}
