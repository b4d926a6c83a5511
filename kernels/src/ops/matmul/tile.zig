//! The integer matmul for few columns, and for the ones that other strategies leave: some columns × some row groups of one
//! panel, whole K, in registers. The other strategies of integers do its arithmetic.
//!
//! Weights stay unsigned, so that a product of weight and activation bytes keeps its sign from the activation alone
//! and int16 sums can be bounded: 2 · max w · 127 for each pair of products, times the number of products added
//! before a scale widens them to int32 (`dots_per_scale`).
//!
//! A panel is read in address order, which the hardware's prefetchers follow best where a step is short. With several
//! columns the loads of one step fill the reorder window, and the next ones come too late: then lines are prefetched by
//! hand (measured on Zen 4: 1.1 to 1.4 times as fast with 4 to 8 columns, 0.8 times with 1 to 3). Some processors want that
//! with few columns, too (isa/read_ahead.zig; 1.4, 1.1 and 1.2 times as fast with 1, 2 and 3 columns of Q4_K).
//!
//! Order of float operations per output element, on every ISA level and for every tile shape, K ascending:
//!   acc = fma(f32(isum), dw · da, acc)      then, for formats with mins,      acc = fma(−f32(msum), dmin · da, acc)

const std = @import("std");
const read_ahead = @import("../../isa/read_ahead.zig");
const simd = @import("../../isa/simd.zig");
const activations = @import("../../quant/activations.zig");
const format_file = @import("../../quant/format.zig");
const panel_file = @import("../../quant/panel.zig");
const Format = format_file.Format;
const item_file = @import("item.zig");
const Claim = item_file.Claim;

/// Row groups in a panel.
pub const panel_groups = simd.panel_rows / simd.row_lanes;
/// How far ahead a tile prefetches into the first-level cache.
const prefetch_bytes = 2304;

pub inline fn serves(comptime format: Format, _: item_file.Span) bool {
    return comptime format.traits() == .integer;
}

pub fn cut(comptime format: Format, columns: usize) item_file.Cut {
    return .{ .streams = columns <= columnsOf(format) };
}

pub fn run(comptime format: Format, claim: *const Claim) void {
    for (claim.panel_first..claim.panel_end) |panel| runPanel(format, claim, panel, claim.span.first);
}

/// One panel times the claim's columns from `first` on.
pub fn runPanel(comptime format: Format, claim: *const Claim, panel: usize, first: usize) void {
    std.debug.assert(panel >= claim.panel_first and panel < claim.panel_end and first <= claim.span.end);
    item_file.forEachTile(columnsOf(format), first, claim.span.end, PanelTiles(format){ .claim = claim, .panel = panel });
}

fn PanelTiles(comptime format: Format) type {
    return struct {
        claim: *const Claim,
        panel: usize,

        pub fn tile(tiles: @This(), comptime C: usize, column: usize) void {
            const item = tiles.claim.item;
            const weights = tiles.claim.weights(format, tiles.panel);
            const x = item.quantised(column);
            const course: Course = .of(format, tiles.claim);
            var out: [C][simd.panel_rows]f32 = undefined;
            var group: usize = 0;
            while (group < panel_groups) : (group += groups_at_once) {
                // A function of its own for each tile, as in strategies.zig.
                const row = group * simd.row_lanes;
                @call(.never_inline, multiply, .{ format, C, groups_at_once, weights, item.k, x, row, course, &out });
            }
            item.finishPanel(&out, tiles.panel, column);
        }
    };
}

/// Columns of a tile. Measured on AVX2 and AVX-512: what keeps the multipliers busy although it spills a sum now and then.
pub fn columnsOf(comptime format: Format) usize {
    if (!simd.fast) return 1;
    if (simd.row_lanes == 16) return 6;
    return switch (format.integer().activation) {
        .per32 => 4,
        // Sums of mins or offsets, too, wait in registers: of AVX-VNNI's 16, three columns leave enough (1.2 times as fast).
        .per256 => if (simd.has_short_dot) 3 else 4,
    };
}

/// Row groups at once, which share each broadcast activation; a panel is then also read in address order, once.
pub const groups_at_once = @min(2, panel_groups);

pub const Unit = panel_file.Unit;

/// acc[column][group].
pub fn Accumulators(comptime columns: usize, comptime groups: usize) type {
    return [columns][groups]simd.RowF32;
}

