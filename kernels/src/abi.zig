//! The ABI: every function, struct, enumeration and limit that TypeScript may know of. `zig build symbols` writes
//! src/ffi/symbols.ts from these tables; the hash of that text lets each side refuse another version of the other.
//!
//! All functions return i32: 0 or a count, or a negative Status. Arguments are u32, f32 and buffers.

const std = @import("std");
const arenas = @import("abi/arenas.zig");
const batch = @import("abi/batch.zig");
const context = @import("abi/context.zig");
const convert = @import("abi/convert.zig");
const energy = @import("abi/energy.zig");
const experts = @import("abi/experts.zig");
const grammars = @import("abi/grammars.zig");
const kv_blocks = @import("abi/kv_blocks.zig");
const layers = @import("abi/layers.zig");
const latent = @import("abi/latent.zig");
const linear_attention = @import("abi/linear_attention.zig");
const machine = @import("abi/machine.zig");
const measurements = @import("abi/measurements.zig");
const placement = @import("abi/placement.zig");
const sampling = @import("abi/sampling.zig");
const states = @import("abi/states.zig");
const symbols = @import("abi/symbols.zig");
const thunk = @import("abi/thunk.zig");
const weights = @import("abi/weights.zig");
const kv_batch = @import("kv/batch.zig");
const kv_arena = @import("kv/arena.zig");
const kv_buddy = @import("kv/buddy.zig");
const kv_states = @import("kv/states.zig");
const rope = @import("ops/rope.zig");
const sample = @import("ops/sample.zig");
const score = @import("ops/score.zig");

