//! What this processor and its system can run: CPUID with XCR0 on x86-64, HWCAP (macOS: sysctl) on aarch64.
//!
//! A level may run only when the processor has every feature that the level's object was compiled with and the
//! system saves the registers those need. The features come from the compiler's own CPU model, so a level
//! cannot require less than its code uses; a feature without a known detection bit does not compile.
//!
//! Both sides are needed: a hypervisor masks CPUID and leaves XCR0 alone, Linux's `clearcpuid=` does it the other way round.
//!
//! A thread may move between CPUs, so all that it may use have to agree. On Arm the system tells what all CPUs have. x86
//! processors are alike by design, big and small cores too (AVX-512 is off where the small ones lack it), but firmware has
//! been known to say otherwise: where CPUID says "hybrid", each CPU that the thread may use is asked, once in a process.

const std = @import("std");
const builtin = @import("builtin");
const cpus = @import("../system/cpus.zig");
const instructions = @import("cpuid.zig");
const isa_levels = @import("levels.zig");

/// True when this machine and its system can run the level.
pub fn has(comptime level: isa_levels.Level) bool {
    return switch (builtin.cpu.arch) {
        .x86_64 => x86.supports(level, x86.here()) and ((comptime !x86.usesTiles(level)) or permitTiles()),
        .aarch64 => aarch64.has(level),
        else => true,
    };
}

/// Writes the names of the features that levels here are compiled with and that this machine has and can use, each after a
/// space.
pub fn writeFeatures(writer: *std.Io.Writer) std.Io.Writer.Error!void {
    switch (builtin.cpu.arch) {
        inline .x86_64, .aarch64 => |arch| {
            const set = comptime isa_levels.featuresOfAll(arch);
            const list = comptime requirements(arch, set);
            inline for (list) |item| if (usable(item.bit)) try writer.print(" {s}", .{item.name});
        },
        else => {},
    }
}

/// Writes what keeps the level from running here: each feature that the processor lacks after a space, a tab, each kind of
/// register that the system does not save after a space.
pub fn writeMissing(comptime level: isa_levels.Level, writer: *std.Io.Writer) std.Io.Writer.Error!void {
    switch (builtin.cpu.arch) {
        .x86_64 => {
            const saved = try x86.writeMissing(level, x86.here(), writer);
            if (saved and comptime x86.usesTiles(level)) if (!permitTiles()) try writer.writeAll(" tile");
        },
        .aarch64 => {
            inline for (comptime requirements(.aarch64, isa_levels.features(level))) |item| {
                if (!aarch64.present(item.bit)) try writer.print(" {s}", .{item.name});
            }
            try writer.writeByte('\t');
        },
        else => try writer.writeByte('\t'),
    }
}

inline fn usable(comptime bit: anytype) bool {
    return if (builtin.cpu.arch == .x86_64) x86.here().usable(bit) else aarch64.present(bit);
}

/// The features of `set` that not every processor of the architecture has, with the bits that tell.
fn requirements(comptime arch: std.Target.Cpu.Arch, comptime set: std.Target.Cpu.Feature.Set) []const Requirement(arch) {
    @setEvalBranchQuota(1_000_000);
    const family = if (arch == .x86_64) x86 else aarch64;
    var list: []const Requirement(arch) = &.{};
    for (0..family.features_n) |i| {
        if (!set.isEnabled(@intCast(i))) continue;
        const feature: family.Feature = @fromBackingInt(@intCast(i));
        if (family.isFree(feature)) continue;
        const bit = family.bitOf(feature) orelse @compileError("detect.zig: no bit known for feature " ++ @tagName(feature));
        list = list ++ .{Requirement(arch){ .name = @tagName(feature), .bit = bit }};
    }
    return list;
}

fn Requirement(comptime arch: std.Target.Cpu.Arch) type {
    return struct { name: []const u8, bit: if (arch == .x86_64) x86.Bit else aarch64.Bit };
}

/// Asks the system for this process's tile registers, whose 8 KiB it saves only for those who ask. False where it
/// refuses, or where no way to ask is known. Idempotent, for all threads; CPUID must show AMX.
pub fn permitTiles() bool {
    if (builtin.os.tag != .linux or builtin.cpu.arch != .x86_64) return false;
    const arch_req_xcomp_perm = 0x1023;
    const tile_data = 18;
    return std.os.linux.syscall2(.arch_prctl, arch_req_xcomp_perm, tile_data) == 0;
}

