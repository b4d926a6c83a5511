//! Builds the kernel library: one object per instruction-set level, linked into one shared library.
//!
//!   zig build                 the library for this machine, installed as <prefix>/lib/libkumi.so; for another one with
//!                             -Darch=x86_64|aarch64 -Dos=linux|macos|windows, and -Dmusl for Linux with musl
//!   zig build test            unit tests of every level that this machine can run; -Dtest-debug-info for stack traces
//!   zig build test-aarch64    unit tests of the aarch64 levels under qemu-aarch64 (skipped without it)
//!   zig build native-tests    the same tests as programs: <prefix>/tests/native/<level>
//!   zig build emulated-tests  static ones of the x86-64 levels that this machine lacks, and what runs them: <prefix>/tests/
//!   zig build lib-aarch64     the library for aarch64 Linux, installed as <prefix>/lib/aarch64-linux/libkumi.so
//!   zig build lib-reference   a library whose ops are the scalar references, for benchmarks: <prefix>/lib/libkumi_reference.so
//!   zig build count-programs  what bench/instruction_counts.ts runs: <prefix>/count/; -Dlevel=NAME for one level
//!   zig build bench-programs  benches of single kernels on one thread: <prefix>/bench/; -Dlevel=NAME likewise
//!   zig build check-systems   whether what depends on the system compiles for macOS, Windows and musl
//!   zig build objects         each level's object and the library, for a look at their instructions: <prefix>/objects/<arch>/
//!   zig build objects-aarch64 the same of aarch64 Linux
//!   zig build symbols         writes src/ffi/symbols.ts from the ABI
//!   zig build check-symbols   fails when src/ffi/symbols.ts is out of date

const builtin = @import("builtin");
const std = @import("std");
const detect = @import("src/isa/detect.zig");
const isa_levels = @import("src/isa/levels.zig");

/// Old enough for every distribution still in use; the library needs nothing newer.
const glibc_version = "2.17";
/// The oldest macOS that Deno's own users are likely to have.
const macos_version = "13.0";

pub fn build(b: *std.Build) void {
    const host = b.graph.host.result;
    const optimize = b.option(Optimize, "optimize", "Optimisation of the library (default: fast)") orelse .fast;
    const arch = b.option(std.Target.Cpu.Arch, "arch", "Architecture of the library (default: this machine's)");
    const os = b.option(std.Target.Os.Tag, "os", "System of the library (default: this machine's)");
    const musl = b.option(bool, "musl", "The library for Linux with musl instead of glibc (default: this machine's)");

    const target: Target = .{ .arch = arch orelse host.cpu.arch, .os = os orelse host.os.tag, .musl = musl orelse host.abi.isMusl() };
    const objects = b.step("objects", "Install each level's object");
    const library = addLibrary(b, target, "src/isa_ops.zig", optimize, objects);
    b.getInstallStep().dependOn(&b.addInstallLibFile(library, libraryName(target.os)).step);

    const aarch64_objects = b.step("objects-aarch64", "Install each level's object for aarch64 Linux");
    const aarch64_library = addLibrary(b, .{ .arch = .aarch64, .os = .linux }, "src/isa_ops.zig", optimize, aarch64_objects);
    const install = b.addInstallLibFile(aarch64_library, "aarch64-linux/libkumi.so");
    b.step("lib-aarch64", "Build the library for aarch64 Linux").dependOn(&install.step);

    const reference = addLibrary(b, target, "src/reference_ops.zig", optimize, null);
    const install_reference = b.addInstallLibFile(reference, "libkumi_reference.so");
    b.step("lib-reference", "Build the library of scalar references").dependOn(&install_reference.step);

    addTestSteps(b, .{ .arch = host.cpu.arch, .os = host.os.tag });
    addSymbolSteps(b, .{ .arch = host.cpu.arch, .os = host.os.tag });
    const level = b.option([]const u8, "level", "The one level of count-programs and bench-programs (default: all)");
    addCountPrograms(b, level);
    addBenchPrograms(b, target, optimize, level);
    addSystemsStep(b, optimize);
}

