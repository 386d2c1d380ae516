import type { Answer, Ask, ConsoleStore, Question } from '../../src/console/ports.ts';
import type { Reply, Route, Visit, Who } from '../../src/console/route.ts';
import type { JobName } from '../../src/core/job.ts';
import type { StoreStatus } from '../../src/core/status.ts';
import { makeRegistry } from '../../src/daemon/registry.ts';
import { runHere } from '../harness/command.ts';
import { makePorts, makeVisit } from './fixtures.ts';

/** Visits of pages whose questions real commands answer, in this process. */

export interface VisitOptions {
  readonly store?: Partial<ConsoleStore>;
  readonly query?: Readonly<Record<string, string>>;
  readonly params?: Readonly<Record<string, string>>;
  readonly role?: Who['role'];
  readonly ask?: Ask;
  readonly nowMs?: number;
}

/** As the daemon asks: what the command prints on stdout, else what it says of its failure. */
export function askHere(config: string): Ask {
  return async ({ words }: Question): Promise<Answer> => {
    const ran = await runHere([...words, '--config', config, '--json']);
    const atMs = Date.now();
    if (ran.stdout !== '')
      return { state: 'answered', document: JSON.parse(ran.stdout), atMs, exitCode: ran.code ?? 1 };
    const last = ran.stderr.trimEnd().split('\n').at(-1)!;
    const { code, message, hint, facts } = JSON.parse(last).error;
    return { state: 'failed', code, message, hint, facts, atMs };
  };
}

export function answerWith(document: unknown): Ask {
  return async () => ({ state: 'answered', document, atMs: Date.now(), exitCode: 0 });
}

export function visitOf(options: VisitOptions = {}): Visit {
  const { query = {}, params = {}, role = 'operator', nowMs, ask = ASK_NOBODY } = options;
  const store = storeOf(options.store);
  const ports = makePorts({ stores: () => [store], ask, now: () => nowMs ?? Date.now() });
  return makeVisit({ ports, params: { store: store.name, ...params }, queries: query, role });
}

const ASK_NOBODY: Ask = async () => ({ state: 'busy' });

export function storeOf(changes: Partial<ConsoleStore> = {}): ConsoleStore {
  return {
    ...{ name: 'shop', store: 'sqlite:./events.db', vault: 'file:/backups', config: '/etc/shop.yaml' },
    ...{ jobs: [], status: null, objectives: [], trouble: null, labels: {}, restoreTargets: [] },
    ...changes,
  };
}

/** Jobs that this daemon runs and that never ran. */
export function jobsOf(...names: readonly JobName[]): ConsoleStore['jobs'] {
  const registry = makeRegistry();
  for (const name of names) registry.add('shop', name, { kind: 'asked' });
  return registry.views();
}

export function statusOf(changes: Partial<StoreStatus> = {}): StoreStatus {
  return {
    ...{ at: '2026-11-29T12:00:00.000Z', store: 'sqlite:./events.db', vault: 'file:/backups' },
    ...{ newestPoint: null, windows: [], gaps: [], backups: [], backupCount: 0, backupBytes: 0 },
    ...{ log: null, regions: [], verification: null, drill: null, lastPassedDrillAt: null, monitor: null },
    promises: { rpoMs: null, regionRpoMs: null, rtoMs: null, verifiedWithinMs: null, drilledWithinMs: null },
    problems: [],
    ...changes,
  };
}

/** The page at this path, as text. */
export async function pageOf(routes: readonly Route[], path: string, visit: Visit): Promise<string> {
  const reply = await replyOf(routes, path, visit);
  if (reply.kind !== 'page') throw new Error(`${path} leads to ${reply.to}`);
  return String(await reply.body);
}

export async function replyOf(routes: readonly Route[], path: string, visit: Visit): Promise<Reply> {
  const route = routes.find((one) => one.path === path);
  if (route === undefined) throw new Error(`there is no ${path}`);
  return route.handle(visit);
}
