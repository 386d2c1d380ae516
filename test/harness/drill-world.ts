import assert from 'node:assert/strict';
import { cpSync, existsSync, globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DrillReport } from '../../src/drills/drill.ts';
import { type Ran, type RunHereOptions, runHere, withStoreAt } from './command.ts';

/** A store, its vault with two chains and a change log, and a replica: what a drill finds where all is well. */
export interface DrillWorld {
  readonly path: string;
  readonly store: string;
  readonly config: string;
  /** An object of a vault as a file. */
  file(vault: 'vault' | 'near', pattern: string): string;
  append(events: number, streamId?: string): Promise<void>;
  /** Runs a command with this configuration. */
  run(words: readonly string[], options?: RunHereOptions): Promise<Ran>;
  succeed(words: readonly string[]): Promise<Ran>;
  /** Runs a drill. */
  drill(words?: readonly string[], options?: RunHereOptions): Promise<DrilledWorld>;
  /** Writes the configuration anew, with these sections behind what every one has. */
  configure(sections: string): void;
  copy(): DrillWorld;
  remove(): void;
}

export type DrilledWorld = Omit<DrillReport, 'tests'> & {
  readonly code: number | null;
  readonly stderr: string;
  /** States by name. */
  readonly states: Readonly<Record<string, string>>;
  readonly failed: readonly string[];
  readonly reasons: Readonly<Record<string, string>>;
  readonly evidence: { readonly name: string } | null;
  readonly heartbeat: string | null;
};

/** In memory where there is such a place: what is tested is not how quickly a disk writes. */
const PARENT = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();

export const REGIONS = `primary: { region: here, storage: ./vault }
replicas: [{ region: near, storage: ./near }]
`;

/** `files`: secrets that `encryption` names. */
export async function makeDrillWorld(
  encryption = '',
  files: Readonly<Record<string, string>> = {},
): Promise<DrillWorld> {
  const world = worldAt(mkdtempSync(join(PARENT, 'drilled-')));
  for (const [name, text] of Object.entries(files))
    writeFileSync(join(world.path, name), text, { mode: 0o600 });
  writeFileSync(join(world.path, 'encryption'), encryption);
  world.configure(REGIONS);
  await withStoreAt(world.store, (store) => store.initialise());
  for (let stream = 0; stream < 20; stream += 1) await world.append(5, `order-${stream}`);
  await world.succeed(['archive', '--once']);
  await world.succeed(['backup', 'full']);
  await world.append(3);
  await world.succeed(['archive', '--once']);
  await world.succeed(['backup', 'full']);
  await world.append(3);
  await world.succeed(['backup', 'incremental']);
  await world.append(3);
  await world.succeed(['archive', '--once']);
  await world.succeed(['sync']);
  return world;
}

function worldAt(path: string): DrillWorld {
  const store = `sqlite:${join(path, 'events.db')}`;
  const config = join(path, 'eventcore.config.yaml');
  const run: DrillWorld['run'] = (words, options) => runHere([...words, '--config', config], options);
  const world: DrillWorld = {
    ...{ path, store, config, run },
    file: (vault, pattern) => {
      const [found] = globSync(pattern, { cwd: join(path, vault) }).sort();
      assert.ok(found !== undefined, `no ${pattern} in ${vault}`);
      return join(path, vault, found);
    },
    append: (count, streamId = 'order-0') => {
      const events = Array.from({ length: count }, (_, n) => ({ type: 'Added', data: `{"cents":${n}}` }));
      return withStoreAt(store, async (opened) => void (await opened.append([{ streamId, events }])));
    },
    succeed: async (words) => {
      const ran = await run(words);
      assert.equal(ran.code, 0, `${words.join(' ')}: ${ran.stdout}${ran.stderr}`);
      return ran;
    },
    drill: async (words = [], options = {}) =>
      drilledBy(await run(['drill', '--json', '--target', `sqlite:${path}`, ...words], options)),
    configure: (sections) => {
      const encryption = readFileSync(join(path, 'encryption'), 'utf8');
      writeFileSync(config, `store: sqlite:./events.db\nvault: ./vault\n${encryption}\n${sections}`);
    },
    copy: () => {
      const to = mkdtempSync(join(PARENT, 'drilled-'));
      cpSync(path, to, { recursive: true });
      return worldAt(to);
    },
    remove: () => rmSync(path, { recursive: true, force: true }),
  };
  return world;
}

export function drilledBy({ code, stdout, stderr }: Ran): DrilledWorld {
  assert.ok(stdout !== '', stderr);
  const { tests, ...report } = JSON.parse(stdout) as DrillReport & DrilledWorld;
  return {
    ...report,
    ...{ code, stderr },
    states: Object.fromEntries(tests.map(({ name, state }) => [name, state])),
    failed: tests.filter(({ state }) => state === 'failed').map(({ name }) => name),
    reasons: Object.fromEntries(tests.map(({ name, reason }) => [name, reason ?? ''])),
  };
}

/** Changes one bit of a file, as a bad disk does. */
export function flipBit(path: string, offset = 40): void {
  const bytes = readFileSync(path);
  bytes[offset % bytes.length]! ^= 1;
  rmSync(path);
  writeFileSync(path, bytes);
}
