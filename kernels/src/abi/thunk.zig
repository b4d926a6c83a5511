//! Turns a checked Zig function into one with the C calling convention that can cross the ABI.
//!
//! `fn (context: *Context, rows: u32, …) Error!void` becomes `fn (context: u32, rows: u32, …) callconv(.c) i32`: the id is
//! looked up, the context marked busy for the time of the call, and an error turned into its status.

const std = @import("std");
const objects = @import("objects.zig");
const buffers = @import("buffers.zig");
const status = @import("status.zig");
const Context = @import("context.zig").Context;

/// The type a parameter has on the outside.
pub fn Outer(comptime Parameter: type) type {
    return switch (Parameter) {
        *Context => u32,
        u32, f32, buffers.Input, buffers.Output => Parameter,
        else => @compileError("no ABI type for " ++ @typeName(Parameter)),
    };
}

/// Any of the C functions: callers cast it to what it is.
pub const Pointer = *const fn () callconv(.c) i32;

/// The C function that wraps `function`.
pub fn wrap(comptime function: anytype) Pointer {
    const parameters = @typeInfo(@TypeOf(function)).@"fn".param_types;
    const P = struct {
        fn at(comptime i: usize) type {
            return Outer(parameters[i].?);
        }
    }.at;
    return @ptrCast(switch (parameters.len) {
        0 => &struct {
            fn f() callconv(.c) i32 {
                return call(function, .{});
            }
        }.f,
        1 => &struct {
            fn f(a: P(0)) callconv(.c) i32 {
                return call(function, .{a});
            }
        }.f,
        2 => &struct {
            fn f(a: P(0), b: P(1)) callconv(.c) i32 {
                return call(function, .{ a, b });
            }
        }.f,
        3 => &struct {
            fn f(a: P(0), b: P(1), c: P(2)) callconv(.c) i32 {
                return call(function, .{ a, b, c });
            }
        }.f,
        4 => &struct {
            fn f(a: P(0), b: P(1), c: P(2), d: P(3)) callconv(.c) i32 {
                return call(function, .{ a, b, c, d });
            }
        }.f,
        5 => &struct {
            fn f(a: P(0), b: P(1), c: P(2), d: P(3), e: P(4)) callconv(.c) i32 {
                return call(function, .{ a, b, c, d, e });
            }
        }.f,
        6 => &struct {
            fn f(a: P(0), b: P(1), c: P(2), d: P(3), e: P(4), g: P(5)) callconv(.c) i32 {
                return call(function, .{ a, b, c, d, e, g });
            }
        }.f,
        7 => &struct {
            fn f(a: P(0), b: P(1), c: P(2), d: P(3), e: P(4), g: P(5), h: P(6)) callconv(.c) i32 {
                return call(function, .{ a, b, c, d, e, g, h });
            }
        }.f,
        else => many(function, P),
    });
}

fn many(comptime function: anytype, comptime P: fn (comptime usize) type) Pointer {
    const parameters = @typeInfo(@TypeOf(function)).@"fn".param_types;
    return @ptrCast(switch (parameters.len) {
        8 => &struct {
            fn f(a: P(0), b: P(1), c: P(2), d: P(3), e: P(4), g: P(5), h: P(6), i: P(7)) callconv(.c) i32 {
                return call(function, .{ a, b, c, d, e, g, h, i });
            }
        }.f,
        9 => &struct {
            fn f(a: P(0), b: P(1), c: P(2), d: P(3), e: P(4), g: P(5), h: P(6), i: P(7), j: P(8)) callconv(.c) i32 {
                return call(function, .{ a, b, c, d, e, g, h, i, j });
            }
        }.f,
        10 => &struct {
            fn f(a: P(0), b: P(1), c: P(2), d: P(3), e: P(4), g: P(5), h: P(6), i: P(7), j: P(8), k: P(9)) callconv(.c) i32 {
                return call(function, .{ a, b, c, d, e, g, h, i, j, k });
            }
        }.f,
        11 => &struct {
            fn f(a: P(0), b: P(1), c: P(2), d: P(3), e: P(4), g: P(5), h: P(6), i: P(7), j: P(8), k: P(9), l: P(10)) callconv(.c) i32 {
                return call(function, .{ a, b, c, d, e, g, h, i, j, k, l });
            }
        }.f,
        12 => &struct {
            fn f(a: P(0), b: P(1), c: P(2), d: P(3), e: P(4), g: P(5), h: P(6), i: P(7), j: P(8), k: P(9), l: P(10), m: P(11)) callconv(.c) i32 {
                return call(function, .{ a, b, c, d, e, g, h, i, j, k, l, m });
            }
        }.f,
        13 => &struct {
            fn f(a: P(0), b: P(1), c: P(2), d: P(3), e: P(4), g: P(5), h: P(6), i: P(7), j: P(8), k: P(9), l: P(10), m: P(11), n: P(12)) callconv(.c) i32 {
                return call(function, .{ a, b, c, d, e, g, h, i, j, k, l, m, n });
            }
        }.f,
        14 => &struct {
            fn f(a: P(0), b: P(1), c: P(2), d: P(3), e: P(4), g: P(5), h: P(6), i: P(7), j: P(8), k: P(9), l: P(10), m: P(11), n: P(12), o: P(13)) callconv(.c) i32 {
                return call(function, .{ a, b, c, d, e, g, h, i, j, k, l, m, n, o });
            }
        }.f,
        17 => &struct {
            fn f(a: P(0), b: P(1), c: P(2), d: P(3), e: P(4), g: P(5), h: P(6), i: P(7), j: P(8), k: P(9), l: P(10), m: P(11), n: P(12), o: P(13), p: P(14), q: P(15), r: P(16)) callconv(.c) i32 {
                return call(function, .{ a, b, c, d, e, g, h, i, j, k, l, m, n, o, p, q, r });
            }
        }.f,
        else => @compileError("thunk.zig: add a case for this number of parameters"),
    });
}

/// What the C function does; `outer` are its arguments.
pub inline fn call(comptime function: anytype, outer: anytype) i32 {
    const parameters = @typeInfo(@TypeOf(function)).@"fn".param_types;
    if (parameters.len == 0 or parameters[0].? != *Context) return status.code(@call(.auto, function, outer));
    const context = objects.get(Context, outer[0]) catch |err| return status.code(@as(status.Error!void, err));
    if (context.busy.swap(1, .acquire) != 0) return status.code(@as(status.Error!void, error.ContextBusy));
    defer context.busy.store(0, .release);
    var inner: std.meta.ArgsTuple(@TypeOf(function)) = undefined;
    inner[0] = context;
    inline for (1..parameters.len) |i| inner[i] = outer[i];
    return status.code(@call(.auto, function, inner));
}
