/** Which of the jobs that wait may begin, so that many stores share a daemon, their servers and vaults: pure. */

/** What reads a store, what changes vaults, what reads everything, and what only looks. Each has places of its own. */
export type TurnLane = 'backup' | 'upkeep' | 'proof' | 'check';

export interface TurnCaps {
  readonly lanes: Readonly<Record<TurnLane, number>>;
  /** Backups that read one server. */
  readonly perServer: number;
  /** Jobs that use one vault, but for those that only look. */
  readonly perVault: number;
}

/** Why a job wants to run. */
export type TurnCause = 'due' | 'first' | 'asked' | 'retry' | 'taken_up';

export interface WaitingTurn {
  readonly id: string;
  readonly lane: TurnLane;
  /** Null: the store is no server. */
  readonly server: string | null;
  readonly vault: string;
  readonly cause: TurnCause;
  readonly wantedAtMs: number;
  /** From one time of its schedule to the next; null: it has none. */
  readonly periodMs: number | null;
  /** How long its last run took; null: not known. */
  readonly expectedMs: number | null;
  readonly sinceMs: number;
}

export type RunningTurn = Pick<WaitingTurn, 'lane' | 'server' | 'vault' | 'cause' | 'expectedMs'>;

export interface TurnFacts {
  readonly waiting: readonly WaitingTurn[];
  readonly running: readonly RunningTurn[];
  readonly caps: TurnCaps;
}

export interface TurnDecision {
  /** Ids, in the order in which they begin. */
  readonly begin: readonly string[];
  /** Of the others, by id: why not yet. */
  readonly waits: ReadonlyMap<string, string>;
}

/** A job that took longer is not let into the last places of its lane, nor one of which nobody knows. */
const LONG_MS = 10 * 60_000;
/** Who waited so long for a server and a vault has a place kept free in both. */
const PATIENCE_MS = 10 * 60_000;
/** In how late a job is, a minute counts as for one that runs so often at most, or at least. */
const PERIODS_MS = { least: 15 * 60_000, most: 24 * 3_600_000 };

/** Of a daemon for a few stores: one job of a kind at a time. */
export const CAPS_OF_FEW: TurnCaps = {
  lanes: { backup: 1, upkeep: 1, proof: 1, check: 4 },
  ...{ perServer: Number.POSITIVE_INFINITY, perVault: Number.POSITIVE_INFINITY },
};

/** Of a fleet: an eighth of the places, and one at least, for each of the others; the rest for backups. So none waits for another kind. */
export function capsOfFleet(all: number, perServer: number, perVault: number): TurnCaps {
  const other = Math.max(1, Math.floor(all / 8));
  const lanes = { backup: Math.max(1, all - 3 * other), upkeep: other, proof: other, check: other };
  return { lanes, perServer, perVault };
}

/**
 * What begins now. Who was asked for comes first, then whoever is latest, measured by how often it runs; then what failed and is tried again. Of the
 * places of a lane some are never given to long jobs, so that these hold up no short ones, and few are given to what failed before.
 */
export function decideTurns({ waiting, running, caps }: TurnFacts, nowMs: number): TurnDecision {
  const used = new Map<string, number>();
  for (const turn of running) take(used, turn);
  const begin: string[] = [];
  const waits = new Map<string, string>();
  const reserved = new Set<string>();
  for (const turn of waiting.toSorted((a, b) => compare(a, b, nowMs))) {
    const obstacle = obstacleTo(turn, used, caps);
    if (obstacle === null) {
      take(used, turn);
      begin.push(turn.id);
      continue;
    }
    waits.set(turn.id, obstacle.reason);
    const isPatient = nowMs - turn.sinceMs >= PATIENCE_MS && obstacle.isShared;
    // One for each vault: those who wait for a server that is full must not fill the vault of all others.
    if (!isPatient || caps.perVault < 2 || reserved.has(turn.vault)) continue;
    reserved.add(turn.vault);
    for (const key of placesOf(turn)) add(used, key);
  }
  return { begin, waits };
}

const RANKS: Readonly<Record<TurnCause, number>> = { asked: 0, due: 1, first: 1, taken_up: 1, retry: 2 };

function compare(a: WaitingTurn, b: WaitingTurn, nowMs: number): number {
  return (
    RANKS[a.cause] - RANKS[b.cause] ||
    latenessOf(b, nowMs) - latenessOf(a, nowMs) ||
    a.sinceMs - b.sinceMs ||
    (a.id < b.id ? -1 : 1)
  );
}

/** In periods of the job. What never ran is late by a whole one: nothing of that store can be brought back. */
function latenessOf({ wantedAtMs, periodMs, cause }: WaitingTurn, nowMs: number): number {
  const { least, most } = PERIODS_MS;
  const late = Math.max(0, nowMs - wantedAtMs) / Math.min(most, Math.max(least, periodMs ?? most));
  return cause === 'first' ? late + 1 : late;
}

interface Obstacle {
  readonly reason: string;
  /** Others use what it needs: of a server or a vault. */
  readonly isShared: boolean;
}

function obstacleTo(turn: WaitingTurn, used: ReadonlyMap<string, number>, caps: TurnCaps): Obstacle | null {
  const { lane, server, vault, cause } = turn;
  const places = caps.lanes[lane];
  const few = places < 2 ? 0 : Math.max(1, Math.floor(places / 4));
  const count = (key: string): number => used.get(key) ?? 0;
  if (count(lane) >= places) return own(`all ${places} places for ${LANE_WORDS[lane]} are taken`);
  if (isLong(turn) && count(`${lane} long`) >= places - few)
    return own(`the last ${few} of ${places} places are kept for jobs that take less than ten minutes`);
  if (cause === 'retry' && count(`${lane} retry`) >= Math.max(1, few))
    return own(`what failed before has ${Math.max(1, few)} of ${places} places`);
  const [atServer, atVault] = [count(`server ${server}`), count(`vault ${vault}`)];
  const isAtServer = lane === 'backup' && server !== null;
  if (isAtServer && atServer >= caps.perServer) return shared(`${atServer} backups read ${server}`);
  if (lane !== 'check' && atVault >= caps.perVault) return shared(`${atVault} jobs use ${vault}`);
  return null;
}

const LANE_WORDS: Readonly<Record<TurnLane, string>> = {
  ...{ backup: 'backups', upkeep: 'upkeep', proof: 'proofs', check: 'checks' },
};

function own(why: string): Obstacle {
  return { reason: `it waits for its turn: ${why}`, isShared: false };
}

function shared(why: string): Obstacle {
  return { reason: `it waits for its turn: ${why}`, isShared: true };
}

function isLong({ expectedMs, lane }: Pick<WaitingTurn, 'expectedMs' | 'lane'>): boolean {
  return lane !== 'check' && (expectedMs === null || expectedMs > LONG_MS);
}

function take(used: Map<string, number>, turn: RunningTurn): void {
  add(used, turn.lane);
  if (isLong(turn)) add(used, `${turn.lane} long`);
  if (turn.cause === 'retry') add(used, `${turn.lane} retry`);
  for (const key of placesOf(turn)) add(used, key);
}

function placesOf({ lane, server, vault }: RunningTurn): string[] {
  if (lane === 'check') return [];
  return [`vault ${vault}`, ...(lane === 'backup' && server !== null ? [`server ${server}`] : [])];
}

function add(used: Map<string, number>, key: string): void {
  used.set(key, (used.get(key) ?? 0) + 1);
}
