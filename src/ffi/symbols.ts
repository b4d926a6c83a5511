// Written by `zig build symbols` (in kernels/) from kernels/src/abi.zig. Do not edit.

/** What `kumi_abi_hash` of a matching library returns. */
export const abiHash = 0xa7326d81;

/** Sizes that both sides must agree on. */
export const limits = {
  none: 4294967295,
  unitBytes: 64,
  threadsMax: 512,
  panelRows: 16,
  kvBlockTokens: 16,
  kvBlocksMax: 134217728,
  headDimMax: 576,
  scaledDimMax: 256,
  kvGroupsMax: 64,
  kvLayersMax: 1024,
  stateAlignment: 64,
  statesMax: 1048576,
  convTapsMax: 8,
  convHeadMax: 256,
  expertsMax: 1024,
  expertsUsedMax: 64,
  ropePositionsMax: 1048576,
  grammarMagic: 827475787,
  grammarClosingMax: 1048576,
  grammarStateNone: 4294967295,
  grammarUnlimited: 4294967295,
  sampleTopMax: 20,
  sampleNoToken: 4294967295,
  vocabMax: 4194304,
} as const;

export const Status = {
  ok: 0,
  invalidArgument: -1,
  unknownId: -2,
  wrongKind: -3,
  outOfMemory: -4,
  regionOutsideWorkspace: -5,
  unknownIsa: -6,
  unsupportedIsa: -7,
  shapeMismatch: -8,
  unsupportedFormat: -9,
  noBatch: -10,
  tooManyObjects: -11,
  bufferTooSmall: -12,
  threadFailed: -13,
  contextBusy: -14,
  overflow: -15,
  invalidBatch: -16,
  misalignedBuffer: -17,
  arenaMismatch: -18,
  interrupted: -19,
  unavailableCpu: -20,
  unknownNode: -21,
  internal: -99,
} as const;

export const KvFormat = {
  f32: 0,
  f16: 1,
  q8_0: 8,
  bf16: 30,
} as const;

export const KvValues = {
  own: 0,
  inKeys: 1,
} as const;

export const KvFault = {
  none: 0,
  freeRunInUse: 1,
  lostBlock: 2,
  overlap: 3,
  notUnited: 4,
  brokenSet: 5,
  freeCount: 6,
  runCount: 7,
  sharedCount: 8,
  referenceCount: 9,
  touched: 10,
} as const;

export const RopeScaling = {
  none: 0,
  linear: 1,
  yarn: 2,
  llama3: 3,
} as const;

export const RopePairing = {
  interleaved: 0,
  halves: 1,
} as const;

export const NormOrder = {
  before: 0,
  after: 1,
} as const;

export const GateFunction = {
  silu: 0,
  gelu: 1,
  clamped: 2,
  sigmoid: 3,
  relu: 4,
} as const;

export const ExpertScoring = {
  softmax: 0,
  sigmoid: 1,
  logits: 2,
} as const;

export const ActivationFunction = {
  gelu: 0,
  geluExact: 1,
  reluSquared: 2,
  silu: 3,
  xielu: 4,
} as const;

export const HeadSharing = {
  neighbours: 0,
  strided: 1,
} as const;

export const StateRule = {
  delta: 0,
  additive: 1,
} as const;

export const GateOrder = {
  normThenGate: 0,
  gateThenNorm: 1,
} as const;

export const HeadNorm = {
  rms: 0,
  layer: 1,
} as const;

export const NumaState = {
  anywhere: 0,
  bound: 1,
  refused: 2,
} as const;

export const Measurement = {
  readBandwidth: 0,
  floatPeak: 1,
  int8Peak: 2,
  bf16Peak: 3,
} as const;

/** The forms of an activation: bits of a mask. */
export const activationForms = {
  f32: 1,
  per32: 2,
  per256: 4,
} as const;

/**
 * Formats of weights: GGUF's type id, the block, what 16 rows take in memory, so many bytes for so many values of each, and what
 * the activations that they multiply are.
 */
