//! Attention where values are the ends of their keys (latent attention): rows are lanes, and elements of keys are broadcast.
//!
//! All heads share one key, so the rows of a unit, heads of some tokens, are the columns of two products with one matrix:
//! K [key_dim][16 tokens], as blocks keep it, gives the scores [tokens][rows] of queries [key_dim][rows], and, read along the
//! other side, the sums [value_dim][rows] of weights [tokens][rows]. Values need not be turned. Elements become f32 once for
//! all rows. A loaded vector of queries or weights serves as many products as there are registers for sums.
//!
//! Each element is the chain that attention.zig defines, in its order: what is kept between parts of a sum is kept as it is.

const std = @import("std");
const simd = @import("../../isa/simd.zig");
const math = @import("../math.zig");
const softCap = @import("../cap_logits.zig").softCap;
const arena = @import("../../kv/arena.zig");
const elements = @import("../../kv/elements.zig");
const blocks = @import("blocks.zig");
const items = @import("items.zig");
const panels = @import("panel.zig");
const Format = arena.Format;
const Rows = @import("rows.zig").Rows;
const Span = panels.Span;

const block_tokens = arena.block_tokens;
const chunk_tokens = blocks.chunk_tokens;
const lanes = simd.lanes;
const F32x16 = simd.F32x16;
const U32x16 = simd.U32x16;

/// Rows of a unit at most.
pub const rows_max = 48;

// What is multiplied together stays in the first level of cache: so many dimensions of queries and of a block of keys, weights
// of so many blocks and some dimensions of their values.
const query_dims = 96;
const part_blocks = 8;
const value_dims = 32;
/// Steps of an inner loop that are written out: so its end is foreseen.
const unrolled = 4;
/// Dimensions, and rows, of a square that is turned in registers.
const side = 8;

const step = simd.register_lanes;
const V = @Vector(step, f32);

/// What a unit works in.
const Room = struct {
    /// [key_dim][rows]
    queries: [arena.head_dim_max * rows_max]f32,
    /// Scores of a chunk, then weights: [token][rows].
    weights: [chunk_tokens * rows_max]f32,
    /// Sums over a chunk so far: [value_dim][rows].
    sums: [arena.head_dim_max * rows_max]f32,
    /// O of all chunks so far, likewise.
    total: [arena.head_dim_max * rows_max]f32,
    /// Elements of keys: [block][dimension][16 tokens].
    keys: [block_tokens * @max(query_dims, part_blocks * value_dims)]f32,
    /// Where lanes that no row has are read from and written to.
    spare: [arena.head_dim_max]f32,
};

/// All rows of the unit over its chunks. Results of a cut unit go to memory.
pub noinline fn compute(comptime format: Format, rows: Rows) void {
    var room: Room align(64) = undefined;
    const unit = rows.unit;
    std.debug.assert(unit.rows() <= rows_max);
    switch (std.math.divCeil(u32, unit.rows(), lanes) catch unreachable) {
        inline 1, 2, 3 => |columns| Lanes(columns).all(format, rows, &room),
        else => unreachable,
    }
}

