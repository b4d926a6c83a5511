/** The style sheet of a report: readable on a telephone, a screen and A4. @module */

export const STYLE = `
:root { --ink: #17211e; --soft: #52605b; --line: #d5dcd9; --here: #0b6b57; --bad: #b3261e; --warn: #8a5a00; }
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0 auto; max-width: 1080px; padding: 24px 32px 64px; background: #fff; color: var(--ink);
  font: 16px/1.55 system-ui, "Segoe UI", Roboto, "Helvetica Neue", "Noto Sans", sans-serif; }
:lang(ja) body, body:lang(ja) { font-family: system-ui, "Hiragino Sans", "Yu Gothic UI", Meiryo, "Noto Sans CJK JP",
  "Noto Sans JP", sans-serif; line-height: 1.7; line-break: strict; }
h1, h2, h3 { line-height: 1.3; margin: 0; text-wrap: balance; overflow-wrap: anywhere; }
h1 { font-size: 24px; } h2 { font-size: 22px; margin: 0 0 10px; } h3 { font-size: 16px; margin: 22px 0 6px; }
p { margin: 6px 0; max-width: 46em; overflow-wrap: anywhere; }
ul, ol { margin: 6px 0; padding-left: 1.3em; max-width: 46em; }
li { margin: 3px 0; overflow-wrap: anywhere; }
code, pre { font: 0.92em/1.45 ui-monospace, "SFMono-Regular", Menlo, Consolas, "Noto Sans Mono CJK JP", monospace; }
pre { background: #f4f6f5; padding: 10px 12px; border-radius: 6px; white-space: pre-wrap; overflow-wrap: anywhere; }
dfn { font-style: normal; font-weight: 600; } .gloss { color: var(--soft); }
header { border-bottom: 1px solid var(--line); padding-bottom: 10px; margin-bottom: 16px; }
header p { color: var(--soft); margin: 2px 0 0; }
section { margin: 36px 0; } section.verdict, section.warnings { margin: 16px 0; }
.verdict { border: 1px solid var(--line); border-left: 8px solid var(--here); border-radius: 8px; padding: 16px 20px; }
.verdict.no { border-left-color: var(--bad); } .verdict.partly { border-left-color: #c98a00; }
.verdict .question { color: var(--soft); margin: 0; } .verdict h2 { font-size: 27px; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 10px; margin: 14px 0; }
.tile { border: 1px solid var(--line); border-radius: 8px; padding: 10px 12px; min-width: 0; }
.tile h3 { margin: 0; font-size: 13px; font-weight: 600; color: var(--soft); }
.tile p { font-size: 13px; line-height: 1.4; margin: 2px 0; } .tile .value { font-size: 25px; line-height: 1.25; font-weight: 650;
  font-variant-numeric: tabular-nums; } .tile .words { font-size: 19px; }
.tile.broad { grid-column: span 2; } .tile .row { display: flex; justify-content: space-between; gap: 10px; }
.tile .row b { font-weight: 600; white-space: nowrap; font-variant-numeric: tabular-nums; }
.tile.open { background: #fff8e8; border-color: #e2c27c; }
.columns { display: grid; grid-template-columns: 1.6fr 1fr; gap: 0 28px; } .columns h3 { margin-top: 6px; }
.goals { font-size: 14px; color: var(--soft); } .goals h3 { font-size: 14px; }
.warnings { background: #fff8e8; border: 1px solid #e2c27c; border-radius: 8px; padding: 12px 20px; }
.warnings h2 { font-size: 16px; margin: 0; } .warnings li { font-size: 14.5px; }
.badge { display: inline-block; font-size: 12px; line-height: 1.5; font-weight: 600; padding: 0 7px; border-radius: 10px;
  border: 1px dashed; vertical-align: 2px; white-space: nowrap; }
.badge.estimated { color: #8a3d10; background: #fdf1ea; } .badge.predicted { color: #573080; background: #f5effb; }
.badge.placeholder { color: var(--warn); background: #fff8e8; }
.box { border-radius: 8px; padding: 8px 16px; margin: 10px 0; } .box h3 { margin-top: 4px; }
.box.open { background: #fff8e8; border: 1px solid #e2c27c; }
.box.estimated, .tile.estimated { border: 2px dashed #b4521a; background:
  repeating-linear-gradient(45deg, #fff 0 8px, #fdf5f0 8px 16px); }
.box.predicted { border: 2px dashed #6d3f99; background: repeating-linear-gradient(45deg, #fff 0 8px, #faf6fd 8px 16px); }
figure { margin: 20px 0; } figcaption p { color: var(--soft); font-size: 14px; margin: 2px 0 6px; }
figure.estimated, figure.predicted { border: 2px dashed #b4521a; border-radius: 8px; padding: 10px 14px; }
figure.predicted { border-color: #6d3f99; }
figure svg { max-width: 100%; height: auto; overflow: visible; } .narrow { display: none; }
.scroll { overflow-x: auto; margin: 12px 0; }
table { border-collapse: collapse; font-size: 14px; line-height: 1.4; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-weight: 600; padding: 4px 0; }
th, td { padding: 5px 10px; border-bottom: 1px solid var(--line); vertical-align: top; text-align: right; }
th.t, td.t, tbody th { text-align: left; } thead th { font-weight: 600; color: var(--soft); vertical-align: bottom; }
tbody th { font-weight: 500; } td { white-space: nowrap; } td.t { white-space: normal; overflow-wrap: anywhere; min-width: 7em; }
td .date { white-space: nowrap; }
small { color: var(--soft); } small.assumed { color: #8a3d10; }
.least { color: var(--here); font-weight: 600; font-size: 12px; }
dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(300px, 1fr)); gap: 0 28px; margin: 8px 0; font-size: 14px; }
dl div { display: flex; justify-content: space-between; gap: 16px; border-bottom: 1px solid var(--line); padding: 4px 0; }
dt { color: var(--soft); } dd { margin: 0; text-align: right; overflow-wrap: anywhere; }
dl.formulas { grid-template-columns: 1fr; } dl.formulas dd { text-align: left; flex: 0 1 68%; } dl.formulas dt { flex: 1; }
#sentences li { margin: 5px 0; } #sentences a { color: var(--soft); font-size: 13px; white-space: nowrap; }
.legend { list-style: none; display: flex; flex-wrap: wrap; gap: 4px 18px; padding: 0; font-size: 14px; }
.legend span { display: inline-block; width: 22px; height: 4px; margin-right: 7px; vertical-align: 4px; }
details summary { cursor: pointer; color: var(--here); }
@media (max-width: 700px) {
  body { padding: 14px 14px 40px; } .wide { display: none; } .narrow { display: block; }
  h1 { font-size: 20px; } .verdict { padding: 12px 14px; } .verdict h2 { font-size: 22px; }
  .tiles { grid-template-columns: 1fr 1fr; } .columns { grid-template-columns: 1fr; } dl { grid-template-columns: 1fr; }
  figure.estimated, figure.predicted { padding: 8px 6px; } thead th { white-space: nowrap; } tbody th { min-width: 8em; } .tile .value { font-size: 22px; } .tile .words { font-size: 17px; }
}
@page { size: A4; margin: 14mm 13mm; }
@media print {
  body { padding: 0; max-width: none; font-size: 10pt; -webkit-print-color-adjust: exact; print-color-adjust: exact; }
  .wide { display: block; } .narrow { display: none; }
  .tiles { grid-template-columns: repeat(6, 1fr); gap: 6px; margin: 10px 0; } .columns { grid-template-columns: 1.6fr 1fr; }
  .tile { padding: 6px 8px; } .tile p { font-size: 8.6pt; } .tile .value { font-size: 15pt; } .tile .words { font-size: 12pt; }
  .verdict h2 { font-size: 16pt; } .verdict .columns h3, .verdict li { break-inside: avoid; } .warnings li { font-size: 9.5pt; } .warnings { padding: 8px 14px; } .goals { font-size: 9pt; }
  section { margin: 22px 0; } h2, h3, caption, figcaption { break-after: avoid; }
  figure, .tile, .box, .warnings, tr, pre, dl div { break-inside: avoid; }
  .scroll { overflow: visible; } .short { break-inside: avoid; } table { font-size: 8.6pt; width: 100%; } th, td { padding: 3px 5px; }
  td.t { white-space: normal; } th, td { padding: 3px 4px; } thead { display: table-header-group; } details::details-content { content-visibility: visible; block-size: auto; }
  details summary { list-style: none; color: inherit; font-weight: 600; }
  #sentences { break-before: page; }
}`;
