import { repairPorts } from '../../src/cli/monitor/repair-ports.ts';
import { openStore, openVault } from '../../src/cli/wire.ts';
import type { EventStore } from '../../src/core/event-store.ts';
import type { RepairSession } from '../../src/core/repair.ts';
import type { RepairPlan } from '../../src/integrity/repair/plan.ts';
import { applyRepair } from '../../src/integrity/repair/repair.ts';
import { newestChain } from '../harness/chain-backup.ts';
import { found } from './repair-cases.ts';

/** A process that carries out the plan `argv[4]` on the store `argv[2]` with the vault `argv[3]`, and dies at the step `argv[5]`. */

const [address, folder, planText, dyingAt] = process.argv.slice(2) as [string, string, string, string];

function passing(step: string): void {
  if (step === dyingAt) process.kill(process.pid, 'SIGKILL');
}

let sessions = 0;

function watched(store: EventStore): EventStore {
  return {
    ...store,
    openRepair: async (options) => {
      const session = await store.openRepair(options);
      sessions += 1;
      passing(`opened ${sessions}`);
      return watchedSession(session, sessions);
    },
    openMerge: async (options) => {
      passing('before the merge');
      const session = await store.openMerge(options);
      return {
        ...session,
        publish: async () => {
          const added = await session.publish();
          passing('merged');
          return added;
        },
      };
    },
  };
}

function watchedSession(session: RepairSession, number: number): RepairSession {
  return {
    ...session,
    putBack: async (batch, reason) => {
      const counts = await session.putBack(batch, reason);
      passing('put back');
      return counts;
    },
    execute: async (statements, kind) => {
      await session.execute(statements, kind);
      passing('executed');
    },
    publish: async () => {
      await session.publish();
      passing(`published ${number}`);
    },
  };
}

const store = watched(await openStore(address));
const vault = openVault(folder);
await vault.open({ create: false });
const plan = JSON.parse(planText) as RepairPlan;
const ahead = plan.steps.flatMap((step) =>
  'object' in step ? [found('', step.kind, { streamId: null, object: step.object })] : [],
);
const ports = repairPorts(store, vault, await newestChain(vault), async () => ahead);
const result = await applyRepair(ports, plan, { software: 'child' });
process.stdout.write(result.steps.map(({ outcome }) => outcome).join(' '));
process.exit(0);
