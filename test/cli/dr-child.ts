/** Does one thing of a recovery in a process of its own, which may be killed: dr-child FOLDER ACTION JSON. Tells what it logs. */
import { drRestorer } from '../../src/cli/disaster/restorer.ts';
import { drSalvager } from '../../src/cli/disaster/salvager.ts';
import type { RestoreRequest, Salvager } from '../../src/core/disaster-ports.ts';
import { openRecoveryWork } from '../harness/recovery-work.ts';

const [folder, action, request] = process.argv.slice(2) as [string, 'restore' | 'salvage', string];
const work = await openRecoveryWork(folder, (line) => process.stdout.write(line));
const { signal } = new AbortController();
const done =
  action === 'restore'
    ? await drRestorer(work, { waitForArchive: false }).restore(JSON.parse(request) as RestoreRequest, {
        signal,
      })
    : await drSalvager(work).salvage(JSON.parse(request) as Parameters<Salvager['salvage']>[0], { signal });
process.stdout.write(`${JSON.stringify(done)}\n`);
await work.close();
