import {
  type EventBytes,
  findCost,
  type StepCost,
  serialSeconds,
  type Work,
  type WorkCost,
} from './costs.ts';
import { S3_REQUESTS_PER_SECOND } from './prices.ts';
import type { Demand, Resource } from './shares.ts';
import { type Job, makeRandom, type Place } from './simulate.ts';

/** Stores of PostgreSQL, backed up, verified or restored by workers on many hosts: as jobs, and what they share. Pure. */

export interface Fleet {
  readonly name: string;
  readonly stores: number;
  /** Of one store, as PostgreSQL sends its events. */
  readonly storeBytes: number;
  /** The stores are spread over so many servers. */
  readonly servers: number;
  readonly server: { readonly processors: number; readonly bytesPerSecond: number };
  readonly hosts: number;
  readonly host: { readonly processors: number; readonly bytesPerSecond: number };
  /** In all; spread over the hosts. */
  readonly workers: number;
  readonly vault: {
    readonly bytesPerSecond: number;
    readonly putsPerSecond: number;
    readonly getsPerSecond: number;
  };
  /** Seconds until an answer of the vault begins, and until the queue has given a job and taken its result. */
  readonly requestSeconds: number;
  readonly jobSeconds: number;
  /** What results of jobs may go through the queue's database in a second. */
  readonly queueBytesPerSecond: number;
  /** Of the process that coordinates; all stores' together. */
  readonly coordinatorProcessors: number;
  readonly rangeBytes: number;
  /** Jobs on one store at the same time. */
  readonly perStore: number;
  readonly seed: number;
}

const GIGABIT = 125e6;

/** What all questions have in common: a host of four processors has a line of 10 Gbit/s, a server of sixteen one of 25. */
const COMMON = {
  server: { processors: 16, bytesPerSecond: 25 * GIGABIT },
  hosts: 100,
  host: { processors: 4, bytesPerSecond: 10 * GIGABIT },
  workers: 400,
  // A bucket gives what one asks for; its requests are counted by the prefix, and a vault is one.
  vault: {
    bytesPerSecond: 800 * GIGABIT,
    putsPerSecond: S3_REQUESTS_PER_SECOND.puts,
    getsPerSecond: S3_REQUESTS_PER_SECOND.gets,
  },
  ...{ requestSeconds: 0.03, jobSeconds: 0.5, queueBytesPerSecond: 200e6, coordinatorProcessors: 16 },
  ...{ rangeBytes: 256 * 2 ** 20, perStore: 64, seed: 14 },
};

/** A store of 10 TB is one server's; a thousand of 10 GB are ten on each of a hundred. */
export const ONE_STORE: Fleet = {
  ...COMMON,
  name: 'one store of 10 TB',
  stores: 1,
  storeBytes: 10e12,
  servers: 1,
  perStore: 400,
};
export const MANY_STORES: Fleet = {
  ...COMMON,
  ...{ name: '1,000 stores of 10 GB', stores: 1000, storeBytes: 10e9, servers: 100 },
  server: { processors: 4, bytesPerSecond: 10 * GIGABIT },
  coordinatorProcessors: 100,
  // So that the jobs that are given out are of many servers.
  perStore: 4,
};

/**
 * A tenth of everything, where everything is there ten times: it takes as long, and is quicker to simulate. `times`: how often it is there.
 */
export function sliceOf(fleet: Fleet): { readonly slice: Fleet; readonly times: number } {
  const counts = [fleet.stores, fleet.servers, fleet.hosts, fleet.workers];
  if (counts.some((count) => count % TENTH !== 0)) return { slice: fleet, times: 1 };
  const { vault } = fleet;
  const slice: Fleet = {
    ...fleet,
    ...{ stores: fleet.stores / TENTH, servers: fleet.servers / TENTH, hosts: fleet.hosts / TENTH },
    workers: fleet.workers / TENTH,
    vault: {
      bytesPerSecond: vault.bytesPerSecond / TENTH,
      putsPerSecond: vault.putsPerSecond / TENTH,
      getsPerSecond: vault.getsPerSecond / TENTH,
    },
    queueBytesPerSecond: fleet.queueBytesPerSecond / TENTH,
    coordinatorProcessors: fleet.coordinatorProcessors / TENTH,
  };
  return { slice, times: TENTH };
}

