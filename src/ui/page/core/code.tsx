/** A block of code with its colours and a button that copies it. @module */

import type { VNode } from "preact";
import { useEffect, useState } from "preact/hooks";
import { CopyButton } from "./copy.tsx";

/** A part of highlighted code, as lowlight gives it. */
interface Part {
  readonly type: string;
  readonly value?: string;
  readonly properties?: { readonly className?: unknown };
  readonly children?: readonly Part[];
}

/** Longer code stays without colours: they would cost more than they help. */
const COLOURED_MAX = 50_000;

export function Code({ text, language }: { text: string; language: string }) {
  const parts = useColours(text, language);
  return (
    <figure class="code">
      <figcaption>
        <span>{language}</span>
        <CopyButton text={text} />
      </figcaption>
      {/* deno-lint-ignore jsx-no-useless-fragment */}
      <pre tabIndex={0}><code>{parts === null ? text : parts.map(draw)}</code></pre>
    </figure>
  );
}

/** Null while there are none. */
function useColours(text: string, language: string): readonly Part[] | null {
  const [coloured, setColoured] = useState<{ text: string; parts: readonly Part[] } | null>(null);
  useEffect(() => {
    if (language === "" || text.length > COLOURED_MAX) return;
    // Colours come when the code has been still for a moment.
    let isOver = false;
    const timer = setTimeout(async () => {
      const { highlight } = await import("./highlight.ts");
      const parts = highlight(text, language) as readonly Part[] | null;
      if (!isOver && parts !== null) setColoured({ text, parts });
    }, 120);
    return () => {
      isOver = true;
      clearTimeout(timer);
    };
  }, [text, language]);
  return coloured?.text === text ? coloured.parts : null;
}

function draw(part: Part): VNode | string {
  if (part.type === "text") return part.value ?? "";
  const names = part.properties?.className;
  return <span class={Array.isArray(names) ? names.join(" ") : ""}>{part.children?.map(draw)}</span>;
}
