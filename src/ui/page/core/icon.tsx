/** The icons: strokes on a grid of 24. @module */

const PATHS = {
  attach: "M20 11.5 12 19.5a5 5 0 0 1-7-7l8.5-8.5a3.3 3.3 0 0 1 4.7 4.7L9.8 17a1.7 1.7 0 0 1-2.4-2.4l7.6-7.6",
  branch: "M6 4v16M6 14c0-5 12-2 12-8M18 6a2 2 0 1 0 0-4 2 2 0 0 0 0 4",
  chart: "M4 4v16h16M8 16v-4M12 16V8M16 16v-6",
  chat: "M4 5h16v11H9l-5 4z",
  check: "m5 12.5 4.5 4.5L19 7.5",
  close: "M6 6l12 12M18 6 6 18",
  compare: "M4 5h6v14H4zM14 5h6v14h-6z",
  copy: "M9 9h11v11H9zM5 15H4V4h11v1",
  docs: "M6 3h9l4 4v14H6zM14 3v5h5M9 12h7M9 16h7",
  down: "m6 9 6 6 6-6",
  download: "M12 4v11m-5-4 5 5 5-5M5 20h14",
  edit: "M4 20h4L19 9l-4-4L4 16zM13 7l4 4",
  globe: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18M3 12h18M12 3c-6 6-6 12 0 18M12 3c6 6 6 12 0 18",
  key: "M8 11a4 4 0 1 0 0 8 4 4 0 0 0 0-8M11 12l9-9M17 6l3 3",
  left: "m15 6-6 6 6 6",
  menu: "M4 7h16M4 12h16M4 17h16",
  moon: "M20 14.5A8 8 0 0 1 9.5 4 8 8 0 1 0 20 14.5",
  pause: "M8 5v14M16 5v14",
  play: "M7 5l12 7-12 7z",
  plus: "M12 5v14M5 12h14",
  retry: "M20 5v5h-5M20 10a8 8 0 1 0 0 5",
  right: "m9 6 6 6-6 6",
  same: "M5 9h14M5 15h14",
  send: "M12 20V5m-6 6 6-6 6 6",
  sliders: "M4 7h10M18 7h2M4 17h2M10 17h10M16 5v4M8 15v4",
  stop: "M7 7h10v10H7z",
  sun:
    "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8M12 2v2M12 20v2M2 12h2M20 12h2M5 5l1.4 1.4M17.6 17.6 19 19M5 19l1.4-1.4M17.6 6.4 19 5",
  thought: "M9 18h6M10 21h4M12 3a6 6 0 0 0-3.5 10.9c.6.5.9 1.2.9 2.1h5.2c0-.9.3-1.6.9-2.1A6 6 0 0 0 12 3",
  tool: "M14 6a4 4 0 0 1 5-1l-3 3 1 2 2 1 3-3a4 4 0 0 1-6 5l-8 8-3-3 8-8a4 4 0 0 1 1-4",
  trash: "M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13",
  upload: "M12 16V5m-5 4 5-5 5 5M5 20h14",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name }: { name: IconName }) {
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
      <path d={PATHS[name]} />
    </svg>
  );
}

/** The mark of kumi: three strands that go over and under each other. */
export function Mark({ size }: { size: number }) {
  return (
    <svg class="mark" width={size} height={size} viewBox="0 0 32 32" aria-hidden="true">
      <rect width="32" height="32" rx="8" class="mark-ground" />
      <path class="mark-warp" d="M10 6v20M16 6v20M22 6v20" />
      <path class="mark-weft" d="M6 11h2M12 11h8M24 11h2M6 16h8M18 16h8M6 21h2M12 21h8M24 21h2" />
    </svg>
  );
}
