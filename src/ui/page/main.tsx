/** The page that a server shows. Each place is loaded when it is opened. @module */

import { type ComponentType, render } from "preact";
import { type Place, Shell } from "./core/shell.tsx";
import { applyPreferences } from "./core/preferences.ts";

const PLACES: Readonly<Record<string, { place: Place; load: () => Promise<ComponentType> }>> = {
  "/ui/machine": { place: "machine", load: async () => (await import("./machine/machine.tsx")).MachinePage },
  "/ui/compare": { place: "compare", load: async () => (await import("./compare/compare.tsx")).Compare },
  "/ui/docs": { place: "docs", load: async () => (await import("./reference/reference.tsx")).Reference },
};
const CHAT = { place: "chat", load: async () => (await import("./chat/chat.tsx")).Chat } as const;

applyPreferences();
const { place, load } = PLACES[location.pathname] ?? CHAT;
const Content = await load();
render(
  <Shell place={place}>
    <Content />
  </Shell>,
  document.getElementById("app")!,
);
