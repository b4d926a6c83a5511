/** The page in English. Every other language has the same words: the compiler asks for them. @module */

export const en = {
  places: { chat: "Chat", machine: "Machine", compare: "Compare", docs: "API" },
  pages: "Pages",
  skip: "Skip to the content",
  copy: "Copy",
  copied: "Copied",
  close: "Close",
  cancel: "Cancel",
  delete: "Delete",
  any: "any",
  auto: "auto",
  on: "on",
  off: "off",
  toLight: "Light colours",
  toDark: "Dark colours",

  apiKey: "API key",
  keyHelp:
    "Enter the key that the server's operator gave you. It stays in this tab and is gone when you close it.",
  keyWrong: "The server does not know this key. Check it and enter it again.",
  useKey: "Use this key",
  enterKey: "Enter a key",

  conversation: "Conversation",
  chats: "Conversations",
  newChat: "New conversation",
  noChats: "Your conversations will appear here.",
  deleteChat: "Delete conversation: {name}",
  keptHere: "Kept in this browser only.",
  export: "Export",
  import: "Import",
  deleteAll: "Delete all",
  deleteAllSure: "Delete all {n} conversations from this browser? This cannot be undone.",
  importFailed: "This file could not be imported: {why}",
  forgetful:
    "This browser does not let the page keep anything: your conversations are gone when you close it.",

  welcome: "What can I do for you?",
  welcomeLead: "Answers come from this machine. Nothing you write leaves it.",
  connecting: "Connecting to the server …",
  parameters: "{n} parameters",
  context: "context of {n} tokens",
  machine: "{isa}, {n} threads",
  noTemplate: "This model was not made for conversations: its file has no chat template.",
  suggestions: [
    "What is a KV cache?",
    "Explain batching in two sentences",
    "What is 17 + 25?",
    "Tell me a very short story",
  ],

  messages: "Messages",
  you: "You",
  assistant: "Assistant",
  toEnd: "To the newest message",
  answering: "Answering …",
  answerDone: "Answer:",
  answerFailed: "The answer failed.",
  writeHere: "Write a message",
  composerHint:
    "Enter sends, Shift+Enter begins a line, Esc stops. Models make mistakes: check what matters.",
  attach: "Attach text files",
  removeFile: "Remove {name}",
  notText: "Not a text of up to 1 MB: {names}",
  send: "Send",
  stop: "Stop",
  model: "Model",
  class: "Latency class",
  classNames: { interactive: "Urgent", batch: "Bulk" },

  edit: "Edit",
  editHint: "What followed stays as a branch of its own.",
  branches: "Branches",
  previousBranch: "Previous branch",
  nextBranch: "Next branch",
  branchOf: "Branch {i} of {n}",
  regenerate: "Another answer",
  thinking: "Thinking …",
  thoughts: "Thoughts",
  toolResult: "Result of the tool",
  giveResult: "Give the results to the model",
  stopped: "Stopped.",
  cut: "The answer reached its limit of tokens.",

  tokens: "{n} tokens",
  tokensPerSecond: "{n} tokens/s",
  ttft: "first after {t}",
  cached: "{n} cached",
  seed: "seed {n}",
  sameAnswer: "Same answer?",
  sameAnswerHelp: "Asks again with the same seed and compares, letter by letter",
  proving: "Asking again with the same seed …",
  proofSame: "The same answer again: all {n} characters, in {t}. ",
  proofDifferent: "Another answer, from character {n} on:",
  proofFailed: "The comparison did not come to its end: {why}",

  settings: "Settings",
  system: "Instructions for the model",
  systemHint: "You answer briefly and say when you do not know.",
  sampling: "Sampling",
  samplingNames: {
    temperature: "Temperature",
    top_p: "Top p",
    top_k: "Top k",
    min_p: "Min p",
    repeat_penalty: "Repeat penalty",
    presence_penalty: "Presence penalty",
    frequency_penalty: "Frequency penalty",
  },
  defaultIs: "The model's default: {n}",
  backToDefault: "{name}: back to the model's default, {n}",
  maxTokens: "Most tokens",
  pinnedSeed: "Seed",
  reasoning: "Reasoning",
  shape: "Shape of answers",
  shapeText: "Text",
  shapeSchema: "JSON schema",
  schema: "JSON schema of answers",
  tools: "Tools the model may call (JSON)",
  notJson: "This is not JSON yet.",
  resetSettings: "Everything back to the defaults",

  tryAgain: "Try again",
  tryNow: "Try now",
  dontWait: "Don't wait",
  retryIn: "Next try in {n} s",
  trouble: {
    contextFull: {
      title: "The conversation is longer than the model can read",
      help:
        "Begin a new conversation, edit an earlier message to branch off before it got long, or attach less.",
    },
    busy: {
      title: "The server has too much to do right now",
      help: "It refused at once rather than let you wait in vain, and says when to try again.",
    },
    key: { title: "The server wants a key", help: "Enter the API key that its operator gave you." },
    unreachable: {
      title: "The server cannot be reached",
      help:
        "It may have been stopped, or the network may be down. Your conversation is safe in this browser.",
    },
    broken: {
      title: "The connection broke off",
      help: "What had come so far stands above. Trying again asks for the whole answer, with the same seed.",
    },
    loading: {
      title: "The model is still loading",
      help: "This takes seconds for small models, minutes for large ones.",
    },
    draining: {
      title: "The server is shutting down",
      help: "It takes no more requests. Try again when it is back.",
    },
    server: { title: "Something went wrong inside the server", help: "Its log says more." },
    refused: { title: "The server does not accept this request", help: "It says why:" },
    other: { title: "Something went wrong", help: "Try again; if it stays so, reload the page." },
  },
} as const;

/** The same texts in any language. */
type In<T> = {
  readonly [K in keyof T]: T[K] extends string ? string
    : T[K] extends readonly string[] ? readonly string[]
    : In<T[K]>;
};

export type Words = In<typeof en>;
