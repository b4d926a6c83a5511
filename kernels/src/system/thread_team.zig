//! A fixed team of threads that runs one op at a time, every member a share of it.
//!
//! Life of a team: `start` creates the workers; `run` publishes a function, opens the gate, bumps `epoch`, works
//! on the calling thread as member 0, closes the gate and waits for the workers that came through it; `stop` joins
//! the workers. Work is claimed, so when member 0 finds nothing left to claim, a worker that has not come yet is not
//! needed: on a busy machine a step does not wait for a thread that the system has put aside. Between runs a worker
//! spins on `epoch` for a short while, because the next op of a step follows within microseconds, and then sleeps on
//! it (futex), because the next step may be seconds away.
//!
//! Only one thread may call `run` and `stop`: the one that owns the team.

const std = @import("std");
const builtin = @import("builtin");
const assert = std.debug.assert;
const Job = @import("job.zig").Job;
const Stop = @import("job.zig").Stop;
const cpus = @import("cpus.zig");
const futex = @import("futex.zig");
const fp_state = @import("fp_state.zig");
const resident = @import("resident.zig");

const cache_line = 128; // two lines: x86 prefetches them in pairs, and some aarch64 have lines this long

/// The most members a team may have.
pub const members_max = 512;

/// How long a worker waits for the next op before it sleeps: longer than the gap between two ops of a step, which is
/// some microseconds, and of the order of what waking a sleeping thread costs.
const spin_ns: u64 = 60_000;
const stack_bytes = 4 * 1024 * 1024;
const gate_closed: u32 = 1 << 31;

pub const Work = *const fn (args: *const anyopaque, job: *const Job) callconv(.c) void;

