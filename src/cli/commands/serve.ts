import type { Command } from 'commander';
import { makeRegistry } from '../../daemon/registry.ts';
import { openTracing } from '../../daemon/tracing.ts';
import { makeTurns } from '../../daemon/turns.ts';
import { CAPS_OF_FEW, capsOfFleet, type TurnCaps } from '../../policy/turns.ts';
import { configPath, loadSettings, type Settings } from '../config/config.ts';
import type { CommandContext, Start } from '../context.ts';
import { helpEnd } from '../exit-codes.ts';
import { type FleetSettings, isFleet, requireFleet } from '../fleet/members.ts';
import { httpSettings } from '../serve/access.ts';
import { askCommands } from '../serve/ask-commands.ts';
import { serveOperations } from '../serve/command-operations.ts';
import { readAllServed, type ServedStore } from '../serve/config.ts';
import { consolePorts } from '../serve/console.ts';
import { openHttp } from '../serve/http.ts';
import { type Roster, serveFleet, serveNamed } from '../serve/roster.ts';
import { makeAskStatus } from '../serve/status.ts';
import type { Served } from '../serve/store.ts';
import { testAlerts } from '../serve/test-alerts.ts';
import { followWorkQueues } from '../serve/work-queues.ts';
import { systemClock } from '../wire.ts';

interface ServeFlags {
  readonly listen?: string;
  readonly testAlert?: true;
}

export function addServeCommand(program: Command, start: Start): void {
  program
    .command('serve')
    .argument('[config...]', 'a configuration for each store, or that of a fleet (default: that of --config)')
    .description('keep the schedules: backups, change log, copies, checks and drills, until stopped')
    .option(
      '--listen <host:port>',
      'for the console, health and metrics (default: as configured, or 127.0.0.1:8321)',
    )
    .option('--test-alert', 'serve nothing: send one alert by each notifier, and say how it went')
    .addHelpText(
      'after',
      helpEnd(
        [
          'eventcore serve',
          'eventcore serve orders.yaml payments.yaml --listen 127.0.0.1:9000',
          'eventcore serve fleet.yaml',
          'eventcore serve orders.yaml payments.yaml --test-alert',
          'curl -s http://127.0.0.1:8321/metrics',
        ],
        [0, 1, 2, 6, 8, 10],
      ),
    )
    .action((files: readonly string[], flags: ServeFlags) =>
      start(
        (context) => (flags.testAlert ? testNotifiers(context, files) : serve(context, files, flags)),
        'jobs that ran were told to stop; the next start takes them up',
      ),
    );
}

const LISTEN = '127.0.0.1:8321';
const MOST_SHOWN = 500;

function addressOf(sources: readonly Pick<Settings, 'serve'>[]): string {
  return sources.find(({ serve: { listen } }) => listen !== undefined)?.serve.listen ?? LISTEN;
}

/** What a daemon is told to serve: stores by their files, or a fleet by what its stores have in common. */
type Named =
  | { readonly fleet: FleetSettings; readonly stores: null }
  | { readonly fleet: null; readonly stores: readonly ServedStore[] };

async function readNamed(context: CommandContext, named: readonly string[]): Promise<Named> {
  const files = named.length > 0 ? named : [configPath(context).path];
  if (files.length === 1) {
    const { env, cwd, flags } = context;
    const settings = await loadSettings({ flags: { ...flags, config: files[0]! }, env, cwd });
    if (isFleet(settings)) return { fleet: requireFleet(settings, context), stores: null };
  }
  return { fleet: null, stores: await readAllServed(context, files) };
}

async function testNotifiers(context: CommandContext, files: readonly string[]): Promise<number> {
  const { fleet, stores } = await readNamed(context, files);
  const all =
    fleet === null
      ? stores.map(({ name, settings }) => ({ store: name, settings }))
      : [{ store: 'fleet', settings: fleet }];
  return testAlerts(context, all);
}

async function serve(
  given: CommandContext,
  files: readonly string[],
  { listen }: ServeFlags,
): Promise<number> {
  const context = { ...given, log: await given.serviceLog() };
  const { log } = context;
  const { fleet, stores } = await readNamed(context, files);
  const sources: readonly Settings[] = fleet === null ? stores.map(({ settings }) => settings) : [fleet];
  const registry = makeRegistry();
  let roster: Roster | null = null;
  const services = (): readonly Served[] => roster?.services() ?? [];
  const questions = askCommands(
    context,
    (store) => services().find(({ name }) => name === store)?.file ?? null,
  );
  const operations = serveOperations(context);
  const tracing = await openTracing(context.software);
  const turns = makeTurns(fleet === null ? CAPS_OF_FEW : fleetCaps(fleet), systemClock.now);
  const askStatus = makeAskStatus(() => services().length);
  const shared = { registry, turns, tracing, forget: questions.forget, askStatus };
  const address = listen ?? addressOf(sources);
  let mostShown = fleet?.fleet.metrics_stores ?? MOST_SHOWN;
  const server = await openHttp({
    ...{ address, settings: httpSettings(sources), registry, log },
    stores: () => services().map(({ status }) => status.view()),
    missing: () => roster?.missing() ?? [],
    mostShown: () => mostShown,
    queues: () => [
      { name: 'questions', waiting: questions.waiting() },
      { name: 'operations', waiting: operations.waiting() },
      { name: 'jobs', waiting: turns.waiting() },
    ],
    workQueues: followWorkQueues(context, services),
    ports: consolePorts(context, { services, registry, questions, operations }),
  });
  const take = (changed: readonly Settings[]): void => {
    server.configure(httpSettings(changed));
    const wanted = listen ?? addressOf(changed);
    if (wanted !== address)
      log.error(`\`serve.listen\` is ${wanted} now, and ${address} until the daemon is started anew`);
  };
  const takeFleet = (changed: FleetSettings): void => {
    take([changed]);
    turns.configure(fleetCaps(changed));
    mostShown = changed.fleet.metrics_stores ?? MOST_SHOWN;
  };
  try {
    roster =
      fleet === null
        ? await serveNamed(context, stores, shared, (_, read) => take(read.map(({ settings }) => settings)))
        : serveFleet(context, fleet, { shared, take: takeFleet });
    const names = fleet === null ? stores.map(({ name }) => name).join(', ') : fleet.file;
    log.info(`serving ${names}`, { listen: server.address });
    await roster.keep();
  } finally {
    await Promise.all([operations.stop(), roster?.stop()]);
    await server.close();
  }
  return 0;
}

function fleetCaps({ fleet: { at_once = {} } }: FleetSettings): TurnCaps {
  const { all = 8, per_server = 2, per_vault = all } = at_once;
  return capsOfFleet(all, per_server, per_vault);
}
