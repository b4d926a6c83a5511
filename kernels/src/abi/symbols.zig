//! Prints the tables of abi.zig as TypeScript.

const std = @import("std");
const thunk = @import("thunk.zig");
const activations = @import("../quant/activations.zig");
const buffers = @import("buffers.zig");

/// The one function that is not in the table, because its result is the hash of the table.
pub const hash_function = "kumi_abi_hash";

const Writer = std.Io.Writer;

/// Writes src/ffi/symbols.ts, laid out as `deno fmt` would.
pub fn print(comptime abi: type, out: *Writer) Writer.Error!void {
    try out.writeAll(
        \\// Written by `zig build symbols` (in kernels/) from kernels/src/abi.zig. Do not edit.
        \\
        \\
    );
    try out.print("/** What `{s}` of a matching library returns. */\nexport const abiHash = 0x{x:0>8};\n\n", .{ hash_function, comptime hash(abi) });
    try printBody(abi, out);
}

fn printBody(comptime abi: type, out: *Writer) Writer.Error!void {
    try out.writeAll("/** Sizes that both sides must agree on. */\nexport const limits = {\n");
    inline for (abi.limits) |limit| try out.print("  {s}: {d},\n", limit);
    try out.writeAll("} as const;\n");
    inline for (abi.enums) |entry| try printEnum(entry[0], entry[1], out);
    try printForms(abi.ActivationKind, out);
    try printFormats(abi.WeightFormat, out);
    try out.writeAll(
        \\
        \\/** Layouts of the structs that lie in buffers: bytes, and each field's offset and type. */
        \\export const structs = {
        \\
    );
    inline for (abi.structs) |entry| try printStruct(abi, entry[0], entry[1], out);
    try out.writeAll("} as const;\n");
    try printFunctions(abi, out);
}

fn printEnum(comptime name: []const u8, comptime T: type, out: *Writer) Writer.Error!void {
    const info = @typeInfo(T).@"enum";
    try out.print("\nexport const {s} = {{\n", .{name});
    inline for (info.field_names, info.field_values) |field, value| {
        try out.print("  {s}: {d},\n", .{ comptime camel(field), value });
    }
    try out.writeAll("} as const;\n");
}

fn printForms(comptime Kind: type, out: *Writer) Writer.Error!void {
    try out.print(
        \\
        \\/** The forms of an activation: bits of a mask. */
        \\export const activationForms = {{
        \\  f32: {d},
        \\
    , .{activations.form_f32});
    inline for (comptime std.enums.values(Kind)) |kind| try out.print("  {t}: {d},\n", .{ kind, kind.form() });
    try out.writeAll("} as const;\n");
}

fn printFormats(comptime Format: type, out: *Writer) Writer.Error!void {
    try out.writeAll(
        \\
        \\/**
        \\ * Formats of weights: GGUF's type id, the block, what 16 rows take in memory, so many bytes for so many values of each, and what
        \\ * the activations that they multiply are.
        \\ */
        \\export const weightFormats = {
        \\
    );
    inline for (comptime std.enums.values(Format)) |format| {
        const activation = if (format.activationKind()) |kind| @tagName(kind) else "f32";
        const Codec = @import("../quant/format.zig").Codec(format);
        try out.print(
            \\  {t}: {{
            \\    id: {d},
            \\    blockLength: {d},
            \\    blockBytes: {d},
            \\    panelLength: {d},
            \\    panelBytes: {d},
            \\    activation: "{s}",
            \\    written: {},
            \\  }},
            \\
        , .{
            format,
            @backingInt(format),
            format.blockLen(),
            format.blockBytes(),
            Codec.chunk_len,
            @sizeOf(Codec.Packed),
            activation,
            format.isWritten(),
        });
    }
    try out.writeAll("} as const;\n");
}

fn printStruct(comptime abi: type, comptime name: []const u8, comptime T: type, out: *Writer) Writer.Error!void {
    const info = @typeInfo(T).@"struct";
    comptime std.debug.assert(info.layout == .@"extern");
    try out.print("  {s}: {{\n    bytes: {d},\n    fields: {{\n", .{ name, @sizeOf(T) });
    inline for (info.field_names, info.field_types) |field, Field| {
        const element = elementOf(Field);
        try out.print("      {s}: {{ offset: {d}, type: \"{s}\", count: {d} }},\n", .{
            comptime camel(field),
            @offsetOf(T, field),
            comptime typeName(abi, element.type),
            element.count,
        });
    }
    try out.writeAll("    },\n  },\n");
}

fn elementOf(comptime Field: type) struct { type: type, count: usize } {
    return switch (@typeInfo(Field)) {
        .array => |array| .{ .type = array.child, .count = array.len },
        else => .{ .type = Field, .count = 1 },
    };
}

fn typeName(comptime abi: type, comptime T: type) []const u8 {
    if (T == u32) return "u32";
    if (T == f32) return "f32";
    switch (@typeInfo(T)) {
        // Flags are one word of bits.
        .@"struct" => |info| if (info.backing_integer) |Word| return typeName(abi, Word),
        else => {},
    }
    for (abi.structs) |entry| if (entry[1] == T) return entry[0];
    @compileError("abi/symbols.zig: no TypeScript type for " ++ @typeName(T));
}

fn printFunctions(comptime abi: type, out: *Writer) Writer.Error!void {
    try out.print(
        \\
        \\/** The library's functions, for `Deno.dlopen`. */
        \\export const symbols = {{
        \\  {s}: {{
        \\    parameters: [],
        \\    result: "u32",
        \\  }},
        \\
    , .{hash_function});
    inline for (abi.functions) |entry| {
        try out.print("  {s}: {{\n    parameters: [", .{entry[0]});
        const types = @typeInfo(@TypeOf(entry[1])).@"fn".param_types;
        const names = comptime words(entry[2], types.len);
        inline for (types, names) |T, name| {
            try out.print("\n      \"{s}\", // {s}", .{ comptime parameterName(T.?), name });
        }
        if (types.len > 0) try out.writeAll("\n    ");
        try out.writeAll("],\n    result: \"i32\",\n  },\n");
    }
    try out.writeAll("} as const satisfies Deno.ForeignLibraryInterface;\n");
}

fn parameterName(comptime T: type) []const u8 {
    return switch (thunk.Outer(T)) {
        u32 => "u32",
        f32 => "f32",
        buffers.Input, buffers.Output => "buffer",
        else => unreachable,
    };
}

fn words(comptime text: []const u8, comptime count: usize) [count][]const u8 {
    @setEvalBranchQuota(10_000);
    var result: [count][]const u8 = undefined;
    var parts = std.mem.tokenizeScalar(u8, text, ' ');
    for (&result) |*word| word.* = parts.next() orelse @compileError("too few parameter names: " ++ text);
    if (parts.next() != null) @compileError("too many parameter names: " ++ text);
    return result;
}

/// snake_case → camelCase, but format names stay as they are (q4_0, q4_k).
fn camel(comptime name: []const u8) []const u8 {
    var result: [name.len]u8 = undefined;
    var len: usize = 0;
    var upper = false;
    for (name, 0..) |char, i| {
        const part_of_format = i > 0 and i + 2 == name.len and std.ascii.isDigit(name[i - 1]);
        if (char == '_' and !part_of_format) {
            upper = true;
            continue;
        }
        result[len] = if (upper) std.ascii.toUpper(char) else char;
        upper = false;
        len += 1;
    }
    const final = result;
    return final[0..len];
}

/// FNV-1a of everything that the generated file says.
pub fn hash(comptime abi: type) u32 {
    @setEvalBranchQuota(10_000_000);
    var buffer: [64 * 1024]u8 = undefined;
    var out: Writer = .fixed(&buffer);
    printBody(abi, &out) catch @compileError("abi/symbols.zig: the buffer for the hash is too small");
    var value: u32 = 0x811C_9DC5;
    for (out.buffered()) |byte| value = (value ^ byte) *% 0x0100_0193;
    return value;
}
