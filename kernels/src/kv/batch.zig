//! What one engine step computes, shared by all layers of a group: tokens, their sequences, and where each sequence's KV lies.

/// One token of the step, in the order of the rows of q, k and v.
pub const Token = extern struct {
    /// Absolute position in its sequence, from 0.
    position: u32,
    /// Where its K and V go in the arena; slot ≡ position (mod `arena.block_tokens`).
    slot: u32,
};

/// Consecutive tokens of one sequence: a prefill chunk, or one token in decode.
pub const Seq = extern struct {
    token_first: u32,
    token_count: u32,
    /// Position of the first token; the tokens' positions are consecutive.
    position_first: u32,
    extent_first: u32,
    extent_count: u32,
    /// Position at which the first extent begins, a multiple of `arena.block_tokens`: 0, or more where no query of the step
    /// sees what was before it.
    kv_first: u32 = 0,
};

/// A run of slots that holds consecutive positions. A sequence's extents cover positions `kv_first` to its last token's in
/// order; each starts at a block (slot_first is a multiple of `arena.block_tokens`) and all but the last hold whole blocks.
pub const Extent = extern struct {
    slot_first: u32,
    token_count: u32,
};
