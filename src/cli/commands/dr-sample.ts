import type { Command } from 'commander';
import { throwIfAborted } from '../../core/errors.ts';
import { formatDuration, plural, printable } from '../../core/units.ts';
import { type SampledVault, type SampleRound, sampleOn, sampleOnce } from '../../disaster/sampler.ts';
import { openOnce } from '../../vaults/wrappers/open-once.ts';
import { spanOfTime } from '../arguments.ts';
import { requireDisaster } from '../config/config.ts';
import type { CommandContext, Start } from '../context.ts';
import type { DisasterSettings } from '../disaster/config.ts';
import { withRegionServers } from '../disaster/servers.ts';
import { helpEnd } from '../exit-codes.ts';
import { openVault, systemClock } from '../wire.ts';

interface SampleFlags {
  readonly once?: true;
  readonly interval?: number;
}

const INTERVAL_MS = 5000;

export function addDrSampleCommand(dr: Command, start: Start): void {
  const done = { rounds: 0 };
  dr.command('sample')
    .description(
      'write down, in the vaults of the other regions, where the primary stands: what would be lost is told from that',
    )
    .option('--once', 'one sample, then end')
    .option('--interval <time>', 'between two samples (default: 5s)', spanOfTime(1000, 3_600_000))
    .addHelpText(
      'after',
      `${COST}${helpEnd(
        [
          'eventcore dr sample                  # until stopped, outside the region of the primary',
          'eventcore dr sample --interval 30s',
          'eventcore dr sample --once',
        ],
        [0, 2, 5, 6, 10, 130],
      )}`,
    )
    .action((flags: SampleFlags) =>
      start(
        (context) => sample(context, flags, done),
        async () => `${plural(done.rounds, 'sample')} taken; what is in the vaults stays`,
      ),
    );
}

const COST = `
Of what was written since the newest sample no estimate knows, so the interval is how much longer a loss may be than it looks. In a bucket, each
day, every 5 s: 17,280 writes, 1,440 listings and 17,280 removals for each vault of another region; a sixth of that every 30 s. The newest 12
samples of each server are kept, none older than an hour but the newest.
`;

async function sample(
  context: CommandContext,
  flags: SampleFlags,
  done: { rounds: number },
): Promise<number> {
  const { log, output, signal } = context;
  const disaster = requireDisaster(await context.settings(), log.warn);
  if (disaster.regions.length < 2)
    log.warn('there is one region only: a sample in its own vault is lost with it, so none is written');
  return withSampledVaults(disaster, (vaults) =>
    withRegionServers(disaster, async (servers) => {
      const intervalMs = flags.interval ?? INTERVAL_MS;
      const ports = { clock: systemClock, servers, vaults, tell: (message: string) => log.warn(message) };
      const timeoutMs = disaster.probeTimeoutMs;
      if (flags.once) {
        const round = await sampleOnce(ports, { timeoutMs, signal });
        throwIfAborted(signal);
        output.document(round);
        output.account(accountOf(round));
        return exitCodeOf(round);
      }
      output.account([`Sampling every ${formatDuration(intervalMs)}; Ctrl-C stops it.`]);
      const onRound = (): void => {
        done.rounds += 1;
      };
      await sampleOn(ports, { intervalMs, timeoutMs, signal, onRound });
      output.document({ rounds: done.rounds });
      throwIfAborted(signal);
      return 0;
    }),
  );
}

function accountOf({ samples, written }: SampleRound): string[] {
  return samples.map(
    ({ server, timeline, position, sampledAt }) =>
      `${sampledAt}  ${printable(server)} on timeline ${timeline} at ${position}, written into ${plural(written, 'vault')}`,
  );
}

function exitCodeOf({ samples, written, failed }: SampleRound): number {
  if (samples.length === 0) return 5;
  if (failed === 0) return 0;
  return written === 0 ? 6 : 10;
}

/** Those of regions: copies and archives that the policy names beside them get none. */
async function withSampledVaults<Result>(
  { vaults }: DisasterSettings,
  work: (vaults: readonly SampledVault[]) => Promise<Result>,
): Promise<Result> {
  const places = vaults
    .filter(({ keepsJournal }) => keepsJournal)
    .map(({ region, address }) => ({ region, vault: openOnce(openVault(address)) }));
  try {
    return await work(places);
  } finally {
    await Promise.all(places.map(({ vault }) => vault.close()));
  }
}
