//! Counts how often each instruction of a stretch of this very program is executed (x86-64 Linux, static programs). Every
//! branch is replaced by a breakpoint (int3); its handler counts the instructions since the branch before, and goes where the
//! branch would have gone. So the rest runs at full speed, and no other process has to be woken.
//!
//! An instruction that this machine lacks is stepped over. Where no branch depends on what it would have computed, as in
//! matmuls and attention, the counts are those of a machine that has it.

const std = @import("std");
const builtin = @import("builtin");
const linux = std.os.linux;
const Context = @import("../emulation/signal_context.zig").Context;

pub const available = builtin.cpu.arch == .x86_64 and builtin.os.tag == .linux;

/// What the handlers execute must have no breakpoints: it is in a section of its own, and calls nothing outside.
const section = "kumi_steps";
extern const __start_kumi_steps: u8;
extern const __stop_kumi_steps: u8;

const breakpoint = 0xcc;

/// An instruction, by its address − first.
const Place = struct {
    /// 0 within an instruction.
    length: u8 = 0,
    /// Of a branch: its first byte, which the breakpoint replaces.
    first_byte: u8 = 0,
    is_branch: bool = false,
    /// How often a straight run of instructions began and ended here.
    begun: u64 = 0,
    ended: u64 = 0,
};

/// Address of the first known instruction.
var first: usize = 0;
var places: []Place = &.{};
var branches: []const u32 = &.{};
/// Where the current run of instructions began.
var leader: usize = 0;
/// The branch that is executed itself, in a single step.
var stepped: usize = 0;
/// Whether something was executed that is not known.
var is_lost = false;

/// listing: a line for each instruction, ascending: its address, hexadecimal, and `*` behind it where it is a branch.
pub fn init(gpa: std.mem.Allocator, listing: []const u8) !void {
    var lines = std.mem.tokenizeScalar(u8, listing, '\n');
    first = try addressOf(lines.peek() orelse return error.NoInstructions);
    const end = try addressOf(listing[std.mem.findScalarLast(u8, std.mem.trimEnd(u8, listing, "\n"), '\n').? + 1 ..]);
    places = try gpa.alloc(Place, end - first + 1);
    @memset(places, .{});
    var found: std.ArrayList(u32) = .empty;
    var before: ?usize = null;
    while (lines.next()) |line| {
        const index = try addressOf(line) - first;
        // Longer than any instruction is a gap between sections, where none is executed.
        if (before) |b| places[b].length = @intCast(@min(index - b, 16));
        before = index;
        const address = first + index;
        const is_own = address >= @intFromPtr(&__start_kumi_steps) and address < @intFromPtr(&__stop_kumi_steps);
        if (is_own or line[line.len - 1] != '*') continue;
        places[index].is_branch = true;
        places[index].first_byte = byteAt(address).*;
        try found.append(gpa, @intCast(index));
    }
    branches = found.items;
    const page = 4096;
    const from = first & ~@as(usize, page - 1);
    const all: linux.PROT = .{ .READ = true, .WRITE = true, .EXEC = true };
    if (linux.errno(linux.mprotect(@ptrFromInt(from), end + 1 - from, all)) != .SUCCESS) return error.CodeNotWritable;
    try install(.TRAP, onBreakpoint);
    try install(.ILL, onUnknown);
}

fn addressOf(line: []const u8) !usize {
    return std.fmt.parseInt(usize, std.mem.trimEnd(u8, line, "*\n"), 16);
}

fn install(signal: linux.SIG, handler: linux.Sigaction.sigaction_fn) !void {
    const action: linux.Sigaction = .{ .handler = .{ .sigaction = handler }, .mask = linux.sigemptyset(), .flags = linux.SA.SIGINFO };
    if (linux.errno(linux.sigaction(signal, &action, null)) != .SUCCESS) return error.NoHandler;
}

/// From here on instructions are counted, up to `stop`.
pub noinline fn start() linksection(section) void {
    for (branches) |index| byteAt(first + index).* = breakpoint;
    leader = @returnAddress();
}

