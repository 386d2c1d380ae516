import { parseArgs } from 'node:util';
import { parseSize } from './sizes.ts';

export const USAGE = `usage: npm run bench -- [options]
  --events SIZE    100k, 1M, 2M, 10M or any number (default: 1M)
  --runs N         how often each is measured; the median counts (default: 3)
  --only NAME      only contenders with this in their name; =NAME for the whole name. May be repeated
  --json FILE      write all numbers there
  --publish        write docs/benchmarks.json, .svg and the tables in docs/benchmarks.md
  --check          compare with the published ratios of this size; ends with 1 when one got worse
  --profile DIR    instead: run ours once under the CPU profiler, and show where time goes`;

export interface Options {
  readonly events: number;
  readonly runs: number;
  readonly only: readonly string[];
  readonly json: string | null;
  readonly publish: boolean;
  readonly check: boolean;
  readonly profile: string | null;
}

/** Throws with what is wrong. */
export function readOptions(args: readonly string[]): Options {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      events: { type: 'string', default: '1M' },
      runs: { type: 'string', default: '3' },
      only: { type: 'string', multiple: true, default: [] },
      json: { type: 'string' },
      publish: { type: 'boolean', default: false },
      check: { type: 'boolean', default: false },
      profile: { type: 'string' },
    },
  });
  const events = parseSize(values.events);
  if (events === null) throw new Error(`${values.events} is no number of events`);
  const runs = parseSize(values.runs);
  if (runs === null) throw new Error(`${values.runs} is no number of runs`);
  // `--only A B` is what one types.
  if (positionals.length > 0 && values.only.length === 0) throw new Error(`what is ${positionals[0]}?`);
  const { json = null, profile = null, publish, check } = values;
  return { events, runs, only: [...values.only, ...positionals], json, publish, check, profile };
}
