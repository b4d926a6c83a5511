//! Decodes AMX's tile instructions: all are VEX.128.0F38.W0 with the opcodes 49 (configuration), 4B (memory), 5C and 5E
//! (products). Not decoded: segment and address-size prefixes, which no compiler gives them.

const std = @import("std");
const Signs = @import("tile_unit.zig").Signs;

/// Values of rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8 to r15.
pub const Registers = [16]u64;

pub const Operation = union(enum) {
    /// LDTILECFG, STTILECFG with the address of their operand.
    load_config: usize,
    store_config: usize,
    release,
    zero: u4,
    /// TILELOADD and TILELOADDT1, whose hint changes nothing.
    load: Transfer,
    store: Transfer,
    multiply_bytes: struct { signs: Signs, operands: Operands },
    multiply_halves: Operands,
};

pub const Transfer = struct { tile: u4, address: usize, stride: usize };
/// sum += a · b
pub const Operands = struct { sum: u4, a: u4, b: u4 };

pub const Instruction = struct {
    length: usize,
    operation: Operation,
};

/// The tile instruction at `code`, its addresses computed from `registers`; null where there is another instruction.
pub fn decode(code: [*]const u8, registers: *const Registers) ?Instruction {
    if (code[0] != 0xc4 or code[1] & 0x1f != 2 or code[2] & 0x84 != 0) return null;
    const prefix: Prefix = @fromBackingInt(@as(u2, @truncate(code[2])));
    const vector: u4 = @truncate(~(code[2] >> 3));
    const opcode = code[3];
    const operand: Operand = .decode(code, registers);
    const operation: ?Operation = switch (opcode) {
        0x49 => if (vector != 0) null else configuration(prefix, operand),
        0x4b => if (vector != 0) null else transfer(prefix, operand),
        0x5c, 0x5e => product(prefix, opcode == 0x5e, vector, operand),
        else => null,
    };
    return .{ .length = operand.length, .operation = operation orelse return null };
}

/// The prefix that VEX encodes.
const Prefix = enum(u2) { none, p66, f3, f2 };

fn configuration(prefix: Prefix, operand: Operand) ?Operation {
    switch (operand.place) {
        .register => |register| return switch (prefix) {
            .none => if (register == 0 and operand.reg == 0) .release else null,
            .f2 => if (register == 0) .{ .zero = operand.reg } else null,
            else => null,
        },
        .memory => |memory| {
            if (operand.reg != 0) return null;
            return switch (prefix) {
                .none => .{ .load_config = memory.base +% memory.index },
                .p66 => .{ .store_config = memory.base +% memory.index },
                else => null,
            };
        },
    }
}

fn transfer(prefix: Prefix, operand: Operand) ?Operation {
    if (operand.place != .memory or !operand.place.memory.has_index_byte) return null;
    const memory = operand.place.memory;
    const move: Transfer = .{ .tile = operand.reg, .address = memory.base, .stride = memory.index };
    return switch (prefix) {
        .none => null,
        .p66, .f2 => .{ .load = move },
        .f3 => .{ .store = move },
    };
}

fn product(prefix: Prefix, bytes: bool, vector: u4, operand: Operand) ?Operation {
    if (operand.place != .register) return null;
    const operands: Operands = .{ .sum = operand.reg, .a = operand.place.register, .b = vector };
    if (!bytes) return if (prefix == .f3) .{ .multiply_halves = operands } else null;
    const signs: Signs = .{ .a = prefix == .f2 or prefix == .f3, .b = prefix == .f2 or prefix == .p66 };
    return .{ .multiply_bytes = .{ .signs = signs, .operands = operands } };
}

/// ModRM, SIB and displacement after a three-byte VEX prefix and an opcode.
const Operand = struct {
    reg: u4,
    place: union(enum) {
        register: u4,
        /// `base` with the displacement; `index` scaled, 0 for none.
        memory: struct { base: usize, index: usize, has_index_byte: bool },
    },
    /// Of the whole instruction, in bytes.
    length: usize,

    fn decode(code: [*]const u8, registers: *const Registers) Operand {
        // The prefix holds the fourth bits of the three register numbers, inverted.
        const reg_high: u4 = if (code[1] & 0x80 == 0) 8 else 0;
        const index_high: u4 = if (code[1] & 0x40 == 0) 8 else 0;
        const base_high: u4 = if (code[1] & 0x20 == 0) 8 else 0;
        const mode = code[4] >> 6;
        const low: u3 = @truncate(code[4]);
        const reg = reg_high | @as(u3, @truncate(code[4] >> 3));
        if (mode == 3) return .{ .reg = reg, .place = .{ .register = base_high | low }, .length = 5 };
        const has_index_byte = low == 4;
        var length: usize = 5;
        var index: usize = 0;
        var base_low = low;
        if (has_index_byte) {
            const sib = code[length];
            length += 1;
            base_low = @truncate(sib);
            const number = index_high | @as(u3, @truncate(sib >> 3));
            if (number != 4) index = registers[number] << @truncate(sib >> 6);
        }
        const without_base = mode == 0 and base_low == 5;
        var displacement: i64 = 0;
        if (mode == 1) {
            displacement = @as(i8, @bitCast(code[length]));
            length += 1;
        } else if (mode == 2 or without_base) {
            displacement = std.mem.readInt(i32, code[length..][0..4], .little);
            length += 4;
        }
        var base: usize = @bitCast(displacement);
        if (!without_base) {
            base +%= registers[base_high | base_low];
        } else if (!has_index_byte) {
            base +%= @intFromPtr(code) + length; // relative to the next instruction
        }
        return .{
            .reg = reg,
            .place = .{ .memory = .{ .base = base, .index = index, .has_index_byte = has_index_byte } },
            .length = length,
        };
    }
};
