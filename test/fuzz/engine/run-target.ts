import v8 from 'node:v8';
import vm from 'node:vm';
import { isBackupError } from '../../../src/core/errors.ts';
import { makeRandom, type Random } from '../../../src/testing/random.ts';
import { forgetAllocations, largestAllocation } from './allocations.ts';
import { mutate, pick } from './mutate.ts';
import type { FuzzTarget } from './target.ts';

export interface FuzzLimits {
  /** For one input. */
  readonly maxMs: number;
  /** Beyond the input itself. */
  readonly maxBytes: number;
}

export const LIMITS: FuzzLimits = { maxMs: 1000, maxBytes: 256 << 20 };

export interface FuzzOptions {
  readonly inputs: number;
  readonly seed: number;
  readonly limits: FuzzLimits;
  /** Ends early, as a clock says it. */
  readonly until?: () => boolean;
  /** Before each input: what is about to be tried. */
  readonly onInput?: (number: number, input: Uint8Array) => void;
}

export interface Finding {
  readonly target: string;
  /** Which input of the run it was, from 0. */
  readonly number: number;
  readonly what: string;
  readonly inputHex: string;
}

export interface TargetResult {
  readonly target: string;
  readonly inputs: number;
  readonly accepted: number;
  readonly refused: number;
  readonly slowestMs: number;
  readonly peakBytes: number;
  readonly finding: Finding | null;
}

/** Inputs that a run keeps to make others from, besides the seeds. */
const MAX_KEPT = 500;
/** Lengths of inputs that are kept: larger ones slow all that follow. */
const MAX_KEPT_BYTES = 64 << 10;

interface Corpus {
  readonly seeds: readonly Uint8Array[];
  readonly kept: Uint8Array[];
  /** What was seen: reasons of refusals. A new one says that an input got somewhere new. */
  readonly reasons: Set<string>;
}

/** Runs a target with inputs that follow from the seed alone; stops at the first finding. */
export async function runTarget(target: FuzzTarget, options: FuzzOptions): Promise<TargetResult> {
  const random = makeRandom(options.seed);
  const corpus: Corpus = { seeds: await target.seeds(), kept: [], reasons: new Set() };
  const total = { inputs: 0, accepted: 0, refused: 0, slowestMs: 0, peakBytes: 0 };
  let finding: Finding | null = null;
  while (total.inputs < options.inputs && finding === null && options.until?.() !== true) {
    const number = total.inputs;
    // The seeds themselves come first: they must be accepted, or nothing is tried that is nearly right.
    const input = corpus.seeds[number] ?? nextInput(random, target, corpus);
    options.onInput?.(number, input);
    const tried = await tryOnce(target, input);
    total.inputs += 1;
    total[tried.outcome === 'accepted' ? 'accepted' : 'refused'] += 1;
    const cost = await confirmCost(target, input, tried, options.limits);
    total.slowestMs = Math.max(total.slowestMs, cost.ms);
    total.peakBytes = Math.max(total.peakBytes, cost.bytes);
    const isSeed = number < corpus.seeds.length;
    const what =
      tried.fault ?? cost.fault ?? (isSeed && tried.outcome === 'refused' ? refusedSeed(tried) : null);
    if (what !== null) {
      finding = { target: target.name, number, what, inputHex: Buffer.from(input).toString('hex') };
    }
    keep(random, corpus, input, tried);
  }
  return { target: target.name, ...total, finding };
}

function refusedSeed({ reason }: Tried): string {
  return `a seed is refused: ${reason}`;
}

function nextInput(random: Random, target: FuzzTarget, { seeds, kept }: Corpus): Uint8Array {
  const from = kept.length > 0 && random.below(2) === 0 ? pick(random, kept) : pick(random, seeds);
  if (target.reshape !== undefined && random.below(3) !== 0) {
    const shaped = target.reshape(random, from);
    return random.below(8) === 0 ? mutate(random, shaped, seeds) : shaped;
  }
  return mutate(random, from, seeds);
}

function keep(random: Random, { kept, reasons }: Corpus, input: Uint8Array, tried: Tried): void {
  if (input.length > MAX_KEPT_BYTES) return;
  const isNew = !reasons.has(tried.reason);
  if (!isNew && !(tried.outcome === 'accepted' && random.below(16) === 0)) return;
  reasons.add(tried.reason);
  // Its bytes may be a part of something that lives as long.
  const copy = Uint8Array.from(input);
  if (kept.length < MAX_KEPT) kept.push(copy);
  else kept[random.below(MAX_KEPT)] = copy;
}

interface Tried {
  readonly outcome: 'accepted' | 'refused';
  readonly reason: string;
  readonly fault: string | null;
  readonly ms: number;
  readonly bytes: number;
}

async function tryOnce(target: FuzzTarget, input: Uint8Array): Promise<Tried> {
  forgetAllocations();
  const memory = memoryInUse();
  const mostBefore = process.resourceUsage().maxRSS * 1024;
  const started = performance.now();
  const cpu = process.cpuUsage();
  let outcome: Tried['outcome'] = 'accepted';
  let reason = 'accepted';
  let fault: string | null = null;
  try {
    const result = target.run(input);
    if ((result instanceof Promise ? await result : result) === false) {
      outcome = 'refused';
      reason = 'refused';
    }
  } catch (error) {
    outcome = 'refused';
    if (isBackupError(error, ...target.refusals)) {
      reason = `${error.code} ${error.message.replace(/\d+/g, '#').slice(0, 100)}`;
    } else fault = describe(error);
  }
  // On a busy machine time passes without work; what waits for nothing is found by who watches the thread.
  const { user, system } = process.cpuUsage(cpu);
  const ms = Math.min(performance.now() - started, (user + system) / 1000);
  const mostAfter = process.resourceUsage().maxRSS * 1024;
  const grown = Math.max(memoryInUse() - memory, mostAfter - Math.max(mostBefore, memory));
  const taken = Math.max(grown, largestAllocation());
  return { outcome, reason, fault, ms, bytes: Math.max(0, taken - input.length) };
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

/** Heap and buffers of this thread. */
function memoryInUse(): number {
  const { used_heap_size: heap, external_memory: external } = v8.getHeapStatistics();
  return heap + external;
}

/** How often an input must be too slow, or take too much: a busy machine and garbage of others are no findings. */
const CONFIRMATIONS = 3;

async function confirmCost(
  target: FuzzTarget,
  input: Uint8Array,
  first: Tried,
  { maxMs, maxBytes }: FuzzLimits,
): Promise<{ ms: number; bytes: number; fault: string | null }> {
  let { ms, bytes } = first;
  for (let i = 1; i < CONFIRMATIONS && (ms > maxMs || bytes > maxBytes); i += 1) {
    collectGarbage();
    const again = await tryOnce(target, input);
    ms = Math.min(ms, again.ms);
    bytes = Math.min(bytes, again.bytes);
  }
  if (ms > maxMs) return { ms, bytes, fault: `it takes ${Math.round(ms)} ms` };
  const fault = bytes > maxBytes ? `it takes ${Math.round(bytes / (1 << 20))} MiB` : null;
  return { ms, bytes, fault };
}

v8.setFlagsFromString('--expose-gc');
const collectGarbage = vm.runInNewContext('gc') as () => void;
