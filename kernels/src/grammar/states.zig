//! What a grammar may go on with after some text, found while it is used and kept: an automaton over bytes whose states are
//! sets of places in the grammar, each with a stack.
//!
//! Stacks share what is below, and stacks that stand at one place are one whose frame has several parents (Tomita 1985);
//! equal things are the same number, so a state is met again whenever the same text could follow, and each byte that led from
//! it is known. So a state of the automaton is a `u32`, taking back tokens is remembering an older one, and 32 sequences of
//! one schema share what each has found.

const std = @import("std");
const grammar_module = @import("grammar.zig");
const Grammar = grammar_module.Grammar;

/// No state: the text cannot be.
pub const none: u32 = 0xffff_ffff;
/// The text is whole when this frame is reached.
pub const bottom: u32 = 0;
/// The set of `bottom` alone.
const bottom_set: u32 = 0;
/// Places that a state keeps. What a grammar allows beyond is not found: what is found stays right.
const items_max = 1024;
/// Rules that begin within each other without a byte between them.
const depth_max = 2048;

/// A place inside a terminal, and where it goes on after it: at `next` of the rule that a frame of `parents` called.
pub const Item = struct {
    terminal: u32,
    /// The state of its automaton, or how many bytes of a literal have come.
    state: u32,
    /// Whole characters that have come, of a terminal that counts them.
    count: u32,
    next: u32,
    parents: u32,

    fn order(_: void, a: Item, b: Item) bool {
        inline for (.{ "terminal", "state", "count", "next", "parents" }) |name| {
            if (@field(a, name) != @field(b, name)) return @field(a, name) < @field(b, name);
        }
        return false;
    }

    fn samePlace(a: Item, b: Item) bool {
        return a.terminal == b.terminal and a.state == b.state and a.count == b.count and a.next == b.next;
    }
};

const Frame = struct { next: u32, parents: u32 };

pub const State = struct {
    items: []const Item,
    /// The text may end here.
    accepting: bool,
    /// The state that each byte leads to; null until somebody walks from here.
    table: ?*[256]u32,
    /// Where its mask lies, if it still does.
    mask_slot: u32,
};

/// In a table: nobody has looked yet.
const unknown: u32 = 0xffff_fffe;

pub const Error = error{OutOfMemory};

