/**
 * npm run laboratory -- [--seeds 3] [--events 60000] [--only WORDS] [--write]
 *
 * Does all kinds of damage, and says of each how it was found: on which rung, after how many runs of the monitor at samples of 1, 5 and 20 %
 * (the median over seeds), how long one look at all takes, and what the repair does. `--write` puts the tables into docs/laboratory.md.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { openStore, openVault } from '../../src/cli/wire.ts';
import { BUILT_IN_CHECKS } from '../../src/integrity/checks/built-in.ts';
import { lookAtStore } from '../../src/integrity/monitor/look.ts';
import { startPostgres } from '../harness/postgres.ts';
import { startS3Server } from '../harness/s3-server/server.ts';
import type { Damage, Expectation } from './damage.ts';
import { EVENT_DAMAGE } from './store/events.ts';
import { POSTGRES_CATALOG_DAMAGE } from './store/postgres-catalog.ts';
import { POSTGRES_FILE_DAMAGE } from './store/postgres-files.ts';
import {
  makePostgresOriginal,
  makeSqliteOriginal,
  type StoreOriginal,
  type StoreSpecimen,
} from './store/specimen.ts';
import { SQLITE_DAMAGE } from './store/sqlite.ts';
import { BUCKET_DAMAGE } from './vault/bucket.ts';
import { FILE_DAMAGE } from './vault/files.ts';
import { LOG_DAMAGE } from './vault/log.ts';
import { verify } from './vault/look.ts';
import { MANIFEST_DAMAGE } from './vault/manifests.ts';
import { SEALED_DAMAGE } from './vault/sealed.ts';
import { copyOriginal, copyToBucket, makeOriginal, type VaultSpecimen } from './vault/specimen.ts';

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '3' },
    events: { type: 'string', default: '60000' },
    only: { type: 'string', default: '' },
    write: { type: 'boolean', default: false },
  },
});
const [SEEDS, EVENTS] = [Number(values.seeds), Number(values.events)];
const SAMPLES = [1, 5, 20];
const PAGE = join(import.meta.dirname, '../../docs/laboratory.md');

interface Row {
  readonly name: string;
  readonly expect: Expectation;
  /** In the order of the samples; of a vault whether `--quick` finds it. */
  readonly cells: readonly string[];
}

/** Runs until the damage is found; null where a whole sweep does not find it. */
async function runsUntilFound(
  { address }: StoreSpecimen,
  vaultPath: string,
  expected: readonly string[],
  { percentage, seed }: { percentage: number; seed: number },
): Promise<{ runs: number; lastMs: number } | null> {
  const store = await openStore(address);
  const vault = openVault(vaultPath);
  await vault.open({ create: false });
  const ports = {
    ...{ store, vault, keys: null, nowMs: Date.now, randomSeed: () => seed * 7919 },
    ...{ checks: BUILT_IN_CHECKS, pace: async () => {} },
  };
  const options = {
    ...{ percentage, statementTimeoutMs: 60_000, maxReplicationLagMs: 60_000, clockToleranceMs: 300_000 },
    ...{ requiredMetadata: ['correlationId'], also: [] },
  };
  let sweep: object | null = null;
  try {
    for (let runs = 1; runs <= Math.ceil(100 / percentage) + 1; runs += 1) {
      const begunMs = performance.now();
      const look = await lookAtStore(ports, sweep, options);
      const lastMs = performance.now() - begunMs;
      if (look.findings.some(({ check }) => expected.includes(check))) return { runs, lastMs };
      sweep = look.endSweep([]);
    }
    return null;
  } finally {
    await vault.close();
    await store.close();
  }
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[numbers.length >> 1]!;
}

async function storeRows(original: StoreOriginal, kinds: readonly Damage<StoreSpecimen>[]): Promise<Row[]> {
  const rows: Row[] = [];
  for (const { name, does, expect } of kinds.filter((kind) => kind.name.includes(values.only))) {
    const specimen = await original.copy();
    await does(specimen);
    const look = (percentage: number, seed: number) =>
      runsUntilFound(specimen, join(original.folder, 'vault'), expect.reports, { percentage, seed });
    const all = await look(100, 1);
    const cells: string[] = [all === null ? 'not found' : `${Math.round(all.lastMs)} ms`];
    for (const percentage of SAMPLES) {
      const found: (number | null)[] = [];
      for (let seed = 1; seed <= SEEDS; seed += 1) found.push((await look(percentage, seed))?.runs ?? null);
      const runs = found.filter((number) => number !== null);
      cells.push(runs.length < SEEDS ? `not in ${SEEDS - runs.length} of ${SEEDS}` : String(median(runs)));
    }
    console.log(`${original.kind}  ${name}: ${cells.join(', ')}`);
    rows.push({ name, expect, cells });
  }
  return rows;
}

