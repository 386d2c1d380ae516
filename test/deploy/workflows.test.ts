import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { parse } from 'yaml';

const ROOT = join(import.meta.dirname, '../..');
const FOLDER = join(ROOT, '.github/workflows');

interface Step {
  readonly uses?: string;
  readonly run?: string;
}

interface Job {
  readonly permissions?: Readonly<Record<string, string>>;
  readonly 'timeout-minutes'?: number;
  readonly steps: readonly Step[];
}

interface Workflow {
  readonly on: { readonly push: { readonly tags?: readonly string[] } };
  readonly permissions?: Readonly<Record<string, string>>;
  readonly jobs: Readonly<Record<string, Job>>;
}

const workflows = new Map(
  readdirSync(FOLDER).map((name) => [name, parse(readFileSync(join(FOLDER, name), 'utf8')) as Workflow]),
);
const jobs = [...workflows].flatMap(([name, { jobs: all }]) =>
  Object.entries(all).map(([job, value]) => ({ name: `${name} ${job}`, ...value })),
);
const runs = jobs.flatMap(({ steps }) => steps.flatMap(({ run }) => (run === undefined ? [] : [run])));

describe('workflows', () => {
  it('run what there is', () => {
    const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
    const named = runs.flatMap((run) => [...run.matchAll(/npm run ([\w:-]+)/g)].map(([, script]) => script!));
    assert.ok(named.includes('release:check') && named.includes('package'));
    assert.deepEqual(
      named.filter((script) => !(script in scripts)),
      [],
    );
    assert.ok(runs.some((run) => run.includes('bash .ci/run')));
  });

  it('may do what each job needs, and end some day', () => {
    for (const [name, { permissions }] of workflows) {
      assert.deepEqual(permissions, { contents: 'read' }, name);
    }
    for (const { name, permissions = {}, 'timeout-minutes': minutes } of jobs) {
      assert.equal(permissions.contents, 'read', name);
      assert.ok(minutes !== undefined && minutes <= 60, name);
      const writes = Object.keys(permissions).filter((key) => permissions[key] === 'write');
      assert.deepEqual(name.startsWith('ci.yml') || name === 'release.yml check' ? writes : [], [], name);
    }
  });

  it('put nothing into a shell that somebody else has written', () => {
    assert.deepEqual(
      runs.filter((run) => run.includes('$' + '{{')),
      [],
    );
  });

  it('publish tags of versions alone, after the checks', () => {
    const { on, jobs: all } = workflows.get('release.yml')!;
    assert.deepEqual(on.push, { tags: ['v*'] });
    for (const job of ['package', 'image'])
      assert.equal((all[job] as Job & { needs: string }).needs, 'check');
  });

  it('name actions by a version', () => {
    const used = jobs.flatMap(({ steps }) => steps.flatMap(({ uses }) => (uses === undefined ? [] : [uses])));
    assert.deepEqual(
      used.filter((uses) => !/^[\w-]+\/[\w-]+@(v\d+|[0-9a-f]{40})$/.test(uses)),
      [],
    );
  });
});