pub const States = struct {
    gpa: std.mem.Allocator,
    grammar: *const Grammar,
    arena: std.heap.ArenaAllocator,
    /// Changes when everything that was found is forgotten.
    epoch: u32 = 1,
    list: std.ArrayList(State) = .empty,
    sets: std.ArrayList([]const u32) = .empty,
    frames: std.ArrayList(Frame) = .empty,
    state_ids: std.HashMapUnmanaged(u32, void, StateContext, 80) = .empty,
    set_ids: std.HashMapUnmanaged(u32, void, SetContext, 80) = .empty,
    frame_ids: std.AutoHashMapUnmanaged(Frame, u32) = .empty,
    /// Of the step under way.
    found: std.ArrayList(Item) = .empty,
    seen: std.AutoArrayHashMapUnmanaged(u64, void) = .empty,
    union_room: std.ArrayList(u32) = .empty,
    accepting: bool = false,

    pub fn init(gpa: std.mem.Allocator, grammar: *const Grammar) States {
        return .{ .gpa = gpa, .grammar = grammar, .arena = .init(gpa) };
    }

    pub fn deinit(states: *States) void {
        inline for (.{ "list", "sets", "frames", "state_ids", "set_ids", "frame_ids", "found", "seen", "union_room" }) |name| {
            @field(states, name).deinit(states.gpa);
        }
        states.arena.deinit();
    }

    /// Bytes that are kept.
    pub fn bytes(states: *const States) usize {
        return states.arena.queryCapacity() + states.list.capacity * @sizeOf(State) + states.frames.capacity * @sizeOf(Frame) +
            states.sets.capacity * @sizeOf([]const u32) + states.state_ids.capacity() * 5 + states.set_ids.capacity() * 5 +
            states.frame_ids.capacity() * 13;
    }

    /// Forgets all states: their numbers mean nothing any more.
    pub fn clear(states: *States) void {
        states.list.clearRetainingCapacity();
        states.sets.clearRetainingCapacity();
        states.frames.clearRetainingCapacity();
        states.state_ids.clearRetainingCapacity();
        states.set_ids.clearRetainingCapacity();
        states.frame_ids.clearRetainingCapacity();
        _ = states.arena.reset(.free_all);
        states.epoch +%= 1;
    }

    pub fn get(states: *const States, state: u32) *State {
        return &states.list.items[state];
    }

    /// The state before any text.
    pub fn start(states: *States) Error!u32 {
        if (states.frames.items.len == 0) {
            try states.frames.append(states.gpa, .{ .next = none, .parents = none });
            const set = try states.internSet(&.{bottom});
            std.debug.assert(set == bottom_set);
        }
        return states.after(states.grammar.rules[states.grammar.root], bottom_set);
    }

    /// The state of a rule's state with a stack.
    pub fn after(states: *States, place: u32, parents: u32) Error!u32 {
        states.begin();
        try states.close(place, parents, 0);
        return states.intern();
    }

    /// The state with some of another one's items.
    pub fn of(states: *States, items: []const Item) Error!u32 {
        states.begin();
        try states.found.appendSlice(states.gpa, items);
        return states.intern();
    }

    /// The state after a byte; none where it cannot follow.
    pub fn step(states: *States, from: u32, byte: u8) Error!u32 {
        if (states.get(from).table) |table| {
            if (table[byte] != unknown) return table[byte];
        }
        states.begin();
        for (states.get(from).items) |item| try states.advance(item, byte);
        const to = if (states.found.items.len == 0 and !states.accepting) none else try states.intern();
        if (states.get(from).table) |table| table[byte] = to;
        return to;
    }

    /// As `step`, and what is found is kept in a table: for states that are walked from again and again.
    pub inline fn walk(states: *States, from: u32, byte: u8) Error!u32 {
        if (states.get(from).table) |table| {
            if (table[byte] != unknown) return table[byte];
        } else {
            const table = try states.arena.allocator().create([256]u32);
            @memset(table, unknown);
            states.get(from).table = table;
        }
        return states.step(from, byte);
    }

    fn begin(states: *States) void {
        states.found.clearRetainingCapacity();
        states.seen.clearRetainingCapacity();
        states.accepting = false;
    }

    fn advance(states: *States, item: Item, byte: u8) Error!void {
        const terminal = &states.grammar.terminals[item.terminal];
        var moved = item;
        switch (terminal.kind) {
            .literal => {
                if (terminal.literal[item.state] != byte) return;
                moved.state += 1;
                if (moved.state == terminal.literal.len) return states.close(item.next, item.parents, 0);
            },
            .automaton => {
                const to = terminal.automaton.step(item.state, byte);
                if (to == grammar_module.dead) return;
                moved.state = to;
                if (terminal.automaton.accepts(to)) try states.close(item.next, item.parents, 0);
            },
            .characters => {
                const to = terminal.automaton.step(item.state, byte);
                if (to == grammar_module.dead) return;
                moved.state = to;
                if (terminal.automaton.accepts(to)) {
                    moved.state = 0;
                    // Without a bound all counts beyond the least are alike.
                    moved.count = if (terminal.most == grammar_module.unlimited) @min(item.count + 1, terminal.least) else item.count + 1;
                    if (moved.count >= terminal.least) try states.close(item.next, item.parents, 0);
                    if (moved.count == terminal.most) return;
                }
            },
        }
        try states.add(moved);
    }

    /// All terminals that may begin at a state of a rule; a rule that ends goes on where it was called.
    fn close(states: *States, place: u32, parents: u32, depth: u32) Error!void {
        if (depth == depth_max) return;
        const entry = try states.seen.getOrPut(states.gpa, @as(u64, place) << 32 | parents);
        if (entry.found_existing) return;
        for (states.grammar.edgesOf(place)) |edge| switch (edge.kind()) {
            .empty => try states.close(edge.next, parents, depth + 1),
            .terminal => try states.add(.{ .terminal = edge.target(), .state = 0, .count = 0, .next = edge.next, .parents = parents }),
            .call => {
                const called = states.grammar.rules[edge.target()];
                const inside = if (states.grammar.endsHere(edge.next)) parents else try states.push(.{ .next = edge.next, .parents = parents });
                try states.close(called, inside, depth + 1);
            },
        };
        if (!states.grammar.isFinal(place)) return;
        // The list may grow while it is read.
        const count = states.sets.items[parents].len;
        for (0..count) |i| {
            const frame = states.sets.items[parents][i];
            if (frame == bottom) {
                states.accepting = true;
                continue;
            }
            const caller = states.frames.items[frame];
            try states.close(caller.next, caller.parents, depth + 1);
        }
    }

    fn add(states: *States, item: Item) Error!void {
        if (states.found.items.len == 4 * items_max) return;
        try states.found.append(states.gpa, item);
    }

    /// The set of one frame.
    fn push(states: *States, frame: Frame) Error!u32 {
        const entry = try states.frame_ids.getOrPut(states.gpa, frame);
        if (!entry.found_existing) {
            entry.value_ptr.* = @intCast(states.frames.items.len);
            try states.frames.append(states.gpa, frame);
        }
        return states.internSet(&.{entry.value_ptr.*});
    }

    /// The number of the state of `found`.
    fn intern(states: *States) Error!u32 {
        const items = states.found.items;
        std.sort.pdq(Item, items, {}, Item.order);
        var n: usize = 0;
        for (items) |item| {
            if (n > 0 and items[n - 1].samePlace(item)) {
                if (items[n - 1].parents != item.parents) items[n - 1].parents = try states.join(items[n - 1].parents, item.parents);
            } else {
                items[n] = item;
                n += 1;
            }
        }
        const kept = items[0..@min(n, items_max)];
        const context: StateContext = .{ .list = &states.list };
        const key: StateKey = .{ .items = kept, .accepting = states.accepting };
        const entry = try states.state_ids.getOrPutContextAdapted(states.gpa, key, StateAdapter{ .list = &states.list }, context);
        if (entry.found_existing) return entry.key_ptr.*;
        const id: u32 = @intCast(states.list.items.len);
        entry.key_ptr.* = id;
        errdefer states.state_ids.removeByPtr(entry.key_ptr);
        const own = try states.arena.allocator().dupe(Item, kept);
        try states.list.append(states.gpa, .{ .items = own, .accepting = states.accepting, .table = null, .mask_slot = none });
        return id;
    }

    fn internSet(states: *States, frames: []const u32) Error!u32 {
        const entry = try states.set_ids.getOrPutContextAdapted(states.gpa, frames, SetAdapter{ .list = &states.sets }, SetContext{ .list = &states.sets });
        if (entry.found_existing) return entry.key_ptr.*;
        const id: u32 = @intCast(states.sets.items.len);
        entry.key_ptr.* = id;
        errdefer states.set_ids.removeByPtr(entry.key_ptr);
        const own = try states.arena.allocator().dupe(u32, frames);
        try states.sets.append(states.gpa, own);
        return id;
    }

    /// The frames of both.
    fn join(states: *States, a: u32, b: u32) Error!u32 {
        const room = &states.union_room;
        room.clearRetainingCapacity();
        try room.appendSlice(states.gpa, states.sets.items[a]);
        try room.appendSlice(states.gpa, states.sets.items[b]);
        std.sort.pdq(u32, room.items, {}, std.sort.asc(u32));
        var n: usize = 0;
        for (room.items) |frame| {
            if (n > 0 and room.items[n - 1] == frame) continue;
            room.items[n] = frame;
            n += 1;
        }
        return states.internSet(room.items[0..n]);
    }
};