pub noinline fn stop() linksection(section) void {
    for (branches) |index| byteAt(first + index).* = places[index].first_byte;
}

/// A line for each instruction that was executed: its address, hexadecimal, and its count.
pub fn write(writer: *std.Io.Writer) !void {
    if (is_lost) return error.UnknownAddress;
    var count: u64 = 0;
    for (places, first..) |place, address| {
        count += place.begun;
        if (place.length > 0 and count > 0) try writer.print("{x} {d}\n", .{ address, count });
        count -= place.ended;
    }
}

inline fn byteAt(address: usize) *volatile u8 {
    return @ptrFromInt(address);
}

inline fn placeAt(address: usize) ?*Place {
    const index = address -% first;
    return if (index < places.len and places[index].length > 0) &places[index] else null;
}

fn onBreakpoint(_: linux.SIG, _: *const linux.siginfo_t, pointer: ?*anyopaque) linksection(section) callconv(.c) void {
    const context: *Context = @ptrCast(@alignCast(pointer.?));
    if (stepped != 0) {
        byteAt(stepped).* = breakpoint;
        stepped = 0;
        context.eflags &= ~@as(u64, trap_flag);
        leader = context.rip;
        return;
    }
    const address = context.rip - 1;
    const begin = placeAt(leader);
    const place = placeAt(address);
    if (begin == null or place == null or !place.?.is_branch) {
        is_lost = true;
        return;
    }
    begin.?.begun += 1;
    place.?.ended += 1;
    if (!take(context, address, place.?)) {
        byteAt(address).* = place.?.first_byte;
        stepped = address;
        context.rip = address;
        context.eflags |= trap_flag;
    }
    leader = context.rip;
}

const trap_flag = 0x100;

/// Does what the branch at an address would; false where only the processor can.
inline fn take(context: *Context, address: usize, place: *const Place) bool {
    const next = address + place.length;
    switch (place.first_byte) {
        0x70...0x7f => context.rip = if (holds(context.eflags, place.first_byte)) next +% offset(i8, next) else next,
        0x0f => context.rip = if (holds(context.eflags, byteAt(address + 1).*)) next +% offset(i32, next) else next,
        0xeb => context.rip = next +% offset(i8, next),
        0xe9 => context.rip = next +% offset(i32, next),
        0xe8 => {
            context.rsp -= 8;
            @as(*volatile u64, @ptrFromInt(context.rsp)).* = next;
            context.rip = next +% offset(i32, next);
        },
        0xc3 => {
            context.rip = @as(*volatile u64, @ptrFromInt(context.rsp)).*;
            context.rsp += 8;
        },
        else => return false,
    }
    return true;
}

/// The number at the end of an instruction.
inline fn offset(comptime T: type, next: usize) usize {
    const value = @as(*align(1) const volatile T, @ptrFromInt(next - @sizeOf(T))).*;
    return @bitCast(@as(isize, value));
}

/// Whether the flags are as the low four bits of a conditional branch ask: each odd condition is the one before, negated.
inline fn holds(flags: u64, opcode: u8) bool {
    const carry = flags & 1 != 0;
    const parity = flags >> 2 & 1 != 0;
    const zero = flags >> 6 & 1 != 0;
    const sign = flags >> 7 & 1 != 0;
    const overflow = flags >> 11 & 1 != 0;
    const kind = opcode >> 1 & 7;
    var held = overflow;
    if (kind == 1) held = carry;
    if (kind == 2) held = zero;
    if (kind == 3) held = carry or zero;
    if (kind == 4) held = sign;
    if (kind == 5) held = parity;
    if (kind == 6) held = sign != overflow;
    if (kind == 7) held = zero or sign != overflow;
    return held != (opcode & 1 != 0);
}

fn onUnknown(_: linux.SIG, _: *const linux.siginfo_t, pointer: ?*anyopaque) linksection(section) callconv(.c) void {
    const context: *Context = @ptrCast(@alignCast(pointer.?));
    if (placeAt(context.rip)) |place| {
        context.rip += place.length;
    } else linux.exit_group(132); // Nothing that could be stepped over.
}
