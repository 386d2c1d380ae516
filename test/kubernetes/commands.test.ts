/** Every command that a manifest or the chart would run, put to the real command line. */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { parse, parseAllDocuments } from 'yaml';
import { defineProgram } from '../../src/cli/program.ts';

const ROOT = join(import.meta.dirname, '../..');
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

interface Named {
  readonly from: string;
  readonly args: readonly string[];
}

/** All lists under `args`, however deep. */
function argsIn(value: unknown, from: string): Named[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) =>
    key === 'args' && Array.isArray(inner) ? [{ from, args: inner as string[] }] : argsIn(inner, from),
  );
}

const commands = [
  ...globSync('deploy/kubernetes/**/*.yaml', { cwd: ROOT }).flatMap((path) =>
    parseAllDocuments(read(path)).flatMap((document) => argsIn(document.toJS(), path)),
  ),
  ...argsIn(parse(read('deploy/helm/eventcore-backup/values.yaml')), 'the chart'),
];

/** Nothing runs: the program is its definition alone. */
async function parseWords(args: readonly string[]): Promise<void> {
  await (await defineProgram()).parseAsync(args, { from: 'user' });
}

describe('the commands of manifests', () => {
  it('are taken by the command line', async () => {
    assert.ok(commands.length > 15, `${commands.length}`);
    for (const { from, args } of commands)
      await assert.doesNotReject(parseWords(args), `${from}: eventcore ${args.join(' ')}`);
  });

  it('would not be if a flag or a word were wrong', async () => {
    await assert.rejects(parseWords(['prune', '--aply']), /unknown option '--aply'/);
    await assert.rejects(parseWords(['backup', 'ful']), /unknown command 'ful'/);
  });
});
