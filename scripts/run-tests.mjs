/**
 * node scripts/run-tests.mjs unit|int|long [part of a path] [more options of node --test]
 *
 * Runs the unit tests (*.test.ts), the integration tests (*.int.test.ts), or those that take long (*.long.test.ts) under test/, all
 * or those whose path has the given part. Fails when there is none.
 */
import { spawnSync } from 'node:child_process';
import { globSync } from 'node:fs';
import { resolve } from 'node:path';
import process from 'node:process';

/** For one test; and for all, since node --test waits for ever for a file that leaves something running. */
const TIMEOUT_MS = { unit: 60_000, int: 300_000, long: 300_000 };
const TOTAL_TIMEOUT_MS = { unit: 10 * 60_000, int: 40 * 60_000, long: 40 * 60_000 };
/** Files at a time, for two processors: some wait, for servers or for time to pass. */
const CONCURRENCY = { unit: 3, int: 3, long: 2 };

const [kind, ...rest] = process.argv.slice(2);
if (!Object.hasOwn(CONCURRENCY, kind ?? '')) {
  console.error('usage: node scripts/run-tests.mjs unit|int|long [part of a path] [options of node --test]');
  process.exit(2);
}
const options = rest.filter((argument) => argument.startsWith('--'));
const part = rest.find((argument) => !argument.startsWith('--')) ?? '';

const files = globSync('test/**/*.test.ts')
  .filter((path) => kindOf(path) === kind && path.includes(part))
  .sort();
if (files.length === 0) {
  console.error(`no ${kind} test under test/ has "${part}" in its path`);
  process.exit(1);
}

/** Hundreds of processes load the same modules: what the first of them compiled serves the others, and the commands that tests start. */
const NODE_COMPILE_CACHE = process.env.NODE_COMPILE_CACHE ?? 'node_modules/.cache/node-compile';

const { status, error } = spawnSync(
  process.execPath,
  [
    '--test',
    '--test-reporter=spec',
    `--test-concurrency=${CONCURRENCY[kind]}`,
    `--test-timeout=${TIMEOUT_MS[kind]}`,
    ...options,
    ...files,
  ],
  // The runner, ended, ends the files that still run and names them.
  {
    ...{ stdio: 'inherit', timeout: TOTAL_TIMEOUT_MS[kind], killSignal: 'SIGTERM' },
    env: { ...process.env, NODE_COMPILE_CACHE: resolve(NODE_COMPILE_CACHE) },
  },
);
if (error !== undefined) console.error(`the ${kind} tests did not end by themselves: ${error.message}`);
process.exit(error === undefined ? (status ?? 1) : 1);

function kindOf(path) {
  return /\.(int|long)\.test\.ts$/.exec(path)?.[1] ?? 'unit';
}