/// `columns` times 16 rows.
fn Lanes(comptime columns: usize) type {
    const width = columns * lanes;
    // Vectors of rows and elements of keys whose sums are in registers together; both divide what there is of them.
    const vectors, const deep = if (!simd.fast)
        .{ 1, 1 }
    else if (step == lanes)
        .{ columns, if (columns == 1) 16 else 8 }
    else if (step == 8)
        .{ if (columns == 3) 3 else 2, 4 }
    else
        .{ if (columns == 3) 6 else 4, 4 };

    return struct {
        const Sums = [deep][vectors]V;

        /// What each row sees of a chunk; lanes that no row has see what the last one does.
        const Seen = struct {
            all: Span,
            /// What all of them see.
            common: Span,
            first: [width]u32,
            end: [width]u32,

            fn of(rows: Rows, chunk: u32) Seen {
                const unit = rows.unit;
                const last = rows.span(unit.row_end - 1, chunk);
                const all_first = rows.span(unit.row_first, chunk).first;
                var seen: Seen = .{
                    .all = .{ .first = all_first, .end = last.end },
                    .common = .whole,
                    .first = @splat(last.first),
                    .end = @splat(last.end),
                };
                for (unit.row_first..unit.row_end, 0..) |row, lane| {
                    const span = rows.span(@intCast(row), chunk);
                    seen.first[lane] = span.first;
                    seen.end[lane] = span.end;
                    seen.common = .{ .first = @max(seen.common.first, span.first), .end = @min(seen.common.end, span.end) };
                }
                return seen;
            }

            fn isCommon(seen: *const Seen, position: usize) bool {
                return position >= seen.common.first and position < seen.common.end;
            }

            /// Lanes from `lane` on that see the position.
            inline fn at(seen: *const Seen, comptime n: usize, lane: usize, position: usize) @Vector(n, bool) {
                const place: @Vector(n, u32) = @splat(@intCast(position));
                const first: @Vector(n, u32) = seen.first[lane..][0..n].*;
                const end: @Vector(n, u32) = seen.end[lane..][0..n].*;
                return @select(bool, place >= first, place < end, @as(@Vector(n, bool), @splat(false)));
            }

            /// Lanes that see something.
            inline fn any(seen: *const Seen, column: usize) @Vector(lanes, bool) {
                return @as(U32x16, seen.first[column * lanes ..][0..lanes].*) < @as(U32x16, seen.end[column * lanes ..][0..lanes].*);
            }
        };

        fn all(comptime format: Format, rows: Rows, room: *Room) void {
            const unit = rows.unit;
            if (unit.chunk_first < unit.chunk_end) setQueries(rows, room);
            const value_dim = rows.args.view.value_dim;
            const cut = unit.units > 1;
            if (!cut) @memset(room.total[0 .. value_dim * width], 0);
            var totals: [columns]panels.States = @splat(.{});
            if (unit.chunk_first < unit.chunk_end) {
                var chunk = rows.chunks();
                for (unit.chunk_first..unit.chunk_end) |index| {
                    chunk.advance();
                    const seen: Seen = .of(rows, @intCast(index));
                    if (seen.all.isEmpty()) continue;
                    scores(format, room, &chunk, rows.args.scale, seen.all);
                    var states: [columns]panels.States = undefined;
                    for (&states, 0..) |*state, column| state.* = softmax(room, &seen, rows.args.softcap, column);
                    weightedSums(format, room, &chunk, &seen);
                    if (cut) store(rows, room, @intCast(index), &states) else join(room, &totals, &states, &seen, value_dim);
                }
            }
            if (!cut) finish(rows, room, &totals);
        }

        fn setQueries(rows: Rows, room: *Room) void {
            const dim = rows.args.view.key_dim;
            @memset(room.spare[0..dim], 0);
            var lane: usize = 0;
            while (lane < width) : (lane += side) {
                var sources: [side][*]const f32 = @splat(&room.spare);
                for (&sources, lane..) |*source, i| {
                    if (i < rows.unit.rows()) source.* = rows.query(rows.unit.row_first + @as(u32, @intCast(i))).ptr;
                }
                var d: usize = 0;
                while (d < dim) : (d += side) {
                    var square: Square = undefined;
                    inline for (&square, sources) |*line, source| line.* = source[d..][0..side].*;
                    turn(&square);
                    inline for (square, 0..) |line, i| room.queries[(d + i) * width + lane ..][0..side].* = line;
                }
            }
        }

        /// source [value_dim][rows], row by row.
        fn writeRows(source: []const f32, targets: *const [width][*]f32) void {
            var lane: usize = 0;
            while (lane < width) : (lane += side) {
                var d: usize = 0;
                while (d * width < source.len) : (d += side) {
                    var square: Square = undefined;
                    inline for (&square, 0..) |*line, i| line.* = source[(d + i) * width + lane ..][0..side].*;
                    turn(&square);
                    inline for (square, 0..) |line, i| targets[lane + i][d..][0..side].* = line;
                }
            }
        }

        /// weights[token][row] = scale · q·K for the positions of a span, rounded to whole blocks.
        fn scores(comptime format: Format, room: *Room, chunk: *const blocks.Chunk, scale: f32, span: Span) void {
            var d: usize = 0;
            while (d < chunk.key_dim) : (d += query_dims) {
                const dims = @min(query_dims, chunk.key_dim - d);
                const factor: ?f32 = if (d + dims == chunk.key_dim) scale else null;
                for (span.firstBlock()..span.endBlock()) |block| {
                    widen(format, chunk.k[block], d, dims, &room.keys, chunk.next_k[block]);
                    scoreBlock(room.queries[d * width ..].ptr, &room.keys, dims, room.weights[block * block_tokens * width ..].ptr, d == 0, factor);
                }
            }
        }

        /// Goes on with the scores of 16 tokens over some dimensions; `factor` multiplies them after the last ones.
        noinline fn scoreBlock(queries: [*]const f32, keys: [*]const f32, dims: usize, weights: [*]f32, is_start: bool, factor: ?f32) void {
            var token: usize = 0;
            while (token < block_tokens) : (token += deep) {
                var lane: usize = 0;
                while (lane < width) : (lane += vectors * step) {
                    const place = weights[token * width + lane ..];
                    var sums: Sums = if (is_start) @splat(@splat(@splat(0))) else load(deep, place);
                    var q = queries + lane;
                    var k = keys + token;
                    for (0..dims / unrolled) |_| {
                        inline for (0..unrolled) |i| multiplyAdd(deep, &sums, q + i * width, k + i * block_tokens, 1);
                        q += unrolled * width;
                        k += unrolled * block_tokens;
                    }
                    if (factor) |scale| inline for (&sums) |*row| inline for (row) |*sum| {
                        sum.* *= @as(V, @splat(scale));
                    };
                    keep(deep, place, &sums);
                }
            }
        }

        /// sums[i][j] += keys[i · stride] · rows[j]; a vector of rows each.
        inline fn multiplyAdd(comptime n: usize, sums: *[n][vectors]V, rows: [*]const f32, keys: [*]const f32, comptime stride: usize) void {
            var loaded: [vectors]V = undefined;
            inline for (&loaded, 0..) |*vector, j| vector.* = rows[j * step ..][0..step].*;
            inline for (sums, 0..) |*row, i| {
                const key: V = @splat(keys[i * stride]);
                inline for (row, loaded) |*sum, vector| sum.* = simd.fma(key, vector, sum.*);
            }
        }

        inline fn load(comptime n: usize, place: [*]const f32) [n][vectors]V {
            var sums: [n][vectors]V = undefined;
            inline for (&sums, 0..) |*row, i| inline for (row, 0..) |*sum, j| {
                sum.* = place[i * width + j * step ..][0..step].*;
            };
            return sums;
        }

        inline fn keep(comptime n: usize, place: [*]f32, sums: *const [n][vectors]V) void {
            inline for (sums, 0..) |row, i| inline for (row, 0..) |sum, j| {
                place[i * width + j * step ..][0..step].* = sum;
            };
        }

        /// Turns scores of 16 rows into exp(score − max), and those of positions that a row does not see into zeros. Positions
        /// mod 16, elsewhere lanes of a row, are vectors here.
        noinline fn softmax(room: *Room, seen: *const Seen, softcap: f32, column: usize) panels.States {
            var tops: [lanes]F32x16 = @splat(simd.splat(-std.math.inf(f32)));
            for (seen.all.first..seen.all.end) |position| {
                const place = room.weights[position * width + column * lanes ..].ptr;
                var score = simd.load(place);
                if (softcap > 0) score = softCap(score, simd.splat(softcap));
                if (!seen.isCommon(position)) score = @select(f32, seen.at(lanes, column * lanes, position), score, simd.splat(-std.math.inf(f32)));
                simd.store(place, score);
                tops[position % lanes] = simd.max(score, tops[position % lanes]);
            }
            const max = folded(&tops, simd.max);
            const base = panels.finiteBase(max);
            var sums: [lanes]F32x16 = @splat(simd.splat(0));
            for (seen.all.first..seen.all.end) |position| {
                const place = room.weights[position * width + column * lanes ..].ptr;
                const p = math.expBelowZero(simd.load(place) - base);
                simd.store(place, p);
                sums[position % lanes] += p;
            }
            return .{ .max = max, .sum = folded(&sums, plus) };
        }

        /// sums[d][row] = Σ weights[token][row] · K[d][token] over what each row sees, ascending; d: last dimensions of keys.
        fn weightedSums(comptime format: Format, room: *Room, chunk: *const blocks.Chunk, seen: *const Seen) void {
            const dim = chunk.value_dim;
            const end = seen.all.endBlock();
            var first = seen.all.firstBlock();
            while (first < end) : (first += part_blocks) {
                var d: usize = 0;
                while (d < dim) : (d += value_dims) {
                    const part: Part = .{
                        .first = first,
                        .end = @min(first + part_blocks, end),
                        .is_start = first == seen.all.firstBlock(),
                        .d = d,
                        .dims = @min(value_dims, dim - d),
                    };
                    for (part.first..part.end, 0..) |block, i| {
                        widen(format, chunk.k[block], chunk.key_dim - dim + d, part.dims, room.keys[i * block_tokens * part.dims ..].ptr, chunk.next_k[block]);
                    }
                    sumPart(room, seen, part);
                }
            }
        }

        /// Blocks and dimensions whose values are in `Room.keys`.
        const Part = struct { first: usize, end: usize, is_start: bool, d: usize, dims: usize };

        noinline fn sumPart(room: *Room, seen: *const Seen, part: Part) void {
            var d: usize = 0;
            while (d + deep <= part.dims) : (d += deep) sumDims(deep, room, seen, part, d);
            if (deep > 8 and d < part.dims) sumDims(8, room, seen, part, d);
        }

        /// Dimensions from number `d` of the part on.
        inline fn sumDims(comptime n: usize, room: *Room, seen: *const Seen, part: Part, d: usize) void {
            var lane: usize = 0;
            while (lane < width) : (lane += vectors * step) {
                const place = room.sums[(part.d + d) * width + lane ..].ptr;
                var sums: [n][vectors]V = if (part.is_start) @splat(@splat(@splat(0))) else load(n, place);
                for (part.first..part.end, 0..) |block, i| {
                    const keys = room.keys[(i * part.dims + d) * block_tokens ..].ptr;
                    const start = block * block_tokens;
                    const first = @max(start, seen.all.first);
                    const end = @min(start + block_tokens, seen.all.end);
                    const common_first = std.math.clamp(seen.common.first, first, end);
                    const common_end = std.math.clamp(seen.common.end, common_first, end);
                    for (first..common_first) |early| addSeen(n, &sums, room, seen, early, lane, keys + early - start);
                    // Past the end where nothing is common.
                    var weights = @as([*]const f32, &room.weights) + common_first * width + lane;
                    var position = common_first;
                    while (position + unrolled <= common_end) : (position += unrolled) {
                        inline for (0..unrolled) |j| multiplyAdd(n, &sums, weights + j * width, keys + position - start + j, block_tokens);
                        weights += unrolled * width;
                    }
                    while (position < common_end) : (position += 1) {
                        multiplyAdd(n, &sums, weights, keys + position - start, block_tokens);
                        weights += width;
                    }
                    for (common_end..end) |late| addSeen(n, &sums, room, seen, late, lane, keys + late - start);
                }
                keep(n, place, &sums);
            }
        }

        /// A position that some rows do not see: what lies there for them cannot be multiplied, it may be NaN.
        noinline fn addSeen(comptime n: usize, sums: *[n][vectors]V, room: *const Room, seen: *const Seen, position: usize, lane: usize, keys: [*]const f32) void {
            var added = sums.*;
            multiplyAdd(n, &added, room.weights[position * width + lane ..].ptr, keys, block_tokens);
            inline for (0..vectors) |j| {
                const sees = seen.at(step, lane + j * step, position);
                inline for (sums, added) |*row, new| row[j] = @select(f32, sees, new[j], row[j]);
            }
        }

        /// Joins a chunk's results to the totals of the rows that see it.
        noinline fn join(room: *Room, totals: *[columns]panels.States, states: *const [columns]panels.States, seen: *const Seen, dim: usize) void {
            for (totals, states, 0..) |*total, state, column| {
                const factors: panels.Factors = .of(total.*, state);
                const sees = seen.any(column);
                for (0..dim) |d| {
                    const place = room.total[d * width + column * lanes ..].ptr;
                    const part = simd.load(room.sums[d * width + column * lanes ..].ptr);
                    const before = simd.load(place);
                    simd.store(place, @select(f32, sees, simd.fma(before, factors.before, part * factors.next), before));
                }
                total.* = factors.states;
            }
        }

        /// O / L of each row, with a sink O · a / L'.
        noinline fn finish(rows: Rows, room: *Room, totals: *const [columns]panels.States) void {
            const unit = rows.unit;
            const dim = rows.args.view.value_dim;
            var targets: [width][*]f32 = @splat(&room.spare);
            var sinks: [width]f32 = @splat(0);
            for (unit.row_first..unit.row_end, 0..) |row, lane| {
                targets[lane] = rows.out(@intCast(row)).ptr;
                if (rows.sink(@intCast(row))) |sink| sinks[lane] = sink;
            }
            for (totals, 0..) |total, column| {
                const sink: ?F32x16 = if (rows.args.sinks == null) null else sinks[column * lanes ..][0..lanes].*;
                const last: panels.Last(F32x16) = .of(total.max, total.sum, sink);
                for (0..dim) |d| {
                    const place = room.total[d * width + column * lanes ..].ptr;
                    simd.store(place, last.apply(simd.load(place)));
                }
            }
            writeRows(room.total[0 .. dim * width], &targets);
        }

        /// The results of a chunk for the rows that see it.
        noinline fn store(rows: Rows, room: *Room, chunk: u32, states: *const [columns]panels.States) void {
            const unit = rows.unit;
            var targets: [width][*]f32 = @splat(&room.spare);
            for (unit.row_first..unit.row_end, 0..) |index, lane| {
                const row: u32 = @intCast(index);
                if (rows.span(row, chunk).isEmpty()) continue;
                const target = rows.partial(row, chunk);
                const max: [lanes]f32 = states[lane / lanes].max;
                const sum: [lanes]f32 = states[lane / lanes].sum;
                target[0] = max[lane % lanes];
                target[1] = sum[lane % lanes];
                targets[lane] = target + items.partial_out;
            }
            writeRows(room.sums[0 .. rows.args.view.value_dim * width], &targets);
        }
    };
}

