//! The KV cache of one worker: K and V of every layer, addressed by token slot. Layers may differ in heads, in the sizes of
//! keys and values, and in how far back a query sees.
//!
//! Address space is reserved once and holds no memory: the system commits a page when an append first touches it, unless
//! `prefault` did so before, and `giveBack` returns the pages of a free run. Slots come in blocks of 16 tokens:
//!
//!     K  [row][kv head][block][key_dim][16 tokens]     tokens are lanes: scores need no horizontal sums
//!     V  [row][kv head][block][16 tokens][value_dim]   head dimensions are lanes: outputs need none either
//!
//! In q8_0 four elements that one dot product sums lie side by side: dimensions of K, tokens of V.
//!
//!     K  [row][kv head][block][key_dim / 4][16 tokens][4 dimensions]
//!     V  [row][kv head][block][16 tokens / 4][value_dim][4 tokens]
//!
//! Each 32 dimensions of a token share a scale; a block's elements are followed by their f16 scales [key_dim / 32][16 tokens],
//! and likewise for V.
//!
//! Layers with one window form groups, and a sequence has a list of blocks for each group: one whose window has moved on
//! gives blocks back that the others still need. A block belongs to one group at a time, so layers of different groups can
//! share the same memory: the n-th layer of a shape in each group lies in the n-th row of that shape. A model whose layers
//! are all in one group has a row for each.
//!
//! Of layers with latent attention (DeepSeek-AI 2024) a value is the last `value_dim` elements of its key. Those are kept
//! once, as K; readers put them in the order of V where they need them.
//!
//! Lanes of a block beyond the tokens written so far hold zeros or an earlier owner's values; readers mask them.

const std = @import("std");
const builtin = @import("builtin");
const pages = @import("../system/pages.zig");
const memory_module = @import("../system/memory.zig");
const page = pages.page;
pub const huge_page = 2 * 1024 * 1024;
/// madvise: map and fill pages as if they had been written (Linux 5.14).
const madv_populate_write = 23;

/// Tokens of a block, and lanes of the virtual float vector.
pub const block_tokens = 16;
/// Elements of a key or a value; of latent attention a key has 512 and what is turned.
pub const head_dim_max = 576;
/// In formats that have scales.
pub const scaled_dim_max = 256;
pub const layers_max = 1024;
pub const groups_max = 64;
/// A window that reaches back to position 0 from everywhere.
pub const no_window = std.math.maxInt(u32);
/// Dimensions of one token that share a scale, in formats that have scales.
pub const scale_group = 32;
/// Elements of K, or of V, that lie side by side in those formats.
pub const dot_group = 4;

/// Element type of K and V; the numbers are ggml's type ids.
pub const Format = enum(u32) {
    f32 = 0,
    f16 = 1,
    /// int8 times the scale of its group.
    q8_0 = 8,
    bf16 = 30,

    pub fn fromInt(id: u32) ?Format {
        return switch (id) {
            0 => .f32,
            1 => .f16,
            8 => .q8_0,
            30 => .bf16,
            else => null,
        };
    }

    /// Of one element, without its share of a scale.
    pub fn elementBytes(format: Format) usize {
        return switch (format) {
            .f32 => 4,
            .f16, .bf16 => 2,
            .q8_0 => 1,
        };
    }

    /// The number or the bits in which an element is stored.
    pub fn Element(comptime format: Format) type {
        return switch (format) {
            .f32 => f32,
            .f16, .bf16 => u16,
            .q8_0 => i8,
        };
    }

    pub fn hasScales(format: Format) bool {
        return format == .q8_0;
    }

    /// Bytes of one head's block of K, or V, of `dim` dimensions.
    pub fn blockBytes(format: Format, dim: u32) usize {
        const scales = if (format.hasScales()) dim / scale_group * block_tokens * @sizeOf(u16) else 0;
        return @as(usize, dim) * block_tokens * format.elementBytes() + scales;
    }

    /// Whether keys or values of `dim` dimensions can be stored.
    fn takes(format: Format, dim: u32) bool {
        const step: u32 = if (format.hasScales()) scale_group else 8;
        const most: u32 = if (format.hasScales()) scaled_dim_max else head_dim_max;
        return dim > 0 and dim <= most and dim % step == 0;
    }
};

