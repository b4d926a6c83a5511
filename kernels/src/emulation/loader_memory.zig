//! Memory of the emulated machine, mapped one to one in pages of 4 KiB, so that a page can be made inaccessible:
//!
//!     0x00010000  the program       0x10000000  loader, arguments, the program's file
//!     0x20000000  mmap              0x3f000000  stack, up to 0x40000000

const std = @import("std");

pub const page = 4096;
pub const program_first = 0x10000;
pub const program_end = 0x1000_0000;
pub const arguments = 0x103f_f000;
pub const file = 0x1040_0000;
const mmap_first = 0x2000_0000;
const mmap_end = 0x3f00_0000;
pub const stack_end = 0x4000_0000;

const present = 1;
const writable = 2;

var tables: [512][512]u64 align(page) = undefined;

/// Replaces the boot code's pages of 2 MiB; page 0 stays absent, so that null pointers fault.
pub fn init() void {
    const directory: *[512]u64 = @ptrFromInt(0x3000);
    for (&tables, directory, 0..) |*table, *entry, i| {
        for (table, 0..) |*slot, j| slot.* = (i * 512 + j) * page | present | writable;
        entry.* = @intFromPtr(table) | present | writable;
    }
    tables[0][0] = 0;
    asm volatile ("movq %%cr3, %%rax; movq %%rax, %%cr3" ::: .{ .rax = true, .memory = true });
}

pub fn setAccessible(address: usize, len: usize, accessible: bool) void {
    var at = address;
    while (at < address + len) : (at += page) {
        const slot = &tables[at >> 21][at >> 12 & 511];
        slot.* = if (accessible) at | present | writable else 0;
        asm volatile ("invlpg (%[at])"
            :
            : [at] "r" (at),
            : .{ .memory = true });
    }
}

/// Where the next mapping may go; nothing before it is used again, except what `release` put on the list.
var next: usize = mmap_first;
var free: [4096]struct { address: usize, len: usize } = undefined;
var free_count: usize = 0;

/// Zeroed, accessible pages; null when there are none left.
pub fn map(len: usize) ?usize {
    const size = std.mem.alignForward(usize, len, page);
    const address = reuse(size) orelse fresh(size) orelse return null;
    setAccessible(address, size, true);
    @memset(@as([*]u8, @ptrFromInt(address))[0..size], 0);
    return address;
}

fn reuse(size: usize) ?usize {
    for (free[0..free_count]) |*hole| {
        if (hole.len < size) continue;
        const address = hole.address;
        hole.address += size;
        hole.len -= size;
        if (hole.len == 0) {
            free_count -= 1;
            hole.* = free[free_count];
        }
        return address;
    }
    return null;
}

fn fresh(size: usize) ?usize {
    if (size > mmap_end - next) return null;
    defer next += size;
    return next;
}

/// Gives pages back; using them faults until they are mapped again.
pub fn release(address: usize, len: usize) void {
    var first = address;
    var size = std.mem.alignForward(usize, len, page);
    if (size == 0 or first < mmap_first or first + size > mmap_end) return;
    setAccessible(first, size, false);
    var i: usize = 0;
    while (i < free_count) {
        const hole = free[i];
        if (hole.address + hole.len == first or first + size == hole.address) {
            first = @min(first, hole.address);
            size += hole.len;
            free_count -= 1;
            free[i] = free[free_count];
            i = 0;
        } else i += 1;
    }
    if (free_count == free.len) return; // lost, which only costs memory
    free[free_count] = .{ .address = first, .len = size };
    free_count += 1;
}
