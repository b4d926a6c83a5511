//! Runs one static x86-64 Linux program on Bochs's bare machine: no BIOS, no Linux. The program runs in ring 0 with all the
//! register state that the processor model has. Output goes to Bochs's debugging port; the last line is
//! `[loader] exit STATUS ticks N`, N the number of executed instructions.
//!
//! Not there: threads, files, signals, dynamic linking.

const std = @import("std");
const elf = std.elf;
const machine = @import("loader_machine.zig");
const memory = @import("loader_memory.zig");
const calls = @import("loader_calls.zig");
const traps = @import("loader_traps.zig");

comptime {
    _ = @import("loader_boot.zig");
}

pub const panic = std.debug.no_panic;

export fn start() callconv(.c) noreturn {
    memory.init();
    setDescriptors();
    enableRegisters();
    calls.init();
    enter(load());
}

const code_segment = 0x08;
const data_segment = 0x10;
const task_segment = 0x18;

var segments: [5]u64 = .{ 0, 0x00af9b00_0000ffff, 0x00cf9300_0000ffff, 0, 0 };
var gates: [traps.vectors][2]u64 = undefined;
/// Its only use: exceptions switch to a stack of their own, so that they spare the red zone below the program's.
var task: [26]u32 = @splat(0);

/// Operand of LGDT and LIDT.
fn pointerTo(table: anytype) [10]u8 {
    var bytes: [10]u8 = undefined;
    std.mem.writeInt(u16, bytes[0..2], @sizeOf(@TypeOf(table.*)) - 1, .little);
    std.mem.writeInt(u64, bytes[2..10], @intFromPtr(table), .little);
    return bytes;
}

fn setDescriptors() void {
    const stack: u64 = @intFromPtr(&traps.trap_stack_top);
    task[9] = @truncate(stack);
    task[10] = @truncate(stack >> 32);
    const base: u64 = @intFromPtr(&task);
    segments[3] = (@sizeOf(@TypeOf(task)) - 1) | (base & 0xff_ffff) << 16 | 0x89 << 40 | (base >> 24 & 0xff) << 56;
    segments[4] = base >> 32;
    for (&gates, traps.trap_table) |*gate, address| {
        const first_stack = 1;
        gate.* = .{
            address & 0xffff | code_segment << 16 | first_stack << 32 | 0x8e << 40 | (address >> 16 & 0xffff) << 48,
            address >> 32,
        };
    }
    const gdt = pointerTo(&segments);
    const idt = pointerTo(&gates);
    asm volatile (
        \\ lgdt (%[gdt])
        \\ lidt (%[idt])
        \\ ltr %[task]
        \\ movl %[data], %%ds
        \\ movl %[data], %%es
        \\ movl %[data], %%ss
        :
        : [gdt] "r" (&gdt),
          [idt] "r" (&idt),
          [task] "r" (@as(u16, task_segment)),
          [data] "r" (@as(u32, data_segment)),
        : .{ .memory = true });
}

/// XCR0: x87, SSE, AVX, AVX-512 and the tiles, as far as the model has them.
fn enableRegisters() void {
    const tiles = 0x6_0000;
    const has_xsave = machine.cpuid(1, 0).ecx >> 26 & 1 != 0;
    if (!has_xsave) return;
    const os_xsave = 1 << 18;
    asm volatile ("movq %%cr4, %%rax; orq %[bit], %%rax; movq %%rax, %%cr4"
        :
        : [bit] "{rcx}" (@as(u64, os_xsave)),
        : .{ .rax = true });
    const leaf = machine.cpuid(0xd, 0);
    calls.components = (@as(u64, leaf.edx) << 32 | leaf.eax) & (0xe7 | tiles);
    asm volatile ("xsetbv"
        :
        : [register] "{ecx}" (@as(u32, 0)),
          [low] "{eax}" (@as(u32, @truncate(calls.components))),
          [high] "{edx}" (@as(u32, 0)),
    );
    asm volatile ("fninit");
    if (calls.components & tiles != 0) traps.probe();
}

