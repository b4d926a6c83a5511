//! The instructions that only a kernel uses, and Bochs's debugging port.

pub inline fn outByte(port: u16, byte: u8) void {
    asm volatile ("outb %[byte], %[port]"
        :
        : [byte] "{al}" (byte),
          [port] "{dx}" (port),
    );
}

/// Executed instructions: Bochs's time counter counts them.
pub inline fn ticks() u64 {
    var low: u32 = undefined;
    var high: u32 = undefined;
    asm volatile ("rdtsc"
        : [low] "={eax}" (low),
          [high] "={edx}" (high),
    );
    return @as(u64, high) << 32 | low;
}

pub inline fn writeRegister(register: u32, value: u64) void {
    asm volatile ("wrmsr"
        :
        : [register] "{ecx}" (register),
          [low] "{eax}" (@as(u32, @truncate(value))),
          [high] "{edx}" (@as(u32, @truncate(value >> 32))),
    );
}

pub inline fn readRegister(register: u32) u64 {
    var low: u32 = undefined;
    var high: u32 = undefined;
    asm volatile ("rdmsr"
        : [low] "={eax}" (low),
          [high] "={edx}" (high),
        : [register] "{ecx}" (register),
    );
    return @as(u64, high) << 32 | low;
}

pub const cpuid = @import("cpuid").cpuid;

pub fn print(text: []const u8) void {
    for (text) |byte| outByte(0xe9, byte);
}

pub fn printNumber(value: u64, base: u8) void {
    var digits: [20]u8 = undefined;
    var at = digits.len;
    var rest = value;
    while (true) {
        at -= 1;
        digits[at] = "0123456789abcdef"[rest % base];
        rest /= base;
        if (rest == 0) break;
    }
    print(digits[at..]);
}

/// Ends the emulation with the line that the runner reads.
pub fn exit(status: u32) noreturn {
    print("\n[loader] exit ");
    printNumber(status, 10);
    print(" ticks ");
    printNumber(ticks() - started, 10);
    print("\n");
    for ("Shutdown") |byte| outByte(0x8900, byte);
    while (true) asm volatile ("hlt");
}

/// `ticks` when the program was entered.
pub var started: u64 = 0;
