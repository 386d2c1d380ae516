import { assertQuestion } from '../../src/cli/serve/question-words.ts';
import type {
  Answer,
  AuditEntry,
  ConsolePorts,
  ConsoleStore,
  Operation,
  Question,
} from '../../src/console/ports.ts';
import type { Visit } from '../../src/console/route.ts';
import { answerOf } from './fixture-answers.ts';
import { NOW } from './fixture-jobs.ts';
import { STORES } from './fixture-stores.ts';

/**
 * What pages are made of, in the tests and for looking at them: five stores (well, young, with a gap in its log, with objectives that are not
 * kept, in trouble) and one with a hostile name. The same at every run.
 */

/** A question's answer, or null where another one knows. */
export type AnswerQuestion = (question: Question) => Answer | null;

/** `answer` comes before the answers that are here. */
export function makePorts({
  answer = () => null,
  ...ports
}: Partial<ConsolePorts> & { answer?: AnswerQuestion } = {}): ConsolePorts {
  return {
    stores: () => STORES,
    look: () => undefined,
    ask: async (question) => {
      assertQuestion(question.words);
      return answer(question) ?? answerOf(question);
    },
    actions: {
      runJob: () => 'asked',
      restore: () => ({ state: 'started', operationId: 'operation-1' }),
      verify: () => ({ state: 'started', operationId: 'operation-1' }),
      cancel: () => 'cancelled',
    },
    operations: () => OPERATIONS,
    audit: () => AUDIT,
    now: () => NOW,
    software: 'eventcore-backup 0.1.0',
    ...ports,
  };
}

export interface VisitParts {
  readonly ports?: ConsolePorts;
  readonly params?: Readonly<Record<string, string>>;
  readonly queries?: Readonly<Record<string, string>>;
  readonly fields?: Readonly<Record<string, string>>;
  readonly role?: 'viewer' | 'operator';
}

export function makeVisit({
  ports = makePorts(),
  params = {},
  queries = {},
  fields = {},
  role = 'operator',
}: VisitParts = {}): Visit {
  return {
    ports,
    who: { name: 'grace', role, canLogOut: true },
    formToken: 'f0rm-t0ken',
    param: (name) => params[name] ?? '',
    query: (name) => queries[name] ?? null,
    field: (name) => fields[name] ?? null,
  };
}

export function storeNamed(name: string): ConsoleStore {
  const found = STORES.find((store) => store.name === name);
  if (found === undefined) throw new Error(`no fixture is called ${name}`);
  return found;
}

const ago = (ms: number): string => new Date(NOW - ms).toISOString();

const OPERATIONS: readonly Operation[] = [
  {
    ...{
      id: 'operation-2',
      store: 'shop',
      who: 'grace',
      state: 'runs',
      endedMs: null,
      document: null,
      trouble: null,
    },
    command:
      'eventcore restore --config eventcore.shop.yaml --at 2026-11-29T10:00:00Z --to postgres://restore_login@db-7/shop_20261129',
    title: 'restore the state of 2026-11-29 10:00:00 UTC into shop_20261129',
    startedMs: NOW - 94_000,
    progress: {
      ...{ step: 'loading events', events: 1_904_112, bytes: 141_000_000 },
      ...{ totalEvents: 5_418_220, totalBytes: 401_000_000, sinceMs: NOW - 88_000, atMs: NOW - 700 },
    },
  },
  {
    ...{ id: 'operation-1', store: 'shop', who: 'alan', state: 'succeeded', progress: null, trouble: null },
    command: 'eventcore verify 5c1d9a04 --config eventcore.shop.yaml',
    title: 'verify backup 5c1d9a04',
    startedMs: NOW - 7_400_000,
    endedMs: NOW - 7_310_000,
    document: { overallValid: true },
  },
];

const AUDIT: readonly AuditEntry[] = [
  { at: ago(94_000), who: 'grace', from: '10.4.0.18', action: 'restore', subject: 'shop', outcome: 'done' },
  {
    at: ago(410_000),
    who: 'grace',
    from: '10.4.0.18',
    action: 'log_in',
    subject: 'console',
    outcome: 'done',
  },
  {
    at: ago(2_900_000),
    who: 'somebody',
    from: '10.4.9.201',
    action: 'refused',
    subject: 'GET /stores/ledger',
    outcome: 'refused',
  },
  { at: ago(7_400_000), who: 'alan', from: '10.4.0.22', action: 'verify', subject: 'shop', outcome: 'done' },
  {
    at: ago(90_000_000),
    who: 'alan',
    from: '10.4.0.22',
    action: 'run_job',
    subject: 'orders full',
    outcome: 'failed',
  },
];