const Program = struct { entry: usize, stack: usize };

fn refuse(reason: []const u8) noreturn {
    machine.print("[loader] ");
    machine.print(reason);
    machine.exit(126);
}

fn load() Program {
    const header: *const elf.Elf64.Ehdr = @ptrFromInt(memory.file);
    if (!std.mem.eql(u8, std.mem.asBytes(header)[0..4], elf.MAGIC) or header.machine != .X86_64) refuse("not a program for x86-64");
    if (header.type != .EXEC) refuse("only programs at fixed addresses");
    const parts = @as([*]const elf.Elf64.Phdr, @ptrFromInt(memory.file + header.phoff))[0..header.phnum];
    var headers: usize = 0;
    var end: usize = 0;
    for (parts) |part| {
        if (part.type == .INTERP) refuse("only static programs");
        if (part.type != .LOAD) continue;
        if (part.vaddr < memory.program_first or part.vaddr + part.memsz > memory.program_end) refuse("a segment is out of range");
        const target: [*]u8 = @ptrFromInt(part.vaddr);
        @memcpy(target[0..part.filesz], @as([*]const u8, @ptrFromInt(memory.file + part.offset)));
        @memset(target[part.filesz..part.memsz], 0);
        if (part.flags.X and calls.components >> 18 & 1 != 0) traps.patch(target[0..part.filesz]);
        if (part.offset <= header.phoff and header.phoff < part.offset + part.filesz) {
            headers = part.vaddr + header.phoff - part.offset;
        }
        end = @max(end, part.vaddr + part.memsz);
    }
    calls.heap = .{ .end = std.mem.alignForward(usize, end, memory.page), .max = memory.program_end };
    return .{ .entry = header.entry, .stack = stackFor(header, headers) };
}

/// What Linux leaves on the stack: the arguments, an empty environment, the auxiliary vector.
fn stackFor(header: *const elf.Elf64.Ehdr, headers: usize) usize {
    const words: [*]u64 = @ptrFromInt(memory.stack_end - 0x4000);
    const random: *[16]u8 = @ptrFromInt(memory.stack_end - 0x1000);
    random.* = @splat(0x5a);
    const count: *const u64 = @ptrFromInt(memory.arguments);
    var text: [*:0]const u8 = @ptrFromInt(memory.arguments + 8);
    words[0] = count.*;
    var at: usize = 1;
    for (0..count.*) |_| {
        words[at] = @intFromPtr(text);
        at += 1;
        text += std.mem.len(text) + 1;
    }
    words[at] = 0;
    words[at + 1] = 0;
    at += 2;
    const Vector = enum(u64) { end = 0, phdr = 3, phent = 4, phnum = 5, page_size = 6, entry = 9, hwcap = 16, random = 25, signal_stack_min = 51 };
    const auxiliary = [_]struct { Vector, u64 }{
        .{ .phdr, headers },
        .{ .phent, header.phentsize },
        .{ .phnum, header.phnum },
        .{ .page_size, memory.page },
        .{ .entry, header.entry },
        .{ .hwcap, machine.cpuid(1, 0).edx },
        .{ .random, @intFromPtr(random) },
        .{ .signal_stack_min, 11_008 }, // room for the registers of AMX
        .{ .end, 0 },
    };
    for (auxiliary) |pair| {
        words[at..][0..2].* = .{ @backingInt(pair[0]), pair[1] };
        at += 2;
    }
    return @intFromPtr(words);
}

fn enter(program: Program) noreturn {
    machine.print("[loader] start\n");
    machine.started = machine.ticks();
    asm volatile (
        \\ movq %[stack], %%rsp
        \\ xorl %%edx, %%edx
        \\ xorl %%ebp, %%ebp
        \\ jmp *%[entry]
        :
        : [stack] "r" (program.stack),
          [entry] "r" (program.entry),
        : .{ .memory = true });
    unreachable;
}