export const weightFormats = {
  f32: {
    id: 0,
    blockLength: 1,
    blockBytes: 4,
    panelLength: 1,
    panelBytes: 64,
    activation: "f32",
    written: true,
  },
  f16: {
    id: 1,
    blockLength: 1,
    blockBytes: 2,
    panelLength: 1,
    panelBytes: 32,
    activation: "f32",
    written: true,
  },
  q4_0: {
    id: 2,
    blockLength: 32,
    blockBytes: 18,
    panelLength: 64,
    panelBytes: 576,
    activation: "per32",
    written: true,
  },
  q4_1: {
    id: 3,
    blockLength: 32,
    blockBytes: 20,
    panelLength: 64,
    panelBytes: 640,
    activation: "per32",
    written: true,
  },
  q5_0: {
    id: 6,
    blockLength: 32,
    blockBytes: 22,
    panelLength: 64,
    panelBytes: 704,
    activation: "per32",
    written: true,
  },
  q5_1: {
    id: 7,
    blockLength: 32,
    blockBytes: 24,
    panelLength: 64,
    panelBytes: 768,
    activation: "per32",
    written: true,
  },
  q8_0: {
    id: 8,
    blockLength: 32,
    blockBytes: 34,
    panelLength: 64,
    panelBytes: 1088,
    activation: "per32",
    written: true,
  },
  q2_k: {
    id: 10,
    blockLength: 256,
    blockBytes: 84,
    panelLength: 256,
    panelBytes: 1344,
    activation: "per256",
    written: true,
  },
  q3_k: {
    id: 11,
    blockLength: 256,
    blockBytes: 110,
    panelLength: 256,
    panelBytes: 1856,
    activation: "per256",
    written: true,
  },
  q4_k: {
    id: 12,
    blockLength: 256,
    blockBytes: 144,
    panelLength: 256,
    panelBytes: 2368,
    activation: "per256",
    written: true,
  },
  q5_k: {
    id: 13,
    blockLength: 256,
    blockBytes: 176,
    panelLength: 256,
    panelBytes: 2880,
    activation: "per256",
    written: true,
  },
  q6_k: {
    id: 14,
    blockLength: 256,
    blockBytes: 210,
    panelLength: 256,
    panelBytes: 3392,
    activation: "per256",
    written: true,
  },
  iq2_xxs: {
    id: 16,
    blockLength: 256,
    blockBytes: 66,
    panelLength: 256,
    panelBytes: 2368,
    activation: "per256",
    written: false,
  },
  iq2_xs: {
    id: 17,
    blockLength: 256,
    blockBytes: 74,
    panelLength: 256,
    panelBytes: 2368,
    activation: "per256",
    written: false,
  },
  iq3_xxs: {
    id: 18,
    blockLength: 256,
    blockBytes: 98,
    panelLength: 256,
    panelBytes: 2368,
    activation: "per256",
    written: false,
  },
  iq1_s: {
    id: 19,
    blockLength: 256,
    blockBytes: 50,
    panelLength: 256,
    panelBytes: 2368,
    activation: "per256",
    written: false,
  },
  iq4_nl: {
    id: 20,
    blockLength: 32,
    blockBytes: 18,
    panelLength: 64,
    panelBytes: 576,
    activation: "per32",
    written: true,
  },
  iq3_s: {
    id: 21,
    blockLength: 256,
    blockBytes: 110,
    panelLength: 256,
    panelBytes: 2368,
    activation: "per256",
    written: false,
  },
  iq2_s: {
    id: 22,
    blockLength: 256,
    blockBytes: 82,
    panelLength: 256,
    panelBytes: 2368,
    activation: "per256",
    written: false,
  },
  iq4_xs: {
    id: 23,
    blockLength: 256,
    blockBytes: 136,
    panelLength: 256,
    panelBytes: 2304,
    activation: "per32",
    written: true,
  },
  iq1_m: {
    id: 29,
    blockLength: 256,
    blockBytes: 56,
    panelLength: 256,
    panelBytes: 2368,
    activation: "per256",
    written: false,
  },
  bf16: {
    id: 30,
    blockLength: 1,
    blockBytes: 2,
    panelLength: 2,
    panelBytes: 64,
    activation: "f32",
    written: true,
  },
  tq1_0: {
    id: 34,
    blockLength: 256,
    blockBytes: 54,
    panelLength: 256,
    panelBytes: 2368,
    activation: "per256",
    written: false,
  },
  tq2_0: {
    id: 35,
    blockLength: 256,
    blockBytes: 66,
    panelLength: 256,
    panelBytes: 2368,
    activation: "per256",
    written: false,
  },
  mxfp4: {
    id: 39,
    blockLength: 32,
    blockBytes: 17,
    panelLength: 64,
    panelBytes: 576,
    activation: "per32",
    written: true,
  },
} as const;

