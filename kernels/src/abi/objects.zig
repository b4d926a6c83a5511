//! Native objects as 32-bit ids: what TypeScript holds instead of pointers.
//!
//! An id names a slot of a table, the object's kind and the slot's generation. Removing an object bumps its slot's
//! generation, so a stale id is an error and never another object, until 1,023 later objects of that slot came and
//! went; slots are reused in first-freed order to make that far away. Ids are valid in every thread of the process.
//! Each id has an owner, a context, and goes away with it; an object goes with the last of its ids.
//!
//! Lookups take no lock: the id is compared with the one in the slot. Adding and removing do. Removing an object that
//! another thread's op is using is the caller's error, like closing a file that is being read.

const std = @import("std");
const futex = @import("../system/futex.zig");

pub const Kind = enum(u4) {
    context = 1,
    weights = 2,
    vector = 3,
    rope = 4,
    arena = 5,
    kv_blocks = 6,
    energy_counter = 7,
    vocabulary = 8,
    grammar = 9,
    states = 10,
};

/// "No object", where an argument allows that. Never a valid id: no kind has number 15.
pub const none: u32 = 0xFFFF_FFFF;

pub const Error = error{ UnknownId, WrongKind, TooManyObjects };

const index_bits = 18;
pub const objects_max = 1 << index_bits;
/// So many slots are used once before any is used again, so that a slot's generations last.
const fresh_slots = 4096;

const Id = packed struct(u32) {
    index: u18,
    generation: u10,
    kind: Kind,
};

const Slot = struct {
    /// The id of the object here; 0 when the slot is free (kinds start at 1).
    id: std.atomic.Value(u32) = .init(0),
    owner: u32 = 0,
    pointer: *anyopaque = undefined,
    destroy: *const fn (pointer: *anyopaque) void = undefined,
    generation: u10 = 0,
    next_free: u32 = 0,
};

/// Static, so that ids can be checked without a lock; pages that no object needs are never touched.
var slots: [objects_max]Slot = @splat(.{});
var lock: futex.Lock = .{};
/// Slots below this have been used.
var used: u32 = 0;
var free_first: ?u32 = null;
var free_last: u32 = 0;

/// Registers an object of type `T` (whose `T.kind` is its kind, and which has `fn destroy(*T) void`) and gives its id.
/// A context owns itself, and so may others: pass null.
pub fn add(comptime T: type, object: *T, owner: ?u32) Error!u32 {
    lock.acquire();
    defer lock.release();
    return addLocked(T, object, owner);
}

/// Gives the object behind `id` another id that belongs to `owner`. `T.retain` is told, and `T.destroy` is called once for
/// each of its ids.
pub fn share(comptime T: type, id: u32, owner: u32) Error!u32 {
    lock.acquire();
    defer lock.release();
    // Under the lock nobody can take the id away, so the object is alive.
    const object = try get(T, id);
    const other = try addLocked(T, object, owner);
    object.retain();
    return other;
}

fn addLocked(comptime T: type, object: *T, owner: ?u32) Error!u32 {
    const erased = struct {
        fn destroy(pointer: *anyopaque) void {
            const typed: *T = @ptrCast(@alignCast(pointer));
            typed.destroy();
        }
    };
    const index = takeSlot() orelse return error.TooManyObjects;
    const slot = &slots[index];
    std.debug.assert(slot.id.load(.monotonic) == 0);
    slot.generation +%= 1;
    const id: u32 = @bitCast(Id{ .index = @intCast(index), .generation = slot.generation, .kind = T.kind });
    std.debug.assert(id != 0 and id != none);
    slot.owner = owner orelse id;
    slot.pointer = object;
    slot.destroy = erased.destroy;
    slot.id.store(id, .release);
    return id;
}

/// The object behind an id.
pub fn get(comptime T: type, id: u32) Error!*T {
    const index = id & (objects_max - 1);
    if (id == 0 or slots[index].id.load(.acquire) != id) return error.UnknownId;
    if (id >> 28 != @backingInt(T.kind)) return error.WrongKind;
    return @ptrCast(@alignCast(slots[index].pointer));
}

/// Removes one object and frees it. Not for contexts, which own others.
pub fn remove(id: u32) Error!void {
    if (id >> 28 == @backingInt(Kind.context)) return error.WrongKind;
    const slot = try detach(id);
    slot.destroy(slot.pointer);
}

/// Removes a context and everything that it owns, itself last.
pub fn removeOwned(owner: u32) Error!void {
    if (isStale(owner)) return error.UnknownId;
    var index: u32 = 0;
    while (index < usedCount()) : (index += 1) {
        const id = slots[index].id.load(.acquire);
        if (id == 0 or id == owner or slots[index].owner != owner) continue;
        remove(id) catch continue; // another thread was faster
    }
    const slot = try detach(owner);
    slot.destroy(slot.pointer);
}

/// Objects alive that belong to `owner`, itself included.
pub fn countOwned(owner: u32) u32 {
    var count: u32 = 0;
    for (slots[0..usedCount()]) |*slot| {
        if (slot.id.load(.acquire) != 0 and slot.owner == owner) count += 1;
    }
    return count;
}

