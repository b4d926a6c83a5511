//! The floating-point control state that the determinism rules require in every thread that computes:
//! round to nearest even, denormals kept, no traps.

const std = @import("std");
const builtin = @import("builtin");

/// The architecture's control word; `default` is its value at program start.
pub const Word = switch (builtin.cpu.arch) {
    .x86_64 => u32,
    .aarch64 => u64,
    else => void,
};

const default: Word = switch (builtin.cpu.arch) {
    .x86_64 => 0x1F80,
    .aarch64 => 0,
    else => {},
};

/// Bits that change results: not the sticky exception flags.
const control_mask: Word = switch (builtin.cpu.arch) {
    .x86_64 => 0xFFC0,
    .aarch64 => std.math.maxInt(u64),
    else => {},
};

/// Sets the default state and returns the one before, for `leave`.
pub fn enterDefault() Word {
    if (Word == void) return;
    const before = read();
    if (before & control_mask != default & control_mask) write(default);
    return before;
}

/// Restores what `enterDefault` returned.
pub fn leave(before: Word) void {
    if (Word == void) return;
    if (before & control_mask != default & control_mask) write(before);
}

fn read() Word {
    switch (builtin.cpu.arch) {
        .x86_64 => {
            var word: u32 = undefined;
            asm volatile ("stmxcsr (%[word])"
                :
                : [word] "r" (&word),
                : .{ .memory = true });
            return word;
        },
        .aarch64 => return asm volatile ("mrs %[word], fpcr"
            : [word] "=r" (-> u64),
        ),
        else => {},
    }
}

fn write(word: Word) void {
    switch (builtin.cpu.arch) {
        .x86_64 => asm volatile ("ldmxcsr (%[word])"
            :
            : [word] "r" (&word),
            : .{ .memory = true }),
        .aarch64 => asm volatile ("msr fpcr, %[word]"
            :
            : [word] "r" (word),
            : .{ .memory = true }),
        else => {},
    }
}

test "enterDefault undoes flush-to-zero and leave brings it back" {
    if (Word == void) return error.SkipZigTest;
    const odd: Word = switch (builtin.cpu.arch) {
        .x86_64 => 0x9FC0, // flush to zero, denormals are zero
        .aarch64 => 1 << 24, // flush to zero
        else => unreachable,
    };
    const original = read();
    defer write(original);
    write(odd);
    const saved = enterDefault();
    try std.testing.expectEqual(default & control_mask, read() & control_mask);
    leave(saved);
    try std.testing.expectEqual(odd & control_mask, read() & control_mask);
}