/** Layouts of the structs that lie in buffers: bytes, and each field's offset and type. */
export const structs = {
  ArenaInfo: {
    bytes: 24,
    fields: {
      layers: { offset: 0, type: "u32", count: 1 },
      groups: { offset: 4, type: "u32", count: 1 },
      slots: { offset: 8, type: "u32", count: 1 },
      format: { offset: 12, type: "u32", count: 1 },
      bytesPerToken: { offset: 16, type: "u32", count: 1 },
      reservedKib: { offset: 20, type: "u32", count: 1 },
    },
  },
  ArenaLayer: {
    bytes: 24,
    fields: {
      kvHeads: { offset: 0, type: "u32", count: 1 },
      keyDim: { offset: 4, type: "u32", count: 1 },
      valueDim: { offset: 8, type: "u32", count: 1 },
      window: { offset: 12, type: "u32", count: 1 },
      group: { offset: 16, type: "u32", count: 1 },
      values: { offset: 20, type: "u32", count: 1 },
    },
  },
  BatchHeader: {
    bytes: 16,
    fields: {
      tokenCount: { offset: 0, type: "u32", count: 1 },
      seqCount: { offset: 4, type: "u32", count: 1 },
      extentCount: { offset: 8, type: "u32", count: 1 },
      groupCount: { offset: 12, type: "u32", count: 1 },
    },
  },
  BatchToken: {
    bytes: 8,
    fields: {
      position: { offset: 0, type: "u32", count: 1 },
      slot: { offset: 4, type: "u32", count: 1 },
    },
  },
  BatchSeq: {
    bytes: 24,
    fields: {
      tokenFirst: { offset: 0, type: "u32", count: 1 },
      tokenCount: { offset: 4, type: "u32", count: 1 },
      positionFirst: { offset: 8, type: "u32", count: 1 },
      extentFirst: { offset: 12, type: "u32", count: 1 },
      extentCount: { offset: 16, type: "u32", count: 1 },
      kvFirst: { offset: 20, type: "u32", count: 1 },
    },
  },
  BatchExtent: {
    bytes: 8,
    fields: {
      slotFirst: { offset: 0, type: "u32", count: 1 },
      tokenCount: { offset: 4, type: "u32", count: 1 },
    },
  },
  DeltaRuleCall: {
    bytes: 92,
    fields: {
      states: { offset: 0, type: "u32", count: 1 },
      stateOffset: { offset: 4, type: "u32", count: 1 },
      x: { offset: 8, type: "u32", count: 1 },
      row: { offset: 12, type: "u32", count: 1 },
      queryFirst: { offset: 16, type: "u32", count: 1 },
      keyFirst: { offset: 20, type: "u32", count: 1 },
      valueFirst: { offset: 24, type: "u32", count: 1 },
      alpha: { offset: 28, type: "u32", count: 1 },
      alphaFirst: { offset: 32, type: "u32", count: 1 },
      beta: { offset: 36, type: "u32", count: 1 },
      betaFirst: { offset: 40, type: "u32", count: 1 },
      gateRow: { offset: 44, type: "u32", count: 1 },
      gateGroup: { offset: 48, type: "u32", count: 1 },
      decay: { offset: 52, type: "u32", count: 1 },
      dt: { offset: 56, type: "u32", count: 1 },
      skip: { offset: 60, type: "u32", count: 1 },
      heads: { offset: 64, type: "u32", count: 1 },
      keyHeads: { offset: 68, type: "u32", count: 1 },
      keyDim: { offset: 72, type: "u32", count: 1 },
      valueDim: { offset: 76, type: "u32", count: 1 },
      sharing: { offset: 80, type: "u32", count: 1 },
      rule: { offset: 84, type: "u32", count: 1 },
      y: { offset: 88, type: "u32", count: 1 },
    },
  },
  ExpertsCall: {
    bytes: 116,
    fields: {
      x: { offset: 0, type: "u32", count: 1 },
      xForms: { offset: 4, type: "u32", count: 1 },
      logits: { offset: 8, type: "u32", count: 1 },
      choiceBias: { offset: 12, type: "u32", count: 1 },
      experts: { offset: 16, type: "u32", count: 1 },
      used: { offset: 20, type: "u32", count: 1 },
      groups: { offset: 24, type: "u32", count: 1 },
      groupsUsed: { offset: 28, type: "u32", count: 1 },
      scoring: { offset: 32, type: "u32", count: 1 },
      normalise: { offset: 36, type: "u32", count: 1 },
      scale: { offset: 40, type: "f32", count: 1 },
      gate: { offset: 44, type: "u32", count: 1 },
      gateBias: { offset: 48, type: "u32", count: 1 },
      up: { offset: 52, type: "u32", count: 1 },
      upBias: { offset: 56, type: "u32", count: 1 },
      down: { offset: 60, type: "u32", count: 1 },
      downBias: { offset: 64, type: "u32", count: 1 },
      function: { offset: 68, type: "u32", count: 1 },
      shared: { offset: 72, type: "u32", count: 1 },
      sharedGate: { offset: 76, type: "u32", count: 1 },
      chosen: { offset: 80, type: "u32", count: 1 },
      weights: { offset: 84, type: "u32", count: 1 },
      gathered: { offset: 88, type: "u32", count: 1 },
      gateProducts: { offset: 92, type: "u32", count: 1 },
      upProducts: { offset: 96, type: "u32", count: 1 },
      gated: { offset: 100, type: "u32", count: 1 },
      gatedForms: { offset: 104, type: "u32", count: 1 },
      products: { offset: 108, type: "u32", count: 1 },
      y: { offset: 112, type: "u32", count: 1 },
    },
  },
  GrammarState: {
    bytes: 12,
    fields: {
      mayEnd: { offset: 0, type: "u32", count: 1 },
      isEnd: { offset: 4, type: "u32", count: 1 },
      bytes: { offset: 8, type: "u32", count: 1 },
    },
  },
  HeadProductsCall: {
    bytes: 40,
    fields: {
      x: { offset: 0, type: "u32", count: 1 },
      xWidth: { offset: 4, type: "u32", count: 1 },
      xFirst: { offset: 8, type: "u32", count: 1 },
      heads: { offset: 12, type: "u32", count: 1 },
      weights: { offset: 16, type: "u32", count: 1 },
      columns: { offset: 20, type: "u32", count: 1 },
      columnsForms: { offset: 24, type: "u32", count: 1 },
      y: { offset: 28, type: "u32", count: 1 },
      yWidth: { offset: 32, type: "u32", count: 1 },
      yFirst: { offset: 36, type: "u32", count: 1 },
    },
  },
  KvRun: {
    bytes: 8,
    fields: {
      first: { offset: 0, type: "u32", count: 1 },
      count: { offset: 4, type: "u32", count: 1 },
    },
  },
  KvBlockStats: {
    bytes: 136,
    fields: {
      blocks: { offset: 0, type: "u32", count: 1 },
      free: { offset: 4, type: "u32", count: 1 },
      shared: { offset: 8, type: "u32", count: 1 },
      references: { offset: 12, type: "u32", count: 1 },
      idle: { offset: 16, type: "u32", count: 1 },
      largestFree: { offset: 20, type: "u32", count: 1 },
      freeRuns: { offset: 24, type: "u32", count: 28 },
    },
  },
  LatentSplitCall: {
    bytes: 40,
    fields: {
      kv: { offset: 0, type: "u32", count: 1 },
      norm: { offset: 4, type: "u32", count: 1 },
      eps: { offset: 8, type: "f32", count: 1 },
      keys: { offset: 12, type: "u32", count: 1 },
      q: { offset: 16, type: "u32", count: 1 },
      queries: { offset: 20, type: "u32", count: 1 },
      heads: { offset: 24, type: "u32", count: 1 },
      latent: { offset: 28, type: "u32", count: 1 },
      turned: { offset: 32, type: "u32", count: 1 },
      plain: { offset: 36, type: "u32", count: 1 },
    },
  },
  RopeDesc: {
    bytes: 44,
    fields: {
      nRot: { offset: 0, type: "u32", count: 1 },
      maxPositions: { offset: 4, type: "u32", count: 1 },
      scaling: { offset: 8, type: "u32", count: 1 },
      freqFactors: { offset: 12, type: "u32", count: 1 },
      base: { offset: 16, type: "f32", count: 1 },
      factor: { offset: 20, type: "f32", count: 1 },
      originalContext: { offset: 24, type: "f32", count: 1 },
      lowFreq: { offset: 28, type: "f32", count: 1 },
      highFreq: { offset: 32, type: "f32", count: 1 },
      attnFactor: { offset: 36, type: "f32", count: 1 },
      extFactor: { offset: 40, type: "f32", count: 1 },
    },
  },
  SampleParams: {
    bytes: 72,
    fields: {
      temperature: { offset: 0, type: "f32", count: 1 },
      topP: { offset: 4, type: "f32", count: 1 },
      minP: { offset: 8, type: "f32", count: 1 },
      repeatPenalty: { offset: 12, type: "f32", count: 1 },
      presencePenalty: { offset: 16, type: "f32", count: 1 },
      frequencyPenalty: { offset: 20, type: "f32", count: 1 },
      topK: { offset: 24, type: "u32", count: 1 },
      seedLo: { offset: 28, type: "u32", count: 1 },
      seedHi: { offset: 32, type: "u32", count: 1 },
      position: { offset: 36, type: "u32", count: 1 },
      logprobsN: { offset: 40, type: "u32", count: 1 },
      historyFirst: { offset: 44, type: "u32", count: 1 },
      historyCount: { offset: 48, type: "u32", count: 1 },
      biasFirst: { offset: 52, type: "u32", count: 1 },
      biasCount: { offset: 56, type: "u32", count: 1 },
      flags: { offset: 60, type: "u32", count: 1 },
      grammar: { offset: 64, type: "u32", count: 1 },
      grammarState: { offset: 68, type: "u32", count: 1 },
    },
  },
  SampleTop: {
    bytes: 8,
    fields: {
      id: { offset: 0, type: "u32", count: 1 },
      logprob: { offset: 4, type: "f32", count: 1 },
    },
  },
  SampleResult: {
    bytes: 172,
    fields: {
      token: { offset: 0, type: "u32", count: 1 },
      logprob: { offset: 4, type: "f32", count: 1 },
      n: { offset: 8, type: "u32", count: 1 },
      top: { offset: 12, type: "SampleTop", count: 20 },
    },
  },
  ScoreResult: {
    bytes: 16,
    fields: {
      logprob: { offset: 0, type: "f32", count: 1 },
      argmax: { offset: 4, type: "u32", count: 1 },
      argmaxLogprob: { offset: 8, type: "f32", count: 1 },
      rank: { offset: 12, type: "u32", count: 1 },
    },
  },
  ShortConvCall: {
    bytes: 76,
    fields: {
      states: { offset: 0, type: "u32", count: 1 },
      stateOffset: { offset: 4, type: "u32", count: 1 },
      x: { offset: 8, type: "u32", count: 1 },
      stride: { offset: 12, type: "u32", count: 1 },
      xFirst: { offset: 16, type: "u32", count: 1 },
      beforeFirst: { offset: 20, type: "u32", count: 1 },
      afterFirst: { offset: 24, type: "u32", count: 1 },
      weights: { offset: 28, type: "u32", count: 1 },
      bias: { offset: 32, type: "u32", count: 1 },
      channels: { offset: 36, type: "u32", count: 1 },
      taps: { offset: 40, type: "u32", count: 1 },
      silu: { offset: 44, type: "u32", count: 1 },
      head: { offset: 48, type: "u32", count: 1 },
      queryHeads: { offset: 52, type: "u32", count: 1 },
      keyHeads: { offset: 56, type: "u32", count: 1 },
      scale: { offset: 60, type: "f32", count: 1 },
      eps: { offset: 64, type: "f32", count: 1 },
      y: { offset: 68, type: "u32", count: 1 },
      yForms: { offset: 72, type: "u32", count: 1 },
    },
  },
  StateSlot: {
    bytes: 8,
    fields: {
      read: { offset: 0, type: "u32", count: 1 },
      write: { offset: 4, type: "u32", count: 1 },
    },
  },
  WeightsInfo: {
    bytes: 16,
    fields: {
      format: { offset: 0, type: "u32", count: 1 },
      rows: { offset: 4, type: "u32", count: 1 },
      k: { offset: 8, type: "u32", count: 1 },
      packedKib: { offset: 12, type: "u32", count: 1 },
    },
  },
} as const;