const TENTH = 10;

/** Files of a backup are at most so many. */
const MAX_RANGES = 10_000;
const PART_BYTES = 8 * 2 ** 20;
const WINDOW_BYTES = 4 * 2 ** 20;
/** Of an event file beside its bytes: begun and completed, its chunk table, looks whether they are there. */
const PUTS_PER_FILE = 3;
const GETS_PER_FILE = 3;
/** What a worker reports of a stream: its name, versions, count, last event; compressed, as it goes through the queue. Measured. */
const RESULT_BYTES_PER_STREAM = 25;
const EVENTS_PER_STREAM = 20;
/** A range is so much larger or smaller than others: rows are not spread evenly. */
const UNEVEN = 0.2;

/** Numbers of what all share; behind them each server has two, then each host. */
const VAULT_BYTES = 0;
const PUTS = 1;
const GETS = 2;
const QUEUE = 3;
const COORDINATORS = 4;
const FIRST_SERVER = 5;

export const KINDS = {
  vaultBytes: "the vault's line",
  puts: 'requests that write',
  gets: 'requests that read',
  queue: "the queue's database",
  coordinator: "the coordinator's processors",
  serverProcessor: "the server's processors",
  serverLine: 'what the server sends',
  hostProcessor: "the workers' processors",
  hostLine: "the workers' lines",
} as const;

export function placeOf(fleet: Fleet): Place {
  const shared: Resource[] = [
    { name: 'vault', kind: KINDS.vaultBytes, perSecond: fleet.vault.bytesPerSecond },
    { name: 'puts', kind: KINDS.puts, perSecond: fleet.vault.putsPerSecond },
    { name: 'gets', kind: KINDS.gets, perSecond: fleet.vault.getsPerSecond },
    { name: 'queue', kind: KINDS.queue, perSecond: fleet.queueBytesPerSecond },
    { name: 'coordinators', kind: KINDS.coordinator, perSecond: fleet.coordinatorProcessors },
  ];
  const pairs = (count: number, what: Fleet['host'], kinds: readonly [string, string]): Resource[] =>
    Array.from({ length: count }, (_, i) => [
      { name: `${kinds[0]} ${i}`, kind: kinds[0], perSecond: what.processors },
      { name: `${kinds[1]} ${i}`, kind: kinds[1], perSecond: what.bytesPerSecond },
    ]).flat();
  const servers = pairs(fleet.servers, fleet.server, [KINDS.serverProcessor, KINDS.serverLine]);
  const hosts = pairs(fleet.hosts, fleet.host, [KINDS.hostProcessor, KINDS.hostLine]);
  const firstHost = FIRST_SERVER + servers.length;
  const workers = Array.from({ length: fleet.workers }, (_, worker) => {
    const processor = firstHost + 2 * (worker % fleet.hosts);
    return { processor, network: processor + 1 };
  });
  return { resources: [...shared, ...servers, ...hosts], workers, perGroup: fleet.perStore };
}

export interface FleetCosts {
  readonly costs: readonly WorkCost[];
  readonly bytes: EventBytes;
  /** How much more the server takes for an event that it reads by blocks, from a table that has no room in its memory. */
  readonly largeRead: number;
  /** How much more an event takes to restore where the store is larger than what was calibrated, and than memory. */
  readonly largeRestore: number;
}

export interface Planned {
  readonly jobs: readonly Job[];
  readonly puts: number;
  readonly gets: number;
  readonly movedBytes: number;
  readonly storedBytes: number;
  readonly events: number;
}

