//! Counts what tests run, by op and format, and prints it when a test program ends, for the table of `deno task test`:
//! `[ran] LEVEL OP FORMAT RUNS`.

const std = @import("std");
const options = @import("kumi_options");
const Format = @import("../quant/format.zig").Format;

const Entry = struct { op: []const u8, format: []const u8, runs: u32 };

/// What the runs are counted for.
pub var level: []const u8 = options.level;

var entries: [128]Entry = undefined;
var entries_count: usize = 0;

extern fn atexit(callback: *const fn () callconv(.c) void) c_int;

/// Called for each run of an op in a test; `args` is a pointer to the op's arguments.
pub fn note(args: anytype) void {
    const Args = @typeInfo(@TypeOf(args)).pointer.child;
    const op = comptime opOf(Args);
    if (@hasField(Args, "items")) {
        for (args.items[0..args.count]) |item| add(op, @tagName(Format.fromId(item.format).?));
    } else if (@hasField(Args, "view")) {
        add(op, switch (args.view.format) {
            inline else => |format| "kv_" ++ @tagName(format),
        });
    } else if (@hasField(Args, "format")) {
        add(op, @tagName(Format.fromId(args.format).?));
    } else {
        add(op, "f32");
    }
}

/// "matmul" of ops.matmul.Group.
fn opOf(comptime Args: type) []const u8 {
    const name = @typeName(Args);
    const end = std.mem.findScalarLast(u8, name, '.').?;
    const start = if (std.mem.findScalarLast(u8, name[0..end], '.')) |dot| dot + 1 else 0;
    return name[start..end];
}

/// A run of something that is no single op.
pub fn add(op: []const u8, format: []const u8) void {
    if (!options.report) return;
    if (entries_count == 0) _ = atexit(&print);
    for (entries[0..entries_count]) |*entry| {
        if (std.mem.eql(u8, entry.op, op) and std.mem.eql(u8, entry.format, format)) {
            entry.runs += 1;
            return;
        }
    }
    entries[entries_count] = .{ .op = op, .format = format, .runs = 1 };
    entries_count += 1;
}

fn print() callconv(.c) void {
    for (entries[0..entries_count]) |entry| {
        std.debug.print("[ran] {s} {s} {s} {d}\n", .{ level, entry.op, entry.format, entry.runs });
    }
}
