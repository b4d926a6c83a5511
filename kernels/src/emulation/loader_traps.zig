//! Exceptions: all end the program, except the two tile instructions that Bochs 3.0 gets wrong, which are computed here.
//!
//! TDPBSSD, TDPBSUD and TDPBUSD multiply unsigned bytes there. `patch` turns them into an opcode that raises #UD, and the
//! products are put together from those of TDPBUUD, which is right: a signed byte is its bits with the sign flipped, less 128.
//! STTILECFG is only known there with VEX.W = 1, and exchanges rows and bytes per row.

const std = @import("std");
const machine = @import("loader_machine.zig");
const tile_unit = @import("tile_unit.zig");
const decode = @import("tile_instruction.zig").decode;
const Registers = @import("tile_instruction.zig").Registers;

/// What the entry code pushes, from the last to the first, and the processor before it.
const Frame = extern struct {
    /// rax, rcx, rdx, rbx, none, rbp, rsi, rdi, r8 to r15.
    registers: Registers,
    vector: u64,
    code: u64,
    rip: u64,
    cs: u64,
    flags: u64,
    rsp: u64,
    ss: u64,
};

pub const vectors = 32;

comptime {
    @setEvalBranchQuota(10_000);
    var text: []const u8 = "    .text\n";
    for (0..vectors) |i| {
        const has_code = switch (i) {
            8, 10...14, 17, 21 => true,
            else => false,
        };
        text = text ++ std.fmt.comptimePrint("trap_{d}:\n{s}    pushq ${d}\n    jmp trap_common\n", .{ i, if (has_code) "" else "    pushq $0\n", i });
    }
    text = text ++ "trap_common:\n";
    const names = [_][]const u8{ "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15" };
    for (0..16) |i| text = text ++ "    pushq %" ++ names[15 - i] ++ "\n";
    text = text ++ "    movq %rsp, %rdi\n    movq %rsp, %rbp\n    andq $-16, %rsp\n    cld\n    call trap\n    movq %rbp, %rsp\n";
    for (names) |name| text = text ++ (if (std.mem.eql(u8, name, "rsp")) "    addq $8, %rsp\n" else "    popq %" ++ name ++ "\n");
    text = text ++ "    addq $16, %rsp\n    iretq\n    .section .rodata\n    .balign 8\n    .globl trap_table\ntrap_table:\n";
    for (0..vectors) |i| text = text ++ std.fmt.comptimePrint("    .quad trap_{d}\n", .{i});
    text = text ++ "    .bss\n    .balign 64\n    .skip 65536\n    .globl trap_stack_top\ntrap_stack_top:\n    .skip 64\n    .text\n";
    asm (text);
}

pub extern const trap_table: [vectors]u64;
pub extern var trap_stack_top: u8;

export fn trap(frame: *Frame) void {
    const invalid_opcode = 6;
    if (frame.vector == invalid_opcode and repair(frame)) return;
    report(frame);
    machine.exit(switch (frame.vector) {
        0, 16, 19 => 136,
        3 => 133,
        6 => 132,
        else => 139,
    });
}

fn report(frame: *const Frame) void {
    const names = [_][]const u8{ "DE", "DB", "NMI", "BP", "OF", "BR", "UD", "NM", "DF", "9", "TS", "NP", "SS", "GP", "PF", "15", "MF", "AC", "MC", "XM" };
    const address = asm volatile ("movq %%cr2, %[address]"
        : [address] "=r" (-> u64),
    );
    machine.print("\n[loader] #");
    machine.print(if (frame.vector < names.len) names[frame.vector] else "??");
    for ([_][]const u8{ " rip ", " code ", " address ", " rsp " }, [_]u64{ frame.rip, frame.code, address, frame.rsp }) |name, value| {
        machine.print(name);
        machine.printNumber(value, 16);
    }
    if (frame.vector == 14) return;
    machine.print(" bytes");
    for (@as([*]const u8, @ptrFromInt(frame.rip))[0..16]) |byte| {
        machine.print(" ");
        machine.printNumber(byte, 16);
    }
}

const product_opcode = 0x5e;
/// Unused in this map.
const patched_opcode = 0x5f;

/// Turns the signed products in a program's code into the unused opcode.
pub fn patch(code: []u8) void {
    if (code.len < 5) return;
    for (0..code.len - 4) |i| {
        const bytes = code[i..][0..5];
        if (bytes[0] != 0xc4 or bytes[1] != 0xe2 or bytes[3] != product_opcode or bytes[4] < 0xc0) continue;
        const is_signed = bytes[2] & 3 != 0;
        if (bytes[2] & 0xc4 == 0x40 and is_signed) bytes[3] = patched_opcode;
    }
}

fn repair(frame: *Frame) bool {
    const code: [*]const u8 = @ptrFromInt(frame.rip);
    if (code[0] != 0xc4) return false;
    var bytes: [16]u8 = code[0..16].*;
    const is_product = bytes[3] == patched_opcode;
    if (is_product) bytes[3] = product_opcode;
    var registers = frame.registers;
    registers[4] = frame.rsp;
    const found = decode(if (is_product) &bytes else code, &registers) orelse return false;
    switch (found.operation) {
        .store_config => |address| storeConfig(@ptrFromInt(address)),
        .multiply_bytes => |product| multiply(product.signs, product.operands.sum, product.operands.a, product.operands.b),
        else => return false,
    }
    frame.rip += found.length;
    return true;
}

