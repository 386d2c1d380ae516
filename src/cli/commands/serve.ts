import { serve as listenWith } from '@hono/node-server';
import type { Command } from 'commander';
import { BackupError } from '../../core/errors.ts';
import type { JobEnd, JobName } from '../../core/job.ts';
import { pause } from '../../core/pause.ts';
import type { Vault } from '../../core/vault.ts';
import { makeHttp } from '../../daemon/http.ts';
import { type Lanes, makeLanes } from '../../daemon/job-loop.ts';
import { makeMetrics } from '../../daemon/metrics.ts';
import { makeRegistry, type Registry } from '../../daemon/registry.ts';
import { type StoreService, serveStore } from '../../daemon/serve-store.ts';
import type { JobNotice } from '../../policy/job-alerts.ts';
import { redactAddress } from '../address.ts';
import { configPath } from '../config.ts';
import type { CommandContext, Start } from '../context.ts';
import { helpEnd } from '../exit-codes.ts';
import { runJobCommand } from '../job-command.ts';
import { underLease } from '../leases.ts';
import { jobAlert, tellOfJob } from '../serve-alerts.ts';
import { readAllServed, reread, type ServedStore, stateOfFile } from '../serve-config.ts';
import { openVault, systemClock, systemHolder } from '../wire.ts';

interface ServeFlags {
  readonly listen?: string;
}

export function addServeCommand(program: Command, start: Start): void {
  program
    .command('serve')
    .argument('[config...]', 'a configuration for each store (default: that of --config)')
    .description('keep the schedules: backups, change log, copies, checks and drills, until stopped')
    .option('--listen <host:port>', 'for health and metrics (default: as configured, or 127.0.0.1:8321)')
    .addHelpText(
      'after',
      helpEnd(
        [
          'eventcore serve',
          'eventcore serve orders.yaml payments.yaml --listen 127.0.0.1:9000',
          'curl -s http://127.0.0.1:8321/metrics',
        ],
        [0, 1, 2, 6],
      ),
    )
    .action((files: readonly string[], flags: ServeFlags) =>
      start(
        (context) => serve(context, files, flags),
        'jobs that ran were told to stop; the next start takes them up',
      ),
    );
}

const LISTEN = '127.0.0.1:8321';
/** How often the configurations are looked at. */
const RELOAD_MS = 5000;

async function serve(
  context: CommandContext,
  files: readonly string[],
  { listen }: ServeFlags,
): Promise<number> {
  const { flags, env, cwd, log } = context;
  const named = files.length > 0 ? files : [configPath({ flags, env, cwd }).path];
  const stores = await readAllServed(context, named);
  const registry = makeRegistry();
  const lanes = makeLanes();
  const services: Served[] = [];
  const address =
    listen ?? stores.find(({ settings }) => settings.serve.listen !== undefined)?.settings.serve.listen;
  const server = await openHttp(address ?? LISTEN, registry);
  try {
    for (const store of stores) services.push(await beginStore(context, store, { registry, lanes }));
    log.info(`serving ${services.map(({ name }) => name).join(', ')}`, { listen: server.address });
    await Promise.all(services.map((service) => keepReading(context, service)));
  } finally {
    await Promise.all(services.map(({ service }) => service.stop()));
    await server.close();
    for (const { vault } of services) await vault.close();
  }
  return 0;
}

interface Served {
  readonly name: string;
  readonly file: string;
  readonly vault: Vault;
  readonly service: StoreService;
  /** Replaced when the file changes. */
  current: ServedStore;
}

async function beginStore(
  context: CommandContext,
  store: ServedStore,
  { registry, lanes }: { readonly registry: Registry; readonly lanes: Lanes },
): Promise<Served> {
  const vault = openVault(store.vault);
  await vault.open({ create: true });
  const service = serveStore({
    ...{ vault, clock: systemClock, daemon: systemHolder, software: context.software, lanes, registry },
    ...{ store: store.name, pause },
    leaseOf: (job) => underLease(vault, {}, `job-${job}`),
    runCommand: (job, signal) => runOne(context, served, job, signal),
    notify: (...told) => notify(context, served, ...told),
    onFailure: (job, failure) => context.log.warn(`${store.name}: ${job} waits: ${failure.message}`),
    onEnd: (end, trouble) => logEnd(context, store.name, end, trouble),
  });
  const served: Served = { name: store.name, file: store.file, vault, service, current: store };
  await service.change(store.jobs);
  return served;
}

