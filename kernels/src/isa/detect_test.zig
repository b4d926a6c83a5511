//! Detection on recorded processors: which levels run on them, and what keeps the others away.

const std = @import("std");
const detect = @import("detect.zig");
const isa_levels = @import("levels.zig");
const x86 = detect.x86;
const Words = x86.Words;

/// Registers of CPUID, and XCR0; null: the system does not use XSAVE.
const Recorded = struct {
    basic_max: u32,
    leaf1: Words,
    leaf7: [2]Words,
    extended_max: u32 = 0x8000_0008,
    extended1: Words,
    state: ?u64,

    pub fn cpuid(cpu: *const Recorded, leaf: u32, subleaf: u32) Words {
        return switch (leaf) {
            0 => .{ .eax = cpu.basic_max },
            1 => cpu.leaf1,
            7 => if (cpu.basic_max < 7 or subleaf > cpu.leaf7[0].eax) nonsense else cpu.leaf7[subleaf],
            0x8000_0000 => .{ .eax = cpu.extended_max },
            0x8000_0001 => if (cpu.extended_max < leaf) nonsense else cpu.extended1,
            else => unreachable,
        };
    }

    /// Of a leaf that the processor does not have it may say anything.
    const nonsense: Words = .{ .eax = 0xffff_ffff, .ebx = 0xffff_ffff, .ecx = 0xffff_ffff, .edx = 0xffff_ffff };

    /// XGETBV is an illegal instruction where the system does not use XSAVE.
    pub fn xcr0(cpu: *const Recorded) u64 {
        return cpu.state.?;
    }
};

const haswell: Recorded = .{
    .basic_max = 0xd,
    .leaf1 = .{ .eax = 0x000306c3, .ebx = 0x00010800, .ecx = 0x7ffaf3bf, .edx = 0xbfebfbff },
    .leaf7 = .{ .{ .ebx = 0x000027ab }, .{} },
    .extended1 = .{ .ecx = 0x00000121, .edx = 0x2c100800 },
    .state = 0x7,
};
const skylake_x: Recorded = .{
    .basic_max = 0x16,
    .leaf1 = .{ .eax = 0x00050654, .ebx = 0x00010800, .ecx = 0x7ffaf3bf, .edx = 0xbfebfbff },
    .leaf7 = .{ .{ .ebx = 0xd19f27eb }, .{} },
    .extended1 = .{ .ecx = 0x00000121, .edx = 0x2c100800 },
    .state = 0xe7,
};
const ice_lake: Recorded = .{
    .basic_max = 0x1b,
    .leaf1 = .{ .eax = 0x000706e5, .ebx = 0x00010800, .ecx = 0x7ffaf3bf, .edx = 0xbfebfbff },
    .leaf7 = .{ .{ .ebx = 0xf0bf27eb, .ecx = 0x00405f4e, .edx = 0xbc000110 }, .{} },
    .extended1 = .{ .ecx = 0x00000121, .edx = 0x2c100800 },
    .state = 0xe7,
};
/// A core of a hybrid processor; Alder Lake answers alike as far as levels go.
const arrow_lake: Recorded = .{
    .basic_max = 0x20,
    .leaf1 = .{ .eax = 0x000c0662, .ebx = 0x00010800, .ecx = 0x7ffaf3bf, .edx = 0xbfebfbff },
    .leaf7 = .{ .{ .eax = 2, .ebx = 0x219c27eb, .ecx = 0x984007ac, .edx = 0xfc104430 }, .{ .eax = 0x008008d7 } },
    .extended1 = .{ .ecx = 0x00000121, .edx = 0x2c100800 },
    .state = 0x7,
};
const sapphire_rapids: Recorded = .{
    .basic_max = 0x20,
    .leaf1 = .{ .eax = 0x000806f8, .ebx = 0x00010800, .ecx = 0x7ffef3bf, .edx = 0xbfebfbff },
    .leaf7 = .{ .{ .eax = 2, .ebx = 0xf1bf27eb, .ecx = 0x98415fee, .edx = 0xffd04430 }, .{ .eax = 0x00001c30 } },
    .extended1 = .{ .ecx = 0x00000121, .edx = 0x2c100800 },
    .state = 0x600e7,
};
/// Under KVM.
const zen_4: Recorded = .{
    .basic_max = 0x1c,
    .leaf1 = .{ .eax = 0x00a10f11, .ebx = 0x00020800, .ecx = 0xfffa3203, .edx = 0x178bfbff },
    .leaf7 = .{ .{ .eax = 1, .ebx = 0xf1bf07ab, .ecx = 0x00405fc6, .edx = 0x10 }, .{ .eax = 0x20 } },
    .extended_max = 0x8000_0021,
    .extended1 = .{ .eax = 0x00a10f11, .ebx = 0x40000000, .ecx = 0x004003f3, .edx = 0x2fd3fbff },
    .state = 0xe7,
};

