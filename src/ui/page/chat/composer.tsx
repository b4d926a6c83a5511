/** Where one writes. @module */

import { useEffect, useRef, useState } from "preact/hooks";
import { Icon } from "../core/icon.tsx";
import { models } from "../core/models.ts";
import { useStore } from "../core/store.ts";
import { fill, useWords } from "../core/words.ts";
import { runningTurns, send, stop } from "./actions.ts";
import { current } from "./chats.ts";
import { ClassChoice } from "./class_choice.tsx";
import { type AttachedFile, shownTurns } from "./conversation.ts";
import { readFiles } from "./files.ts";
import { changeSettings, settings } from "./settings.ts";

export function Composer() {
  const words = useWords();
  const [text, setText] = useState("");
  const [files, setFiles] = useState<readonly AttachedFile[]>([]);
  const [problem, setProblem] = useState("");
  const area = useRef<HTMLTextAreaElement>(null);
  const last = shownTurns(useStore(current)).at(-1);
  const isRunning = useStore(runningTurns).has(last?.id ?? "");
  useEffect(() => fit(area.current!), [text]);
  // A touch keyboard must not cover the page before anybody wants to write.
  useEffect(() => void (matchMedia("(pointer: fine)").matches && area.current?.focus()), []);
  const attach = async (list: Iterable<File>) => {
    const { read, refused } = await readFiles(list);
    setFiles((before) => [...before.filter(({ name }) => !read.some((each) => each.name === name)), ...read]);
    setProblem(refused.length === 0 ? "" : fill(words.notText, { names: refused.join(", ") }));
  };
  const submit = (event: Event) => {
    event.preventDefault();
    if (isRunning || (text.trim() === "" && files.length === 0)) return;
    send(text, files);
    setText("");
    setFiles([]);
  };
  const onKey = (event: KeyboardEvent) => {
    // Enter also ends a word of an input method.
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) submit(event);
  };
  const onDrop = (event: DragEvent) => {
    event.preventDefault();
    void attach(event.dataTransfer?.files ?? []);
  };
  return (
    <form
      class="composer"
      onSubmit={submit}
      onDrop={onDrop}
      onDragOver={(event) => event.preventDefault()}
    >
      {problem !== "" && <p class="notice" role="alert">{problem}</p>}
      <Files files={files} remove={(name) => setFiles(files.filter((each) => each.name !== name))} />
      <textarea
        id="composer"
        ref={area}
        rows={1}
        value={text}
        placeholder={words.writeHere}
        aria-label={words.writeHere}
        onInput={(event) => setText(event.currentTarget.value)}
        onKeyDown={onKey}
      />
      <div class="row">
        <label class="quiet" title={words.attach}>
          <input
            type="file"
            multiple
            class="unseen"
            aria-label={words.attach}
            onChange={({ currentTarget }) => {
              void attach(Array.from(currentTarget.files ?? []));
              currentTarget.value = "";
            }}
          />
          <Icon name="attach" />
        </label>
        <ClassChoice />
        <ModelChoice />
        <span class="space" />
        {isRunning
          ? (
            <button
              type="button"
              class="round"
              onClick={() => stop(last!.id)}
              aria-label={words.stop}
              title={words.stop}
            >
              <Icon name="stop" />
            </button>
          )
          : (
            <button
              type="submit"
              class="round"
              disabled={text.trim() === "" && files.length === 0}
              aria-label={words.send}
              title={words.send}
            >
              <Icon name="send" />
            </button>
          )}
      </div>
      <p class="hint">{words.composerHint}</p>
    </form>
  );
}

/** As high as its text. */
function fit(area: HTMLTextAreaElement): void {
  area.style.height = "auto";
  area.style.height = `${Math.min(area.scrollHeight, innerHeight * 0.4)}px`;
}

function Files({ files, remove }: { files: readonly AttachedFile[]; remove: (name: string) => void }) {
  const words = useWords();
  if (files.length === 0) return null;
  return (
    <ul class="files">
      {files.map(({ name }) => (
        <li key={name}>
          <Icon name="docs" /> {name}
          <button
            type="button"
            class="quiet"
            onClick={() => remove(name)}
            aria-label={fill(words.removeFile, { name })}
          >
            <Icon name="close" />
          </button>
        </li>
      ))}
    </ul>
  );
}

/** Only where there is something to choose. */
function ModelChoice() {
  const words = useWords();
  const all = useStore(models);
  const { model } = useStore(settings);
  if (all.length < 2) return null;
  return (
    <select
      aria-label={words.model}
      value={model || all[0].id}
      onChange={(event) => changeSettings({ model: event.currentTarget.value, class: "" })}
    >
      {all.map(({ id, kumi: { state = "ready" } }) => (
        <option key={id} value={id}>{state === "ready" ? id : `${id} (${words.modelStates[state]})`}</option>
      ))}
    </select>
  );
}
