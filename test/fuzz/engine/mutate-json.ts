import type { Random } from '../../../src/testing/random.ts';
import { interestingInteger, mutate, pick } from './mutate.ts';

/** Changes what a JSON document says, key by key; the result is JSON again. */

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** Stands for a value that is nested too deep for a program that writes JSON by recursion. */
const DEEP = '@@deep@@';
const DEPTHS = [70, 1000, 20_000];

/** The changed document, and how it is written: `indent` as JSON.stringify takes it. */
export function mutateJson(random: Random, text: string, indent: number): string {
  try {
    const value = JSON.parse(text) as Json;
    return writeJson(random, changeJson(random, value), indent);
  } catch {
    // No JSON, or nested too deep for this program.
    return text;
  }
}

export function writeJson(random: Random, value: unknown, indent: number): string {
  const written = JSON.stringify(value, null, indent) ?? 'null';
  if (!written.includes(DEEP)) return written;
  const depth = pick(random, DEPTHS);
  const [open, close] = random.below(2) === 0 ? ['[', ']'] : ['{"a":', '}'];
  return written.replaceAll(`"${DEEP}"`, `${open!.repeat(depth)}0${close!.repeat(depth)}`);
}

export function changeJson(random: Random, value: unknown): unknown {
  let changed = { top: structuredClone(value) as Json };
  do {
    const holders = holdersOf(changed);
    const { holder, key } = pick(random, holders);
    changeAt(random, holder, key, holders);
    changed = { top: changed.top ?? null };
  } while (random.below(2) === 0);
  return changed.top;
}

interface Place {
  readonly holder: { [key: string]: Json };
  readonly key: string;
}

function holdersOf(root: { top: Json }): Place[] {
  const found: Place[] = [];
  const waiting: unknown[] = [root];
  // A document that was changed often may hold itself many times over.
  while (waiting.length > 0 && found.length < 2000) {
    const holder = waiting.pop() as Place['holder'];
    for (const key of Object.keys(holder)) {
      found.push({ holder, key });
      const inner = holder[key];
      if (typeof inner === 'object' && inner !== null) waiting.push(inner);
    }
  }
  return found;
}

function changeAt(random: Random, holder: Place['holder'], key: string, all: readonly Place[]): void {
  const value = holder[key]!;
  switch (random.below(10)) {
    case 0:
      if (Array.isArray(holder)) holder.splice(Number(key), 1);
      else delete holder[key];
      return;
    case 1: {
      const other = pick(random, all);
      holder[key] = structuredClone(other.holder[other.key] ?? null);
      return;
    }
    case 2:
      if (Array.isArray(holder)) holder.push(structuredClone(value));
      else holder[pick(random, KEYS)] = structuredClone(value);
      return;
    case 3: {
      delete holder[key];
      holder[key] = value;
      return;
    }
    case 4:
    case 5:
    case 6:
      holder[key] = nudge(random, value);
      return;
    default:
      holder[key] = structuredClone(pick(random, VALUES));
  }
}

function nudge(random: Random, value: Json): Json {
  if (typeof value === 'number') {
    return random.below(2) === 0 ? Number(interestingInteger(random)) : value + random.below(3) - 1;
  }
  if (typeof value === 'string') return Buffer.from(mutate(random, Buffer.from(value), [])).toString();
  if (typeof value === 'boolean') return !value;
  return pick(random, VALUES);
}

const KEYS = [
  'a',
  'length',
  'toString',
  'toJSON',
  'constructor',
  'gaps',
  'duplicates',
  'events',
  'chain',
  '',
];

const VALUES: readonly Json[] = [
  ...[
    null,
    true,
    false,
    0,
    -0,
    1,
    -1,
    1.5,
    1e21,
    1e308,
    2 ** 31,
    2 ** 53,
    -(2 ** 53),
    Number.MAX_SAFE_INTEGER,
  ],
  ...['', '0', 'a', '\0', '\ud800', '../..', 'infinity', '1e5', 'x'.repeat(300), DEEP, DEEP],
  ...[[], {}, [null], [[]], [1, 2], [[1, 2]], [[3, 1]], [['a']], { a: 1 }, { length: 5 }],
  // Throws where a program makes text of it.
  { toString: 1, valueOf: 1 },
  JSON.parse('{"__proto__":{"a":1}}') as Json,
  { toJSON: 1 },
];
