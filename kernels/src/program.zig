//! Root of every program in programs/. Zig forbids imports above the folder of a root file, so the root stands here and becomes
//! the program that the build names. The others are not compiled with it.

const programs = struct {
    pub const bench_attention = @import("programs/bench_attention.zig");
    pub const bench_buddy = @import("programs/bench_buddy.zig");
    pub const bench_matmul = @import("programs/bench_matmul.zig");
    pub const count_attention = @import("programs/count_attention.zig");
    pub const count_matmul = @import("programs/count_matmul.zig");
    pub const print_levels = @import("programs/print_levels.zig");
    pub const replay = @import("programs/replay.zig");
    pub const supported_levels = @import("programs/supported_levels.zig");
    pub const symbols = @import("programs/symbols.zig");
};

pub const main = @field(programs, @import("kumi_options").program).main;