/// Whether this process can use tiles with their int8 and bf16 products. Asks the system for them.
pub fn hasTiles() bool {
    if (builtin.cpu.arch != .x86_64) return false;
    inline for (.{ .amx_tile, .amx_int8, .amx_bf16 }) |feature| {
        if (!x86.here().usable(comptime x86.bitOf(feature).?)) return false;
    }
    return permitTiles();
}

/// The processor's brand string by CPUID, padded with zeros; null where it has none (x86-64 only).
pub fn brand() ?[48]u8 {
    if (instructions.cpuid(0x8000_0000, 0).eax < 0x8000_0004) return null;
    var text: [48]u8 = undefined;
    inline for (0..3) |i| {
        const part = instructions.cpuid(0x8000_0002 + i, 0);
        inline for (.{ part.eax, part.ebx, part.ecx, part.edx }, 0..) |word, j| {
            std.mem.writeInt(u32, text[16 * i + 4 * j ..][0..4], word, .little);
        }
    }
    return text;
}

pub const x86 = struct {
    const Feature = std.Target.x86.Feature;
    const features_n = std.Target.x86.all_features.len;
    const Register = enum { eax, ebx, ecx, edx };
    /// Register state the system must save and restore, as bits of XCR0.
    const xcr0_avx: u64 = 0b110;
    const xcr0_avx512: u64 = 0b1110_0110;
    const xcr0_amx: u64 = 0x6_0000;

    const Bit = struct { leaf: u32, subleaf: u32 = 0, register: Register, bit: u5, xcr0: u64 = 0 };

    fn bitOf(feature: Feature) ?Bit {
        return switch (feature) {
            .sse3 => .{ .leaf = 1, .register = .ecx, .bit = 0 },
            .ssse3 => .{ .leaf = 1, .register = .ecx, .bit = 9 },
            .fma => .{ .leaf = 1, .register = .ecx, .bit = 12, .xcr0 = xcr0_avx },
            .cx16 => .{ .leaf = 1, .register = .ecx, .bit = 13 },
            .sse4_1 => .{ .leaf = 1, .register = .ecx, .bit = 19 },
            .sse4_2, .crc32 => .{ .leaf = 1, .register = .ecx, .bit = 20 },
            .movbe => .{ .leaf = 1, .register = .ecx, .bit = 22 },
            .popcnt => .{ .leaf = 1, .register = .ecx, .bit = 23 },
            .xsave => .{ .leaf = 1, .register = .ecx, .bit = 27 }, // OSXSAVE: usable, not just there
            .avx => .{ .leaf = 1, .register = .ecx, .bit = 28, .xcr0 = xcr0_avx },
            .f16c => .{ .leaf = 1, .register = .ecx, .bit = 29, .xcr0 = xcr0_avx },
            .bmi => .{ .leaf = 7, .register = .ebx, .bit = 3 },
            .avx2 => .{ .leaf = 7, .register = .ebx, .bit = 5, .xcr0 = xcr0_avx },
            .bmi2 => .{ .leaf = 7, .register = .ebx, .bit = 8 },
            .avx512f => .{ .leaf = 7, .register = .ebx, .bit = 16, .xcr0 = xcr0_avx512 },
            .avx512dq => .{ .leaf = 7, .register = .ebx, .bit = 17, .xcr0 = xcr0_avx512 },
            .avx512cd => .{ .leaf = 7, .register = .ebx, .bit = 28, .xcr0 = xcr0_avx512 },
            .avx512bw => .{ .leaf = 7, .register = .ebx, .bit = 30, .xcr0 = xcr0_avx512 },
            .avx512vl => .{ .leaf = 7, .register = .ebx, .bit = 31, .xcr0 = xcr0_avx512 },
            .avx512vnni => .{ .leaf = 7, .register = .ecx, .bit = 11, .xcr0 = xcr0_avx512 },
            .amx_bf16 => .{ .leaf = 7, .register = .edx, .bit = 22, .xcr0 = xcr0_amx },
            .amx_tile => .{ .leaf = 7, .register = .edx, .bit = 24, .xcr0 = xcr0_amx },
            .amx_int8 => .{ .leaf = 7, .register = .edx, .bit = 25, .xcr0 = xcr0_amx },
            .avxvnni => .{ .leaf = 7, .subleaf = 1, .register = .eax, .bit = 4, .xcr0 = xcr0_avx },
            .avx512bf16 => .{ .leaf = 7, .subleaf = 1, .register = .eax, .bit = 5, .xcr0 = xcr0_avx512 },
            .sahf => .{ .leaf = 0x8000_0001, .register = .ecx, .bit = 0 },
            .lzcnt => .{ .leaf = 0x8000_0001, .register = .ecx, .bit = 5 },
            else => null,
        };
    }

    /// Every 64-bit x86 processor has these, or they steer the compiler's taste and no instruction.
    fn isFree(feature: Feature) bool {
        const name = @tagName(feature);
        for ([_][]const u8{ "fast_", "slow_", "false_deps_", "prefer_", "tuning_", "idivq_" }) |prefix| {
            if (std.mem.startsWith(u8, name, prefix)) return true;
        }
        return switch (feature) {
            .@"64bit", .x87, .cmov, .cx8, .mmx, .fxsr, .sse, .sse2, .nopl => true,
            .allow_light_256_bit, .macrofusion, .vzeroupper => true,
            else => false,
        };
    }

    /// True when `cpu` and its system can run the level.
    pub fn supports(comptime level: isa_levels.Level, cpu: *const Cpu) bool {
        for (comptime requirements(.x86_64, isa_levels.features(level))) |item| {
            if (!cpu.usable(item.bit)) return false;
        }
        return true;
    }

    fn usesTiles(comptime level: isa_levels.Level) bool {
        return isa_levels.features(level).isEnabled(@backingInt(Feature.amx_tile));
    }

    /// As the outer function, of any CPU; true when all is there.
    pub fn writeMissing(comptime level: isa_levels.Level, cpu: *const Cpu, writer: *std.Io.Writer) !bool {
        const required = comptime requirements(.x86_64, isa_levels.features(level));
        var states: u64 = 0;
        var complete = true;
        for (required) |item| {
            states |= item.bit.xcr0;
            if (cpu.has(item.bit)) continue;
            complete = false;
            try writer.print(" {s}", .{item.name});
        }
        try writer.writeByte('\t');
        inline for (.{ .{ "ymm", xcr0_avx }, .{ "zmm", xcr0_avx512 & ~xcr0_avx }, .{ "tile", xcr0_amx } }) |entry| {
            const name, const state = entry;
            if (states & state != 0 and cpu.xcr0 & state != state) {
                complete = false;
                try writer.print(" {s}", .{name});
            }
        }
        return complete;
    }

    pub const Words = instructions.Words;

    /// What CPUID and XGETBV tell of a CPU. Zero where they do not tell.
    pub const Cpu = struct {
        leaf1: Words = .{},
        leaf7: [2]Words = @splat(.{}),
        extended1: Words = .{},
        xcr0: u64 = 0,

        /// source: `cpuid(leaf, subleaf)`, and `xcr0()`, which only a system with OSXSAVE lets a program call. A processor
        /// answers for a leaf that it does not have as for another one, so the highest leaf is asked first.
        pub fn read(source: anytype) Cpu {
            var cpu: Cpu = .{ .leaf1 = source.cpuid(1, 0) };
            if (source.cpuid(0, 0).eax >= 7) {
                cpu.leaf7[0] = source.cpuid(7, 0);
                if (cpu.leaf7[0].eax >= 1) cpu.leaf7[1] = source.cpuid(7, 1);
            }
            if (source.cpuid(0x8000_0000, 0).eax >= 0x8000_0001) cpu.extended1 = source.cpuid(0x8000_0001, 0);
            if (cpu.leaf1.ecx >> 27 & 1 != 0) cpu.xcr0 = source.xcr0();
            return cpu;
        }

        /// What both have.
        pub fn meet(a: Cpu, b: Cpu) Cpu {
            var both = a;
            both.xcr0 &= b.xcr0;
            inline for (.{ &both.leaf1, &both.leaf7[0], &both.leaf7[1], &both.extended1 }, .{ b.leaf1, b.leaf7[0], b.leaf7[1], b.extended1 }) |words, other| {
                inline for (.{ "eax", "ebx", "ecx", "edx" }) |name| @field(words, name) &= @field(other, name);
            }
            return both;
        }

        fn isHybrid(cpu: *const Cpu) bool {
            return cpu.leaf7[0].edx >> 15 & 1 != 0;
        }

        fn has(cpu: *const Cpu, bit: Bit) bool {
            const words = switch (bit.leaf) {
                1 => cpu.leaf1,
                7 => cpu.leaf7[bit.subleaf],
                0x8000_0001 => cpu.extended1,
                else => unreachable,
            };
            const word = switch (bit.register) {
                inline else => |register| @field(words, @tagName(register)),
            };
            return word >> bit.bit & 1 != 0;
        }

        fn usable(cpu: *const Cpu, bit: Bit) bool {
            return cpu.has(bit) and cpu.xcr0 & bit.xcr0 == bit.xcr0;
        }
    };

    /// What all CPUs have that this process may use: found once, as hypervisors take their time over CPUID.
    fn here() *const Cpu {
        while (true) switch (found_state.load(.acquire)) {
            .unknown => if (found_state.cmpxchgStrong(.unknown, .busy, .acquire, .monotonic) == null) {
                found = ofAllCpus();
                found_state.store(.known, .release);
            },
            .busy => std.atomic.spinLoopHint(),
            .known => return &found,
        };
    }

    var found: Cpu = .{};
    var found_state: std.atomic.Value(enum(u8) { unknown, busy, known }) = .init(.unknown);

    fn ofAllCpus() Cpu {
        const processor: Processor = .{};
        var cpu: Cpu = .read(processor);
        if (!cpu.isHybrid()) return cpu;
        const before = cpus.allowed() orelse return cpu;
        var next = before.nextFrom(0);
        while (next) |id| : (next = before.nextFrom(id + 1)) {
            var one: cpus.CpuSet = .{};
            one.add(id);
            if (cpus.restrict(&one)) cpu = cpu.meet(.read(processor));
        }
        _ = cpus.restrict(&before);
        return cpu;
    }

    /// The CPU that the calling thread is on.
    const Processor = struct {
        pub fn cpuid(_: Processor, leaf: u32, subleaf: u32) Words {
            return instructions.cpuid(leaf, subleaf);
        }

        pub fn xcr0(_: Processor) u64 {
            return instructions.xcr0();
        }
    };
};

