//! The few Linux system calls that a static, single-threaded program without files makes.

const std = @import("std");
const machine = @import("loader_machine.zig");
const memory = @import("loader_memory.zig");

const linux = std.os.linux;

comptime {
    asm (
        \\    .text
        \\    .globl system_call_entry
        \\system_call_entry:
        \\    movq %rsp, program_stack(%rip)
        \\    leaq call_stack_top(%rip), %rsp
        \\    pushq %r11
        \\    pushq %rcx
        \\    pushq %rdi
        \\    pushq %rsi
        \\    pushq %rdx
        \\    pushq %r10
        \\    pushq %r8
        \\    pushq %r9
        \\    pushq %r9
        \\    pushq %r9
        \\    movq %r8, %r9
        \\    movq %r10, %r8
        \\    movq %rdx, %rcx
        \\    movq %rsi, %rdx
        \\    movq %rdi, %rsi
        \\    movq %rax, %rdi
        \\    call system_call
        \\    addq $16, %rsp
        \\    popq %r9
        \\    popq %r8
        \\    popq %r10
        \\    popq %rdx
        \\    popq %rsi
        \\    popq %rdi
        \\    popq %rcx
        \\    popq %r11
        \\    pushq %r11
        \\    popfq
        \\    movq program_stack(%rip), %rsp
        \\    jmp *%rcx
        \\    .bss
        \\    .balign 64
        \\program_stack:
        \\    .quad 0
        \\    .balign 64
        \\    .skip 65536
        \\call_stack_top:
        \\    .skip 64
        \\    .text
    );
}

extern fn system_call_entry() callconv(.naked) void;

/// Makes `syscall` come here.
pub fn init() void {
    machine.writeRegister(0xc000_0081, 8 << 32); // STAR: the code segment
    machine.writeRegister(0xc000_0082, @intFromPtr(&system_call_entry)); // LSTAR
    machine.writeRegister(0xc000_0084, 0x700); // FMASK: traps, interrupts, direction
}

/// The end of the program's data, for brk.
pub var heap: struct { end: usize, max: usize } = .{ .end = 0, .max = 0 };

const Errno = enum(i64) { NOENT = 2, BADF = 9, AGAIN = 11, NOMEM = 12, INVAL = 22, NOTTY = 25, SPIPE = 29, NOSYS = 38, NODEV = 19 };

fn fail(code: Errno) u64 {
    return @bitCast(-@backingInt(code));
}

export fn system_call(number: u64, a: u64, b: u64, c: u64, d: u64, _: u64) u64 {
    const call: linux.SYS = @fromBackingInt(number);
    return switch (call) {
        .read, .rt_sigprocmask, .sigaltstack, .close, .sched_yield, .nanosleep, .clock_nanosleep, .prctl, .set_robust_list => 0,
        .rt_sigaction => noHandlers(c),
        .getpid, .gettid, .set_tid_address => 1,
        .write => write(a, b, c),
        .writev => writeVector(a, b, c),
        .open, .openat, .readlink, .readlinkat, .access, .faccessat => fail(.NOENT),
        .lseek => fail(.SPIPE),
        .ioctl => fail(.NOTTY),
        .futex => if (b & 127 == 0) fail(.AGAIN) else 0,
        .mmap => map(a, b, c, d),
        .munmap => unmap(a, b),
        .mprotect => protect(a, b, c),
        .madvise => advise(a, b, c),
        .brk => setHeapEnd(a),
        .arch_prctl => archControl(a, b),
        .clock_gettime => now(b),
        .sched_getaffinity => oneProcessor(b, c),
        .getrandom => random(a, b),
        .tkill, .tgkill, .kill => signal(if (call == .tgkill) c else b),
        .exit, .exit_group => machine.exit(@truncate(a)),
        else => fail(.NOSYS),
    };
}

/// Handlers are accepted and never called; whoever asks finds that there is none.
fn noHandlers(previous: u64) u64 {
    const kernel_sigaction_bytes = 32;
    if (previous != 0) @memset(@as([*]u8, @ptrFromInt(previous))[0..kernel_sigaction_bytes], 0);
    return 0;
}

fn write(descriptor: u64, address: u64, len: u64) u64 {
    if (descriptor != 1 and descriptor != 2) return fail(.BADF);
    machine.print(@as([*]const u8, @ptrFromInt(address))[0..len]);
    return len;
}

fn writeVector(descriptor: u64, address: u64, count: u64) u64 {
    var total: u64 = 0;
    for (@as([*]const [2]u64, @ptrFromInt(address))[0..count]) |part| {
        if (part[1] == 0) continue;
        const written = write(descriptor, part[0], part[1]);
        if (written != part[1]) return written;
        total += written;
    }
    return total;
}

fn map(address: u64, len: u64, protection: u64, flags: u64) u64 {
    const fixed = 0x10;
    const anonymous = 0x20;
    if (len == 0) return fail(.INVAL);
    if (flags & anonymous == 0) return fail(.NODEV);
    if (flags & fixed != 0) {
        memory.setAccessible(address, len, true);
        @memset(@as([*]u8, @ptrFromInt(address))[0..len], 0);
        return address;
    }
    const found = memory.map(len) orelse return fail(.NOMEM);
    if (protection == 0) memory.setAccessible(found, len, false);
    return found;
}

fn unmap(address: u64, len: u64) u64 {
    memory.release(address, len);
    return 0;
}

fn protect(address: u64, len: u64, protection: u64) u64 {
    memory.setAccessible(address, len, protection != 0);
    return 0;
}

fn advise(address: u64, len: u64, advice: u64) u64 {
    const dont_need = 4;
    if (advice == dont_need) @memset(@as([*]u8, @ptrFromInt(address))[0..len], 0);
    return 0;
}

fn setHeapEnd(address: u64) u64 {
    if (address >= heap.end and address < heap.max) heap.end = address;
    return heap.end;
}

fn archControl(code: u64, value: u64) u64 {
    const set_fs = 0x1002;
    const request_component = 0x1023;
    switch (code) {
        set_fs => machine.writeRegister(0xc000_0100, value),
        request_component => if (value > 63 or components >> @intCast(value) & 1 == 0) return fail(.INVAL),
        else => return fail(.INVAL),
    }
    return 0;
}

/// XCR0: the register state that this machine has and that has been turned on.
pub var components: u64 = 0;

fn now(address: u64) u64 {
    const time: *[2]u64 = @ptrFromInt(address);
    const nanoseconds = machine.ticks() * 10; // as if 100 million instructions took a second
    time.* = .{ nanoseconds / 1_000_000_000, nanoseconds % 1_000_000_000 };
    return 0;
}

fn oneProcessor(len: u64, address: u64) u64 {
    const mask = @as([*]u8, @ptrFromInt(address))[0..len];
    @memset(mask, 0);
    mask[0] = 1;
    return 8;
}

/// Not random, so that every run is the same.
fn random(address: u64, len: u64) u64 {
    @memset(@as([*]u8, @ptrFromInt(address))[0..len], 0x5a);
    return len;
}

fn signal(number: u64) noreturn {
    machine.print("\n[loader] signal ");
    machine.printNumber(number, 10);
    machine.exit(@truncate(128 + number));
}
