/** What stands in blocks of pages, as far as it shows without running it. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseConfig } from '../../src/cli/config/file.ts';
import { findStale } from './not-run.ts';
import { PAGES, ROOT } from './pages.ts';
import { readFixtures } from './run-page.ts';
import { readSteps } from './transcript.ts';

const BLOCKS = [...PAGES].flatMap(([path, { blocks }]) => blocks.map((block) => ({ path, ...block })));

test('what is not run is still there', () => {
  assert.deepEqual(findStale(PAGES), []);
});

test('pages ask for fixtures that there are', () => {
  for (const path of PAGES.keys()) readFixtures(path, readFileSync(join(ROOT, path), 'utf8'));
});

test('blocks of terminals can be read', () => {
  for (const { path, line, language, text } of BLOCKS) {
    if (language === 'console') assert.doesNotThrow(() => readSteps(text), `${path}:${line}`);
  }
});

test('blocks of configuration are valid, but for digests that are cut short', () => {
  const digest = `sha256:${'0'.repeat(64)}`;
  for (const { path, line, language, text } of BLOCKS) {
    // What has these is for Kubernetes: test/kubernetes/ judges it.
    if (language !== 'yaml' || /^(?:apiVersion|kind):/m.test(text)) continue;
    const whole = text.replaceAll(/sha256:[0-9a-f]*…/g, digest);
    assert.doesNotThrow(() => parseConfig(whole, path), `${path}:${line}`);
  }
  assert.throws(() => parseConfig('serve:\n  listens: 127.0.0.1:8321\n', 'page'));
});

test('blocks of JSON can be read', () => {
  for (const { path, line, language, text } of BLOCKS) {
    if (language === 'json') assert.doesNotThrow(() => JSON.parse(text), `${path}:${line}`);
  }
});
