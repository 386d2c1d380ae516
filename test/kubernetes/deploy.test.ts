import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, it } from 'node:test';
import { judgePolicy } from '../../src/cli/manifests/policy.ts';
import { MANIFEST_RULES } from '../../src/kubernetes/check/finding.ts';
import { PAGES } from '../docs/pages.ts';
import { briefly, judge } from './check/judge.ts';
import { deployedFiles, ROOT } from './deployed.ts';

/** What support inside of the operator is told, since it is going away. */
const DEPRECATED = [
  'warning in_tree_removed spec.backup.barmanObjectStore',
  'warning in_tree_removed spec.method',
];

describe('manifests under deploy/', () => {
  const files = deployedFiles().filter((file) => !/kustomization\.ya?ml$/.test(file));
  const texts = Object.fromEntries(files.map((file) => [file, readFileSync(join(ROOT, file), 'utf8')]));

  it('are there', () => {
    for (const name of [
      'cluster',
      'object-store',
      'scheduled-backup',
      'two-regions/us-west-2',
      'in-tree/cluster',
    ]) {
      assert.ok(files.includes(`deploy/cloudnative-pg/${name}.yaml`), files.join(', '));
    }
  });

  it('have no fault, and nothing that is worth a look', () => {
    const findings = judge(texts, judgePolicy);
    const [old, rest] = [true, false].map((isOld) =>
      findings.filter(({ file }) => (dirname(file) === 'deploy/cloudnative-pg/in-tree') === isOld),
    );
    assert.deepEqual(rest, []);
    assert.deepEqual(old!.map(briefly).sort(), DEPRECATED);
  });

  it('of CloudNativePG are of no namespace, so that they go where they are applied', () => {
    for (const [file, text] of Object.entries(texts)) {
      if (file.startsWith('deploy/cloudnative-pg/')) assert.doesNotMatch(text, /^ *namespace:/m, file);
    }
  });
});

describe('pages', () => {
  it('have no manifests with faults, but for the one that shows them', () => {
    for (const [page, { blocks }] of PAGES) {
      for (const { text, line, language } of blocks) {
        if (language !== 'yaml' || !/^apiVersion: /m.test(text) || text.startsWith('# backup.yaml\n'))
          continue;
        const errors = judge({ [page]: text }, judgePolicy).filter(({ severity }) => severity === 'error');
        assert.deepEqual(errors, [], `${page}:${line}`);
      }
    }
  });

  it('tell all rules for manifests, in their order', () => {
    const page = readFileSync(join(ROOT, 'docs/cloudnative-pg.md'), 'utf8');
    const told = [...page.matchAll(/^\| `(\w+)` \| \S/gm)].map(([, rule]) => rule!);
    assert.deepEqual(
      told.filter((name) => name.includes('_') || name === 'policy'),
      MANIFEST_RULES.filter((name) => name.includes('_') || name === 'policy'),
    );
  });
});
