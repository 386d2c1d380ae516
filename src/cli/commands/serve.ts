import type { Command } from 'commander';
import { makeRegistry } from '../../daemon/registry.ts';
import { openTracing } from '../../daemon/tracing.ts';
import { makeTurns } from '../../daemon/turns.ts';
import { CAPS_OF_FEW } from '../../policy/turns.ts';
import { configPath } from '../config/config.ts';
import type { CommandContext, Start } from '../context.ts';
import { helpEnd } from '../exit-codes.ts';
import { httpSettings } from '../serve/access.ts';
import { askCommands } from '../serve/ask-commands.ts';
import { serveOperations } from '../serve/command-operations.ts';
import { readAllServed, type ServedStore } from '../serve/config.ts';
import { consolePorts } from '../serve/console.ts';
import { openHttp } from '../serve/http.ts';
import { beginStore, keepReading, openVaults, type Served } from '../serve/store.ts';
import { testAlerts } from '../serve/test-alerts.ts';
import { systemClock } from '../wire.ts';

interface ServeFlags {
  readonly listen?: string;
  readonly testAlert?: true;
}

export function addServeCommand(program: Command, start: Start): void {
  program
    .command('serve')
    .argument('[config...]', 'a configuration for each store (default: that of --config)')
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

function addressOf(stores: readonly ServedStore[]): string {
  return stores.find(({ settings }) => settings.serve.listen !== undefined)?.settings.serve.listen ?? LISTEN;
}

async function readNamed(context: CommandContext, files: readonly string[]): Promise<ServedStore[]> {
  return readAllServed(context, files.length > 0 ? files : [configPath(context).path]);
}

async function testNotifiers(context: CommandContext, files: readonly string[]): Promise<number> {
  const stores = await readNamed(context, files);
  return testAlerts(
    context,
    stores.map(({ name, settings }) => ({ store: name, settings })),
  );
}

async function serve(
  given: CommandContext,
  files: readonly string[],
  { listen }: ServeFlags,
): Promise<number> {
  const context = { ...given, log: await given.serviceLog() };
  const { log } = context;
  const stores = await readNamed(context, files);
  const registry = makeRegistry();
  const services: Served[] = [];
  const questions = askCommands(
    context,
    (store) => services.find(({ name }) => name === store)?.file ?? null,
  );
  const operations = serveOperations(context);
  const tracing = await openTracing(context.software);
  const shared = {
    registry,
    turns: makeTurns(CAPS_OF_FEW, systemClock.now),
    tracing,
    forget: questions.forget,
  };
  const address = listen ?? addressOf(stores);
  const server = await openHttp({
    address,
    settings: httpSettings(stores.map(({ settings }) => settings)),
    ...{ registry, log, stores: () => services.map(({ status }) => status.view()) },
    queues: () => [
      { name: 'questions', waiting: questions.waiting() },
      { name: 'operations', waiting: operations.waiting() },
      { name: 'jobs', waiting: shared.turns.waiting() },
    ],
    ports: consolePorts(context, { services, registry, questions, operations }),
  });
  const take = (changed: ServedStore): void => {
    const read = services.map(({ current }) => (current.name === changed.name ? changed : current));
    server.configure(httpSettings(read.map(({ settings }) => settings)));
    const wanted = listen ?? addressOf(read);
    if (wanted !== address)
      log.error(`\`serve.listen\` is ${wanted} now, and ${address} until the daemon is started anew`);
  };
  try {
    const vaults = await openVaults(context, stores);
    for (const [i, vault] of vaults.entries()) {
      services.push(await beginStore(context, stores[i]!, { ...shared, vault }));
    }
    log.info(`serving ${services.map(({ name }) => name).join(', ')}`, { listen: server.address });
    await Promise.all(services.map((_, index) => keepReading(context, { services, index, shared, take })));
  } finally {
    await Promise.all([operations.stop(), ...services.map((service) => service.stop())]);
    await server.close();
  }
  return 0;
}
