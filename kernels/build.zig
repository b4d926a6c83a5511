//! Builds the kernel library: one object per instruction-set level, linked into one shared library.
//!
//!   zig build                 the library for this machine, installed as <prefix>/lib/libkumi.so; for another one with
//!                             -Darch=x86_64|aarch64 -Dos=linux|macos|windows, and -Dmusl for Linux with musl;
//!                             -Dlevels=NAME,… has only these and is there sooner
//!   zig build test            unit tests of every level that this machine can run; -Dtest-debug-info for stack traces
//!   zig build test-aarch64    unit tests of the aarch64 levels under qemu-aarch64 (skipped without it)
//!   zig build native-tests    the same tests as programs: <prefix>/tests/native/<level>
//!   zig build emulated-tests  static ones of the x86-64 levels that this machine lacks, and what runs them: <prefix>/tests/
//!   zig build lib-aarch64     the library for aarch64 Linux, installed as <prefix>/lib/aarch64-linux/libkumi.so
//!   zig build lib-reference   a library whose ops are the scalar references, for benchmarks: <prefix>/lib/libkumi_reference.so
//!   zig build lib-plain       one of x86-64-v2 with multiplications and additions, for a benchmark: <prefix>/lib/libkumi_plain.so
//!   zig build count-programs  what bench/instruction_counts.ts runs: <prefix>/count/; -Dlevels=NAME,… for some levels
//!   zig build bench-programs  benches of single kernels on one thread: <prefix>/bench/; -Dlevel=NAME for one level
//!   zig build check-systems   whether what depends on the system compiles for macOS, Windows and musl
//!   zig build objects         each level's object and the library, for a look at their instructions: <prefix>/objects/<arch>/
//!   zig build objects-aarch64 the same of aarch64 Linux
//!   zig build symbols         writes src/ffi/symbols.ts from the ABI
//!   zig build check-symbols   fails when src/ffi/symbols.ts is out of date

const std = @import("std");
const isa_levels = @import("src/isa/levels.zig");
const library = @import("build/library.zig");
const modules = @import("build/modules.zig");
const tests = @import("build/tests.zig");
const Optimize = modules.Optimize;
const Target = modules.Target;

pub fn build(b: *std.Build) void {
    const host = b.graph.host.result;
    const optimize = b.option(Optimize, "optimize", "Optimisation of the library (default: fast)") orelse .fast;
    const arch = b.option(std.Target.Cpu.Arch, "arch", "Architecture of the library (default: this machine's)");
    const os = b.option(std.Target.Os.Tag, "os", "System of the library (default: this machine's)");
    const musl = b.option(bool, "musl", "The library for Linux with musl instead of glibc (default: this machine's)");

    const built = b.option([]const u8, "levels", "The levels of the library, separated by commas (default: all); the least one is always there") orelse "";
    const target: Target = .{ .arch = arch orelse host.cpu.arch, .os = os orelse host.os.tag, .musl = musl orelse host.abi.isMusl() };
    const objects = b.step("objects", "Install each level's object");
    const main = library.addLibrary(b, target, modules.addOps(b, target, optimize, built), optimize, built, objects);
    b.getInstallStep().dependOn(&b.addInstallLibFile(main, library.libraryName(target.os)).step);

    const aarch64: Target = .{ .arch = .aarch64, .os = .linux };
    const aarch64_objects = b.step("objects-aarch64", "Install each level's object for aarch64 Linux");
    const aarch64_library = library.addLibrary(b, aarch64, modules.addOps(b, aarch64, optimize, ""), optimize, "", aarch64_objects);
    const install = b.addInstallLibFile(aarch64_library, "aarch64-linux/libkumi.so");
    b.step("lib-aarch64", "Build the library for aarch64 Linux").dependOn(&install.step);

    const reference = library.addLibrary(b, target, library.addReferences(b, target, optimize), optimize, "", null);
    const install_reference = b.addInstallLibFile(reference, "libkumi_reference.so");
    b.step("lib-reference", "Build the library of scalar references").dependOn(&install_reference.step);

    if (host.cpu.arch == .x86_64 and target.os == .linux) {
        const plain = library.addLibrary(b, target, library.addPlain(b, optimize), optimize, modules.plain_level.name, null);
        const install_plain = b.addInstallLibFile(plain, "libkumi_plain.so");
        b.step("lib-plain", "Build the library that bench/claims.ts calls SIMD off").dependOn(&install_plain.step);
    }

    const host_target: Target = .{ .arch = host.cpu.arch, .os = host.os.tag };
    tests.addTestSteps(b, host_target, optimize);
    addSymbolSteps(b, host_target);
    addCountPrograms(b, optimize, built);
    const level = b.option([]const u8, "level", "The one level of bench-programs (default: all)");
    addBenchPrograms(b, target, optimize, level);
    library.addSystemsStep(b, optimize);
}