/// Where the values of a layer are.
pub const Values = enum(u32) {
    /// Beside its keys.
    own = 0,
    /// They are the last elements of its keys.
    in_keys = 1,
};

/// K and V of one layer, as ops take it.
pub const LayerView = extern struct {
    k: [*]u8,
    v: [*]u8,
    /// Slots of the arena, a multiple of `block_tokens`.
    slots: u32,
    kv_heads: u32,
    key_dim: u32,
    value_dim: u32,
    /// Positions that a query sees, its own included: p sees those from p − window + 1 on, or all with `no_window`.
    window: u32,
    format: Format,
    values: Values,

    /// Bytes of K of one block of one KV head.
    pub fn keyBlockBytes(view: LayerView) usize {
        return view.format.blockBytes(view.key_dim);
    }

    /// Bytes of V of one block of one KV head, beside its keys.
    pub fn valueBlockBytes(view: LayerView) usize {
        return if (view.values == .in_keys) 0 else view.format.blockBytes(view.value_dim);
    }

    /// Bytes of K of one KV head.
    pub fn keyHeadBytes(view: LayerView) usize {
        return view.slots / block_tokens * view.keyBlockBytes();
    }

    /// Bytes of V of one KV head.
    pub fn valueHeadBytes(view: LayerView) usize {
        return view.slots / block_tokens * view.valueBlockBytes();
    }
};

/// One layer's part of a cache, as the caller describes it.
pub const LayerShape = extern struct {
    kv_heads: u32,
    /// Elements of a key, and of a value: multiples of 8 up to `head_dim_max`, of 32 in q8_0.
    key_dim: u32,
    value_dim: u32,
    /// Positions that a query sees, its own included; 0: all before it.
    window: u32 = 0,
    /// Layers of one group share a list of blocks, so they have one window.
    group: u32 = 0,
    /// A `Values`.
    values: u32 = 0,

    fn sharesRow(a: LayerShape, b: LayerShape) bool {
        return a.kv_heads == b.kv_heads and a.key_dim == b.key_dim and a.value_dim == b.value_dim and a.values == b.values;
    }

    fn hasOwnValues(shape: LayerShape) bool {
        return shape.values == @backingInt(Values.own);
    }

    /// Whether the layer can be stored.
    fn isPossible(shape: LayerShape, format: Format) bool {
        if (shape.kv_heads == 0 or shape.group >= groups_max) return false;
        if (!format.takes(shape.key_dim) or !format.takes(shape.value_dim)) return false;
        const values = std.enums.fromInt(Values, shape.values) orelse return false;
        return values == .own or shape.value_dim <= shape.key_dim and !format.hasScales();
    }

    /// Bytes of K and V of one block over all heads; null when that overflows.
    fn blockBytes(shape: LayerShape, format: Format) ?usize {
        const one = format.blockBytes(shape.key_dim) + if (shape.hasOwnValues()) format.blockBytes(shape.value_dim) else 0;
        return std.math.mul(usize, one, shape.kv_heads) catch null;
    }
};

pub const Shape = struct {
    layers: []const LayerShape,
    slots: u32,
    format: Format,
};

/// Where a layer lies: offsets of its K and V in the arena's memory.
const Place = struct {
    shape: LayerShape,
    k: usize,
    v: usize,
    /// Number among the layers of its group that have its shape, from 0.
    ordinal: u32,
    /// Whether it is the first layer of its row.
    is_first: bool,
};