function runOne(context: CommandContext, { name, current, file }: Served, job: JobName, signal: AbortSignal) {
  const { words, deadlineMs } = current.jobs.find((one) => one.name === job)!;
  context.log.info(`${name}: ${job} begins`, { command: words.join(' ') });
  const { env, cwd, log } = context;
  const onLog = (line: string): void => log.debug(`${name}: ${job}: ${line}`);
  return runJobCommand({ words, config: file, env, cwd, deadlineMs, signal, onLog });
}

function logEnd(
  { log }: CommandContext,
  name: string,
  { job, state, code, durationMs, attempt }: JobEnd,
  trouble: string | null,
): void {
  const fields = { state, ms: durationMs, attempt, code };
  if (state === 'failed')
    log.error(`${name}: ${job} failed${trouble === null ? '' : `: ${trouble}`}`, fields);
  else log.info(`${name}: ${job} ended`, fields);
}

async function notify(
  context: CommandContext,
  { name, current }: Served,
  job: JobName,
  notice: JobNotice,
  trouble: string | null,
): Promise<void> {
  const subject = redactAddress(current.settings.store ?? '');
  const alert = jobAlert({ store: name, subject, job, notice, trouble });
  await tellOfJob(context, current.settings, alert);
}

/** A configuration that cannot be read leaves the old one in force, and is told once. */
async function keepReading(context: CommandContext, served: Served): Promise<void> {
  const { signal, log } = context;
  let known = await stateOfFile(served.file);
  while (!signal.aborted) {
    await pause(RELOAD_MS, signal);
    const state = await stateOfFile(served.file);
    if (signal.aborted || state === known) continue;
    known = state;
    const read = await reread(context, served.file);
    if ('failure' in read) {
      log.error(`${served.name}: the old configuration stays in force: ${read.failure.message}`);
    } else if (read.served.vault !== served.current.vault) {
      log.error(`${served.name}: another vault: start the daemon anew for that; the old one stays in force`);
    } else {
      served.current = read.served;
      await served.service.change(read.served.jobs);
      log.info(`${served.name}: the configuration was read anew`);
    }
  }
}

interface OpenServer {
  readonly address: string;
  close(): Promise<void>;
}

const LOOPBACK = /^(::1|(::ffff:)?127\.\d+\.\d+\.\d+)$/;

/** Throws `usage` where nothing can be listened on. */
function openHttp(address: string, registry: Registry): Promise<OpenServer> {
  const split = address.lastIndexOf(':');
  const [hostname, port] = [
    address.slice(0, split).replace(/^\[|\]$/g, ''),
    Number(address.slice(split + 1)),
  ];
  const isLocal = (env: unknown): boolean =>
    LOOPBACK.test(
      (env as { incoming?: { socket?: { remoteAddress?: string } } }).incoming?.socket?.remoteAddress ?? '',
    );
  const app = makeHttp({ views: registry.views, metrics: makeMetrics(registry.views), isLocal });
  return new Promise((resolve, reject) => {
    const server = listenWith({ fetch: app.fetch, hostname, port }, () => {
      const bound = server.address();
      const shown = typeof bound === 'object' && bound !== null ? `${hostname}:${bound.port}` : address;
      resolve({ address: shown, close: () => new Promise((done) => server.close(() => done())) });
    });
    server.once('error', (cause: NodeJS.ErrnoException) =>
      reject(
        new BackupError('usage', `${address} cannot be listened on: ${cause.code ?? cause.message}`, {
          hint: 'name another with --listen host:port',
          cause,
        }),
      ),
    );
  });
}