/** All stores of a fleet, in the order in which the queue gives out their jobs. */
export function planFleet(fleet: Fleet, work: Work, about: FleetCosts): Planned {
  const random = makeRandom(fleet.seed);
  const jobs: Job[] = [];
  const total = { puts: 0, gets: 0, movedBytes: 0, storedBytes: 0, events: 0 };
  for (let store = 0; store < fleet.stores; store += 1) {
    const planned = planStore({ fleet, store, random, about }, work);
    for (const job of planned.jobs) jobs.push(job);
    for (const key of Object.keys(total) as (keyof typeof total)[]) total[key] += planned[key];
  }
  return { jobs, ...total };
}

interface Planning {
  readonly fleet: Fleet;
  readonly store: number;
  readonly random: () => number;
  readonly about: FleetCosts;
}

function planStore(planning: Planning, work: Work): Planned {
  const { fleet, random, about } = planning;
  const events = fleet.storeBytes / about.bytes.sent;
  const files = Math.min(MAX_RANGES, Math.max(1, Math.ceil(fleet.storeBytes / fleet.rangeBytes)));
  const weights = Array.from({ length: files }, () => 1 + UNEVEN * (2 * random() - 1));
  const weight = weights.reduce((sum, one) => sum + one, 0);
  const parts = weights.map((one) => (events * one) / weight);
  const storedBytes = events * about.bytes.stored;
  const puts = files * PUTS_PER_FILE + storedBytes / PART_BYTES;
  const gets = files * GETS_PER_FILE + storedBytes / WINDOW_BYTES;
  const planned: PlannedStore = { ...planning, events, parts, puts: puts / events, gets: gets / events };
  const jobs = { backup: backupJobs, verify: verifyJobs, restore: restoreJobs }[work](planned);
  const isReading = work !== 'backup';
  return {
    ...{ jobs, storedBytes, events, puts: isReading ? 0 : puts, gets },
    movedBytes: work === 'verify' ? 0 : fleet.storeBytes,
  };
}

interface PlannedStore extends Planning {
  readonly events: number;
  /** Events of each file. */
  readonly parts: readonly number[];
  /** Requests for an event. */
  readonly puts: number;
  readonly gets: number;
}

/** Read, written and merged; then read back and compared. */
function backupJobs(store: PlannedStore): Job[] {
  const { fleet, about, parts, puts } = store;
  const cost = findCost(about.costs, 'backup', 'postgres');
  const [start, read, check] = ['start', 'reading events', 'verifying'].map((name) => stepOf(cost, name)) as [
    StepCost,
    StepCost,
    StepCost,
  ];
  const { sent, stored } = about.bytes;
  const client = read.two.client.perEvent - serialSeconds(read);
  const server = read.two.server.perEvent * about.largeRead;
  const demand: Demand = [
    ...[[serverOf(store), server] as const, [serverOf(store) + 1, sent] as const],
    ...[
      [VAULT_BYTES, stored] as const,
      [PUTS, puts] as const,
      [QUEUE, RESULT_BYTES_PER_STREAM / EVENTS_PER_STREAM] as const,
    ],
  ];
  const hostDemand = { processor: client, network: sent + stored };
  const reads = parts.map((units) =>
    jobOf(store, 1, {
      units,
      demand,
      hostDemand,
      secondsPerUnit: Math.max(client, server),
      beginSeconds: fileSeconds(fleet),
    }),
  );
  return [
    alone(store, 0, start.two.wall.fixed),
    ...reads,
    coordinated(store, 2, read),
    ...checks(store, 3, check),
    coordinated(store, 4, check),
  ];
}

function verifyJobs(store: PlannedStore): Job[] {
  const cost = findCost(store.about.costs, 'verify', 'postgres');
  const step = stepOf(cost, 'verifying');
  const start = stepOf(cost, 'start').two.wall.fixed;
  return [alone(store, 0, start), ...checks(store, 1, step), coordinated(store, 2, step)];
}