/** The library's functions, for `Deno.dlopen`. */
export const symbols = {
  kumi_abi_hash: {
    parameters: [],
    result: "u32",
  },
  kumi_isa_levels: {
    parameters: [
      "buffer", // out
      "u32", // out_bytes
    ],
    result: "i32",
  },
  kumi_isa_level_names: {
    parameters: [
      "buffer", // out
      "u32", // out_bytes
    ],
    result: "i32",
  },
  kumi_isa_report: {
    parameters: [
      "buffer", // out
      "u32", // out_bytes
    ],
    result: "i32",
  },
  kumi_available_memory: {
    parameters: [
      "buffer", // out
      "u32", // out_bytes
    ],
    result: "i32",
  },
  kumi_processor_name: {
    parameters: [
      "buffer", // out
      "u32", // out_bytes
    ],
    result: "i32",
  },
  kumi_usable_cpus: {
    parameters: [],
    result: "i32",
  },
  kumi_cpu_quota: {
    parameters: [],
    result: "i32",
  },
  kumi_thread_give_way: {
    parameters: [],
    result: "i32",
  },
  kumi_thread_stand_back: {
    parameters: [],
    result: "i32",
  },
  kumi_numa_nodes: {
    parameters: [
      "buffer", // out
      "u32", // out_bytes
    ],
    result: "i32",
  },
  kumi_energy_zones: {
    parameters: [
      "buffer", // root
      "u32", // root_bytes
      "buffer", // out
      "u32", // out_bytes
    ],
    result: "i32",
  },
  kumi_energy_events_open: {
    parameters: [
      "buffer", // root
      "u32", // root_bytes
      "buffer", // out
      "u32", // out_bytes
    ],
    result: "i32",
  },
  kumi_energy_event_read: {
    parameters: [
      "u32", // event
      "buffer", // out
      "u32", // out_bytes
    ],
    result: "i32",
  },
  kumi_context_create: {
    parameters: [
      "buffer", // isa_name
      "u32", // isa_bytes
      "u32", // threads
      "buffer", // cpus
      "u32", // cpus_bytes
      "u32", // numa_node
      "u32", // workspace_units
      "buffer", // out_id
    ],
    result: "i32",
  },
  kumi_context_info: {
    parameters: [
      "u32", // context
      "buffer", // out
      "u32", // out_bytes
    ],
    result: "i32",
  },
  kumi_context_stop: {
    parameters: [
      "u32", // context
    ],
    result: "i32",
  },
  kumi_context_set_stop: {
    parameters: [
      "u32", // context
      "buffer", // word
      "u32", // word_bytes
    ],
    result: "i32",
  },
  kumi_context_arm: {
    parameters: [
      "u32", // context
      "u32", // expected
    ],
    result: "i32",
  },
  kumi_context_disarm: {
    parameters: [
      "u32", // context
    ],
    result: "i32",
  },
  kumi_context_stay: {
    parameters: [
      "u32", // context
    ],
    result: "i32",
  },
  kumi_context_roam: {
    parameters: [
      "u32", // context
    ],
    result: "i32",
  },
  kumi_destroy: {
    parameters: [
      "u32", // id
    ],
    result: "i32",
  },
  kumi_workspace_resize: {
    parameters: [
      "u32", // context
      "u32", // units
    ],
    result: "i32",
  },
  kumi_read: {
    parameters: [
      "u32", // context
      "u32", // region
      "buffer", // target
      "u32", // target_bytes
    ],
    result: "i32",
  },
  kumi_write: {
    parameters: [
      "u32", // context
      "u32", // region
      "buffer", // source
      "u32", // source_bytes
    ],
    result: "i32",
  },
  kumi_weights_create: {
    parameters: [
      "u32", // context
      "u32", // format
      "u32", // rows
      "u32", // k
      "buffer", // out_id
    ],
    result: "i32",
  },
  kumi_weights_load: {
    parameters: [
      "u32", // context
      "u32", // weights
      "u32", // row_first
      "u32", // row_count
      "buffer", // source
      "u32", // source_bytes
    ],
    result: "i32",
  },
  kumi_weights_share: {
    parameters: [
      "u32", // context
      "u32", // weights
      "buffer", // out_id
    ],
    result: "i32",
  },
  kumi_weights_info: {
    parameters: [
      "u32", // weights
      "buffer", // out
      "u32", // out_bytes
    ],
    result: "i32",
  },
  kumi_vector_create: {
    parameters: [
      "u32", // context
      "u32", // n
      "buffer", // source
      "u32", // source_bytes
      "buffer", // out_id
    ],
    result: "i32",
  },
  kumi_rope_create: {
    parameters: [
      "u32", // context
      "buffer", // desc
      "u32", // desc_bytes
      "buffer", // out_id
    ],
    result: "i32",
  },
  kumi_arena_create: {
    parameters: [
      "u32", // context
      "buffer", // layers
      "u32", // layers_bytes
      "u32", // slots
      "u32", // kv_format
      "buffer", // out_id
    ],
    result: "i32",
  },
  kumi_arena_info: {
    parameters: [
      "u32", // arena
      "buffer", // out
      "u32", // out_bytes
    ],
    result: "i32",
  },
  kumi_arena_give_back: {
    parameters: [
      "u32", // arena
      "u32", // slot_first
      "u32", // slot_count
    ],
    result: "i32",
  },
  kumi_arena_huge_pages: {
    parameters: [
      "u32", // arena
      "u32", // wanted
    ],
    result: "i32",
  },
  kumi_arena_prefault: {
    parameters: [
      "u32", // arena
      "u32", // mib_first
      "u32", // mib_count
    ],
    result: "i32",
  },
  kumi_arena_resident: {
    parameters: [
      "u32", // arena
      "buffer", // out
      "u32", // out_bytes
    ],
    result: "i32",
  },
  kumi_arena_block_bytes: {
    parameters: [
      "u32", // arena
      "u32", // group
      "buffer", // out
    ],
    result: "i32",
  },
  kumi_arena_read_blocks: {
    parameters: [
      "u32", // arena
      "u32", // group
      "u32", // block_first
      "u32", // block_count
      "buffer", // out
      "u32", // out_bytes
    ],
    result: "i32",
  },
  kumi_arena_write_blocks: {
    parameters: [
      "u32", // arena
      "u32", // group
      "u32", // block_first
      "u32", // block_count
      "buffer", // in
      "u32", // in_bytes
    ],
    result: "i32",
  },
  kumi_kv_blocks_create: {
    parameters: [
      "u32", // owner
      "u32", // blocks
      "buffer", // out_id
    ],
    result: "i32",
  },
  kumi_kv_blocks_allocate: {
    parameters: [
      "u32", // kv_blocks
      "u32", // count
      "u32", // after
      "u32", // room
      "buffer", // out
      "u32", // out_bytes
    ],
    result: "i32",
  },
  kumi_kv_blocks_allocate_at: {
    parameters: [
      "u32", // kv_blocks
      "u32", // first
      "u32", // count
    ],
    result: "i32",
  },
  kumi_kv_blocks_share: {
    parameters: [
      "u32", // kv_blocks
      "u32", // first
      "u32", // count
    ],
    result: "i32",
  },
  kumi_kv_blocks_release: {
    parameters: [
      "u32", // kv_blocks
      "u32", // first
      "u32", // count
    ],
    result: "i32",
  },
  kumi_kv_blocks_references: {
    parameters: [
      "u32", // kv_blocks
      "u32", // block
    ],
    result: "i32",
  },
  kumi_kv_blocks_take_idle: {
    parameters: [
      "u32", // kv_blocks
      "u32", // blocks_min
      "u32", // blocks_limit
      "buffer", // out
      "u32", // out_bytes
    ],
    result: "i32",
  },
  kumi_kv_blocks_stats: {
    parameters: [
      "u32", // kv_blocks
      "buffer", // out
      "u32", // out_bytes
    ],
    result: "i32",
  },
  kumi_kv_blocks_verify: {
    parameters: [
      "u32", // kv_blocks
    ],
    result: "i32",
  },
  kumi_batch_set: {
    parameters: [
      "u32", // context
      "u32", // arena
      "buffer", // desc
      "u32", // desc_bytes
    ],
    result: "i32",
  },
  kumi_embed: {
    parameters: [
      "u32", // context
      "u32", // weights
      "buffer", // ids
      "u32", // ids_bytes
      "f32", // scale
      "u32", // y
    ],
    result: "i32",
  },
  kumi_add_positions: {
    parameters: [
      "u32", // context
      "u32", // arena
      "u32", // weights
      "u32", // y
    ],
    result: "i32",
  },
  kumi_rms_norm: {
    parameters: [
      "u32", // context
      "u32", // x
      "u32", // weight
      "u32", // n
      "f32", // eps
      "u32", // y
      "u32", // forms
    ],
    result: "i32",
  },
  kumi_rms_norm_add: {
    parameters: [
      "u32", // context
      "u32", // x
      "u32", // weight
      "u32", // n
      "f32", // eps
      "u32", // y
    ],
    result: "i32",
  },
  kumi_layer_norm: {
    parameters: [
      "u32", // context
      "u32", // x
      "u32", // weight
      "u32", // bias
      "u32", // k
      "u32", // n
      "f32", // eps
      "u32", // y
      "u32", // forms
    ],
    result: "i32",
  },
  kumi_quantize_activations: {
    parameters: [
      "u32", // context
      "u32", // x
      "u32", // k
      "u32", // n
      "u32", // y
      "u32", // forms
    ],
    result: "i32",
  },
  kumi_matmul: {
    parameters: [
      "u32", // context
      "u32", // x
      "u32", // forms
      "u32", // columns
      "u32", // accumulate
      "u32", // w0
      "u32", // b0
      "u32", // y0
      "u32", // w1
      "u32", // b1
      "u32", // y1
      "u32", // w2
      "u32", // b2
      "u32", // y2
    ],
    result: "i32",
  },
  kumi_gate_up: {
    parameters: [
      "u32", // context
      "u32", // x
      "u32", // forms
      "u32", // columns
      "u32", // w_gate
      "u32", // b_gate
      "u32", // w_up
      "u32", // b_up
      "u32", // scratch_gate
      "u32", // scratch_up
      "u32", // function
      "u32", // y
      "u32", // y_forms
    ],
    result: "i32",
  },
  kumi_up_activate: {
    parameters: [
      "u32", // context
      "u32", // x
      "u32", // forms
      "u32", // columns
      "u32", // w
      "u32", // b
      "u32", // scratch
      "u32", // function
      "f32", // alpha_p
      "f32", // alpha_n
      "f32", // beta
      "f32", // eps
      "u32", // y
      "u32", // y_forms
    ],
    result: "i32",
  },
  kumi_experts: {
    parameters: [
      "u32", // context
      "buffer", // call
      "u32", // call_bytes
      "u32", // tokens
    ],
    result: "i32",
  },
  kumi_rope_append: {
    parameters: [
      "u32", // context
      "u32", // rope
      "u32", // arena
      "u32", // layer
      "u32", // q
      "u32", // k
      "u32", // v
      "u32", // heads
      "u32", // q_norm
      "u32", // k_norm
      "u32", // pairing
      "f32", // eps
      "u32", // norm_order
      "f32", // sharpening
      "u32", // sharpening_length
      "u32", // norm
      "f32", // clamp
    ],
    result: "i32",
  },
  kumi_attention: {
    parameters: [
      "u32", // context
      "u32", // arena
      "u32", // layer
      "u32", // q
      "u32", // heads
      "f32", // scale
      "f32", // softcap
      "u32", // sinks
      "u32", // y
      "u32", // y_forms
    ],
    result: "i32",
  },
  kumi_states_create: {
    parameters: [
      "u32", // context
      "u32", // slots
      "u32", // slot_bytes
      "buffer", // out_id
    ],
    result: "i32",
  },
  kumi_states_give_back: {
    parameters: [
      "u32", // states
      "u32", // slot
    ],
    result: "i32",
  },
  kumi_states_resident: {
    parameters: [
      "u32", // states
      "buffer", // out
      "u32", // out_bytes
    ],
    result: "i32",
  },
  kumi_states_set: {
    parameters: [
      "u32", // context
      "u32", // states
      "buffer", // slots
      "u32", // slots_bytes
    ],
    result: "i32",
  },
  kumi_short_conv: {
    parameters: [
      "u32", // context
      "buffer", // call
      "u32", // call_bytes
    ],
    result: "i32",
  },
  kumi_delta_rule: {
    parameters: [
      "u32", // context
      "buffer", // call
      "u32", // call_bytes
    ],
    result: "i32",
  },
  kumi_gated_norm: {
    parameters: [
      "u32", // context
      "u32", // x
      "u32", // gate
      "u32", // weight
      "u32", // k
      "u32", // head
      "u32", // n
      "f32", // eps
      "u32", // order
      "u32", // y
      "u32", // forms
    ],
    result: "i32",
  },
  kumi_gated: {
    parameters: [
      "u32", // context
      "u32", // gate
      "u32", // x
      "u32", // k
      "u32", // n
      "u32", // function
      "u32", // y
      "u32", // forms
    ],
    result: "i32",
  },
  kumi_split_heads: {
    parameters: [
      "u32", // context
      "u32", // x
      "u32", // heads
      "u32", // dim
      "u32", // n
      "u32", // first
      "u32", // second
    ],
    result: "i32",
  },
  kumi_latent_split: {
    parameters: [
      "u32", // context
      "buffer", // call
      "u32", // call_bytes
      "u32", // tokens
    ],
    result: "i32",
  },
  kumi_head_products: {
    parameters: [
      "u32", // context
      "buffer", // call
      "u32", // call_bytes
      "u32", // tokens
    ],
    result: "i32",
  },
  kumi_cap_logits: {
    parameters: [
      "u32", // context
      "u32", // x
      "u32", // k
      "u32", // n
      "f32", // scale
      "f32", // cap
    ],
    result: "i32",
  },
  kumi_gather_rows: {
    parameters: [
      "u32", // context
      "u32", // x
      "u32", // k
      "buffer", // index
      "u32", // index_bytes
      "u32", // y
    ],
    result: "i32",
  },
  kumi_vocabulary_create: {
    parameters: [
      "u32", // context
      "buffer", // bytes
      "u32", // bytes_bytes
      "buffer", // starts
      "u32", // starts_bytes
      "buffer", // out_id
    ],
    result: "i32",
  },
  kumi_grammar_create: {
    parameters: [
      "u32", // context
      "u32", // vocabulary
      "buffer", // words
      "u32", // words_bytes
      "buffer", // ends
      "u32", // ends_bytes
      "buffer", // out_id
    ],
    result: "i32",
  },
  kumi_grammar_start: {
    parameters: [
      "u32", // grammar
      "buffer", // out_state
    ],
    result: "i32",
  },
  kumi_grammar_accept: {
    parameters: [
      "u32", // grammar
      "u32", // state
      "u32", // token
      "buffer", // out_state
    ],
    result: "i32",
  },
  kumi_grammar_accept_bytes: {
    parameters: [
      "u32", // grammar
      "u32", // state
      "buffer", // bytes
      "u32", // bytes_bytes
      "buffer", // out_state
    ],
    result: "i32",
  },
  kumi_grammar_info: {
    parameters: [
      "u32", // grammar
      "u32", // state
      "buffer", // out
      "u32", // out_bytes
    ],
    result: "i32",
  },
  kumi_grammar_forced: {
    parameters: [
      "u32", // grammar
      "u32", // state
      "buffer", // out
      "u32", // out_bytes
    ],
    result: "i32",
  },
  kumi_grammar_only: {
    parameters: [
      "u32", // id
      "u32", // state
      "buffer", // out_token
    ],
    result: "i32",
  },
  kumi_grammar_closing: {
    parameters: [
      "u32", // grammar
      "u32", // state
      "buffer", // out
      "u32", // out_bytes
    ],
    result: "i32",
  },
  kumi_grammar_mask: {
    parameters: [
      "u32", // grammar
      "u32", // state
      "buffer", // out
      "u32", // out_bytes
    ],
    result: "i32",
  },
  kumi_sample: {
    parameters: [
      "u32", // context
      "u32", // logits
      "u32", // vocab
      "u32", // n
      "buffer", // params
      "u32", // params_bytes
      "buffer", // data
      "u32", // data_bytes
      "buffer", // out
      "u32", // out_bytes
    ],
    result: "i32",
  },
  kumi_score: {
    parameters: [
      "u32", // context
      "u32", // logits
      "u32", // vocab
      "u32", // n
      "buffer", // targets
      "u32", // targets_bytes
      "buffer", // out
      "u32", // out_bytes
    ],
    result: "i32",
  },
  kumi_quantize: {
    parameters: [
      "u32", // context
      "u32", // format
      "buffer", // source
      "u32", // n
      "buffer", // target
      "u32", // target_bytes
    ],
    result: "i32",
  },
  kumi_quantize_weighted: {
    parameters: [
      "u32", // context
      "u32", // format
      "buffer", // source
      "u32", // n
      "buffer", // importance
      "u32", // row
      "buffer", // target
      "u32", // target_bytes
    ],
    result: "i32",
  },
  kumi_dequantize: {
    parameters: [
      "u32", // context
      "u32", // format
      "buffer", // source
      "u32", // source_bytes
      "buffer", // target
      "u32", // n
    ],
    result: "i32",
  },
  kumi_activation_bytes: {
    parameters: [
      "u32", // forms
      "u32", // n
      "u32", // k
    ],
    result: "i32",
  },
  kumi_measure: {
    parameters: [
      "u32", // context
      "u32", // what
      "u32", // variant
      "buffer", // weights
      "u32", // weights_bytes
      "buffer", // out
      "u32", // out_bytes
    ],
    result: "i32",
  },
} as const satisfies Deno.ForeignLibraryInterface;
