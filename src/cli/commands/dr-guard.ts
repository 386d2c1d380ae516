import { createInterface } from 'node:readline';
import { type Command, Option } from 'commander';
import type { RegionServer } from '../../core/disaster-ports.ts';
import { BackupError, throwIfAborted } from '../../core/errors.ts';
import { formatDuration, printable } from '../../core/units.ts';
import { type GuardState, runGuard } from '../../disaster/guard.ts';
import { type ClosePorts, close, GUARD_MARK } from '../../disaster/guard-close.ts';
import { runWatchdog } from '../../disaster/guard-watchdog.ts';
import { within } from '../../disaster/within.ts';
import { openOnce } from '../../vaults/wrappers/open-once.ts';
import { redactAddress, resolveVaultAddress } from '../address.ts';
import { spanOfTime } from '../arguments.ts';
import type { Settings } from '../config/config.ts';
import type { CommandContext, Start } from '../context.ts';
import { startWatchdog, WATCHDOG_OPTION } from '../disaster/guard-watchdog-process.ts';
import { postmasterOf } from '../disaster/postmaster.ts';
import { helpEnd } from '../exit-codes.ts';
import { openRegionServer, openVault, systemClock, systemHolder } from '../wire.ts';

interface GuardFlags {
  readonly server: string;
  readonly dataDir?: string;
  readonly leaseVault?: string;
  readonly ttl?: number;
  readonly fence?: true;
  readonly unfence?: true;
  readonly watchdog?: true;
}

const TTL_MS = 30_000;
const LEAST_TTL_MS = 3000;
const MOST_TTL_MS = 600_000;
/** The least that one attempt to fence has when time presses. */
const FENCE_MS = 2000;
/** Where time does not press. */
const PATIENT_MS = 10_000;

export function addDrGuardCommand(dr: Command, start: Start): void {
  dr.command('guard')
    .description(
      'stand beside a server, and let it be written to only while it holds the lease of the primary',
    )
    .requiredOption('--server <address>', 'the server beside it, best by its socket, as its superuser')
    .option('--data-dir <path>', 'the server’s data directory: a server that cannot be fenced is ended then')
    .option(
      '--lease-vault <address>',
      'where the lease is (default: `disaster.lease.vault` of the configuration)',
    )
    .option(
      '--ttl <time>',
      'of the lease (default: `disaster.lease.ttl`, or 30s)',
      spanOfTime(LEAST_TTL_MS, MOST_TTL_MS),
    )
    .option(
      '--fence',
      'fence the server now and end: before it starts in earnest, and after a guard has ended',
    )
    .option(
      '--unfence',
      'take a guard’s fence back and end: the server is written to without a guard from then on',
    )
    .addOption(new Option(WATCHDOG_OPTION, 'be the second process of a guard').hideHelp())
    .addHelpText(
      'after',
      `${ABOUT}${helpEnd(
        [
          'eventcore dr guard --server "postgres:///events?host=/run/postgresql&user=postgres" --data-dir /var/lib/postgresql/15/main',
          'eventcore dr guard --server "postgres:///events?host=/run/postgresql&user=postgres" --fence',
        ],
        [0, 2, 5, 6, 9, 130],
      )}`,
    )
    .action((flags: GuardFlags) =>
      start((context) => guard(context, flags), 'the server is closed, and the lease given back'),
    );
}

const ABOUT = `
It fences first, opens when it has the lease, and fences before the lease's time is over when it cannot renew it: while its vault is away, nobody
can write. docs/guard.md says what that promises, and has the units for systemd.
`;

async function guard(context: CommandContext, flags: GuardFlags): Promise<number> {
  const settings = await context.settings();
  const server = await openRegionServer({ region: 'here', address: fullAddress(settings, flags.server) });
  try {
    const ports: ClosePorts = {
      server,
      postmaster: flags.dataDir === undefined ? null : postmasterOf(flags.dataDir),
      tell: (message) => context.log.warn(message),
    };
    if (flags.watchdog) return await watchOver(context, ports, ttlOf(settings, flags));
    if (flags.fence && flags.unfence)
      throw new BackupError('usage', '--fence and --unfence exclude one another');
    if (flags.fence) return await fenceOnce(context, ports);
    if (flags.unfence) return await unfenceOnce(context, server);
    return await standGuard(context, settings, flags, ports);
  } finally {
    await server.close();
  }
}

