//! Lets code with AMX's tile instructions run on any x86-64 Linux: the signal that an unknown instruction raises is answered
//! by computing what the instruction would have. For tests: a trap costs 10 µs and more.

const std = @import("std");
const builtin = @import("builtin");
const linux = std.os.linux;
const detect = @import("../isa/detect.zig");
const Context = @import("signal_context.zig").Context;
const decode = @import("tile_instruction.zig").decode;
const Operation = @import("tile_instruction.zig").Operation;
const tile_unit = @import("tile_unit.zig");

pub const Means = enum { hardware, trap };

/// Makes tile instructions usable in this process: asks the system for the tiles that the processor has, else installs
/// the trap. error.Unsupported where neither can be. May be called again. Zig's own handler for the signal is installed at
/// the start of a program, before this.
pub fn enable() error{Unsupported}!Means {
    if (builtin.cpu.arch != .x86_64 or builtin.os.tag != .linux) return error.Unsupported;
    if (detect.hasTiles()) return .hardware;
    const action: linux.Sigaction = .{
        .handler = .{ .sigaction = onSignal },
        .mask = linux.sigemptyset(),
        .flags = linux.SA.SIGINFO | linux.SA.NODEFER,
    };
    if (linux.errno(linux.sigaction(.ILL, &action, if (installed) null else &previous)) != .SUCCESS) return error.Unsupported;
    installed = true;
    // Some emulators accept handlers that they will not call.
    var present: linux.Sigaction = undefined;
    _ = linux.sigaction(.ILL, null, &present);
    return if (present.handler.sigaction == &onSignal) .trap else error.Unsupported;
}

/// Tile instructions that the trap has computed.
pub fn count() u64 {
    return trapped.load(.monotonic);
}

var installed = false;
var previous: linux.Sigaction = undefined;
var trapped: std.atomic.Value(u64) = .init(0);
threadlocal var unit: tile_unit.Unit = .{};

fn onSignal(_: linux.SIG, _: *const linux.siginfo_t, pointer: ?*anyopaque) callconv(.c) void {
    const c: *Context = @ptrCast(@alignCast(pointer.?));
    const registers = [8]u64{ c.rax, c.rcx, c.rdx, c.rbx, c.rsp, c.rbp, c.rsi, c.rdi } ++ c.r8_to_r15;
    if (decode(@ptrFromInt(c.rip), &registers)) |instruction| {
        if (execute(instruction.operation)) {
            c.rip += instruction.length;
            _ = trapped.fetchAdd(1, .monotonic);
            return;
        } else |_| {}
    }
    // Not ours: the instruction is met again, and by the handler that was there before.
    _ = linux.sigaction(.ILL, &previous, null);
}

fn execute(operation: Operation) tile_unit.Fault!void {
    switch (operation) {
        .load_config => |address| {
            const config: *align(1) const tile_unit.Config = @ptrFromInt(address);
            const copy = config.*;
            try unit.configure(&copy);
        },
        .store_config => |address| {
            const config: *align(1) tile_unit.Config = @ptrFromInt(address);
            config.* = unit.config;
        },
        .release => unit.release(),
        .zero => |tile| try unit.zero(tile),
        .load => |move| try unit.load(move.tile, move.address, move.stride),
        .store => |move| try unit.store(move.tile, move.address, move.stride),
        .multiply_bytes => |product| {
            const operands = product.operands;
            try unit.multiplyBytes(product.signs, operands.sum, operands.a, operands.b);
        },
        .multiply_halves => |operands| try unit.multiplyHalves(operands.sum, operands.a, operands.b),
    }
}
