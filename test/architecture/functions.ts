import { findClosing, lineOf, readSource } from './source-text.ts';

export interface FunctionSize {
  readonly name: string;
  readonly line: number;
  /** From the line of its name to the line of its closing bracket. */
  readonly lines: number;
}

const DECLARATION = /\bfunction\b\s*\*?\s*([\w$]*)\s*(?:<[^(]*>)?\s*(?=\()/g;
const METHOD = /(?<=[{};,]\s*|\b(?:async|static|get|set|override|public|private)\s+\*?)([\w$#]+)\s*(?=\()/g;
const ARROW = /\b(?:const|let)\s+([\w$]+)\s*(?::[^=]*)?=\s*(?:async\s*)?(?:<[^(]*>)?\s*(?=\()/g;
const ARROW_BODY = /=>\s*(?=\{)/g;
const NO_FUNCTIONS = new Set(['if', 'for', 'while', 'switch', 'catch', 'with', 'return', 'function']);

/** The functions of a source that have a body in brackets, each once, in the order of their bodies. */
export function measureFunctions(source: string): FunctionSize[] {
  const { code } = readSource(source);
  const byBody = new Map<number, FunctionSize>();
  const add = (name: string, at: number, body: number | null) => {
    if (body === null || byBody.has(body)) return;
    const lines = lineOf(code, findClosing(code, body)) - lineOf(code, at) + 1;
    byBody.set(body, { name, line: lineOf(code, at), lines });
  };
  for (const pattern of [DECLARATION, METHOD, ARROW]) {
    for (const match of code.matchAll(pattern)) {
      if (NO_FUNCTIONS.has(match[1]!)) continue;
      const parameters = match.index + match[0].length;
      add(
        match[1] || 'anonymous',
        match.index,
        findBody(code, findClosing(code, parameters) + 1, pattern === ARROW),
      );
    }
  }
  for (const match of code.matchAll(ARROW_BODY)) add('anonymous', match.index, match.index + match[0].length);
  return [...byBody].sort(([a], [b]) => a - b).map(([, size]) => size);
}

/** The bracket that opens the body, behind a result type if there is one; null where there is no body. */
function findBody(code: string, from: number, isArrow: boolean): number | null {
  const first = skipSpace(code, from);
  if (code[first] === '{') return isArrow ? null : first;
  if (code[first] !== ':' && !code.startsWith('=>', first)) return null;
  let angles = 0;
  for (let i = first; i < code.length; i += 1) {
    const sign = code[i]!;
    if (code.startsWith('=>', i)) {
      const next = skipSpace(code, i + 2);
      if (isArrow && angles === 0 && code[next] === '{') return next;
      i += 1;
    } else if (sign === '{' && angles === 0 && !isArrow && !isTypeStart(code.slice(first, i))) {
      return i;
    } else if ('{[('.includes(sign)) {
      i = findClosing(code, i);
    } else if (')]};='.includes(sign) || (sign === ',' && angles === 0)) {
      return null;
    } else if (sign === '<') {
      angles += 1;
    } else if (sign === '>') {
      angles -= 1;
    }
  }
  return null;
}

/** True where a `{` after this much of a result type belongs to the type. */
function isTypeStart(type: string): boolean {
  return /(?:[:|&]|=>|\bis|\bkeyof)\s*$/.test(type);
}

function skipSpace(code: string, from: number): number {
  let i = from;
  while (/\s/.test(code[i] ?? '')) i += 1;
  return i;
}
