//! Fills a RoPE table on all threads.

const Job = @import("../system/job.zig").Job;
const rope = @import("rope.zig");

pub const Args = extern struct {
    frequencies: *const rope.Frequencies,
    /// f32 [max_positions][2][n_rot / 2]
    table: [*]f32,
    n_rot: u32,
    max_positions: u32,
};

const claim_positions = 64;

pub fn run(args: *const Args, job: *const Job) callconv(.c) void {
    const n_rot: usize = args.n_rot;
    while (job.claim(args.max_positions, claim_positions)) |part| {
        const rows = args.table[part.first * n_rot .. part.end * n_rot];
        args.frequencies.fill(args.n_rot, part.first, rows);
    }
}
