//! The functions of Windows that the library calls, as Microsoft documents them. Windows 8 has all of them.

pub const mem_commit = 0x1000;
pub const mem_reserve = 0x2000;
pub const mem_release = 0x8000;
pub const mem_reset = 0x80000;
pub const page_readwrite = 4;

/// GetModuleHandleEx: never unload the module; `name` is an address inside it.
pub const module_pin = 1;
pub const module_from_address = 4;

pub const MemoryStatus = extern struct {
    length: u32 = @sizeOf(MemoryStatus),
    load_percent: u32 = 0,
    physical_bytes: u64 = 0,
    physical_free_bytes: u64 = 0,
    commit_limit_bytes: u64 = 0,
    commit_free_bytes: u64 = 0,
    address_bytes: u64 = 0,
    address_free_bytes: u64 = 0,
    address_free_extended_bytes: u64 = 0,
};

pub extern "kernel32" fn VirtualAlloc(address: ?*anyopaque, len: usize, kind: u32, protection: u32) callconv(.winapi) ?*anyopaque;
pub extern "kernel32" fn VirtualFree(address: *anyopaque, len: usize, kind: u32) callconv(.winapi) i32;
pub extern "kernel32" fn GlobalMemoryStatusEx(status: *MemoryStatus) callconv(.winapi) i32;
pub extern "kernel32" fn GetModuleHandleExW(flags: u32, name: ?*const anyopaque, module: *?*anyopaque) callconv(.winapi) i32;
pub extern "kernel32" fn QueryPerformanceCounter(ticks: *i64) callconv(.winapi) i32;
pub extern "kernel32" fn QueryPerformanceFrequency(ticks_per_second: *i64) callconv(.winapi) i32;
pub extern "ntdll" fn RtlWaitOnAddress(word: *const anyopaque, expected: *const anyopaque, bytes: usize, timeout: ?*const i64) callconv(.winapi) u32;
pub extern "ntdll" fn RtlWakeAddressAll(word: *const anyopaque) callconv(.winapi) void;
pub extern "ntdll" fn RtlWakeAddressSingle(word: *const anyopaque) callconv(.winapi) void;