var exchanged = false;

/// Finds out whether this Bochs exchanges rows and bytes; only where there are tiles.
pub fn probe() void {
    var config: tile_unit.Config = .{ .palette = 1 };
    config.rows[0] = 1;
    config.row_bytes[0] = 64;
    asm volatile ("ldtilecfg (%[config])"
        :
        : [config] "r" (&config),
        : .{ .memory = true });
    exchanged = readConfig().rows[0] == 64;
    asm volatile ("tilerelease");
}

fn readConfig() tile_unit.Config {
    var config: tile_unit.Config = undefined;
    asm volatile (".byte 0xc4, 0xe2, 0xf9, 0x49, 0x00" // sttilecfg (%rax) with VEX.W
        :
        : [config] "{rax}" (&config),
        : .{ .memory = true });
    return config;
}

fn storeConfig(target: *align(1) tile_unit.Config) void {
    var config = readConfig();
    if (exchanged) {
        for (&config.row_bytes, &config.rows) |*bytes, *rows| {
            const count: u8 = @truncate(bytes.*);
            bytes.* = rows.*;
            rows.* = count;
        }
    }
    target.* = config;
}

/// A tile with rows 64 bytes apart, in words of 64 bits, which are the quickest to change.
const Matrix = [128]u64;

var a_bytes: Matrix align(64) = undefined;
var b_bytes: Matrix align(64) = undefined;
var sum_words: [256]u32 align(64) = undefined;
var part_words: [256]u32 align(64) = undefined;
const ones: Matrix = @splat(0x0101_0101_0101_0101);

/// sum += a · b. With x = a ^ 0x80 where a is signed, y likewise: x · y − 128 · (1 · y + x · 1) + 128² · 1 · 1, of which only
/// the terms of signed factors are there.
fn multiply(signs: tile_unit.Signs, sum: u4, a: u4, b: u4) void {
    transfer(.store, a, &a_bytes);
    transfer(.store, b, &b_bytes);
    if (signs.a) flipSigns(a, &a_bytes);
    if (signs.b) flipSigns(b, &b_bytes);
    multiplyUnsigned(sum, a, b);
    transfer(.store, sum, &sum_words);

    @memset(&part_words, 0);
    transfer(.load, sum, &part_words);
    if (signs.b) {
        transfer(.load, b, &ones);
        multiplyUnsigned(sum, a, b);
        transfer(.load, b, &b_bytes);
    }
    if (signs.a) {
        transfer(.load, a, &ones);
        multiplyUnsigned(sum, a, b);
    }
    transfer(.store, sum, &part_words);
    for (&sum_words, part_words) |*total, part| total.* -%= part << 7;

    if (signs.a and signs.b) {
        @memset(&part_words, 0);
        transfer(.load, sum, &part_words);
        transfer(.load, b, &ones);
        multiplyUnsigned(sum, a, b);
        transfer(.store, sum, &part_words);
        for (&sum_words, part_words) |*total, part| total.* +%= part << 14;
    }
    if (signs.a) for (&a_bytes) |*word| {
        word.* ^= sign_bits;
    };
    if (signs.b) for (&b_bytes) |*word| {
        word.* ^= sign_bits;
    };
    transfer(.load, a, &a_bytes);
    transfer(.load, b, &b_bytes);
    transfer(.load, sum, &sum_words);
}

const sign_bits = 0x8080_8080_8080_8080;

fn flipSigns(tile: u4, bytes: *Matrix) void {
    for (bytes) |*word| word.* ^= sign_bits;
    transfer(.load, tile, bytes);
}

/// TDPBUUD.
fn multiplyUnsigned(sum: u4, a: u4, b: u4) void {
    const vector: u8 = ~@as(u8, b) & 15;
    runTile(.{ 0xc4, 0xe2, 0x40 | vector << 3 & 0x78, product_opcode, 0xc0 | @as(u8, sum) << 3 | a, 0x90 }, 0);
}

/// Loads or stores a tile, rows 64 bytes apart.
fn transfer(comptime direction: enum { load, store }, tile: u4, matrix: *const anyopaque) void {
    const prefix = if (direction == .load) 0x7b else 0x7a;
    runTile(.{ 0xc4, 0xe2, prefix, 0x4b, 0x04 | @as(u8, tile) << 3, 0x37 }, @intFromPtr(matrix)); // (%rdi,%rsi,1)
}

/// Runs one instruction of six bytes, whose tile numbers are only known now.
fn runTile(instruction: [6]u8, address: usize) void {
    const S = struct {
        var code: [8]u8 = undefined;
    };
    S.code = instruction ++ [_]u8{ 0xc3, 0x90 }; // ret
    asm volatile ("call *%[code]"
        :
        : [code] "{rax}" (&S.code),
          [address] "{rdi}" (address),
          [stride] "{rsi}" (@as(usize, 64)),
        : .{ .memory = true });
}