async function vaultRows(
  kinds: readonly Damage<VaultSpecimen>[],
  make: () => Promise<VaultSpecimen>,
): Promise<Row[]> {
  const rows: Row[] = [];
  for (const { name, does, expect } of kinds.filter((kind) => kind.name.includes(values.only))) {
    const specimen = await make();
    await does(specimen);
    const quick = await verify(specimen, '--quick');
    const begunMs = performance.now();
    await verify(specimen);
    const cells = [quick.isSound ? 'no' : 'yes', `${Math.round(performance.now() - begunMs)} ms`];
    await specimen.close();
    console.log(`vault  ${name}: ${cells.join(', ')}`);
    rows.push({ name, expect, cells });
  }
  return rows;
}

function repairText({ repair, differs }: Expectation): string {
  if (repair.outcome === 'harmless') return `harmless: ${repair.why}`;
  if (repair.outcome === 'refused') {
    const done = repair.butDoes === undefined ? '' : ` (${repair.butDoes})`;
    return `refused${done}; ${repair.wayOut}`;
  }
  return `${repair.by}${differs === undefined ? '' : `; not as it was: ${differs}`}`;
}

function table(head: readonly string[], rows: readonly Row[]): string {
  const lines = rows.map(({ name, expect, cells }) => {
    const found = [...new Set(expect.reports.map((report) => report.replace(/^\w+: /, '')))];
    const by =
      expect.rung === null ? '—' : `${expect.rung}: ${found.map((code) => `\`${code}\``).join(', ')}`;
    return `| ${[name, by, ...cells, repairText(expect)].join(' | ')} |`;
  });
  return [`| ${head.join(' | ')} |`, `|${'---|'.repeat(head.length)}`, ...lines].join('\n');
}

async function main(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'eventcore-laboratory-'));
  const server = await startPostgres({ withoutChecksums: true });
  const s3 = await startS3Server();
  process.env.AWS_ACCESS_KEY_ID = s3.accessKeyId;
  process.env.AWS_SECRET_ACCESS_KEY = s3.secretAccessKey;
  try {
    const plain = await makeOriginal(join(folder, 'plain'), false);
    const sealed = await makeOriginal(join(folder, 'sealed'), true);
    let made = 0;
    const next = (): string => {
      made += 1;
      return join(folder, `vault-${made}`);
    };
    const bucket = () => copyToBucket(plain, next(), { server: s3, bucket: `bucket-${made}` });
    const vaults = [
      ...(await vaultRows([...FILE_DAMAGE, ...MANIFEST_DAMAGE, ...LOG_DAMAGE], () =>
        copyOriginal(plain, next()),
      )),
      ...(await vaultRows(SEALED_DAMAGE, () => copyOriginal(sealed, next()))),
      ...(await vaultRows(BUCKET_DAMAGE, bucket)),
    ];
    const options = (name: string) => ({ folder: join(folder, name), bulkEvents: EVENTS });
    const postgres = await makePostgresOriginal(server, options('postgres'));
    const kinds = [...EVENT_DAMAGE, ...POSTGRES_CATALOG_DAMAGE, ...POSTGRES_FILE_DAMAGE];
    const inPostgres = await storeRows(postgres, kinds);
    const inSqlite = await storeRows(await makeSqliteOriginal(options('sqlite')), SQLITE_DAMAGE);
    const storeHead = [
      'damage',
      'found by',
      'all at once',
      ...SAMPLES.map((p) => `runs at ${p} %`),
      'repair',
    ];
    write([
      ['vaults', table(['damage', 'found by', '`--quick`', 'time', 'repair'], vaults)],
      ['postgres', table(storeHead, inPostgres)],
      ['sqlite', table(storeHead, inSqlite)],
    ]);
  } finally {
    await s3.stop();
    await server.stop();
    rmSync(folder, { recursive: true });
  }
}

/** Between the marks of the page. */
function write(tables: readonly (readonly [string, string])[]): void {
  let page = readFileSync(PAGE, 'utf8');
  for (const [name, text] of tables) {
    console.log(`\n${text}`);
    const [begin, end] = [`<!-- ${name} -->`, `<!-- end of ${name} -->`];
    const [from, to] = [page.indexOf(begin), page.indexOf(end)];
    if (from === -1 || to === -1) throw new Error(`docs/laboratory.md has no ${begin}`);
    page = `${page.slice(0, from + begin.length)}\n${text}\n${page.slice(to)}`;
  }
  if (values.write) writeFileSync(PAGE, page);
}

await main();