/// Where a member reads on from each place of a claim.
const Course = struct {
    /// Where the claim's weights end.
    end: usize,
    /// From there to what the member reads next.
    jump: usize,

    fn of(comptime format: Format, claim: *const Claim) Course {
        const end = @intFromPtr(claim.weights(format, claim.panel_end));
        return .{ .end = end, .jump = if (claim.next) |next| @intFromPtr(next) -% end else 0 };
    }

    /// What is read after the chunk.
    fn later(course: Course, chunk: *const anyopaque) Later {
        return .{ .near = course.ahead(chunk, read_ahead.near_bytes), .far = course.ahead(chunk, read_ahead.far_bytes) };
    }

    /// What is read `bytes` later.
    fn ahead(course: Course, chunk: *const anyopaque, bytes: usize) [*]const u8 {
        const address = @intFromPtr(chunk) + bytes;
        return @ptrFromInt(if (address < course.end) address else address +% course.jump);
    }
};

/// Places to prefetch into the first-level cache and into the second-level one.
const Later = struct { near: [*]const u8, far: [*]const u8 };

/// Panels as they lie in memory.
pub fn PackedSource(comptime format: Format) type {
    const Codec = format_file.Codec(format);
    const Chunk = format_file.Chunk(format);
    return struct {
        chunk: *const Chunk,
        /// First row within the panel.
        row: usize,
        /// What is read some time after the chunk, on a processor that wants to be told with few columns, too.
        later: ?Later = null,

        const Source = @This();

        /// Asks for share `part` of `parts` of what is read some 256 values later, if that pays with `columns`.
        pub inline fn prefetch(source: Source, comptime columns: usize, part: usize, comptime parts: usize) void {
            const share = @sizeOf(Chunk) / parts;
            const lines = (share + 63) / 64;
            if (source.later) |later| {
                inline for (0..lines) |line| @prefetch(later.far + part * share + 64 * line, .{ .locality = read_ahead.far_locality });
            } else if (columns >= (if (format.integer().isSigned()) 6 else 4)) {
                const at = @as([*]const u8, @ptrCast(source.chunk)) + part * share + prefetch_bytes;
                inline for (0..lines) |line| @prefetch(at + 64 * line, .{});
            }
        }

        /// As `prefetch`, before unit `index` of a part's `units`. With `later` each unit asks for some of the lines, from both
        /// places: with one to four columns of Q4_K 1.06 to 1.12 times as fast as all of them at once, from the far one alone.
        pub inline fn prefetchBefore(
            source: Source,
            comptime columns: usize,
            part: usize,
            comptime parts: usize,
            comptime index: usize,
            comptime units: usize,
        ) void {
            const later = source.later orelse {
                if (index == 0) source.prefetch(columns, part, parts);
                return;
            };
            const share = @sizeOf(Chunk) / parts;
            const lines = (share + 63) / 64;
            inline for (lines * index / units..lines * (index + 1) / units) |line| {
                @prefetch(later.far + part * share + 64 * line, .{ .locality = read_ahead.far_locality });
                @prefetch(later.near + part * share + 64 * line, .{});
            }
        }

        pub inline fn unit(source: Source, span: usize, comptime u: usize, comptime group: usize) Unit {
            return Codec.unit(source.chunk, span, u, source.row + group * simd.row_lanes);
        }

        /// The scales of two sub-blocks, 2 · pair and 2 · pair + 1.
        pub inline fn scalePair(source: Source, pair: usize, comptime group: usize) simd.RowI16 {
            return Codec.scalePair(source.chunk, pair, source.row + group * simd.row_lanes);
        }

        pub inline fn minPair(source: Source, pair: usize, comptime group: usize) simd.RowI16 {
            return Codec.minPair(source.chunk, pair, source.row + group * simd.row_lanes);
        }

        /// The rows' `d`, `dmin` or `m`; of blocks of 32 the one of the chunk's half `index`.
        pub inline fn rowScale(source: Source, comptime name: []const u8, index: usize, comptime group: usize) simd.RowF32 {
            return format_file.factorsAt(format, simd.row_lanes, name, source.chunk, index, source.row + group * simd.row_lanes);
        }
    };
}

/// One chunk of 256 values of a K format. `source`: a PackedSource or an ExpandedSource; `index`: the chunk's place in
/// the columns.
pub inline fn chunk256(
    comptime format: Format,
    comptime C: usize,
    comptime G: usize,
    source: anytype,
    columns: activations.Columns,
    index: usize,
    acc: *Accumulators(C, G),
) void {
    const traits = comptime format.integer();
    if (traits.sub_len == 32 and traits.mins == .sub_blocks) {
        chunkWithMins(format, C, G, source, columns, index, acc);
    } else if (traits.sub_len == 16) {
        chunkOfSixteens(format, C, G, source, columns, index, acc);
    } else comptime unreachable;
}

