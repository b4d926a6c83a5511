//! What this processor and its system can run: CPUID with XCR0 on x86-64, HWCAP (macOS: sysctl) on aarch64.
//!
//! A level may run only when the processor has every feature that the level's object was compiled with and the
//! system saves the registers those need. The features come from the compiler's own CPU model, so a level
//! cannot require less than its code uses; a feature without a known detection bit does not compile.

const std = @import("std");
const builtin = @import("builtin");
const isa_levels = @import("isa_levels.zig");

/// True when this machine and its system can run the level.
pub fn has(comptime level: isa_levels.Level) bool {
    return switch (builtin.cpu.arch) {
        .x86_64 => x86.has(level),
        .aarch64 => aarch64.has(level),
        else => true,
    };
}

/// The processor's brand string by CPUID, padded with zeros; null where it has none (x86-64 only).
pub fn brand() ?[48]u8 {
    if (x86.cpuid(0x8000_0000, 0).eax < 0x8000_0004) return null;
    var text: [48]u8 = undefined;
    inline for (0..3) |i| {
        const part = x86.cpuid(0x8000_0002 + i, 0);
        inline for (.{ part.eax, part.ebx, part.ecx, part.edx }, 0..) |word, j| {
            std.mem.writeInt(u32, text[16 * i + 4 * j ..][0..4], word, .little);
        }
    }
    return text;
}

const x86 = struct {
    const Feature = std.Target.x86.Feature;
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

    fn has(comptime level: isa_levels.Level) bool {
        const required = comptime bits(level);
        for (required) |bit| {
            if (!present(bit)) return false;
        }
        return true;
    }

    fn bits(comptime level: isa_levels.Level) []const Bit {
        @setEvalBranchQuota(400_000);
        const set = isa_levels.features(level);
        var list: []const Bit = &.{};
        for (0..std.Target.x86.all_features.len) |i| {
            if (!set.isEnabled(@intCast(i))) continue;
            const feature: Feature = @fromBackingInt(@intCast(i));
            if (bitOf(feature)) |bit| {
                list = list ++ .{bit};
            } else if (!isFree(feature)) {
                @compileError("dispatch.zig: no CPUID bit known for feature " ++ @tagName(feature));
            }
        }
        return list;
    }

    fn present(bit: Bit) bool {
        const group = bit.leaf & 0x8000_0000;
        if (cpuid(group, 0).eax < bit.leaf) return false;
        if (bit.leaf == 7 and cpuid(7, 0).eax < bit.subleaf) return false;
        const registers = cpuid(bit.leaf, bit.subleaf);
        const word = switch (bit.register) {
            .eax => registers.eax,
            .ebx => registers.ebx,
            .ecx => registers.ecx,
            .edx => registers.edx,
        };
        if (word >> bit.bit & 1 == 0) return false;
        if (bit.xcr0 == 0) return true;
        const os_saves_extended = cpuid(1, 0).ecx >> 27 & 1 != 0;
        return os_saves_extended and xgetbv0() & bit.xcr0 == bit.xcr0;
    }

    const Registers = struct { eax: u32, ebx: u32, ecx: u32, edx: u32 };

    fn cpuid(leaf: u32, subleaf: u32) Registers {
        var eax: u32 = undefined;
        var ebx: u32 = undefined;
        var ecx: u32 = undefined;
        var edx: u32 = undefined;
        asm volatile ("cpuid"
            : [eax] "={eax}" (eax),
              [ebx] "={ebx}" (ebx),
              [ecx] "={ecx}" (ecx),
              [edx] "={edx}" (edx),
            : [leaf] "{eax}" (leaf),
              [subleaf] "{ecx}" (subleaf),
        );
        return .{ .eax = eax, .ebx = ebx, .ecx = ecx, .edx = edx };
    }

    fn xgetbv0() u64 {
        var low: u32 = undefined;
        var high: u32 = undefined;
        asm volatile ("xgetbv"
            : [low] "={eax}" (low),
              [high] "={edx}" (high),
            : [index] "{ecx}" (@as(u32, 0)),
        );
        return @as(u64, high) << 32 | low;
    }
};

const aarch64 = struct {
    const Feature = std.Target.aarch64.Feature;

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
        const set = comptime isa_levels.features(level);
        inline for (0..std.Target.aarch64.all_features.len) |i| {
            const feature: Feature = @fromBackingInt(@intCast(i));
            if (comptime set.isEnabled(@intCast(i)) and !isFree(feature)) {
                const bit = comptime bitOf(feature) orelse
                    @compileError("dispatch.zig: no HWCAP bit known for feature " ++ @tagName(feature));
                if (!present(bit)) return false;
            }
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
