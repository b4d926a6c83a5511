//! Tokens that sampling may still choose, with their probabilities as integers, and the two ways to cut the list: the k most
//! likely (top-k) and the smallest most likely set that holds a share of the probability (top-p).
//!
//! A mass is round(exp((x − max) / temperature) · 2⁴⁰). Integers add up to the same total in any order, so results depend
//! neither on vector width nor on how a set was found. Lists stay in order of token id; "most likely" means larger logit
//! first, then lower id.

const std = @import("std");
const simd = @import("../isa/simd.zig");
const math = @import("math.zig");
const logits = @import("logits.zig");

pub const Candidate = struct {
    x: f32,
    id: u32,
    mass: u64,

    /// Orders as the logit does; `clean` logits only.
    fn key(candidate: Candidate) u32 {
        const bits: u32 = @bitCast(candidate.x);
        return if (bits >> 31 == 1) ~bits else bits | 0x80000000;
    }

    fn moreLikely(_: void, a: Candidate, b: Candidate) bool {
        return if (a.x != b.x) a.x > b.x else a.id < b.id;
    }
};

const mass_magic: f64 = 0x1.8p12; // its unit in the last place is 2⁻⁴⁰
const U64x16 = @Vector(simd.lanes, u64);

/// Distance from the maximum beyond which a mass is zero: e⁻²⁹ < 2⁻⁴¹.
pub const zero_mass_distance = 29.0;

/// Masses of sixteen logits.
pub inline fn massOf(x: simd.F32x16, max: f32, temperature: f32) U64x16 {
    var distance = x - simd.splat(max);
    if (temperature != 1) distance = distance / simd.splat(temperature);
    const weight: @Vector(simd.lanes, f64) = @floatCast(math.exp(distance));
    const magic: @Vector(simd.lanes, f64) = @splat(mass_magic);
    return @as(U64x16, @bitCast(weight + magic)) -% @as(U64x16, @bitCast(magic));
}

pub const List = struct {
    room: []Candidate,
    len: usize = 0,

    pub fn items(list: List) []Candidate {
        return list.room[0..list.len];
    }

    /// Fills with the row's tokens whose logit is ≥ bound and not −inf; without masses.
    pub fn gather(list: *List, row: []const f32, scan: logits.Scan, bound: f32) void {
        list.len = 0;
        for (scan.tops, 0..) |top, i| {
            if (top < bound) continue;
            for (i * logits.block..@min((i + 1) * logits.block, row.len)) |id| {
                const x = logits.clean(row[id]);
                if (x < bound or x == -std.math.inf(f32)) continue;
                list.room[list.len] = .{ .x = x, .id = @intCast(id), .mass = 1 };
                list.len += 1;
            }
        }
    }

    /// Fills with at least the k most likely tokens, and few more where one block does not hold many of them: the k-th
    /// largest of the blocks' maxima cannot exceed the k-th largest logit.
    pub fn gatherTop(list: *List, row: []const f32, scan: logits.Scan, k: usize) void {
        var bound = -std.math.inf(f32);
        if (k < scan.tops.len) {
            for (scan.tops, list.room[0..scan.tops.len], 0..) |x, *candidate, i| candidate.* = .{ .x = x, .id = @intCast(i), .mass = 1 };
            list.len = scan.tops.len;
            list.keepMass(k);
            bound = list.room[0].x;
            for (list.items()) |candidate| bound = @min(bound, candidate.x);
        }
        list.gather(row, scan, bound);
    }

    /// Sets every mass and returns their sum.
    pub fn weigh(list: List, max: f32, temperature: f32) u64 {
        var total: u64 = 0;
        var first: usize = 0;
        while (first < list.len) : (first += simd.lanes) {
            const part = list.room[first..@min(first + simd.lanes, list.len)];
            var x: [simd.lanes]f32 = @splat(-std.math.inf(f32));
            for (part, x[0..part.len]) |candidate, *value| value.* = candidate.x;
            const masses: [simd.lanes]u64 = massOf(x, max, temperature);
            for (part, masses[0..part.len]) |*candidate, mass| {
                candidate.mass = mass;
                total += mass;
            }
        }
        return total;
    }

    /// The sum of the masses.
    pub fn totalMass(list: List) u64 {
        var total: u64 = 0;
        for (list.items()) |candidate| total += candidate.mass;
        return total;
    }

    /// Keeps the smallest most likely set whose masses add up to at least `target` ≥ 1; all where they do not. With masses
    /// of 1 these are the `target` most likely. Three passes of a radix select over the logits' bits, none of them a sort.
    pub fn keepMass(list: *List, target: u64) void {
        std.debug.assert(target > 0);
        var rest = target;
        var prefix: u32 = 0;
        inline for (.{ 21, 10, 0 }, .{ 11, 11, 10 }) |shift, bits| {
            var sums: [1 << bits]u64 = @splat(0);
            for (list.items()) |candidate| {
                const high = candidate.key() >> shift;
                if (shift == 21 or high >> bits == prefix) sums[high & ((1 << bits) - 1)] += candidate.mass;
            }
            var digit: u32 = sums.len;
            while (digit > 0) {
                digit -= 1;
                if (sums[digit] >= rest) break;
                rest -= sums[digit];
            } else return; // only in the first pass: all together are less than the target
            prefix = prefix << bits | digit;
        }
        var kept: usize = 0;
        for (list.items()) |candidate| {
            const key = candidate.key();
            if (key < prefix or (key == prefix and rest == 0)) continue;
            if (key == prefix) rest -|= candidate.mass;
            list.room[kept] = candidate;
            kept += 1;
        }
        list.len = kept;
    }

    /// The `n` most likely, most likely first; the list holds at least the row's n most likely tokens.
    pub fn sortTop(list: *List, n: usize) []Candidate {
        if (n == 0 or list.len == 0) return &.{};
        for (list.items()) |*candidate| candidate.mass = 1;
        list.keepMass(n);
        std.sort.insertion(Candidate, list.items(), {}, Candidate.moreLikely);
        return list.items();
    }
};

const testing = @import("../testing/testing.zig");

test "keepMass keeps what a full sort would, ties and signs included" {
    var rng: testing.Rng = .init(71);
    var room: [600]Candidate = undefined;
    var sorted: [600]Candidate = undefined;
    for (0..300) |round| {
        const len = rng.between(usize, 1, room.len);
        var total: u64 = 0;
        for (room[0..len], 0..) |*candidate, id| {
            const x = rng.unit() * 8;
            candidate.* = .{ .x = if (round % 2 == 0) x else @trunc(x) + 0.0, .id = @intCast(id), .mass = 0 };
        }
        var list: List = .{ .room = &room, .len = len };
        total = list.weigh(8, 1.5);
        if (round % 3 == 0) for (list.items()) |*candidate| {
            candidate.mass = 1;
        };
        if (round % 3 == 0) total = len;
        const target = rng.between(u64, 1, total + 1);
        @memcpy(sorted[0..len], room[0..len]);
        std.sort.pdq(Candidate, sorted[0..len], {}, Candidate.moreLikely);
        var sum: u64 = 0;
        var count: usize = 0;
        while (count < len and sum < target) : (count += 1) sum += sorted[count].mass;
        list.keepMass(target);
        try std.testing.expectEqual(count, list.len);
        var expected: u64 = 0;
        for (sorted[0..count]) |candidate| expected += candidate.id;
        for (list.items(), 0..) |candidate, i| {
            expected -= candidate.id;
            if (i > 0) try std.testing.expect(candidate.id > list.room[i - 1].id);
        }
        try std.testing.expectEqual(0, expected);
    }
}
