import type { Clock } from '../core/clock.ts';
import type { PositionSample } from '../core/disaster.ts';
import type { RegionServer } from '../core/disaster-ports.ts';
import { pause } from '../core/pause.ts';
import { parseTime, timeToUnixMs } from '../core/time.ts';
import type { Vault } from '../core/vault.ts';
import { listSamples, putSample } from '../format/disaster-sample.ts';
import { whyNot } from './reason.ts';
import { type Within, within } from './within.ts';

/**
 * Writes down, outside the region of the primary, where the primary stands: what a standby lacks of the newest sample is what would be
 * lost. Columns such as `replay_lag` are not looked at: they hold what was measured last, also when nothing is replayed any longer.
 */

export interface SamplerPorts {
  readonly clock: Pick<Clock, 'now'>;
  readonly servers: readonly RegionServer[];
  readonly vaults: readonly SampledVault[];
  /** Told once when something begins to fail, and once when it works again. */
  readonly tell: (message: string) => void;
}

export interface SampledVault {
  readonly region: string;
  /** Opened in each round: to do that again changes nothing. Whoever gives it closes it. */
  readonly vault: Vault;
}

export interface SamplerOptions {
  readonly intervalMs: number;
  /** For each question to a server and each write into a vault. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  readonly onRound?: (round: SampleRound) => void;
}

export interface SampleRound {
  readonly samples: readonly PositionSample[];
  /** Vaults that have all that they should have of this round. */
  readonly written: number;
  readonly failed: number;
}

/** Of each server these stay, and none that is older than an hour but the newest. */
const KEPT = 12;
const KEPT_MS = 3_600_000;
/** Each time: what is left is removed the next time. */
const MOST_REMOVALS = 50;
/** Old ones are looked for once in so many rounds: a listing costs as much as a write. */
const ROUNDS_BETWEEN_REMOVALS = 12;

/** Runs until the signal fires. A round that takes longer than the interval delays the next one, and none is made up for. */
export async function sampleOn(ports: SamplerPorts, options: SamplerOptions): Promise<void> {
  const voice = makeVoice(ports.tell);
  for (let rounds = 0; !options.signal.aborted; rounds += 1) {
    const beganAtMs = performance.now();
    const removes = rounds % ROUNDS_BETWEEN_REMOVALS === 0;
    options.onRound?.(await sampleRound(ports, { ...options, removes }, voice));
    await pause(Math.max(0, options.intervalMs - (performance.now() - beganAtMs)), options.signal);
  }
}

/** One round. */
export function sampleOnce(
  ports: SamplerPorts,
  options: Pick<SamplerOptions, 'timeoutMs' | 'signal'>,
): Promise<SampleRound> {
  return sampleRound(ports, { ...options, removes: true }, makeVoice(ports.tell));
}

interface RoundOptions extends Pick<SamplerOptions, 'timeoutMs' | 'signal'> {
  readonly removes: boolean;
}

async function sampleRound(
  { servers, vaults, clock }: SamplerPorts,
  options: RoundOptions,
  voice: Voice,
): Promise<SampleRound> {
  const { timeoutMs, signal, removes } = options;
  const asked = await Promise.all(
    servers.map((server) => within(timeoutMs, signal, (own) => server.sample({ signal: own }))),
  );
  const samples = asked.flatMap((one) => (one.kind === 'done' && one.result !== null ? [one.result] : []));
  tellOfServers(servers, asked, samples.length, voice);
  const results = await Promise.all(
    vaults.map(async ({ region, vault }) => {
      const own = samples.filter((sample) => sample.region !== region);
      const outcome = await within(timeoutMs, signal, async () => {
        // It may have been away when this began.
        await vault.open({ create: true });
        for (const sample of own) await putSample(vault, sample);
        if (removes) await removeOldSamples(vault, clock.now());
      });
      const isDone = outcome.kind === 'done';
      const { address } = vault;
      const fault = isDone ? null : `no sample gets into ${address}: ${whyNot(outcome)}`;
      if (!signal.aborted) voice(address, fault, `samples get into ${address} again`);
      return isDone;
    }),
  );
  return {
    samples,
    written: results.filter((isDone) => isDone).length,
    failed: results.filter((isDone) => !isDone).length,
  };
}

/** A standby that is away is nothing to the sampler; that nobody is a primary is. */
function tellOfServers(
  servers: readonly RegionServer[],
  asked: readonly Within<PositionSample | null>[],
  primaries: number,
  voice: Voice,
): void {
  const silent = asked.flatMap((one, i) =>
    one.kind === 'done' ? [] : [`${servers[i]!.address}: ${whyNot(one)}`],
  );
  const away = silent.length === 0 ? '' : ` (${silent.join('; ')})`;
  voice(
    'primary',
    primaries === 0 ? `no server answers as a primary${away}` : null,
    'a server answers as a primary again',
  );
  voice(
    'doubled',
    primaries > 1 ? 'more than one server takes writes: look at `eventcore dr assess`' : null,
    'one server alone takes writes again',
  );
}

/** Says what changes, and nothing over and over. */
type Voice = (about: string, fault: string | null, mended: string) => void;

function makeVoice(tell: (message: string) => void): Voice {
  const faults = new Set<string>();
  return (about, fault, mended) => {
    const was = faults.has(about);
    if (fault === null) faults.delete(about);
    else faults.add(about);
    if (fault !== null && !was) tell(fault);
    if (fault === null && was) tell(mended);
  };
}

/** The newest one of each server always stays, however old: it is all that is known of it. */
export async function removeOldSamples(vault: Vault, nowMs: number): Promise<number> {
  const seen = new Map<string, number>();
  const old: string[] = [];
  for (const { name, mark, time } of (await listSamples(vault)).toReversed()) {
    const before = seen.get(mark) ?? 0;
    seen.set(mark, before + 1);
    const isOld = before >= KEPT || nowMs - timeOf(time) > KEPT_MS;
    if (before > 0 && isOld) old.push(name);
  }
  const removed = old.toReversed().slice(0, MOST_REMOVALS);
  for (const name of removed) await vault.removeObject(name);
  return removed.length;
}

/** Milliseconds since 1970 of `20261129T181305123Z`. */
function timeOf(time: string): number {
  const [, date, hour, minute, second, ms] = /^(\d{8})T(\d\d)(\d\d)(\d\d)(\d{3})Z$/.exec(time)!;
  const day = `${date!.slice(0, 4)}-${date!.slice(4, 6)}-${date!.slice(6)}`;
  return timeToUnixMs(parseTime(`${day}T${hour}:${minute}:${second}.${ms}Z`)!);
}
