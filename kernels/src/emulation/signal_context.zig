//! What a signal handler finds of the code that it interrupted, on x86-64 Linux.

/// The beginning of ucontext_t.
pub const Context = extern struct {
    flags: u64,
    link: ?*anyopaque,
    stack: extern struct { pointer: ?*anyopaque, flags: u32, size: usize },
    r8_to_r15: [8]u64,
    rdi: u64,
    rsi: u64,
    rbp: u64,
    rbx: u64,
    rdx: u64,
    rax: u64,
    rcx: u64,
    rsp: u64,
    rip: u64,
    eflags: u64,
};