/// Name, function, names of its parameters.
pub const functions = .{
    .{ "kumi_isa_levels", context.isaLevels, "out out_bytes" },
    .{ "kumi_isa_level_names", context.isaLevelNames, "out out_bytes" },
    .{ "kumi_isa_report", machine.isaReport, "out out_bytes" },
    .{ "kumi_available_memory", machine.availableMemory, "out out_bytes" },
    .{ "kumi_processor_name", machine.processorName, "out out_bytes" },
    .{ "kumi_usable_cpus", placement.usableCpus, "" },
    .{ "kumi_cpu_quota", placement.cpuQuota, "" },
    .{ "kumi_thread_give_way", placement.giveWay, "" },
    .{ "kumi_thread_stand_back", placement.standBack, "" },
    .{ "kumi_numa_nodes", placement.nodes, "out out_bytes" },
    .{ "kumi_energy_zones", energy.zones, "root root_bytes out out_bytes" },
    .{ "kumi_energy_events_open", energy.eventsOpen, "root root_bytes out out_bytes" },
    .{ "kumi_energy_event_read", energy.eventRead, "event out out_bytes" },
    .{ "kumi_context_create", context.create, "isa_name isa_bytes threads cpus cpus_bytes numa_node workspace_units out_id" },
    .{ "kumi_context_info", context.info, "context out out_bytes" },
    .{ "kumi_context_stop", context.stop, "context" },
    .{ "kumi_context_set_stop", context.setStop, "context word word_bytes" },
    .{ "kumi_context_arm", context.arm, "context expected" },
    .{ "kumi_context_disarm", context.disarm, "context" },
    .{ "kumi_context_stay", context.stay, "context" },
    .{ "kumi_context_roam", context.roam, "context" },
    .{ "kumi_destroy", context.destroyObject, "id" },
    .{ "kumi_workspace_resize", context.workspaceResize, "context units" },
    .{ "kumi_read", context.read, "context region target target_bytes" },
    .{ "kumi_write", context.write, "context region source source_bytes" },
    .{ "kumi_weights_create", weights.weightsCreate, "context format rows k out_id" },
    .{ "kumi_weights_load", weights.weightsLoad, "context weights row_first row_count source source_bytes" },
    .{ "kumi_weights_share", weights.weightsShare, "context weights out_id" },
    .{ "kumi_weights_info", weights.weightsInfo, "weights out out_bytes" },
    .{ "kumi_vector_create", weights.vectorCreate, "context n source source_bytes out_id" },
    .{ "kumi_rope_create", weights.ropeCreate, "context desc desc_bytes out_id" },
    .{ "kumi_arena_create", arenas.create, "context layers layers_bytes slots kv_format out_id" },
    .{ "kumi_arena_info", arenas.info, "arena out out_bytes" },
    .{ "kumi_arena_give_back", arenas.giveBack, "arena slot_first slot_count" },
    .{ "kumi_arena_huge_pages", arenas.hugePages, "arena wanted" },
    .{ "kumi_arena_prefault", arenas.prefault, "arena mib_first mib_count" },
    .{ "kumi_arena_resident", arenas.resident, "arena out out_bytes" },
    .{ "kumi_arena_block_bytes", arenas.blockBytes, "arena group out" },
    .{ "kumi_arena_read_blocks", arenas.readBlocks, "arena group block_first block_count out out_bytes" },
    .{ "kumi_arena_write_blocks", arenas.writeBlocks, "arena group block_first block_count in in_bytes" },
    .{ "kumi_kv_blocks_create", kv_blocks.create, "owner blocks out_id" },
    .{ "kumi_kv_blocks_allocate", kv_blocks.allocate, "kv_blocks count after room out out_bytes" },
    .{ "kumi_kv_blocks_allocate_at", kv_blocks.allocateAt, "kv_blocks first count" },
    .{ "kumi_kv_blocks_share", kv_blocks.share, "kv_blocks first count" },
    .{ "kumi_kv_blocks_release", kv_blocks.release, "kv_blocks first count" },
    .{ "kumi_kv_blocks_references", kv_blocks.references, "kv_blocks block" },
    .{ "kumi_kv_blocks_take_idle", kv_blocks.takeIdle, "kv_blocks blocks_min blocks_limit out out_bytes" },
    .{ "kumi_kv_blocks_stats", kv_blocks.stats, "kv_blocks out out_bytes" },
    .{ "kumi_kv_blocks_verify", kv_blocks.verify, "kv_blocks" },
    .{ "kumi_batch_set", batch.set, "context arena desc desc_bytes" },
    .{ "kumi_embed", layers.embed, "context weights ids ids_bytes scale y" },
    .{ "kumi_add_positions", layers.addPositions, "context arena weights y" },
    .{ "kumi_rms_norm", layers.rmsNorm, "context x weight n eps y forms" },
    .{ "kumi_rms_norm_add", layers.rmsNormAdd, "context x weight n eps y" },
    .{ "kumi_layer_norm", layers.layerNorm, "context x weight bias k n eps y forms" },
    .{ "kumi_quantize_activations", layers.quantizeActivations, "context x k n y forms" },
    .{ "kumi_matmul", layers.matmul, "context x forms columns accumulate w0 b0 y0 w1 b1 y1 w2 b2 y2" },
    .{ "kumi_gate_up", layers.gateUp, "context x forms columns w_gate b_gate w_up b_up scratch_gate scratch_up function y y_forms" },
    .{ "kumi_up_activate", layers.upActivate, "context x forms columns w b scratch function alpha_p alpha_n beta eps y y_forms" },
    .{ "kumi_experts", experts.run, "context call call_bytes tokens" },
    .{ "kumi_rope_append", layers.ropeAppend, "context rope arena layer q k v heads q_norm k_norm pairing eps norm_order sharpening sharpening_length norm clamp" },
    .{ "kumi_attention", layers.attention, "context arena layer q heads scale softcap sinks y y_forms" },
    .{ "kumi_states_create", states.create, "context slots slot_bytes out_id" },
    .{ "kumi_states_give_back", states.giveBack, "states slot" },
    .{ "kumi_states_resident", states.resident, "states out out_bytes" },
    .{ "kumi_states_set", states.set, "context states slots slots_bytes" },
    .{ "kumi_short_conv", linear_attention.shortConv, "context call call_bytes" },
    .{ "kumi_delta_rule", linear_attention.deltaRule, "context call call_bytes" },
    .{ "kumi_gated_norm", linear_attention.gatedNorm, "context x gate weight k head n eps order y forms" },
    .{ "kumi_gated", linear_attention.gated, "context gate x k n function y forms" },
    .{ "kumi_split_heads", linear_attention.splitHeads, "context x heads dim n first second" },
    .{ "kumi_latent_split", latent.split, "context call call_bytes tokens" },
    .{ "kumi_head_products", latent.headProducts, "context call call_bytes tokens" },
    .{ "kumi_cap_logits", layers.capLogits, "context x k n scale cap" },
    .{ "kumi_gather_rows", layers.gatherRows, "context x k index index_bytes y" },
    .{ "kumi_vocabulary_create", grammars.vocabularyCreate, "context bytes bytes_bytes starts starts_bytes out_id" },
    .{ "kumi_grammar_create", grammars.create, "context vocabulary words words_bytes ends ends_bytes out_id" },
    .{ "kumi_grammar_start", grammars.start, "grammar out_state" },
    .{ "kumi_grammar_accept", grammars.accept, "grammar state token out_state" },
    .{ "kumi_grammar_accept_bytes", grammars.acceptBytes, "grammar state bytes bytes_bytes out_state" },
    .{ "kumi_grammar_info", grammars.info, "grammar state out out_bytes" },
    .{ "kumi_grammar_forced", grammars.forced, "grammar state out out_bytes" },
    .{ "kumi_grammar_only", grammars.only, "id state out_token" },
    .{ "kumi_grammar_closing", grammars.closing, "grammar state out out_bytes" },
    .{ "kumi_grammar_mask", grammars.mask, "grammar state out out_bytes" },
    .{ "kumi_sample", sampling.sample, "context logits vocab n params params_bytes data data_bytes out out_bytes" },
    .{ "kumi_score", sampling.score, "context logits vocab n targets targets_bytes out out_bytes" },
    .{ "kumi_quantize", convert.quantize, "context format source n target target_bytes" },
    .{ "kumi_quantize_weighted", convert.quantizeWeighted, "context format source n importance row target target_bytes" },
    .{ "kumi_dequantize", convert.dequantize, "context format source source_bytes target n" },
    .{ "kumi_activation_bytes", convert.activationBytes, "forms n k" },
    .{ "kumi_measure", measurements.run, "context what variant weights weights_bytes out out_bytes" },
};