/** Loaded by workers; indexed, summed up and published by the server. */
function restoreJobs(store: PlannedStore): Job[] {
  const { fleet, about, events, parts, gets } = store;
  const cost = findCost(about.costs, 'restore', 'postgres');
  const [start, load, index, publish] = ['start', 'loading events', 'building indexes', 'publishing'].map(
    (name) => stepOf(cost, name),
  ) as [StepCost, StepCost, StepCost, StepCost];
  const { sent, stored } = about.bytes;
  const server = load.two.server.perEvent * about.largeRestore;
  const processor = load.two.client.perEvent;
  const demand: Demand = [
    ...[[serverOf(store), server] as const, [serverOf(store) + 1, sent] as const],
    ...[[VAULT_BYTES, stored] as const, [GETS, gets] as const],
  ];
  const loads = parts.map((units) =>
    jobOf(store, 1, {
      ...{
        units,
        demand,
        hostDemand: { processor, network: sent + stored },
        beginSeconds: fileSeconds(fleet),
      },
      secondsPerUnit: Math.max(load.two.wall.perEvent, server, processor),
    }),
  );
  const ofServer = (index.two.server.perEvent * about.largeRestore) / INDEXES;
  const indexes = Array.from({ length: INDEXES }, () =>
    jobOf(store, 2, {
      ...{ units: events, demand: [[serverOf(store), ofServer]], needsWorker: false },
      secondsPerUnit: Math.max(index.two.wall.perEvent * about.largeRestore, ofServer),
    }),
  );
  return [
    alone(store, 0, start.two.wall.fixed),
    ...loads,
    ...indexes,
    alone(store, 3, publish.two.wall.fixed),
  ];
}

const INDEXES = 4;

function checks(store: PlannedStore, stage: number, step: StepCost): Job[] {
  const { fleet, about, parts, gets } = store;
  const processor = step.two.client.perEvent - serialSeconds(step);
  const demand: Demand = [
    [VAULT_BYTES, about.bytes.stored],
    [GETS, gets],
    [QUEUE, RESULT_BYTES_PER_STREAM / EVENTS_PER_STREAM],
  ];
  const hostDemand = { processor, network: about.bytes.stored };
  return parts.map((units) =>
    jobOf(store, stage, {
      units,
      demand,
      hostDemand,
      secondsPerUnit: processor,
      beginSeconds: fileSeconds(fleet),
    }),
  );
}

/** What of a step the coordinator alone does: it merges what workers report, and writes and compares heads. */
function coordinated(store: PlannedStore, stage: number, step: StepCost): Job {
  const secondsPerUnit = Math.max(1e-12, serialSeconds(step));
  return jobOf(store, stage, {
    ...{ units: store.events, secondsPerUnit, demand: [[COORDINATORS, secondsPerUnit]], needsWorker: false },
  });
}

/** Nobody's but its own time. */
function alone(store: PlannedStore, stage: number, beginSeconds: number): Job {
  return jobOf(store, stage, { beginSeconds, units: 0, needsWorker: false });
}

/** What a worker waits for with each file: the queue, and requests that come one after the other. */
function fileSeconds({ jobSeconds, requestSeconds }: Fleet): number {
  return jobSeconds + PUTS_PER_FILE * requestSeconds;
}

function serverOf({ fleet, store }: PlannedStore): number {
  return FIRST_SERVER + 2 * (store % fleet.servers);
}

function jobOf(store: PlannedStore, stage: number, about: Partial<Job>): Job {
  return {
    ...{ group: store.store, stage, beginSeconds: 0, units: 0, secondsPerUnit: 1, demand: [] },
    ...{ hostDemand: { processor: 0, network: 0 }, needsWorker: true, ...about },
  };
}

function stepOf(cost: WorkCost, name: string): StepCost {
  const step = cost.steps.find((one) => one.name === name);
  if (step === undefined) throw new Error(`${cost.work} has no step "${name}"`);
  return step;
}