pub const Team = struct {
    /// Bumped by each run; what workers spin and sleep on.
    epoch: std.atomic.Value(u32) align(cache_line) = .init(0),
    /// Workers that sleep on `epoch` or are about to.
    sleepers: std.atomic.Value(u32) = .init(0),
    /// What the open gate leads to. Written by the owner while the gate is closed and nobody is inside.
    work: Work = undefined,
    args: *const anyopaque = undefined,
    run_id: u32 = 0,
    stopping: std.atomic.Value(bool) = .init(false),
    /// Workers inside the current run; `gate_closed` is set when no more may enter.
    gate: std.atomic.Value(u32) align(cache_line) = .init(gate_closed),
    /// 1 while the owner sleeps on `gate`.
    owner_sleeps: std.atomic.Value(u32) = .init(0),
    /// Workers that finished the current run; only `runEvery` waits for it.
    finished: std.atomic.Value(u32) = .init(0),
    /// Work counter of the current run, claimed from by `Job.claim`.
    next: std.atomic.Value(u32) align(cache_line) = .init(0),
    /// What may end a run early; read by every claim, so apart from what claims write.
    stopper: Stop align(cache_line) = .{},
    count: u32 align(cache_line) = 1,
    spin_budget_ns: u64 = 0,
    threads: []std.Thread = &.{},
    pins: cpus.CpuSet = .{},
    pinned: bool = false,
    /// Where the owner may be when it need not stay; null when it need not.
    elsewhere: ?cpus.CpuSet = null,
    /// Where the owner was at the start: worker 1 is pinned to the next CPU, and so on round the set, so that teams of
    /// several processes do not all leave the same CPU to their owners.
    home: u32 = 0,

    /// Starts a team of `count` members, the calling thread being member 0; 0 means one per usable CPU.
    /// The team must not move in memory until `stop`.
    pub fn start(team: *Team, gpa: std.mem.Allocator, count: u32) !void {
        return team.startOn(gpa, count, null);
    }

    /// As `start`, on these CPUs, to which the calling thread is restricted already: new threads inherit that, and are
    /// pinned to one each where no other team has them.
    pub fn startOn(team: *Team, gpa: std.mem.Allocator, count: u32, on: ?*const cpus.CpuSet) !void {
        const default = if (on) |set| cpus.limited(set.count()) else cpus.usable();
        const members = if (count == 0) default else count;
        assert(members > 0 and team.count == 1); // a team that runs is stopped first
        if (members > members_max) return error.TooManyThreads;
        team.* = .{ .count = members };
        if (members == 1) return;
        errdefer team.* = .{}; // so that `stop` after a failed start has nothing to do
        const allowed: ?cpus.CpuSet = if (on) |set| set.* else cpus.allowed();
        const room = if (allowed) |set| set.count() else cpus.usable();
        // With more members than CPUs a spinning thread takes the CPU from one that has work.
        team.spin_budget_ns = if (members <= room) spin_ns else 0;
        team.home = cpus.current() orelse 0;
        if (allowed) |set| team.pinned = claimed.take(&set, members, &team.pins);
        errdefer if (team.pinned) claimed.giveBack(&team.pins);
        team.threads = try gpa.alloc(std.Thread, members - 1);
        errdefer gpa.free(team.threads);
        resident.stay();
        for (team.threads, 1..) |*thread, part| {
            thread.* = std.Thread.spawn(.{ .stack_size = stack_bytes }, worker, .{ team, @as(u32, @intCast(part)) }) catch |err| {
                team.join(part - 1);
                return err;
            };
        }
    }

    /// Runs `work(args, job)` until nothing is left to claim. Member 0 runs it for certain, the others when they
    /// come in time: `work` must take all of its work through `Job.claim`.
    pub fn run(team: *Team, work: Work, args: *const anyopaque) void {
        team.runGated(work, args, false);
    }

    /// Runs `work(args, job)` once on every member: for work that is shared out by `part`.
    pub fn runEvery(team: *Team, work: Work, args: *const anyopaque) void {
        team.runGated(work, args, true);
    }

    fn runGated(team: *Team, work: Work, args: *const anyopaque, every: bool) void {
        assert(team.count > 0 and team.count <= members_max);
        assert(!team.stopping.load(.monotonic));
        const saved = fp_state.enterDefault();
        defer fp_state.leave(saved);
        team.next.store(0, .monotonic);
        const job: Job = .{ .part = 0, .parts = team.count, .next = &team.next, .stop = &team.stopper };
        if (team.count == 1) return work(args, &job);

        assert(team.gate.raw == gate_closed);
        team.work = work;
        team.args = args;
        team.run_id +%= 1;
        team.finished.store(0, .monotonic);
        team.gate.store(0, .release);
        team.release();
        work(args, &job);
        if (every) team.awaitFinished();
        team.closeGate();
    }

    /// From now on runs end early when `word` has another value than `expected`, until `disarm`.
    pub fn arm(team: *Team, word: *const std.atomic.Value(i32), expected: i32) void {
        team.stopper = .{ .word = word, .expected = expected };
    }

    pub fn disarm(team: *Team) void {
        team.stopper = .{};
    }

    /// Keeps the owner on the CPU that pinned workers leave to it, until `roam`. On one of theirs, where the system puts it
    /// when a third thread takes its own, the two would wait for each other by turns, and the worker cannot give way.
    pub fn stay(team: *Team) void {
        if (!team.pinned or team.elsewhere != null) return;
        team.elsewhere = cpus.allowed();
        team.pin(0);
    }

    /// The owner may be anywhere again: threads that it starts have its mask.
    pub fn roam(team: *Team) void {
        if (team.elsewhere) |*set| _ = cpus.restrict(set);
        team.elsewhere = null;
    }

    /// Whether a run since `arm` ended early: its results are incomplete.
    pub fn wasStopped(team: *const Team) bool {
        return team.stopper.refused.load(.monotonic) != 0;
    }

    /// Ends and joins the workers. The team may be started again.
    pub fn stop(team: *Team, gpa: std.mem.Allocator) void {
        if (team.count == 1) return;
        assert(team.gate.raw == gate_closed and team.threads.len == team.count - 1);
        team.join(team.threads.len);
        gpa.free(team.threads);
        if (team.pinned) claimed.giveBack(&team.pins);
        team.* = .{};
    }

    fn join(team: *Team, started: usize) void {
        team.stopping.store(true, .release);
        team.release();
        for (team.threads[0..started]) |thread| thread.join();
    }

    /// Publishes what was written before to all workers. Sequentially consistent on both sides: either the
    /// owner sees a worker's `sleepers` count, or that worker's futex sees the new epoch.
    fn release(team: *Team) void {
        _ = team.epoch.fetchAdd(1, .seq_cst);
        if (team.sleepers.load(.seq_cst) > 0) futex.wake(&team.epoch, std.math.maxInt(i32));
    }

    fn awaitFinished(team: *Team) void {
        while (team.finished.load(.acquire) != team.count - 1) std.Thread.yield() catch {};
    }

    /// Lets no more workers in and waits for those inside.
    fn closeGate(team: *Team) void {
        if (team.gate.fetchOr(gate_closed, .acq_rel) == 0) return;
        var spin: Spin = .start(team.spin_budget_ns);
        while (true) {
            if (team.gate.load(.acquire) == gate_closed) return;
            if (spin.again()) continue;
            team.owner_sleeps.store(1, .seq_cst);
            const now = team.gate.load(.seq_cst);
            if (now != gate_closed) futex.wait(&team.gate, now);
            team.owner_sleeps.store(0, .monotonic);
        }
    }

    fn enter(team: *Team) bool {
        var now = team.gate.load(.monotonic);
        while (now & gate_closed == 0) {
            now = team.gate.cmpxchgWeak(now, now + 1, .acquire, .monotonic) orelse return true;
        }
        return false;
    }

    /// The owner may end the run, and the process the team, once the gate is closed and empty: after it only the
    /// wake-up follows, and `stop` joins this thread before the team goes away.
    fn leave(team: *Team) void {
        const before = team.gate.fetchSub(1, .seq_cst);
        assert(before & ~gate_closed != 0);
        if (before != gate_closed + 1) return;
        if (team.owner_sleeps.load(.seq_cst) != 0) futex.wake(&team.gate, 1);
    }

    fn worker(team: *Team, part: u32) void {
        assert(part > 0 and part < team.count); // the owner is member 0
        if (team.pinned) team.pin(part);
        _ = fp_state.enterDefault();
        const job: Job = .{ .part = part, .parts = team.count, .next = &team.next, .stop = &team.stopper };
        var seen: u32 = 0;
        var done_id: u32 = 0;
        while (true) {
            seen = team.awaitEpoch(seen);
            if (team.stopping.load(.acquire)) return;
            if (!team.enter()) continue;
            // A worker that is late for one run may enter the next one early, and then sees its epoch again.
            if (team.run_id != done_id) {
                done_id = team.run_id;
                team.work(team.args, &job);
                _ = team.finished.fetchAdd(1, .release);
            }
            team.leave();
        }
    }

    fn awaitEpoch(team: *Team, seen: u32) u32 {
        var spin: Spin = .start(team.spin_budget_ns);
        while (true) {
            const now = team.epoch.load(.acquire);
            if (now != seen) return now;
            if (spin.again()) continue;
            _ = team.sleepers.fetchAdd(1, .seq_cst);
            futex.wait(&team.epoch, seen);
            _ = team.sleepers.fetchSub(1, .seq_cst);
        }
    }

    fn pin(team: *Team, part: u32) void {
        var cpu = team.pins.nextFrom(team.home) orelse team.pins.nextFrom(0) orelse return;
        for (0..part) |_| cpu = team.pins.nextFrom(cpu + 1) orelse team.pins.nextFrom(0) orelse return;
        var one: cpus.CpuSet = .{};
        one.add(cpu);
        _ = cpus.restrict(&one);
    }
};

