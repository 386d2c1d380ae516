import { hostname } from 'node:os';
import type { Command } from 'commander';
import type { Observation } from '../../core/disaster.ts';
import { printable } from '../../core/units.ts';
import { probeServers } from '../../disaster/observe.ts';
import type { ProbeDocument } from '../../disaster/vantage.ts';
import { requireDisaster } from '../config/config.ts';
import type { CommandContext, Start } from '../context.ts';
import { withRegionServers } from '../disaster/servers.ts';
import { helpEnd } from '../exit-codes.ts';

export function addDrProbeCommand(dr: Command, start: Start): void {
  dr.command('probe')
    .description('say how the servers of all regions look from this host, as a vantage point for others')
    .addHelpText(
      'after',
      helpEnd(
        [
          'eventcore dr probe',
          'eventcore dr probe --json                          # what a command in `disaster.vantages` prints',
          'ssh office.example.com eventcore dr probe --json   # as another host sees it',
        ],
        [0, 2],
      ),
    )
    .action(() => start(probe));
}

/** It is no failure of this command that a server does not answer: to say so is what it is for. */
async function probe(context: CommandContext): Promise<number> {
  const { output, log, signal } = context;
  const disaster = requireDisaster(await context.settings(), log.warn);
  const observations = await withRegionServers(disaster, (servers) =>
    probeServers(servers, disaster.probeTimeoutMs, signal),
  );
  const document: ProbeDocument = { probeVersion: 1, host: hostname(), observations };
  output.document(document);
  output.answer(observations.map(lineOf));
  return 0;
}

function lineOf({ region, server, outcome, ms, state, reason }: Observation): string {
  const place = `${region}  ${printable(server)}  ${outcome}, ${ms} ms`;
  if (state === null) return `${place}: ${printable(reason ?? '')}`;
  const { role, timeline, position, isFenced } = state;
  return `${place}: ${role}, timeline ${timeline}, at ${position}${isFenced ? ', fenced' : ''}`;
}