const aarch64 = struct {
    const Feature = std.Target.aarch64.Feature;
    const features_n = std.Target.aarch64.all_features.len;

    /// Bit of AT_HWCAP or AT_HWCAP2 on Linux and name of the sysctl on macOS.
    const Bit = struct { word: enum { hwcap, hwcap2 } = .hwcap, bit: u6, sysctl: [:0]const u8 };

    fn bitOf(feature: Feature) ?Bit {
        return switch (feature) {
            .dotprod => .{ .bit = 20, .sysctl = "hw.optional.arm.FEAT_DotProd" },
            .fullfp16 => .{ .bit = 10, .sysctl = "hw.optional.arm.FEAT_FP16" },
            .i8mm => .{ .word = .hwcap2, .bit = 13, .sysctl = "hw.optional.arm.FEAT_I8MM" },
            .bf16 => .{ .word = .hwcap2, .bit = 14, .sysctl = "hw.optional.arm.FEAT_BF16" },
            else => null,
        };
    }

    fn isFree(comptime feature: Feature) bool {
        // What the plain model has every 64-bit Arm system has.
        const plain = comptime isa_levels.features(.{ .name = "", .arch = .aarch64, .mcpu = "generic" });
        return plain.isEnabled(@backingInt(feature));
    }

    fn has(comptime level: isa_levels.Level) bool {
        inline for (comptime requirements(.aarch64, isa_levels.features(level))) |item| {
            if (!present(item.bit)) return false;
        }
        return true;
    }

    fn present(comptime bit: Bit) bool {
        switch (builtin.os.tag) {
            .linux => {
                const at_hwcap = 16;
                const at_hwcap2 = 26;
                const word = std.c.getauxval(if (bit.word == .hwcap) at_hwcap else at_hwcap2);
                return word >> bit.bit & 1 != 0;
            },
            .macos => {
                var value: u32 = 0;
                var len: usize = @sizeOf(u32);
                if (std.c.sysctlbyname(bit.sysctl, &value, &len, null, 0) != 0) return false;
                return value != 0;
            },
            else => return false,
        }
    }
};

test "detection agrees with the compiler's" {
    // This test runs on the machine, so whatever it was compiled for must be detected.
    inline for (comptime isa_levels.of(builtin.cpu.arch)) |level| {
        if (level.arch == null) continue;
        const set = comptime isa_levels.features(level);
        if (comptime builtin.cpu.features.isSuperSetOf(set)) try std.testing.expect(has(level));
    }
}

test {
    _ = @import("detect_test.zig");
}
