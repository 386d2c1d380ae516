import { S3Error } from './s3-error.ts';

/** An element and what is in it; null leaves it out. */
export type Element = readonly [name: string, content: string | number | boolean | null | readonly Element[]];

const NAMESPACE = 'http://s3.amazonaws.com/doc/2006-03-01/';
const ENTITIES: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" };
const MAX_DEPTH = 10;

export function writeXml(name: string, content: readonly Element[], namespace = NAMESPACE): string {
  const opening = namespace === '' ? name : `${name} xmlns="${namespace}"`;
  return `<?xml version="1.0" encoding="UTF-8"?>\n<${opening}>${content.map(writeElement).join('')}</${name}>`;
}

function writeElement([name, content]: Element): string {
  if (content === null) return '';
  const inner = Array.isArray(content) ? content.map(writeElement).join('') : escapeText(String(content));
  return `<${name}>${inner}</${name}>`;
}

function escapeText(text: string): string {
  return text.replace(/[&<>"\r]/g, (sign) => `&#${sign.charCodeAt(0)};`);
}

export interface XmlNode {
  readonly name: string;
  readonly children: XmlNode[];
  text: string;
}

/** Reads the elements of a request's document; attributes are of no interest. */
export function readXml(document: string, root: string): XmlNode {
  const top: XmlNode = { name: '', children: [], text: '' };
  const open = [top];
  for (const [, text, closing, name, single] of document.matchAll(
    /([^<]*)<(?:\?[^>]*\?>|(\/)?([\w:.-]+)[^>]*?(\/)?>)/g,
  )) {
    open.at(-1)!.text += unescapeText(text!);
    if (name === undefined) continue;
    if (closing !== undefined) {
      if (open.pop()!.name !== name) throw malformed();
      continue;
    }
    const node: XmlNode = { name, children: [], text: '' };
    open.at(-1)?.children.push(node);
    if (single === undefined) open.push(node);
    if (open.length > MAX_DEPTH) throw malformed();
  }
  if (open.length !== 1 || top.children[0]?.name !== root) throw malformed();
  return top.children[0];
}

/** The text of the first element of that name, or null. */
export function textOf(node: XmlNode, name: string): string | null {
  return node.children.find((child) => child.name === name)?.text.trim() ?? null;
}

export function malformed(): S3Error {
  return new S3Error(
    'MalformedXML',
    'The XML you provided was not well-formed or did not validate against our published schema',
  );
}

function unescapeText(text: string): string {
  return text.replace(/&(?:#x([0-9a-f]+)|#(\d+)|(\w+));/gi, (whole, hex, decimal, name) => {
    if (hex !== undefined) return String.fromCodePoint(Number.parseInt(hex, 16));
    return decimal !== undefined ? String.fromCodePoint(Number(decimal)) : (ENTITIES[name] ?? whole);
  });
}
