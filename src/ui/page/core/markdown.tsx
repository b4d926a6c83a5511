/**
 * Markdown as elements. A model's text never becomes HTML: its tokens become elements of a fixed list, and
 * everything else becomes text. There is nothing to sanitise, because nothing is parsed as HTML.
 * @module
 */

import { Lexer, type Token, type Tokens } from "marked";
import type { ComponentChildren, VNode } from "preact";
import { memo } from "./memo.ts";
import { Code } from "./code.tsx";
import { decodeEntities, safeLink } from "./text.ts";

const lexerOptions = { gfm: true, breaks: false };

/**
 * A text that may still grow. Blocks that have not changed are not drawn again, so a long answer costs no
 * more per token than a short one but for cutting it into blocks.
 */
export function Markdown({ text }: { text: string }) {
  const blocks = new Lexer(lexerOptions).lex(text).filter(({ type }) => type !== "space" && type !== "def");
  return (
    <div class="markdown">
      {blocks.map((block, i) => <Block key={i} block={block} />)}
    </div>
  );
}

const Block = memo(
  ({ block }: { block: Token }) => blockOf(block) as VNode,
  (a, b) => a.block.type === b.block.type && a.block.raw === b.block.raw,
);

const BLOCKS: Readonly<Record<string, (token: Token) => ComponentChildren>> = {
  code: (token) => {
    const { text, lang = "" } = token as Tokens.Code;
    return <Code text={text} language={lang.split(/\s/)[0]} />;
  },
  heading: (token) => {
    const { depth, tokens } = token as Tokens.Heading;
    // The page has its own first and second.
    const Tag = `h${Math.min(6, depth + 2)}` as "h3";
    return <Tag>{inline(tokens)}</Tag>;
  },
  hr: () => <hr />,
  blockquote: (token) => <blockquote>{children((token as Tokens.Blockquote).tokens)}</blockquote>,
  list: (token) => listOf(token as Tokens.List),
  table: (token) => tableOf(token as Tokens.Table),
  paragraph: (token) => <p>{inline((token as Tokens.Paragraph).tokens)}</p>,
  text: (token) => {
    const { tokens, text } = token as Tokens.Text;
    return tokens === undefined ? decodeEntities(text) : inline(tokens);
  },
  html: (token) => <p>{(token as Tokens.HTML).text}</p>,
  space: () => null,
  def: () => null,
  checkbox: (token) => checkbox((token as Tokens.Checkbox).checked),
};

function blockOf(token: Token): ComponentChildren {
  return Object.hasOwn(BLOCKS, token.type) ? BLOCKS[token.type](token) : inline([token]);
}

function children(tokens: readonly Token[]): ComponentChildren {
  return tokens.map(blockOf);
}

function checkbox(isChecked: boolean | undefined) {
  return <input type="checkbox" checked={isChecked} disabled aria-label={isChecked ? "☑" : "☐"} />;
}

function listOf({ ordered, start, items }: Tokens.List) {
  const content = items.map((item, i) => <li key={i}>{children(item.tokens)}</li>);
  return ordered ? <ol start={typeof start === "number" ? start : 1}>{content}</ol> : <ul>{content}</ul>;
}

function tableOf({ header, rows }: Tokens.Table) {
  return (
    // Wide tables scroll: by keyboard, too.
    <div class="scroll" tabIndex={0} role="group">
      <table>
        <thead>
          <tr>{header.map((cell, i) => <th key={i} class={alignment(cell)}>{inline(cell.tokens)}</th>)}</tr>
        </thead>
        <tbody>
          {rows.map((row, i) => (
            <tr key={i}>
              {row.map((cell, i) => <td key={i} class={alignment(cell)}>{inline(cell.tokens)}</td>)}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function alignment({ align }: Tokens.TableCell): string | undefined {
  return align === "right" || align === "center" ? align : undefined;
}

const INLINES: Readonly<Record<string, (token: Token) => ComponentChildren>> = {
  strong: (token) => <strong>{inline((token as Tokens.Strong).tokens)}</strong>,
  em: (token) => <em>{inline((token as Tokens.Em).tokens)}</em>,
  del: (token) => <del>{inline((token as Tokens.Del).tokens)}</del>,
  codespan: (token) => <code>{(token as Tokens.Codespan).text}</code>,
  br: () => <br />,
  link: (token) => {
    const { href, tokens } = token as Tokens.Link;
    return <Link href={href}>{inline(tokens)}</Link>;
  },
  // Loading it would tell somebody what is written here.
  image: (token) => {
    const { href, text } = token as Tokens.Image;
    return <Link href={href}>🖼 {text || href}</Link>;
  },
  html: (token) => (token as Tokens.HTML).raw,
  escape: (token) => decodeEntities((token as Tokens.Escape).text),
  text: (token) => {
    const { tokens, text } = token as Tokens.Text;
    return tokens === undefined ? decodeEntities(text) : inline(tokens);
  },
  checkbox: (token) => checkbox((token as Tokens.Checkbox).checked),
};

function inline(tokens: readonly Token[] = []): ComponentChildren {
  return tokens.map((token) => Object.hasOwn(INLINES, token.type) ? INLINES[token.type](token) : token.raw);
}

function Link({ href, children }: { href: string; children: ComponentChildren }) {
  const safe = safeLink(href);
  if (safe === null) return <>{children}</>;
  return <a href={safe} target="_blank" rel="noopener noreferrer nofollow">{children}</a>;
}
