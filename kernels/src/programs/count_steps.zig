//! Runs a program one instruction at a time and counts how often each is executed (x86-64 Linux, static programs):
//!
//!     count_steps ADDRESSES PROGRAM [ARGUMENT…]
//!
//! ADDRESSES: a file with the address of every instruction, hexadecimal, ascending, one a line. Prints the address and
//! the count of each that was executed. An instruction that this machine lacks is counted and stepped over. Where no
//! branch depends on what it would have computed, as in the matmuls, the counts are those of a machine that has it.

const std = @import("std");
const linux = std.os.linux;
const PTRACE = linux.PTRACE;

/// Of the saved registers in `struct user`: the instruction pointer.
const rip_offset = 16 * 8;

const Program = struct {
    first: usize,
    /// By address − first: the instruction's length, 0 within one.
    lengths: []u8,
    counts: []u64,

    fn parse(gpa: std.mem.Allocator, text: []const u8) !Program {
        var addresses: std.ArrayList(usize) = .empty;
        var lines = std.mem.tokenizeScalar(u8, text, '\n');
        while (lines.next()) |line| try addresses.append(gpa, try std.fmt.parseInt(usize, line, 16));
        if (addresses.items.len < 2) return error.NoInstructions;
        const first = addresses.items[0];
        const size = addresses.items[addresses.items.len - 1] - first;
        const program: Program = .{ .first = first, .lengths = try gpa.alloc(u8, size), .counts = try gpa.alloc(u64, size) };
        @memset(program.lengths, 0);
        @memset(program.counts, 0);
        for (addresses.items[0 .. addresses.items.len - 1], addresses.items[1..]) |address, next| {
            // Longer than any instruction is a gap between sections, where none is executed.
            program.lengths[address - first] = @intCast(@min(next - address, 16));
        }
        return program;
    }

    /// Counts the instruction at `rip`; its length.
    fn count(program: *Program, rip: usize) !u8 {
        if (rip < program.first or rip - program.first >= program.counts.len) return error.UnknownAddress;
        const index = rip - program.first;
        if (program.lengths[index] == 0) return error.UnknownAddress;
        program.counts[index] += 1;
        return program.lengths[index];
    }
};

pub fn main(init: std.process.Init) !void {
    const arena = init.arena.allocator();
    const arguments = try init.minimal.args.toSlice(arena);
    if (arguments.len < 3) return error.WrongArguments;
    const text = try std.Io.Dir.cwd().readFileAlloc(init.io, arguments[1], arena, .limited(64 << 20));
    var program: Program = try .parse(arena, text);
    const argv = try arena.allocSentinel(?[*:0]const u8, arguments.len - 2, null);
    for (argv, arguments[2..]) |*target, argument| target.* = argument.ptr;
    const pid: linux.pid_t = @intCast(linux.fork());
    if (pid == 0) {
        _ = linux.ptrace(PTRACE.TRACEME, 0, 0, 0, 0);
        const environment: [*:null]const ?[*:0]const u8 = &.{};
        _ = linux.execve(argv[0].?, argv, environment);
        linux.exit_group(127);
    }
    try follow(&program, pid);
    var output: std.Io.Writer.Allocating = .init(arena);
    for (program.counts, program.first..) |count, address| {
        if (count > 0) try output.writer.print("{x} {d}\n", .{ address, count });
    }
    try std.Io.File.stdout().writeStreamingAll(init.io, output.written());
}

fn follow(program: *Program, pid: linux.pid_t) !void {
    while (true) {
        var status: i32 = 0;
        if (linux.errno(linux.waitpid(pid, &status, 0)) != .SUCCESS) return error.WaitFailed;
        const word: u32 = @bitCast(status);
        if (linux.W.IFEXITED(word)) {
            if (linux.W.EXITSTATUS(word) != 0) return error.ProgramFailed;
            return;
        }
        if (!linux.W.IFSTOPPED(word)) return error.ProgramKilled;
        var rip: usize = 0;
        if (linux.errno(linux.ptrace(PTRACE.PEEKUSER, pid, rip_offset, @intFromPtr(&rip), 0)) != .SUCCESS) return error.PeekFailed;
        switch (linux.W.STOPSIG(word)) {
            .TRAP => _ = try program.count(rip),
            // Already counted when the step before led here.
            .ILL => {
                rip += program.lengths[rip - program.first];
                _ = linux.ptrace(PTRACE.POKEUSER, pid, rip_offset, rip, 0);
                _ = try program.count(rip);
            },
            // Somebody stops this machine's processes for a while.
            .STOP, .CONT => {},
            else => return error.ProgramStopped,
        }
        if (linux.errno(linux.ptrace(PTRACE.SINGLESTEP, pid, 0, 0, 0)) != .SUCCESS) return error.StepFailed;
    }
}