/** The configuration may name it with its password. */
function fullAddress({ disaster }: Settings, address: string): string {
  const all = disaster?.regions.flatMap(({ servers }) => servers.map((server) => server.address)) ?? [];
  return all.find((one) => redactAddress(one) === address) ?? address;
}

function ttlOf({ disaster }: Settings, { ttl }: GuardFlags): number {
  return ttl ?? disaster?.lease?.ttlMs ?? TTL_MS;
}

function leaseVaultOf({ disaster }: Settings, { leaseVault }: GuardFlags, { cwd }: CommandContext): string {
  const address = leaseVault === undefined ? disaster?.lease?.vault : resolveVaultAddress(leaseVault, cwd);
  if (address !== undefined) return address;
  throw new BackupError('usage', 'nothing says in which vault the lease is', {
    hint: 'write `disaster.lease: { vault: ADDRESS, ttl: 30s }` into the configuration (docs/guard.md), or pass --lease-vault',
  });
}

async function standGuard(
  context: CommandContext,
  settings: Settings,
  flags: GuardFlags,
  ports: ClosePorts,
): Promise<number> {
  const { signal, output } = context;
  const ttlMs = ttlOf(settings, flags);
  const vault = openOnce(openVault(leaseVaultOf(settings, flags, context)));
  const watchdog = startWatchdog(ports.tell);
  output.account([
    `Guarding ${printable(ports.server.address)} by a lease in ${printable(vault.address)}, for ${formatDuration(ttlMs)} at a time.`,
  ]);
  try {
    await runGuard(
      {
        ...{ ...ports, vault, clock: systemClock, holder: systemHolder, steadyMs, watchdog },
        onState: (state, text) => tellState(context, ports.server, state, text),
      },
      { ttlMs, signal },
    );
  } finally {
    await watchdog.end();
    await vault.close();
  }
  throwIfAborted(signal);
  return 0;
}

/** One clock for all processes of this host, that nobody sets. */
function steadyMs(): number {
  return Number(process.hrtime.bigint() / 1000n) / 1000;
}

const WELL: readonly GuardState[] = ['open', 'standby'];

function tellState(
  { log, output }: CommandContext,
  { address }: RegionServer,
  state: GuardState,
  text: string,
): void {
  const line = `${state}: ${text}`;
  if (WELL.includes(state)) log.info(line, { server: address, state });
  else log.warn(line, { server: address, state });
  output.account([`${new Date(systemClock.now()).toISOString()}  ${printable(line)}`]);
}

/** Ends when the guard has, and what it left open is closed: a signal that all processes of a service get must not end it before. */
async function watchOver(context: CommandContext, ports: ClosePorts, ttlMs: number): Promise<number> {
  const lines = createInterface({ input: process.stdin, crlfDelay: Number.POSITIVE_INFINITY });
  const fenceMs = Math.max(FENCE_MS, ttlMs / 12);
  await runWatchdog(
    { ...ports, lines, steadyMs, tell: (message) => context.log.warn(`watchdog: ${message}`) },
    {
      fenceMs,
      slackMs: Math.min(2000, ttlMs / 6),
    },
  );
  return 0;
}

/** It is tried some times, and not for ever: whoever starts this waits for it. A standby is not written to, and its readers stay. */
async function fenceOnce({ output, signal }: CommandContext, ports: ClosePorts): Promise<number> {
  const soon = AbortSignal.any([signal, AbortSignal.timeout(PATIENT_MS)]);
  const { server } = ports;
  const probed = await within(PATIENT_MS, signal, (own) => server.probe({ signal: own }));
  const isStandby = probed.kind === 'done' && probed.result.role === 'standby';
  if (!isStandby) {
    await close(ports, { fenceMs: PATIENT_MS, patienceMs: Number.POSITIVE_INFINITY, signal: soon });
  }
  throwIfAborted(signal);
  output.account([
    `${printable(server.address)} ${isStandby ? 'is a standby: it is left as it is' : 'lets nobody write'}.`,
  ]);
  return 0;
}

async function unfenceOnce({ output, signal }: CommandContext, server: RegionServer): Promise<number> {
  await server.unfence({
    signal: AbortSignal.any([signal, AbortSignal.timeout(PATIENT_MS)]),
    mark: GUARD_MARK,
  });
  output.account([`The guard’s fence of ${printable(server.address)} is gone; those of others stay.`]);
  return 0;
}