/// One chunk of 256 values with sub-blocks of 32 that have mins.
inline fn chunkWithMins(
    comptime format: Format,
    comptime C: usize,
    comptime G: usize,
    source: anytype,
    columns: activations.Columns,
    index: usize,
    acc: *Accumulators(C, G),
) void {
    @setEvalBranchQuota(100_000);
    // As int16: of Q4_K 2 · 15 · 127 · 8 = 30,480, of Q5_K 2 · 31 · 127 · 4 = 31,496.
    const units_per_scale = comptime unitsWithin(format.integer().dotsWithin(simd.partial_max) / 2);
    var isum: [C][G]simd.RowI32 = @splat(@splat(@splat(0)));
    var msum: [C][G]simd.RowI32 = @splat(@splat(@splat(0)));
    for (0..4) |pair| {
        var scales: [G]simd.RowI16 = undefined;
        inline for (0..G) |g| {
            scales[g] = source.scalePair(pair, g);
            const mins = source.minPair(pair, g);
            inline for (0..C) |c| {
                const sums = columns.group(activations.Group256, c, index).sums32[2 * pair ..][0..2];
                msum[c][g] +%= simd.multiplyPairs(mins, simd.broadcast2(sums));
            }
        }
        inline for (0..2) |parity| {
            inline for (0..4 / units_per_scale) |part| {
                var partial: [C][G]simd.Partial = undefined;
                inline for (0..units_per_scale) |i| {
                    const u = part * units_per_scale + i;
                    source.prefetchBefore(C, pair, 4, 4 * parity + u, 8);
                    var units: [G]Unit = undefined;
                    inline for (0..G) |g| units[g] = source.unit(2 * pair + parity, u, g);
                    inline for (0..C) |c| {
                        const q = columns.group(activations.Group256, c, index).q[64 * pair + 32 * parity + 4 * u ..];
                        const low = simd.broadcast4(q[0..4]);
                        const high = simd.broadcast4(q[16..20]);
                        inline for (0..G) |g| {
                            partial[c][g] = if (i == 0) simd.dot(units[g].low, low) else simd.dotAdd(partial[c][g], units[g].low, low);
                            partial[c][g] = simd.dotAdd(partial[c][g], units[g].high, high);
                        }
                    }
                }
                inline for (0..C) |c| {
                    inline for (0..G) |g| isum[c][g] +%= simd.scaled(partial[c][g], simd.scaleOf(scales[g], parity));
                }
            }
        }
    }
    inline for (0..C) |c| {
        const da = simd.splatRows(columns.group(activations.Group256, c, index).scale);
        inline for (0..G) |g| {
            const d = source.rowScale("d", 0, g) * da;
            const dmin = source.rowScale("dmin", 0, g) * da;
            acc[c][g] = simd.fma(simd.toFloat(isum[c][g]), d, acc[c][g]);
            acc[c][g] = simd.fma(-simd.toFloat(msum[c][g]), dmin, acc[c][g]);
        }
    }
}

