//! The program behind `zig build symbols` and `zig build check-symbols`: symbols (write|check) PATH

const std = @import("std");
const abi = @import("../abi.zig");
const symbols = @import("../abi/symbols.zig");

pub fn main(init: std.process.Init) !u8 {
    const arena = init.arena.allocator();
    const arguments = try init.minimal.args.toSlice(arena);
    if (arguments.len != 3) {
        std.debug.print("usage: symbols (write|check) PATH\n", .{});
        return 2;
    }
    const path = arguments[2];
    var text: std.Io.Writer.Allocating = .init(arena);
    try symbols.print(abi, &text.writer);
    const folder = std.Io.Dir.cwd();
    const present: []const u8 = folder.readFileAlloc(init.io, path, arena, .limited(1 << 20)) catch "";
    const same = std.mem.eql(u8, present, text.written());
    if (std.mem.eql(u8, arguments[1], "write")) {
        if (!same) try folder.writeFile(init.io, .{ .sub_path = path, .data = text.written() });
        return 0;
    }
    if (same) return 0;
    std.debug.print("src/ffi/symbols.ts is out of date: run `zig build symbols` in kernels/ and commit the result\n", .{});
    return 1;
}