/// Bounded busy waiting. The clock is read once in a few dozen pauses: a pause is 10–50 ns, the clock 25 ns.
const Spin = struct {
    budget_ns: u64,
    started_ns: u64,
    pauses: u32 = 0,

    fn start(budget_ns: u64) Spin {
        return .{ .budget_ns = budget_ns, .started_ns = 0 };
    }

    fn again(spin: *Spin) bool {
        if (spin.budget_ns == 0) return false;
        std.atomic.spinLoopHint();
        spin.pauses +%= 1;
        if (spin.pauses % 32 != 0) return true;
        const now = futex.nowNs();
        if (spin.started_ns == 0) spin.started_ns = now;
        return now -% spin.started_ns < spin.budget_ns;
    }
};

/// CPUs that teams of this process have pinned workers to, so that two teams do not pin to the same ones.
const Claimed = struct {
    lock: futex.Lock = .{},
    set: cpus.CpuSet = .{},

    /// Takes `count` CPUs of `allowed` that no other team has; false (and nothing taken) when too few are
    /// free: such a team is left to the scheduler. Member 0's CPU is kept free too, though the thread,
    /// which is not ours, is not pinned.
    fn take(list: *Claimed, allowed: *const cpus.CpuSet, count: u32, taken: *cpus.CpuSet) bool {
        list.lock.acquire();
        defer list.lock.release();
        var free: cpus.CpuSet = allowed.*;
        free.subtract(&list.set);
        if (free.count() < count) return false;
        taken.* = .{};
        var cpu: u32 = 0;
        for (0..count) |_| {
            cpu = free.nextFrom(cpu) orelse unreachable;
            taken.add(cpu);
            list.set.add(cpu);
            cpu += 1;
        }
        assert(taken.count() == count and allowed.containsAll(taken));
        return true;
    }

    fn giveBack(list: *Claimed, taken: *const cpus.CpuSet) void {
        list.lock.acquire();
        defer list.lock.release();
        assert(list.set.containsAll(taken));
        list.set.subtract(taken);
    }
};