fn addSymbolSteps(b: *std.Build, host: Target) void {
    const generator = b.addExecutable(.{
        .name = "symbols",
        .root_module = modules.rootModule(b, host, modules.leastLevel(host.arch), modules.program_root, .debug, .{
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

/// Static programs that run the matmul and attention of the library's own objects, of each level or of those named.
fn addCountPrograms(b: *std.Build, optimize: Optimize, built: []const u8) void {
    const step = b.step("count-programs", "Build the programs whose instructions are counted");
    for ([_]std.Target.Cpu.Arch{ .x86_64, .aarch64 }) |arch| {
        if (!hasNamed(arch, built)) continue;
        const objects = modules.addOps(b, .{ .arch = arch, .os = .linux }, optimize, built);
        for ([_][]const u8{ "count_matmul", "count_attention" }) |name| {
            const target: Target = .{ .arch = arch, .os = .linux, .emulated = true };
            const module = modules.rootModule(b, target, modules.leastLevel(arch), modules.program_root, .fast, .{
                .single_level = false,
                .debug_info = false,
                .built_levels = built,
                .program = name,
            });
            for (objects) |object| module.addObject(object);
            const program = b.addExecutable(.{ .name = name, .root_module = module });
            step.dependOn(&b.addInstallFile(program.getEmittedBin(), b.fmt("count/{t}/{s}", .{ arch, name })).step);
        }
    }
}

/// Whether a level of the architecture is among the names, separated by commas; all are where there is none.
fn hasNamed(arch: std.Target.Cpu.Arch, names: []const u8) bool {
    if (names.len == 0) return true;
    var parts = std.mem.splitScalar(u8, names, ',');
    while (parts.next()) |name| for (isa_levels.ofRuntime(arch)) |level| if (std.mem.eql(u8, name, level.name)) return true;
    return false;
}

/// For who works on a kernel: what one thread makes of it, without Deno.
fn addBenchPrograms(b: *std.Build, target: Target, optimize: Optimize, wanted: ?[]const u8) void {
    const step = b.step("bench-programs", "Build the benches of single kernels");
    for (isa_levels.ofRuntime(target.arch)) |level| {
        if (wanted) |name| if (!std.mem.eql(u8, name, level.name)) continue;
        for ([_][]const u8{ "bench_matmul", "bench_attention" }) |name| addBench(b, step, name, target, level, optimize);
    }
    addBench(b, step, "bench_buddy", target, modules.leastLevel(target.arch), optimize);
}

/// Installs a program as <prefix>/bench/<arch>/<name>_<level>.
fn addBench(b: *std.Build, step: *std.Build.Step, name: []const u8, target: Target, level: isa_levels.Level, optimize: Optimize) void {
    const program = b.addExecutable(.{
        .name = b.fmt("{s}_{s}", .{ name, level.name }),
        .root_module = modules.rootModule(b, target, level, modules.program_root, optimize, .{ .single_level = true, .debug_info = false, .program = name }),
    });
    step.dependOn(&b.addInstallFile(program.getEmittedBin(), b.fmt("bench/{t}/{s}", .{ target.arch, program.name })).step);
}