/// target[dimension · 16 + token] = f32 of a block's dimensions from `first` on. Asks for the same of `next`, a block of the
/// next chunk.
noinline fn widen(comptime format: Format, block: [*]const u8, first: usize, dims: usize, target: [*]f32, next: [*]const u8) void {
    const row_bytes = block_tokens * comptime format.elementBytes();
    const source: [*]const Format.Element(format) = @ptrCast(@alignCast(block + first * row_bytes));
    for (0..dims) |d| {
        if (d * row_bytes % 64 == 0) blocks.prefetch(next + (first + d) * row_bytes, row_bytes);
        simd.store(target + d * block_tokens, elements.load(format, block_tokens, source + d * block_tokens));
    }
}

inline fn plus(a: F32x16, b: F32x16) F32x16 {
    return a + b;
}

/// What `simd.reduceAdd` and `simd.reduceMax` make of 16 lanes, of 16 vectors.
inline fn folded(vectors: *[lanes]F32x16, comptime op: anytype) F32x16 {
    comptime var half = lanes / 2;
    inline while (half > 0) : (half /= 2) {
        inline for (0..half) |i| vectors[i] = op(vectors[i], vectors[i + half]);
    }
    return vectors[0];
}

const Square = [side]@Vector(side, f32);

/// square[i][j] becomes square[j][i].
inline fn turn(square: *Square) void {
    // Each step moves the topmost bit of an element's place, row · 8 + column, to the bottom; three make rows of columns.
    inline for (0..3) |_| {
        var mixed: Square = undefined;
        inline for (0..side / 2) |i| {
            mixed[2 * i] = @shuffle(f32, square[i], square[i + side / 2], zip(0));
            mixed[2 * i + 1] = @shuffle(f32, square[i], square[i + side / 2], zip(side / 2));
        }
        square.* = mixed;
    }
}

