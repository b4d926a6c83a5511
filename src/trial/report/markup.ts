/** HTML whose values are escaped unless they were made here. @module */

/** A piece of HTML. */
export class Markup {
  constructor(readonly html: string) {}
}

/** What may stand in a piece of HTML: text is escaped, lists are joined, null and false are nothing. */
export type Content = string | number | Markup | null | undefined | false | readonly Content[];

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** Control characters, and those that turn the direction of reading round: no name needs them. */
const UNSEEN = /(?![\n\t])[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu;

/** Text as HTML has it, also within the quotes of an attribute. */
export function escapeText(text: string): string {
  return text.replace(UNSEEN, "\ufffd").replace(/[&<>"']/g, (char) => ENTITIES[char]);
}

function htmlOf(content: Content): string {
  if (content === null || content === undefined || content === false) return "";
  if (content instanceof Markup) return content.html;
  if (typeof content === "string") return escapeText(content);
  if (typeof content === "number") return String(content);
  return content.map(htmlOf).join("");
}

/** HTML with values in it. Attributes are written with quotes around their values. */
export function html(strings: TemplateStringsArray, ...values: readonly Content[]): Markup {
  return new Markup(String.raw({ raw: strings }, ...values.map(htmlOf)));
}

/** JSON for a script element: nothing in it ends the element, or begins a comment. */
export function jsonScript(value: unknown): Markup {
  const json = JSON.stringify(value).replace(/</g, "\\u003c").replace(/\u2028/g, "\\u2028").replace(
    /\u2029/g,
    "\\u2029",
  );
  return new Markup(`<script type="application/json" id="report">${json}</script>`);
}

/** Tables up to so many lines are not torn by the end of a page. */
const SHORT_LINES_MAX = 14;

/** A table; numbers stand right, and the first column is a heading. */
export function table(
  head: readonly Content[],
  rows: readonly (readonly Content[])[],
  options: { readonly caption?: Content; readonly textColumns?: readonly number[] } = {},
): Markup {
  const { caption, textColumns = [] } = options;
  const kind = (i: number) => i === 0 || textColumns.includes(i) ? "t" : "n";
  return html`
    <div class="scroll${rows.length <= SHORT_LINES_MAX && " short"}">
      <table>${caption && html`<caption>${caption}</caption>`}<thead><tr>${head.map((cell, i) =>
        html`<th scope="col" class="${kind(i)}">${cell}</th>`
      )}</tr></thead><tbody>${rows.map((row) =>
        html`<tr>${
          row.map((cell, i) =>
            i === 0 ? html`<th scope="row">${cell}</th>` : html`<td class="${kind(i)}">${cell}</td>`
          )
        }</tr>`
      )}</tbody></table>
    </div>
  `;
}