var claimed: Claimed = .{};

const Tally = struct {
    runs: [8]std.atomic.Value(u32) = @splat(.init(0)),
    units: std.atomic.Value(u32) = .init(0),
    total: u32,

    fn work(args: *const anyopaque, job: *const Job) callconv(.c) void {
        const tally: *Tally = @ptrCast(@alignCast(@constCast(args)));
        _ = tally.runs[job.part].fetchAdd(1, .monotonic);
        while (job.claim(tally.total, 3)) |chunk| {
            _ = tally.units.fetchAdd(chunk.end - chunk.first, .monotonic);
        }
    }
};

test "the owner stays on the CPU that is left to it, and may be anywhere afterwards" {
    const all = cpus.allowed() orelse return error.SkipZigTest;
    var team: Team = .{};
    try team.start(std.testing.allocator, 2);
    defer team.stop(std.testing.allocator);
    for (0..3) |_| {
        team.stay();
        const own = cpus.allowed().?;
        try std.testing.expect(all.containsAll(&own));
        if (team.pinned) try std.testing.expectEqual(1, own.count());
        team.stay();
        team.roam();
        try std.testing.expectEqual(all, cpus.allowed().?);
    }
}

test "run does all work once and runEvery comes to every member, thousands of times" {
    for ([_]u32{ 1, 2, 3, 5 }) |count| {
        var team: Team = .{};
        try team.start(std.testing.allocator, count);
        defer team.stop(std.testing.allocator);
        var tally: Tally = .{ .total = 10 };
        // More members than CPUs sleep after every run, which is slow on purpose: fewer rounds there.
        const rounds: u32 = if (team.spin_budget_ns > 0) 20_000 else 2_000;
        for (0..rounds) |_| team.run(Tally.work, &tally);
        try std.testing.expectEqual(rounds * 10, tally.units.load(.monotonic));
        try std.testing.expectEqual(rounds, tally.runs[0].load(.monotonic));
        for (&tally.runs) |*runs| {
            try std.testing.expect(runs.load(.monotonic) <= rounds);
            runs.store(0, .monotonic);
        }
        for (0..200) |_| team.runEvery(Tally.work, &tally);
        try std.testing.expectEqual((rounds + 200) * 10, tally.units.load(.monotonic));
        for (tally.runs[0..count]) |*runs| try std.testing.expectEqual(200, runs.load(.monotonic));
    }
}

