//! What the programs whose instructions bench/instruction_counts.ts counts have in common. Their command line:
//! `NAME LEVEL FORMAT COUNT REPEAT [ADDRESSES]`. Under an emulator that logs what it executes, a run without a repetition shows
//! what is not the op's. With ADDRESSES, the file of them that steps.zig reads, one repetition is counted and printed.

const std = @import("std");
const dispatch = @import("../isa/dispatch.zig");
const Ops = @import("../ops.zig").Ops;
const steps = @import("steps.zig");

pub fn Options(comptime Format: type) type {
    return struct {
        /// The level's own, those of the library.
        ops: *const Ops,
        format: Format,
        /// Columns or tokens.
        count: u32,
        repeat: u32,
        io: std.Io,
        gpa: std.mem.Allocator,

        const Self = @This();

        pub fn read(init: std.process.Init, count_max: u32) !Self {
            const gpa = init.arena.allocator();
            const arguments = try init.minimal.args.toSlice(gpa);
            if (arguments.len < 5 or arguments.len > 6) return error.WrongArguments;
            const level = dispatch.byName(arguments[1]) orelse return error.UnknownLevel;
            const options: Self = .{
                .ops = dispatch.table(level),
                .format = std.meta.stringToEnum(Format, arguments[2]) orelse return error.UnknownFormat,
                .count = try std.fmt.parseInt(u32, arguments[3], 10),
                .repeat = try std.fmt.parseInt(u32, arguments[4], 10),
                .io = init.io,
                .gpa = gpa,
            };
            if (options.count == 0 or options.count > count_max) return error.CountOutOfRange;
            if (arguments.len == 6) {
                if (!steps.available) return error.NoSteps;
                try steps.init(gpa, try std.Io.Dir.cwd().readFileAlloc(init.io, arguments[5], gpa, .limited(64 << 20)));
                steps_wanted = true;
            }
            return options;
        }

        /// Repeats what `op.run()` does, and prints how many multiply-adds that takes once.
        pub fn measure(options: Self, op: anytype, macs: usize) !void {
            var output: std.Io.Writer.Allocating = .init(options.gpa);
            for (0..options.repeat) |_| if (steps.available and steps_wanted) {
                steps.start();
                op.run();
                steps.stop();
            } else op.run();
            try output.writer.print("macs {d}\n", .{macs});
            if (steps.available and steps_wanted) try steps.write(&output.writer);
            try std.Io.File.stdout().writeStreamingAll(options.io, output.written());
        }
    };
}

var steps_wanted = false;