const Detached = struct { pointer: *anyopaque, destroy: *const fn (pointer: *anyopaque) void };

/// Frees the slot: from here on the id is stale. Exactly one caller gets the object.
fn detach(id: u32) Error!Detached {
    lock.acquire();
    defer lock.release();
    if (isStale(id)) return error.UnknownId;
    const index = id & (objects_max - 1);
    const slot = &slots[index];
    const detached: Detached = .{ .pointer = slot.pointer, .destroy = slot.destroy };
    std.debug.assert(index < used);
    slot.id.store(0, .release);
    if (free_first == null) free_first = index else slots[free_last].next_free = index;
    free_last = index;
    return detached;
}

fn isStale(id: u32) bool {
    return id == 0 or slots[id & (objects_max - 1)].id.load(.acquire) != id;
}

fn takeSlot() ?u32 {
    const fresh = used < fresh_slots or free_first == null;
    if (fresh and used < objects_max) {
        used += 1;
        return used - 1;
    }
    const first = free_first orelse return null;
    std.debug.assert(first < used and free_last < used);
    free_first = if (first == free_last) null else slots[first].next_free;
    return first;
}

fn usedCount() u32 {
    lock.acquire();
    defer lock.release();
    return used;
}

const Example = struct {
    const kind: Kind = .vector;
    destroyed: u32 = 0,
    retained: u32 = 0,

    fn destroy(example: *Example) void {
        example.destroyed += 1;
    }

    fn retain(example: *Example) void {
        example.retained += 1;
    }
};

const ExampleOwner = struct {
    const kind: Kind = .context;
    destroyed: u32 = 0,

    fn destroy(example: *ExampleOwner) void {
        example.destroyed += 1;
    }
};

test "ids lead to their objects until removed" {
    var one: Example = .{};
    var two: Example = .{};
    const a = try add(Example, &one, 77);
    const b = try add(Example, &two, 77);
    try std.testing.expect(a != b);
    try std.testing.expectEqual(&one, try get(Example, a));
    try std.testing.expectEqual(&two, try get(Example, b));
    try std.testing.expectError(error.WrongKind, get(ExampleOwner, a));
    try remove(a);
    try std.testing.expectEqual(1, one.destroyed);
    try std.testing.expectError(error.UnknownId, get(Example, a));
    try std.testing.expectError(error.UnknownId, remove(a));
    const c = try add(Example, &one, 77);
    try std.testing.expect(c != a);
    try remove(b);
    try remove(c);
    try std.testing.expectEqual(0, countOwned(77));
}

test "forged ids are refused" {
    var one: Example = .{};
    const id = try add(Example, &one, 78);
    defer remove(id) catch unreachable;
    for ([_]u32{ 0, none, id ^ (1 << 18), id ^ (1 << 28), id ^ (1 << 31), id + 1 }) |forged| {
        try std.testing.expectError(error.UnknownId, get(Example, forged));
        try std.testing.expect(if (remove(forged)) false else |_| true);
    }
}

test "a context takes what it owns with it" {
    var context: ExampleOwner = .{};
    var objects: [5]Example = @splat(.{});
    var foreign: Example = .{};
    const other = try add(Example, &foreign, 79);
    const owner = try add(ExampleOwner, &context, null);
    for (&objects) |*object| _ = try add(Example, object, owner);
    try std.testing.expectEqual(6, countOwned(owner));
    try std.testing.expectError(error.WrongKind, remove(owner));
    try removeOwned(owner);
    try std.testing.expectEqual(1, context.destroyed);
    for (objects) |object| try std.testing.expectEqual(1, object.destroyed);
    try std.testing.expectEqual(0, foreign.destroyed);
    try std.testing.expectError(error.UnknownId, removeOwned(owner));
    try remove(other);
}

test "a shared object has an id for each owner" {
    var object: Example = .{};
    const first = try add(Example, &object, 80);
    const second = try share(Example, first, 81);
    try std.testing.expectEqual(1, object.retained);
    try std.testing.expectEqual(&object, try get(Example, second));
    try remove(first);
    try std.testing.expectError(error.UnknownId, share(Example, first, 82));
    const third = try share(Example, second, 82);
    try remove(second);
    try std.testing.expectEqual(1, countOwned(82));
    try remove(third);
    try std.testing.expectEqual(3, object.destroyed);
    try std.testing.expectEqual(2, object.retained);
}

test "many objects come and go from several threads" {
    const Churn = struct {
        fn work(owner: u32) void {
            var objects: [16]Example = @splat(.{});
            var ids: [16]u32 = undefined;
            for (0..500) |_| {
                for (&objects, &ids) |*object, *id| id.* = add(Example, object, owner) catch unreachable;
                for (&objects, ids) |*object, id| std.debug.assert((get(Example, id) catch unreachable) == object);
                for (ids) |id| remove(id) catch unreachable;
            }
        }
    };
    var threads: [3]std.Thread = undefined;
    for (&threads, 0..) |*thread, i| thread.* = try std.Thread.spawn(.{}, Churn.work, .{@as(u32, @intCast(100 + i))});
    for (threads) |thread| thread.join();
    for (0..3) |i| try std.testing.expectEqual(0, countOwned(@intCast(100 + i)));
}