/// Structs that lie in buffers.
pub const structs = .{
    .{ "ArenaInfo", arenas.Info },
    .{ "ArenaLayer", kv_arena.LayerShape },
    .{ "BatchHeader", batch.Header },
    .{ "BatchToken", kv_batch.Token },
    .{ "BatchSeq", kv_batch.Seq },
    .{ "BatchExtent", kv_batch.Extent },
    .{ "DeltaRuleCall", linear_attention.DeltaRule },
    .{ "ExpertsCall", experts.Call },
    .{ "GrammarState", grammars.StateInfo },
    .{ "HeadProductsCall", latent.HeadProducts },
    .{ "KvRun", kv_buddy.Run },
    .{ "KvBlockStats", kv_buddy.Stats },
    .{ "LatentSplitCall", latent.LatentSplit },
    .{ "RopeDesc", rope.Desc },
    .{ "SampleParams", sample.Params },
    .{ "SampleTop", sample.TokenLogprob },
    .{ "SampleResult", sample.Result },
    .{ "ScoreResult", score.Result },
    .{ "ShortConvCall", linear_attention.ShortConv },
    .{ "StateSlot", kv_states.Slot },
    .{ "WeightsInfo", weights.WeightsInfo },
};

pub const enums = .{
    .{ "Status", @import("abi/status.zig").Status },
    .{ "KvFormat", kv_arena.Format },
    .{ "KvValues", kv_arena.Values },
    .{ "KvFault", kv_buddy.Fault },
    .{ "RopeScaling", rope.Scaling },
    .{ "RopePairing", rope.Pairing },
    .{ "NormOrder", @import("ops/rope_append.zig").NormOrder },
    .{ "GateFunction", @import("ops/glu.zig").Function },
    .{ "ExpertScoring", @import("ops/route.zig").Scoring },
    .{ "ActivationFunction", @import("ops/activate.zig").Function },
    .{ "HeadSharing", @import("ops/delta_rule.zig").Sharing },
    .{ "StateRule", @import("ops/delta_rule.zig").Rule },
    .{ "GateOrder", @import("ops/gated_norm.zig").Order },
    .{ "HeadNorm", @import("ops/rope_append.zig").HeadNorm },
    .{ "NumaState", placement.NumaState },
    .{ "Measurement", @import("ops/measure.zig").What },
};

/// The kinds of quantised activations.
pub const ActivationKind = @import("quant/activations.zig").Kind;

/// The formats of weights.
pub const WeightFormat = @import("quant/format.zig").Format;

pub const limits = .{
    .{ "none", @import("abi/objects.zig").none },
    .{ "unitBytes", context.unit_bytes },
    .{ "threadsMax", context.threads_max },
    .{ "panelRows", @import("isa/simd.zig").panel_rows },
    .{ "kvBlockTokens", kv_arena.block_tokens },
    .{ "kvBlocksMax", kv_buddy.blocks_max },
    .{ "headDimMax", kv_arena.head_dim_max },
    .{ "scaledDimMax", kv_arena.scaled_dim_max },
    .{ "kvGroupsMax", kv_arena.groups_max },
    .{ "kvLayersMax", kv_arena.layers_max },
    .{ "stateAlignment", kv_states.alignment },
    .{ "statesMax", kv_states.slots_max },
    .{ "convTapsMax", @import("ops/short_conv.zig").taps_max },
    .{ "convHeadMax", @import("ops/epilogue.zig").unit },
    .{ "expertsMax", @import("ops/route.zig").experts_max },
    .{ "expertsUsedMax", @import("ops/route.zig").used_max },
    .{ "ropePositionsMax", rope.positions_max },
    .{ "grammarMagic", @import("grammar/grammar.zig").magic },
    .{ "grammarClosingMax", grammars.closing_max },
    .{ "grammarStateNone", grammars.state_none },
    .{ "grammarUnlimited", @import("grammar/grammar.zig").unlimited },
    .{ "sampleTopMax", sample.top_max },
    .{ "sampleNoToken", sample.no_token },
    .{ "vocabMax", sample.vocab_max },
};

/// Identifies this version of all of the above.
pub fn hash() callconv(.c) u32 {
    return comptime symbols.hash(@This());
}

comptime {
    // Unit tests and the generator import this file and must not export anything.
    if (@import("root") == @This()) {
        @setEvalBranchQuota(100_000);
        @export(&hash, .{ .name = symbols.hash_function });
        for (functions) |function| {
            @export(thunk.wrap(function[1]), .{ .name = function[0] });
        }
    }
}