const Optimize = std.builtin.Optimize;

const Target = struct {
    arch: std.Target.Cpu.Arch,
    os: std.Target.Os.Tag,
    /// The C library on Linux, else glibc.
    musl: bool = false,
    /// For tests under emulation. They are linked statically, so that they need no foreign C library.
    emulated: bool = false,

    fn triple(target: Target, b: *std.Build) []const u8 {
        const suffix = switch (target.os) {
            .linux => if (target.emulated or target.musl) "-musl" else "-gnu." ++ glibc_version,
            .macos => "." ++ macos_version,
            else => "",
        };
        return b.fmt("{t}-{t}{s}", .{ target.arch, target.os, suffix });
    }

    fn resolve(target: Target, b: *std.Build, level: isa_levels.Level) std.Build.ResolvedTarget {
        const query = std.Build.parseTargetQuery(.{
            .arch_os_abi = target.triple(b),
            .cpu_features = level.mcpu,
        }) catch @panic("isa/levels.zig names an unknown CPU");
        return b.resolveTargetQuery(query);
    }
};

fn libraryName(os: std.Target.Os.Tag) []const u8 {
    return switch (os) {
        .macos => "libkumi.dylib",
        .windows => "kumi.dll",
        else => "libkumi.so",
    };
}

/// The shared library. Everything outside the ops is compiled for the last, least demanding level; `ops` is the root of
/// each level's object. `objects`: a step that installs these one by one.
fn addLibrary(b: *std.Build, target: Target, ops: []const u8, optimize: Optimize, objects: ?*std.Build.Step) std.Build.LazyPath {
    const levels = isa_levels.ofRuntime(target.arch);
    const least = levels[levels.len - 1];
    // The build API cannot pass `-z nodelete`, so the objects are linked by a command of our own. The flag
    // keeps the code mapped when the last user closes the library while a helper thread still sleeps in it;
    // src/resident.zig does it on systems without the flag.
    const link = b.addSystemCommand(&.{ b.graph.zig_exe, "build-lib", "-dynamic", "--name", "kumi", "-lc" });
    link.setName("link kumi");
    link.addArgs(&.{ "-target", target.triple(b), b.fmt("-mcpu={s}", .{least.mcpu}) });
    link.addArg(b.fmt("-O{t}", .{optimize}));
    if (optimize == .fast or optimize == .small) link.addArg("-fstrip");
    if (target.os == .linux) link.addArgs(&.{ "-z", "nodelete" });
    const abi = addObject(b, target, least, "src/abi.zig", "kumi_abi", optimize);
    link.addArtifactArg(abi);
    if (objects) |step| installFor(b, step, target, abi.getEmittedBin(), "kumi_abi.o");
    // Ops call nothing of the C library, so that one object does for glibc and musl.
    const ops_target: Target = .{ .arch = target.arch, .os = target.os };
    for (levels) |level| {
        const name = b.fmt("kumi_ops_{s}", .{level.name});
        const object = addObject(b, ops_target, level, ops, name, optimize);
        link.addArtifactArg(object);
        if (objects) |step| installFor(b, step, target, object.getEmittedBin(), b.fmt("{s}.o", .{name}));
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
fn addSystemsStep(b: *std.Build, optimize: Optimize) void {
    const step = b.step("check-systems", "Whether what depends on the system compiles for macOS, Windows and musl");
    for ([_]Target{
        .{ .arch = .aarch64, .os = .macos },
        .{ .arch = .x86_64, .os = .macos },
        .{ .arch = .x86_64, .os = .windows },
        .{ .arch = .x86_64, .os = .linux, .musl = true },
        .{ .arch = .aarch64, .os = .linux, .musl = true },
    }) |target| {
        const levels = isa_levels.ofRuntime(target.arch);
        const name = b.fmt("kumi_abi_{t}_{t}", .{ target.arch, target.os });
        step.dependOn(&addObject(b, target, levels[levels.len - 1], "src/abi.zig", name, optimize).step);
    }
}

fn addObject(
    b: *std.Build,
    target: Target,
    level: isa_levels.Level,
    root: []const u8,
    name: []const u8,
    optimize: Optimize,
) *std.Build.Step.Compile {
    const object = b.addObject(.{
        .name = name,
        .root_module = rootModule(b, target, level, root, optimize, .{
            .single_level = false,
            .debug_info = optimize == .debug or optimize == .safe,
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

fn rootModule(
    b: *std.Build,
    target: Target,
    level: isa_levels.Level,
    root: []const u8,
    optimize: Optimize,
    use: struct { single_level: bool, debug_info: bool, report: bool = false, program: []const u8 = "" },
) *std.Build.Module {
    const options = b.addOptions();
    options.addOption([]const u8, "level", level.name);
    options.addOption(bool, "single_level", use.single_level);
    options.addOption(bool, "emulated", target.emulated);
    options.addOption(bool, "report", use.report);
    options.addOption([]const u8, "program", use.program);
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

const TestOptions = struct {
    optimize: Optimize,
    filters: []const []const u8,
    /// Off by default: with it the compiler takes twice as long.
    debug_info: bool,
    /// Whether the tests print what they ran, by op and format.
    report: bool = false,
    /// Calls to replay on each level.
    recording: ?[]const u8,
};

fn addTestSteps(b: *std.Build, host: Target) void {
    const options: TestOptions = .{
        .optimize = b.option(Optimize, "test-optimize", "Optimisation of the tests (default: safe)") orelse .safe,
        .filters = b.option([]const []const u8, "test-filter", "Run only tests whose name contains this") orelse &.{},
        .debug_info = b.option(bool, "test-debug-info", "Stack traces with lines when a test fails") orelse false,
        .recording = b.option([]const u8, "recording", "Forward passes to replay on each level, from tests/emulation/record.ts"),
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
    for (isa_levels.ofRuntime(.aarch64)) |level| {
        var reporting = options;
        reporting.report = true;
        const tests = addTests(b, .{ .arch = .aarch64, .os = .linux, .emulated = true }, level, reporting);
        const replay = if (options.recording) |path| addReplay(b, .{ .arch = .aarch64, .os = .linux, .emulated = true }, level, path) else null;
        for ([_]?*std.Build.Step.Compile{ tests, replay }) |program| {
            const run = b.addRunFile(qemu);
            run.setName(b.fmt("unit tests ({s}, emulated)", .{level.name}));
            run.addArgs(&.{ "-cpu", "max" });
            run.addArtifactArg(program orelse continue);
            run.expectExitCode(0);
            run.has_side_effects = true; // what it prints is wanted every time
            emulated.dependOn(&run.step);
        }
    }
    addFallbackTests(b, emulated, qemu);
}

/// Detection on models of processors that lack some of the features.
fn addFallbackTests(b: *std.Build, step: *std.Build.Step, qemu: std.Build.LazyPath) void {
    const target: Target = .{ .arch = .aarch64, .os = .linux, .emulated = true };
    const levels = isa_levels.ofRuntime(target.arch);
    const program = b.addExecutable(.{
        .name = "print_levels",
        .root_module = rootModule(b, target, levels[levels.len - 1], program_root, .debug, .{
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
            }
        }
    }
    const least = isa_levels.ofRuntime(.x86_64)[isa_levels.ofRuntime(.x86_64).len - 1];
    const probe = b.addExecutable(.{
        .name = "supported_levels",
        .root_module = rootModule(b, target, least, program_root, .safe, .{ .single_level = false, .debug_info = false, .program = "supported_levels" }),
    });
    installProgram(b, emulated, probe, "supported_levels");
    installProgram(b, emulated, addLoader(b), "loader");
}

/// Installs a level's unit tests as `folder`/<level>, and the replay of the recording as `folder`/<level>_replay.
fn installTests(b: *std.Build, step: *std.Build.Step, target: Target, level: isa_levels.Level, options: TestOptions, folder: []const u8) void {
    installProgram(b, step, addTests(b, target, level, options), b.fmt("{s}/{s}", .{ folder, level.name }));
    if (options.recording) |path| {
        installProgram(b, step, addReplay(b, target, level, path), b.fmt("{s}/{s}_replay", .{ folder, level.name }));
    }
}

fn addReplay(b: *std.Build, target: Target, level: isa_levels.Level, recording: []const u8) *std.Build.Step.Compile {
    const module = rootModule(b, target, level, program_root, .safe, .{ .single_level = true, .debug_info = false, .report = true, .program = "replay" });
    module.addAnonymousImport("recording", .{ .root_source_file = .{ .cwd_relative = recording } });
    return b.addExecutable(.{ .name = b.fmt("replay_{s}", .{level.name}), .root_module = module });
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

fn addSymbolSteps(b: *std.Build, host: Target) void {
    const levels = comptime isa_levels.of(builtin.cpu.arch);
    const generator = b.addExecutable(.{
        .name = "symbols",
        .root_module = rootModule(b, host, levels[levels.len - 1], program_root, .debug, .{
            .single_level = true,
            .debug_info = true,
            .program = "symbols",
        }),
    });
    inline for (.{
        .{ "symbols", "write", "Write src/ffi/symbols.ts from the ABI" },
        .{ "check-symbols", "check", "Fail when src/ffi/symbols.ts is out of date" },
    }) |entry| {
        const run = b.addRunArtifact(generator);
        run.setCwd(b.path("."));
        run.addArgs(&.{ entry[1], "../src/ffi/symbols.ts" });
        run.has_side_effects = true;
        b.step(entry[0], entry[2]).dependOn(&run.step);
    }
}

/// Static programs of the matmul alone, one for each level of every architecture, and the one that steps through them.
fn addCountPrograms(b: *std.Build, wanted: ?[]const u8) void {
    const step = b.step("count-programs", "Build the programs whose instructions are counted");
    for ([_]std.Target.Cpu.Arch{ .x86_64, .aarch64 }) |arch| {
        for (isa_levels.ofRuntime(arch)) |level| {
            if (wanted) |name| if (!std.mem.eql(u8, name, level.name)) continue;
            addProgram(b, step, "count", "count_matmul", .{ .arch = arch, .os = .linux, .emulated = true }, level, .fast);
        }
    }
    const x86_levels = isa_levels.ofRuntime(.x86_64);
    const stepper: Target = .{ .arch = .x86_64, .os = .linux, .emulated = true };
    addProgram(b, step, "count", "count_steps", stepper, x86_levels[x86_levels.len - 1], .fast);
}

/// For who works on a kernel: what one thread makes of it, without Deno.
fn addBenchPrograms(b: *std.Build, target: Target, optimize: Optimize, wanted: ?[]const u8) void {
    const step = b.step("bench-programs", "Build the benches of single kernels");
    const levels = isa_levels.ofRuntime(target.arch);
    for (levels) |level| {
        if (wanted) |name| if (!std.mem.eql(u8, name, level.name)) continue;
        for ([_][]const u8{ "bench_matmul", "bench_attention" }) |name| addProgram(b, step, "bench", name, target, level, optimize);
    }
    addProgram(b, step, "bench", "bench_buddy", target, levels[levels.len - 1], optimize);
}

/// The root of every program of src/programs/.
const program_root = "src/program.zig";

/// Installs a program as <prefix>/`folder`/<arch>/<name>_<level>.
fn addProgram(
    b: *std.Build,
    step: *std.Build.Step,
    folder: []const u8,
    name: []const u8,
    target: Target,
    level: isa_levels.Level,
    optimize: Optimize,
) void {
    const program = b.addExecutable(.{
        .name = b.fmt("{s}_{s}", .{ name, level.name }),
        .root_module = rootModule(b, target, level, program_root, optimize, .{ .single_level = true, .debug_info = false, .program = name }),
    });
    step.dependOn(&b.addInstallFile(program.getEmittedBin(), b.fmt("{s}/{t}/{s}", .{ folder, target.arch, program.name })).step);
}