/// One chunk of 256 values with sub-blocks of 16, and a constant zero or mins.
inline fn chunkOfSixteens(
    comptime format: Format,
    comptime C: usize,
    comptime G: usize,
    source: anytype,
    columns: activations.Columns,
    index: usize,
    acc: *Accumulators(C, G),
) void {
    @setEvalBranchQuota(100_000);
    const has_mins = comptime format.integer().mins == .sub_blocks;
    var isum: [C][G]simd.RowI32 = @splat(@splat(@splat(0)));
    // Σ over the sub-blocks of Σ x times the min, or the scale where the zero is constant.
    var offset: [C][G]simd.RowI32 = @splat(@splat(@splat(0)));
    for (0..8) |span| {
        source.prefetch(C, span, 8);
        var scales: [G]simd.RowI16 = undefined;
        inline for (0..G) |g| {
            scales[g] = source.scalePair(span, g);
            const factors = if (has_mins) source.minPair(span, g) else scales[g];
            inline for (0..C) |c| {
                const sums = columns.group(activations.Group256, c, index).sums16[2 * span ..][0..2];
                offset[c][g] +%= simd.multiplyPairs(factors, simd.broadcast2(sums));
            }
        }
        // As int16: of Q6_K 2 · 63 · 127 · 2 = 32,004, of Q3_K 2 · 7 · 127 · 4 = 7,112.
        const units_per_scale = comptime unitsWithin(format.integer().dotsWithin(simd.partial_max));
        inline for (0..4 / units_per_scale) |part| {
            var partial: [2][C][G]simd.Partial = undefined;
            inline for (0..units_per_scale) |i| {
                const u = part * units_per_scale + i;
                var units: [G]Unit = undefined;
                inline for (0..G) |g| units[g] = source.unit(span, u, g);
                inline for (0..C) |c| {
                    const q = columns.group(activations.Group256, c, index).q[32 * span + 4 * u ..];
                    const low = simd.broadcast4(q[0..4]);
                    const high = simd.broadcast4(q[16..20]);
                    inline for (0..G) |g| {
                        partial[0][c][g] = if (i == 0) simd.dot(units[g].low, low) else simd.dotAdd(partial[0][c][g], units[g].low, low);
                        partial[1][c][g] = if (i == 0) simd.dot(units[g].high, high) else simd.dotAdd(partial[1][c][g], units[g].high, high);
                    }
                }
            }
            inline for (0..C) |c| {
                inline for (0..G) |g| {
                    isum[c][g] +%= simd.scaled(partial[0][c][g], simd.scaleOf(scales[g], 0));
                    isum[c][g] +%= simd.scaled(partial[1][c][g], simd.scaleOf(scales[g], 1));
                }
            }
        }
    }
    inline for (0..C) |c| {
        const da = simd.splatRows(columns.group(activations.Group256, c, index).scale);
        inline for (0..G) |g| {
            const total = if (has_mins) isum[c][g] else isum[c][g] -% offset[c][g] *% @as(simd.RowI32, @splat(format.integer().zero));
            acc[c][g] = simd.fma(simd.toFloat(total), source.rowScale("d", 0, g) * da, acc[c][g]);
            if (has_mins) acc[c][g] = simd.fma(-simd.toFloat(offset[c][g]), source.rowScale("dmin", 0, g) * da, acc[c][g]);
        }
    }
}

/// How many of a span's four units, one after another, can be added up where `units` would fit.
fn unitsWithin(units: usize) usize {
    std.debug.assert(units > 0); // else int16 is too small for two products
    return if (units >= 4) 4 else if (units >= 2) 2 else 1;
}

/// Which block of 32 values: its place in the chunk, and in the columns' groups of eight.
const Place = struct { part: usize, group: usize, index: usize };

/// One block of 32 values, of the format's kind of quants.
inline fn block32(
    comptime format: Format,
    comptime C: usize,
    comptime G: usize,
    source: anytype,
    columns: activations.Columns,
    place: Place,
    acc: *Accumulators(C, G),
) void {
    if (comptime format.integer().isSigned()) {
        blockSigned(C, G, source, columns, place, acc);
    } else {
        blockUnsigned(format, C, G, source, columns, place, acc);
    }
}

/// One block of unsigned quants, with a constant zero or a min.
inline fn blockUnsigned(
    comptime format: Format,
    comptime C: usize,
    comptime G: usize,
    source: anytype,
    columns: activations.Columns,
    place: Place,
    acc: *Accumulators(C, G),
) void {
    @setEvalBranchQuota(100_000);
    const traits = comptime format.integer();
    // As int16: of nibbles all eight dot products fit, 2 · 15 · 127 · 8 = 30,480; of five bits four, 2 · 31 · 127 · 4 = 31,496.
    const units_at_once = comptime unitsWithin(traits.dotsWithin(simd.partial_max) / 2);
    var sums: [C][G]simd.RowI32 = undefined;
    inline for (0..4 / units_at_once) |part| {
        var partial: [C][G]simd.Partial = undefined;
        inline for (0..units_at_once) |i| {
            const u = part * units_at_once + i;
            source.prefetchBefore(C, place.part, 2, u, 4);
            var units: [G]Unit = undefined;
            inline for (0..G) |g| units[g] = source.unit(place.part, u, g);
            inline for (0..C) |c| {
                const q = columns.group(activations.Group32, c, place.group).q[32 * place.index + 4 * u ..];
                const low = simd.broadcast4(q[0..4]);
                const high = simd.broadcast4(q[16..20]);
                inline for (0..G) |g| {
                    partial[c][g] = if (i == 0) simd.dot(units[g].low, low) else simd.dotAdd(partial[c][g], units[g].low, low);
                    partial[c][g] = simd.dotAdd(partial[c][g], units[g].high, high);
                }
            }
        }
        inline for (0..C) |c| {
            inline for (0..G) |g| sums[c][g] = if (part == 0) simd.joined(partial[c][g]) else sums[c][g] +% simd.joined(partial[c][g]);
        }
    }
    inline for (0..C) |c| {
        const column = columns.group(activations.Group32, c, place.group);
        const da = simd.splatRows(column.scales[place.index]);
        const offset = column.offsets[place.index];
        inline for (0..G) |g| {
            var isum = sums[c][g];
            if (traits.zero != 0) isum +%= @splat(traits.zero / 8 * offset);
            acc[c][g] = simd.fma(simd.toFloat(isum), source.rowScale("d", place.part, g) * da, acc[c][g]);
            if (traits.mins == .block) {
                acc[c][g] = simd.fma(simd.splatRows(sumOf(offset)), source.rowScale("m", place.part, g) * da, acc[c][g]);
            }
        }
    }
}