pub const Arena = struct {
    slots: u32,
    format: Format,
    groups: u32,
    /// Bytes of K and V in all rows that one token takes.
    bytes_per_token: usize,
    places: []const Place,
    /// Starts at a huge page's border where it is that large.
    memory: []align(page) u8,
    mapping: []align(page) u8,
    place_memory: memory_module.Block,

    pub const Error = error{ InvalidShape, OutOfAddressSpace, OutOfMemory };

    /// Reserves address space. There are 1 to `layers_max` layers; groups are numbered from 0 and each has a layer; slots are a
    /// multiple of 16 and not 0.
    pub fn init(shape: Shape) Error!Arena {
        const groups = try countGroups(shape);
        if (shape.slots == 0 or shape.slots % block_tokens != 0) return error.InvalidShape;
        var place_memory: memory_module.Block = try .init(shape.layers.len * @sizeOf(Place));
        errdefer place_memory.deinit();
        const place_ptr: [*]Place = @ptrCast(@alignCast(place_memory.bytes.ptr));
        const places = place_ptr[0..shape.layers.len];
        const used = layOut(shape, places) orelse return error.InvalidShape;
        const bytes = std.mem.alignForward(usize, used, page);
        const slack: usize = if (bytes >= huge_page) huge_page else 0;
        const mapping = pages.map(bytes + slack, .reservation) catch return error.OutOfAddressSpace;
        const address = @intFromPtr(mapping.ptr);
        const skip = if (slack == 0) 0 else std.mem.alignForward(usize, address, huge_page) - address;
        std.debug.assert(used % shape.slots == 0);
        return .{
            .slots = shape.slots,
            .format = shape.format,
            .groups = groups,
            .bytes_per_token = used / shape.slots,
            .places = places,
            .memory = @alignCast(mapping[skip..][0..bytes]),
            .mapping = mapping,
            .place_memory = place_memory,
        };
    }

    pub fn deinit(arena: *Arena) void {
        pages.unmap(arena.mapping);
        arena.place_memory.deinit();
        arena.* = undefined;
    }

    /// How many groups the layers form; an error where a layer cannot be stored, a group is empty or has two windows.
    fn countGroups(shape: Shape) Error!u32 {
        if (shape.layers.len == 0 or shape.layers.len > layers_max) return error.InvalidShape;
        var windows: [groups_max]?u32 = @splat(null);
        var groups: u32 = 0;
        for (shape.layers) |each| {
            if (!each.isPossible(shape.format)) return error.InvalidShape;
            const window = windows[each.group] orelse each.window;
            if (window != each.window) return error.InvalidShape;
            windows[each.group] = window;
            groups = @max(groups, each.group + 1);
        }
        for (windows[0..groups]) |window| if (window == null) return error.InvalidShape;
        std.debug.assert(groups > 0 and groups <= groups_max);
        return groups;
    }

    /// Gives each layer a row; the bytes of all rows, or null when that is more than user space has.
    fn layOut(shape: Shape, places: []Place) ?usize {
        std.debug.assert(places.len == shape.layers.len);
        const blocks = shape.slots / block_tokens;
        var end: usize = 0;
        for (places, shape.layers, 0..) |*place, each, i| {
            var ordinal: u32 = 0;
            for (shape.layers[0..i]) |other| ordinal += @intFromBool(other.group == each.group and other.sharesRow(each));
            place.* = .{ .shape = each, .k = end, .v = undefined, .ordinal = ordinal, .is_first = false };
            for (places[0..i]) |other| {
                if (other.ordinal != ordinal or !other.shape.sharesRow(each)) continue;
                place.k = other.k;
                place.v = other.v;
                break;
            } else {
                const block_bytes = each.blockBytes(shape.format) orelse return null;
                const bytes = std.math.mul(usize, block_bytes, blocks) catch return null;
                place.v = end + shape.format.blockBytes(each.key_dim) * blocks * each.kv_heads;
                place.is_first = true;
                end = std.math.add(usize, end, bytes) catch return null;
                if (end > memory_module.bytes_max) return null;
                std.debug.assert(place.v > place.k and (place.v < end or !each.hasOwnValues()));
            }
        }
        return end;
    }

    pub fn layer(arena: Arena, index: u32) LayerView {
        const place = arena.places[index];
        std.debug.assert(place.k < place.v and place.v <= arena.memory.len);
        return .{
            .k = arena.memory.ptr + place.k,
            .v = arena.memory.ptr + place.v,
            .slots = arena.slots,
            .kv_heads = place.shape.kv_heads,
            .key_dim = place.shape.key_dim,
            .value_dim = place.shape.value_dim,
            .window = if (place.shape.window == 0) no_window else place.shape.window,
            .format = arena.format,
            .values = @fromBackingInt(place.shape.values),
        };
    }

    /// The group whose list of blocks a layer uses.
    pub fn groupOf(arena: Arena, index: u32) u32 {
        std.debug.assert(arena.places[index].shape.group < arena.groups);
        return arena.places[index].shape.group;
    }

    /// The window of a group's layers, `no_window` where they see everything.
    pub fn windowOf(arena: Arena, group: u32) u32 {
        std.debug.assert(group < arena.groups);
        for (arena.places) |place| {
            if (place.shape.group == group) return if (place.shape.window == 0) no_window else place.shape.window;
        }
        unreachable;
    }

    /// Asks the system for huge pages, or for small ones where it would use huge ones by itself. With huge pages the first
    /// token already commits one in each layer and head. A refusal only costs speed.
    pub fn preferHugePages(arena: Arena, wanted: bool) void {
        if (builtin.os.tag != .linux) return;
        const advice: u32 = if (wanted) std.posix.MADV.HUGEPAGE else std.posix.MADV.NOHUGEPAGE;
        std.posix.madvise(arena.memory.ptr, arena.memory.len, advice) catch {};
    }

    /// Commits the pages of some bytes of the reservation, whose contents stay. A part beyond its end is ignored.
    pub fn prefault(arena: Arena, first: usize, count: usize) error{OutOfMemory}!void {
        if (first >= arena.memory.len) return;
        const start = std.mem.alignBackward(usize, first, page);
        const part = arena.memory[start..@min(arena.memory.len, first +| count)];
        if (builtin.os.tag == .linux) {
            const result = std.os.linux.madvise(part.ptr, part.len, madv_populate_write);
            if (std.os.linux.errno(result) == .NOMEM) return error.OutOfMemory;
        }
        // Older systems refuse the advice, and emulators accept it and do nothing.
        var at: usize = 0;
        while (at < part.len) : (at += page) {
            const byte: *volatile u8 = &part[at];
            byte.* = byte.*;
        }
    }

    /// Bytes that the system holds in memory for the arena now; null where it does not tell.
    pub fn residentBytes(arena: Arena) ?usize {
        return pages.residentBytes(arena.memory);
    }

    /// Returns to the system the whole pages inside a run of free slots, which read as `pages.giveBack` says afterwards. Two
    /// calls into the kernel per row and head, so worth it for large runs only. Slots are multiples of `block_tokens`.
    pub fn giveBack(arena: Arena, slot_first: u32, slot_count: u32) void {
        std.debug.assert(slot_first % block_tokens == 0 and slot_count % block_tokens == 0);
        std.debug.assert(slot_first + slot_count <= arena.slots);
        for (arena.places, 0..) |place, i| {
            if (!place.is_first) continue;
            const view = arena.layer(@intCast(i));
            arena.giveBackHeads(place.k, view.keyBlockBytes(), view.kv_heads, slot_first, slot_count);
            arena.giveBackHeads(place.v, view.valueBlockBytes(), view.kv_heads, slot_first, slot_count);
        }
    }

    /// The slots' pages in some heads that lie one after the other from `offset` on.
    fn giveBackHeads(arena: Arena, offset: usize, block_bytes: usize, heads: u32, slot_first: u32, slot_count: u32) void {
        const head_bytes = block_bytes * (arena.slots / block_tokens);
        const block_first = slot_first / block_tokens;
        const block_end = block_first + slot_count / block_tokens;
        std.debug.assert(offset + head_bytes * heads <= arena.memory.len);
        for (0..heads) |head| {
            const start = offset + head * head_bytes;
            const first = std.mem.alignForward(usize, start + block_bytes * block_first, page);
            const end = std.mem.alignBackward(usize, start + block_bytes * block_end, page);
            if (first >= end) continue;
            pages.giveBack(@alignCast(arena.memory[first..end]));
        }
    }
};