const v3 = "x86_64_v3 baseline";
const v4 = "x86_64_v4 " ++ v3;

/// Fails unless exactly the levels named, parted by spaces, run on the CPU.
fn expectLevels(names: []const u8, cpu: x86.Cpu) !void {
    inline for (comptime isa_levels.of(.x86_64)) |level| {
        errdefer std.debug.print("level {s}\n", .{level.name});
        var wanted = false;
        var words = std.mem.splitScalar(u8, names, ' ');
        while (words.next()) |name| wanted = wanted or std.mem.eql(u8, name, level.name);
        try std.testing.expectEqual(wanted, x86.supports(level, &cpu));
    }
}

fn expectMissing(comptime name: []const u8, want: []const u8, cpu: x86.Cpu) !void {
    var buffer: [512]u8 = undefined;
    var writer: std.Io.Writer = .fixed(&buffer);
    inline for (comptime isa_levels.of(.x86_64)) |level| {
        if (comptime !std.mem.eql(u8, level.name, name)) continue;
        const complete = try x86.writeMissing(level, &cpu, &writer);
        try std.testing.expectEqualStrings(want, writer.buffered());
        try std.testing.expectEqual(want.len == 1, complete);
        try std.testing.expectEqual(complete, x86.supports(level, &cpu));
    }
}

test "recorded processors run the levels whose features they have" {
    try expectLevels(v3, .read(haswell));
    try expectLevels(v4, .read(skylake_x));
    try expectLevels("x86_64_v4_vnni " ++ v4, .read(ice_lake));
    try expectLevels("avx_vnni " ++ v3, .read(arrow_lake));
    try expectLevels("amx avx_vnni x86_64_v4_bf16 x86_64_v4_vnni " ++ v4, .read(sapphire_rapids));
    try expectLevels("x86_64_v4_bf16 x86_64_v4_vnni " ++ v4, .read(zen_4));
}

test "registers that the system does not save rule levels out" {
    var cpu = sapphire_rapids;
    cpu.state = 0xe7; // a system without AMX
    try expectLevels("avx_vnni x86_64_v4_bf16 x86_64_v4_vnni " ++ v4, .read(cpu));
    try expectMissing("amx", "\t tile", .read(cpu));
    cpu.state = 0x7; // without AVX-512, as with clearcpuid=avx512f
    try expectLevels("avx_vnni " ++ v3, .read(cpu));
    try expectMissing("x86_64_v4", "\t zmm", .read(cpu));
    cpu.state = 0x67; // part of AVX-512's registers
    try expectLevels("avx_vnni " ++ v3, .read(cpu));
    cpu.state = 0x3;
    try expectLevels("baseline", .read(cpu));
    try expectMissing("x86_64_v3", "\t ymm", .read(cpu));
    cpu.state = null; // no XSAVE at all: XGETBV would be illegal
    cpu.leaf1.ecx &= ~@as(u32, 1 << 27);
    try expectLevels("baseline", .read(cpu));
    try expectMissing("x86_64_v3", " xsave\t ymm", .read(cpu));
}

test "features that a hypervisor masks rule levels out, whatever registers are saved" {
    var cpu = zen_4;
    cpu.leaf7[1].eax &= ~@as(u32, 1 << 5); // avx512bf16
    try expectLevels("x86_64_v4_vnni " ++ v4, .read(cpu));
    try expectMissing("x86_64_v4_bf16", " avx512bf16\t", .read(cpu));
    try expectMissing("x86_64_v4_vnni", "\t", .read(cpu));
    cpu.leaf7[0].ecx &= ~@as(u32, 1 << 11); // avx512vnni
    try expectLevels(v4, .read(cpu));
    cpu.leaf7[0].ebx &= ~@as(u32, 1 << 30); // avx512bw
    try expectLevels(v3, .read(cpu));
    cpu.leaf1.ecx &= ~@as(u32, 1 << 12); // fma
    try expectLevels("baseline", .read(cpu));
}

test "leaves that a processor does not have are not believed" {
    var cpu = sapphire_rapids;
    cpu.leaf7[0].eax = 0; // no subleaf 1: neither avx512bf16 nor avxvnni
    try expectLevels("x86_64_v4_vnni " ++ v4, .read(cpu));
    cpu.basic_max = 4; // firmware's "limit CPUID"
    try expectLevels("baseline", .read(cpu));
    cpu = zen_4;
    cpu.extended_max = 0x8000_0000;
    try expectLevels("baseline", .read(cpu));
}

test "CPUs that differ run what all of them have" {
    // Alder Lake's first firmware left AVX-512 on in the big cores.
    const small: x86.Cpu = .read(arrow_lake);
    const big: x86.Cpu = .read(sapphire_rapids);
    try expectLevels("avx_vnni " ++ v3, big.meet(small));
    try expectLevels("avx_vnni " ++ v3, small.meet(big));
    try expectLevels(v3, big.meet(.read(haswell)));
}
