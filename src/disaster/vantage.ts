import type { Observation, ProbeOutcome, ServerState } from '../core/disaster.ts';
import type { RegionServer } from '../core/disaster-ports.ts';
import { whyNot } from './reason.ts';
import { within } from './within.ts';

/** Somebody elsewhere who can say how the servers look from there, by a command. */
export interface VantagePoint {
  readonly name: string;
  /** Runs the command and gives what it wrote on stdout, of which it keeps no more than some kilobytes. Throws where it failed. */
  run(call: { readonly signal: AbortSignal }): Promise<string>;
}

export interface VantageAnswer {
  readonly observations: readonly Observation[];
  readonly warnings: readonly string[];
}

/** What `eventcore dr probe --json` prints. */
export interface ProbeDocument {
  readonly probeVersion: 1;
  readonly host: string;
  readonly observations: readonly Observation[];
}

/** An answer is some kilobytes; anything larger is none. */
const MOST_BYTES = 1 << 20;
const MOST_OBSERVATIONS = 400;
const MOST_TEXT = 1000;

/** Asks one vantage point about servers of the configuration; what it says of others is nothing to us. Never throws. */
export async function askVantage(
  point: VantagePoint,
  servers: readonly Pick<RegionServer, 'region' | 'address'>[],
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<VantageAnswer> {
  const { name } = point;
  const outcome = await within(timeoutMs, signal, (own) => point.run({ signal: own }));
  if (outcome.kind !== 'done') return silent(name, whyNot(outcome));
  const all = readProbe(outcome.result);
  if (all === null)
    return silent(name, 'what its command printed is not what `eventcore dr probe --json` prints');
  const known = all.filter((one) =>
    servers.some(({ region, address }) => region === one.region && address === one.server),
  );
  const missing = servers.filter(({ address }) => !known.some(({ server }) => server === address));
  return {
    observations: known.map((one) => ({ ...one, vantage: name })),
    warnings: missing.map(
      ({ address }) => `vantage point ${name} says nothing of ${address}: its configuration is another one`,
    ),
  };
}

function silent(name: string, reason: string): VantageAnswer {
  return { observations: [], warnings: [`vantage point ${name} did not answer: ${reason}`] };
}

/** Null for anything that is not, field by field, such a document. Keys that are not known are left out: a newer program may say more. */
export function readProbe(text: string): Observation[] | null {
  if (text.length > MOST_BYTES) return null;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  if (!isFields(value) || value.probeVersion !== 1 || !isText(value.host)) return null;
  const { observations } = value;
  if (!Array.isArray(observations) || observations.length > MOST_OBSERVATIONS) return null;
  const read = observations.map(readObservation);
  return read.includes(null) ? null : (read as Observation[]);
}

const OUTCOMES: readonly unknown[] = [
  'answered',
  'refused',
  'unreachable',
  'timed_out',
] satisfies readonly ProbeOutcome[];

function readObservation(value: unknown): Observation | null {
  if (!isFields(value) || !OUTCOMES.includes(value.outcome)) return null;
  const { vantage, region, server, outcome, ms, reason } = value;
  if (![vantage, region, server].every(isText) || !isCount(ms) || !isNullOr(isText, reason)) return null;
  // Only who answered says what it is, and whoever answered does.
  if ((outcome === 'answered') !== (value.state !== null)) return null;
  const state = value.state === null ? null : readState(value.state);
  if (value.state !== null && state === null) return null;
  return { vantage, region, server, outcome, ms, state, reason } as Observation;
}

function readState(value: unknown): ServerState | null {
  if (!isFields(value)) return null;
  const { role, systemIdentifier, timeline, serverVersion, position, replayed } = value;
  const { isReplayPaused, applyDelayMs, isFenced, clients, clockAheadMs } = value;
  const isState =
    (role === 'primary' || role === 'standby') &&
    isText(systemIdentifier) &&
    /^\d{1,20}$/.test(systemIdentifier) &&
    isCount(timeline) &&
    isText(serverVersion) &&
    isLsn(position) &&
    isNullOr(isLsn, replayed) &&
    [isReplayPaused, isFenced].every((one) => typeof one === 'boolean') &&
    isCount(applyDelayMs) &&
    isNullOr(isCount, clients) &&
    isNumber(clockAheadMs);
  const upstream = readUpstream(value.upstream);
  if (!isState || upstream === undefined) return null;
  return {
    ...{ role, systemIdentifier, timeline, serverVersion, position, replayed, isReplayPaused },
    ...{ applyDelayMs, upstream, isFenced, clients, clockAheadMs },
  } as ServerState;
}

/** Undefined where it is none. */
function readUpstream(value: unknown): ServerState['upstream'] | undefined {
  if (value === null) return null;
  if (!isFields(value)) return undefined;
  const { heardAgoMs, host, port } = value;
  if (!isNumber(heardAgoMs) || !isText(host) || !isCount(port) || port > 65_535) return undefined;
  return { heardAgoMs, host, port };
}

function isFields(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** What people are shown later: no sign that a terminal would obey. */
function isText(value: unknown): value is string {
  return typeof value === 'string' && value.length <= MOST_TEXT && !CONTROL.test(value);
}

const CONTROL = /\p{Cc}/u;

function isNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isLsn(value: unknown): boolean {
  return isText(value) && /^[0-9A-Fa-f]{1,8}\/[0-9A-Fa-f]{1,8}$/.test(value);
}

function isNullOr(isOne: (value: unknown) => boolean, value: unknown): boolean {
  return value === null || isOne(value);
}