/// Σ x of a block of 32, of which activations hold −8 · Σ x. Exact.
pub inline fn sumOf(offset: i32) f32 {
    return @floatFromInt(-(offset >> 3));
}

/// One block of int8.
inline fn blockSigned(
    comptime C: usize,
    comptime G: usize,
    source: anytype,
    columns: activations.Columns,
    place: Place,
    acc: *Accumulators(C, G),
) void {
    @setEvalBranchQuota(100_000);
    source.prefetch(C, place.part, 2);
    var isum: [C][G]simd.RowI32 = undefined;
    inline for (0..C) |c| {
        isum[c] = @splat(simd.signedStart(columns.group(activations.Group32, c, place.group).offsets[place.index]));
    }
    inline for (0..8) |u| {
        var weights: [G]simd.SignedRows = undefined;
        inline for (0..G) |g| weights[g] = .from(@bitCast(signedBytes(source, place.part, u, g)));
        inline for (0..C) |c| {
            const x = simd.broadcast4(columns.group(activations.Group32, c, place.group).q[32 * place.index + 4 * u ..][0..4]);
            inline for (0..G) |g| isum[c][g] = simd.dotSigned(isum[c][g], weights[g], x);
        }
    }
    inline for (0..C) |c| {
        const da = simd.splatRows(columns.group(activations.Group32, c, place.group).scales[place.index]);
        inline for (0..G) |g| {
            acc[c][g] = simd.fma(simd.toFloat(isum[c][g]), source.rowScale("d", place.part, g) * da, acc[c][g]);
        }
    }
}

/// K group `u` of eight of a span of int8.
inline fn signedBytes(source: anytype, span: usize, comptime u: usize, comptime group: usize) simd.RowU8 {
    const unit = source.unit(span, u % 4, group);
    return if (u < 4) unit.low else unit.high;
}

/// Rows [row, row + G · row_lanes) of a panel times C columns, whole K.
/// out[c][r]: results of the panel's rows; other rows are left alone.
fn multiply(
    comptime format: Format,
    comptime C: usize,
    comptime G: usize,
    panel: [*]const u8,
    k: usize,
    columns: activations.Columns,
    row: usize,
    course: Course,
    out: *[C][simd.panel_rows]f32,
) void {
    std.debug.assert(k % format.blockLen() == 0 and row % simd.row_lanes == 0 and row + G * simd.row_lanes <= simd.panel_rows);
    const chunks: [*]const format_file.Chunk(format) = @ptrCast(@alignCast(panel));
    var acc: Accumulators(C, G) = @splat(@splat(@splat(0)));
    const asks = read_ahead.pays();
    switch (comptime format.integer().activation) {
        .per256 => for (0..k / 256) |i| {
            const source: PackedSource(format) = .{ .chunk = &chunks[i], .row = row, .later = if (asks) course.later(&chunks[i]) else null };
            chunk256(format, C, G, source, columns, i, &acc);
        },
        .per32 => for (0..(k + 63) / 64) |i| {
            const source: PackedSource(format) = .{ .chunk = &chunks[i], .row = row, .later = if (asks) course.later(&chunks[i]) else null };
            block32(format, C, G, source, columns, .{ .part = 0, .group = i / 4, .index = i % 4 * 2 }, &acc);
            if (64 * i + 32 == k) break;
            block32(format, C, G, source, columns, .{ .part = 1, .group = i / 4, .index = i % 4 * 2 + 1 }, &acc);
        },
    }
    inline for (0..C) |c| {
        inline for (0..G) |g| out[c][row + g * simd.row_lanes ..][0..simd.row_lanes].* = acc[c][g];
    }
}