/// Elements of two vectors in turn, from element `first` on.
fn zip(comptime first: i32) @Vector(side, i32) {
    var mask: [side]i32 = undefined;
    for (&mask, 0..) |*lane, i| {
        const element = first + @as(i32, @intCast(i / 2));
        lane.* = if (i % 2 == 0) element else ~element;
    }
    return mask;
}

test "a square is turned" {
    var square: Square = undefined;
    for (&square, 0..) |*line, i| line.* = std.simd.iota(f32, side) + @as(@Vector(side, f32), @splat(@floatFromInt(i * side)));
    turn(&square);
    for (square, 0..) |line, i| for (@as([side]f32, line), 0..) |element, j| {
        try std.testing.expectEqual(@as(f32, @floatFromInt(j * side + i)), element);
    };
}

test "vectors fold as lanes do" {
    var rows: [lanes][lanes]f32 = undefined;
    for (&rows, 0..) |*row, i| for (row, 0..) |*value, j| {
        value.* = 1.0 / @as(f32, @floatFromInt(i * 7 % 5 + j + 1));
    };
    var vectors: [lanes]F32x16 = undefined;
    for (&vectors, rows) |*vector, row| vector.* = row;
    const sums: [lanes]f32 = folded(&vectors, plus);
    for (&vectors, rows) |*vector, row| vector.* = row;
    const tops: [lanes]f32 = folded(&vectors, simd.max);
    for (sums, tops, 0..) |sum, top, j| {
        var lane: [lanes]f32 = undefined;
        for (&lane, rows) |*value, row| value.* = row[j];
        try std.testing.expectEqual(simd.reduceAdd(lane), sum);
        try std.testing.expectEqual(simd.reduceMax(lane), top);
    }
}
