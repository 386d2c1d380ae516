/**
 * npm run dr:lab -- [--only D1] [--write]
 *
 * Disasters in a world of three regions on one machine, and `eventcore dr` that recovers from them: docs/disaster-lab.md says what is
 * measured. `--write` puts the table of a whole run there. Ends with 1 when something did not come out as it must.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { whyNoBind } from '../harness/bind.ts';
import type { Drill } from './drill.ts';
import { BREACH_DRILL, CORRUPTION_DRILL } from './drills/damage.ts';
import { ORCHESTRATOR_KILLED } from './drills/orchestrator-killed.ts';
import { PARTITION } from './drills/partition.ts';
import { PRIMARY_KILLED, SYNCHRONOUS_PRIMARY_KILLED } from './drills/primary-killed.ts';
import { PUBLIC_NAME } from './drills/public-name.ts';
import { ONLY_ARCHIVE, REGION_LOST } from './drills/region-lost.ts';
import { SWITCHOVER } from './drills/switchover.ts';
import { TWO_ORCHESTRATORS } from './drills/two-orchestrators.ts';
import { makeNetwork } from './network.ts';
import { type NamedRow, NOTHING, renderRows } from './row.ts';

const DRILLS: readonly Drill[] = [
  ...[PRIMARY_KILLED, SYNCHRONOUS_PRIMARY_KILLED, PARTITION, CORRUPTION_DRILL, BREACH_DRILL, REGION_LOST],
  ...[ONLY_ARCHIVE, ORCHESTRATOR_KILLED, TWO_ORCHESTRATORS, SWITCHOVER, PUBLIC_NAME],
];

const { values } = parseArgs({
  options: {
    only: { type: 'string', multiple: true, default: [] },
    write: { type: 'boolean', default: false },
  },
});
const PAGE = join(import.meta.dirname, '../../docs/disaster-lab.md');
const [BEGIN, END] = ['<!-- drills -->', '<!-- end of drills -->'];

async function main(): Promise<void> {
  if (whyNoBind() !== false) process.exit(1);
  const { only } = values;
  const rows: NamedRow[] = [];
  let failed = 0;
  for (const drill of DRILLS.filter(({ name }) => only.length === 0 || only.includes(name))) {
    const begunMs = performance.now();
    try {
      const row = await drill.run({ isShort: false });
      rows.push({ name: drill.name, does: drill.does, ...row });
      console.log(`${drill.name} held (${seconds(begunMs)} s): ${row.found}`);
    } catch (error) {
      failed += 1;
      const reason = error instanceof Error ? error.message.split('\n')[0]! : String(error);
      rows.push({ name: drill.name, does: drill.does, ...NOTHING, found: `**did not hold**: ${reason}` });
      console.error(`${drill.name} FAILED (${seconds(begunMs)} s): ${drill.does}\n`, error);
    }
  }
  const text = `${machine()}\n\n${renderRows(rows)}`;
  console.log(`\n${text}`);
  if (values.write && only.length === 0) write(text);
  // Whatever a drill that failed left running ends with this process.
  process.exit(failed === 0 ? 0 : 1);
}

function seconds(begunMs: number): string {
  return ((performance.now() - begunMs) / 1000).toFixed(1);
}

function machine(): string {
  const network = makeNetwork();
  network.stop();
  const [cpu] = cpus();
  const memory = Math.round(totalmem() / 2 ** 30);
  return `${cpus().length} processors (${cpu?.model.trim() ?? 'unknown'}), ${memory} GiB, Node ${process.versions.node}; regions are ${network.kind}.`;
}

/** Between the marks of the page. */
function write(text: string): void {
  const page = readFileSync(PAGE, 'utf8');
  const [from, to] = [page.indexOf(BEGIN), page.indexOf(END)];
  if (from === -1 || to === -1) throw new Error(`docs/disaster-lab.md has no ${BEGIN}`);
  writeFileSync(PAGE, `${page.slice(0, from + BEGIN.length)}\n\n${text}\n\n${page.slice(to)}`);
}

await main();
