/** Hundreds of stores that share few places, through a fortnight of simulated time: the very decisions of the daemon, with a model of how long backups take. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { type AgendaJob, decideJob, type LastRun, paceOf } from '../../src/policy/agenda.ts';
import { capsOfFleet, decideTurns, type TurnCaps, type WaitingTurn } from '../../src/policy/turns.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const START = Date.parse('2026-11-01T12:00:00Z');
const TICK = 15_000;

interface Model {
  readonly name: string;
  readonly durationMs: number;
  readonly server: string | null;
  readonly fails: boolean;
  readonly windowMs: number;
  last: LastRun | null;
  expectedMs: number | null;
  turn: WaitingTurn | null;
  until: number | null;
  /** Nothing is to be decided before. */
  lookMs: number;
}

interface Run {
  readonly name: string;
  readonly wantedAtMs: number;
  readonly startedMs: number;
  readonly attempt: number;
}

function storeOf(name: string, more: Partial<Model> = {}): Model {
  const fresh = { last: null, expectedMs: null, turn: null, until: null, lookMs: 0 };
  return { name, durationMs: MINUTE, server: null, fails: false, windowMs: HOUR, ...fresh, ...more };
}

/** Runs all by one schedule; gives each run, and checks at each instant that no more runs than may. */
function live(stores: readonly Model[], caps: TurnCaps, days: number, cron = '0 2 * * *'): Run[] {
  const runs: Run[] = [];
  const running = new Map<string, WaitingTurn>();
  const pending = new Map<string, { attempt: number; wantedAtMs: number }>();
  for (let nowMs = START; nowMs < START + days * DAY; nowMs += TICK) {
    for (const store of stores) {
      if (store.until !== null && store.until <= nowMs) finish(store, nowMs);
      if (store.until === null && store.lookMs <= nowMs) look(store, nowMs);
    }
    const waiting = stores.flatMap(({ turn, until }) => (turn !== null && until === null ? [turn] : []));
    if (waiting.length === 0) continue;
    const { begin } = decideTurns({ waiting, running: [...running.values()], caps }, nowMs);
    for (const id of begin) {
      const store = stores.find(({ name }) => name === id)!;
      running.set(id, store.turn!);
      store.until = nowMs + store.durationMs;
      const { attempt, wantedAtMs } = pending.get(id)!;
      store.last = { wantedAtMs, startedAtMs: nowMs, endedAtMs: null, succeeded: false, attempt };
      runs.push({ name: id, wantedAtMs, startedMs: nowMs, attempt });
    }
    assert.ok(running.size <= caps.lanes.backup);
    const servers = Map.groupBy([...running.values()], ({ server }) => server);
    for (const [server, own] of servers) assert.ok(server === null || own.length <= caps.perServer);
  }
  return runs;

  function finish(store: Model, nowMs: number): void {
    running.delete(store.name);
    store.last = { ...store.last!, endedAtMs: nowMs, succeeded: !store.fails };
    store.expectedMs = store.fails ? null : store.durationMs;
    Object.assign(store, { until: null, turn: null, lookMs: nowMs });
  }

  function look(store: Model, nowMs: number): void {
    const { name, windowMs, last, server, expectedMs } = store;
    const timing = { kind: 'schedule', schedule: { cron, timeZone: 'UTC' } } as const;
    const job: AgendaJob = { name: 'full', timing, spread: { key: name, windowMs, rpoMs: null } };
    const decision = decideJob({ job, last, isHeld: false, askedBy: null, waitsFor: null }, nowMs);
    if (decision.action === 'wait') store.lookMs = decision.untilMs ?? nowMs;
    if (decision.action === 'wait') return;
    // What waits may be for a newer time a while later.
    store.lookMs = nowMs + 10 * MINUTE;
    const { cause, wantedAtMs, attempt } = decision;
    // As a daemon does, which waits for the turn of what it decided.
    if (store.turn !== null && store.turn.cause === cause) return;
    pending.set(name, { attempt, wantedAtMs });
    const periodMs = paceOf(timing, wantedAtMs);
    const wanted = { lane: 'backup', vault: 'v', cause, wantedAtMs, periodMs, expectedMs } as const;
    store.turn = { ...wanted, id: name, server, sinceMs: nowMs };
  }
}

/** From when a run might begin by its schedule and its part of the window to when it did. */
function waits(runs: readonly Run[], windowMs: number): number[] {
  return runs.filter(({ attempt }) => attempt === 1).map((run) => run.startedMs - run.wantedAtMs - windowMs);
}

describe('a fleet of two hundred stores', () => {
  it('begins all within the hour of their schedule, night after night, at the same minute each', () => {
    const stores = Array.from({ length: 200 }, (_, i) => storeOf(`shop_${i}`));
    const runs = live(stores, capsOfFleet(8, 2, 8), 4);
    const nights = runs.filter(({ wantedAtMs }) => wantedAtMs > START + DAY);
    assert.equal(nights.length, 3 * 200);
    assert.ok(Math.max(...waits(nights, HOUR)) <= 5 * MINUTE);
    for (const { name } of stores) {
      const own = nights.filter((run) => run.name === name).map(({ startedMs }) => startedMs % DAY);
      assert.ok(Math.max(...own) - Math.min(...own) <= 10 * MINUTE, name);
    }
  });

  it('runs every store each night for a fortnight, though some are big, some always fail and a server is slow', () => {
    const stores = Array.from({ length: 200 }, (_, i) => {
      if (i < 6) return storeOf(`big_${i}`, { durationMs: 5 * HOUR });
      if (i < 16) return storeOf(`failing_${i}`, { fails: true, durationMs: 10 * MINUTE });
      if (i < 36) return storeOf(`slow_${i}`, { server: 'db', durationMs: 12 * MINUTE });
      return storeOf(`shop_${i}`, { durationMs: 90_000 });
    });
    const runs = live(stores, capsOfFleet(8, 2, 8), 14);
    for (const { name } of stores) {
      const own = runs.filter((run) => run.name === name && run.attempt === 1);
      assert.ok(own.length >= 13, `${name} ran ${own.length} times in 14 days`);
      const latest = Math.max(...own.slice(1).map((run) => run.startedMs - run.wantedAtMs));
      const limit = name.startsWith('shop') ? 5 * HOUR : 20 * HOUR;
      assert.ok(latest < limit, `${name} waited for ${latest / HOUR} h`);
    }
  });

  it('starves nobody, whatever takes how long, as long as there is room for all', () => {
    const given = fc.array(
      fc.record({
        durationMs: fc.integer({ min: 1, max: 120 }).map((minutes) => minutes * MINUTE),
        ...{ server: fc.constantFrom(null, 'a', 'b'), fails: fc.boolean() },
      }),
      { minLength: 1, maxLength: 20 },
    );
    fc.assert(
      fc.property(given, (made) => {
        const stores = made.map((more, i) => storeOf(`s${i}`, { ...more, windowMs: 0 }));
        const runs = live(stores, capsOfFleet(8, 2, 8), 3);
        // Two places of a server: ten stores of two hours each take ten of the day.
        for (const { name } of stores)
          assert.ok(runs.filter((run) => run.name === name && run.attempt === 1).length >= 2, name);
      }),
      { numRuns: 5 },
    );
  });
});