const StateKey = struct { items: []const Item, accepting: bool };

fn hashState(key: StateKey) u64 {
    return std.hash.Wyhash.hash(@intFromBool(key.accepting), std.mem.sliceAsBytes(key.items));
}

const StateContext = struct {
    list: *const std.ArrayList(State),

    pub fn hash(context: StateContext, id: u32) u64 {
        const state = context.list.items[id];
        return hashState(.{ .items = state.items, .accepting = state.accepting });
    }

    pub fn eql(_: StateContext, a: u32, b: u32) bool {
        return a == b;
    }
};

const StateAdapter = struct {
    list: *const std.ArrayList(State),

    pub fn hash(_: StateAdapter, key: StateKey) u64 {
        return hashState(key);
    }

    pub fn eql(adapter: StateAdapter, key: StateKey, id: u32) bool {
        const state = adapter.list.items[id];
        return state.accepting == key.accepting and
            std.mem.eql(u8, std.mem.sliceAsBytes(state.items), std.mem.sliceAsBytes(key.items));
    }
};

const SetContext = struct {
    list: *const std.ArrayList([]const u32),

    pub fn hash(context: SetContext, id: u32) u64 {
        return std.hash.Wyhash.hash(0, std.mem.sliceAsBytes(context.list.items[id]));
    }

    pub fn eql(_: SetContext, a: u32, b: u32) bool {
        return a == b;
    }
};

const SetAdapter = struct {
    list: *const std.ArrayList([]const u32),

    pub fn hash(_: SetAdapter, frames: []const u32) u64 {
        return std.hash.Wyhash.hash(0, std.mem.sliceAsBytes(frames));
    }

    pub fn eql(adapter: SetAdapter, frames: []const u32, id: u32) bool {
        return std.mem.eql(u32, frames, adapter.list.items[id]);
    }
};