/// Changes a word in the middle of its work.
const Raiser = struct {
    word: std.atomic.Value(i32) = .init(7),
    units: std.atomic.Value(u32) = .init(0),
    const total = 10_000;

    fn work(args: *const anyopaque, job: *const Job) callconv(.c) void {
        const raiser: *Raiser = @ptrCast(@alignCast(@constCast(args)));
        while (job.claim(total, 1)) |chunk| {
            if (chunk.first == 5) raiser.word.store(8, .monotonic);
            _ = raiser.units.fetchAdd(1, .monotonic);
        }
    }
};

test "an armed run ends once the word changes, and the next unarmed one does all of its work" {
    for ([_]u32{ 1, 3 }) |count| {
        var team: Team = .{};
        try team.start(std.testing.allocator, count);
        defer team.stop(std.testing.allocator);
        for (0..50) |_| {
            var raiser: Raiser = .{};
            team.arm(&raiser.word, 7);
            team.run(Raiser.work, &raiser);
            try std.testing.expect(team.wasStopped());
            try std.testing.expect(raiser.units.raw >= 6 and raiser.units.raw < Raiser.total);
            raiser.word.raw = 7;
            try std.testing.expect(team.wasStopped());
            team.disarm();
            raiser.units.raw = 0;
            team.run(Raiser.work, &raiser);
            try std.testing.expect(!team.wasStopped());
            try std.testing.expectEqual(Raiser.total, raiser.units.raw);
        }
    }
}

test "run works after the workers fell asleep, and stop wakes sleepers" {
    var team: Team = .{};
    try team.start(std.testing.allocator, 3);
    var tally: Tally = .{ .total = 7 };
    for (0..20) |_| {
        while (team.sleepers.load(.monotonic) < 2) std.Thread.yield() catch {};
        team.run(Tally.work, &tally);
    }
    while (team.sleepers.load(.monotonic) < 2) std.Thread.yield() catch {};
    team.stop(std.testing.allocator);
    try std.testing.expectEqual(140, tally.units.load(.monotonic));
}

test "a team can be started and stopped many times, at once or after work" {
    var tally: Tally = .{ .total = 5 };
    for (0..200) |round| {
        var team: Team = .{};
        try team.start(std.testing.allocator, 4);
        if (round % 2 == 1) team.run(Tally.work, &tally);
        team.stop(std.testing.allocator);
    }
    try std.testing.expectEqual(500, tally.units.load(.monotonic));
}

test "a team that could not start can be stopped" {
    var team: Team = .{};
    try std.testing.expectError(error.TooManyThreads, team.start(std.testing.allocator, members_max + 1));
    team.stop(std.testing.allocator);
    try std.testing.expectError(error.OutOfMemory, team.start(std.testing.failing_allocator, 3));
    team.stop(std.testing.failing_allocator);
}

test "two teams never claim the same CPU" {
    var list: Claimed = .{};
    var four: cpus.CpuSet = .{};
    for ([_]u32{ 2, 3, 64, 70 }) |cpu| four.add(cpu);
    var a: cpus.CpuSet = .{};
    var b: cpus.CpuSet = .{};
    try std.testing.expect(list.take(&four, 3, &a));
    try std.testing.expect(!list.take(&four, 2, &b));
    try std.testing.expect(list.take(&four, 1, &b));
    try std.testing.expectEqual(70, b.nextFrom(0).?);
    list.giveBack(&a);
    try std.testing.expect(list.take(&four, 3, &a));
}
