/** What stands in blocks of pages, as far as it shows without running it. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseAllDocuments } from 'yaml';
import { readPage } from '../../scripts/site/markdown.ts';
import { parseConfig } from '../../src/cli/config/file.ts';
import { judgeBlock } from './judge-block.ts';
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

test('each block is of a kind that somebody checks, and commands stand where they are run', () => {
  const faults = [...PAGES].flatMap(([path, { blocks }]) => {
    const text = readFileSync(join(ROOT, path), 'utf8');
    return blocks.flatMap((block) => {
      const found = judgeBlock(path, text, block);
      return found === null ? [] : [`${path}:${found.line}: ${found.fault}`];
    });
  });
  assert.deepEqual(faults, []);
});

test('what nobody would check is found, with its line', () => {
  const judge = (text: string): string | null => {
    const found = judgeBlock('page.md', text, readPage(text).blocks[0]!);
    return found === null ? null : `${found.line}: ${found.fault}`;
  };
  for (const command of [
    ...[
      'eventcore list',
      '$ date',
      'PGUSER=x psql -f a.sql',
      'kubectl get pods',
      'some-tool --flag',
      'node a.mjs',
    ],
  ]) {
    assert.match(judge(`Text.\n\n    one\n    ${command}\n`)!, /^4: a command/, command);
    assert.match(judge(`\`\`\`text\n${command}\n\`\`\`\n`)!, /^2: a command/, command);
  }
  assert.match(judge('```\none\n```\n')!, /^2: a fence without a language/);
  assert.match(judge('```bash\none\n```\n')!, /^2: nobody checks bash/);
  assert.match(judge('```javascript\none\n```\n')!, /nobody checks/);
  assert.match(judge('```js\none();\n```\n')!, /no file of a page that runs/);
  assert.match(judge('```sql\nSELECT 1;\n```\n')!, /does not run with postgres/);
  for (const sound of [
    '    backups/a.zst   the events of 7 streams\n',
    '```yaml\na: 1\n```\n',
    '```console\n$ date\n```\n',
  ]) {
    assert.equal(judge(sound), null, sound);
  }
});

test('blocks of terminals can be read', () => {
  for (const { path, line, language, text } of BLOCKS) {
    if (language === 'console') assert.doesNotThrow(() => readSteps(text), `${path}:${line}`);
  }
});

test('blocks of configuration are valid, but for digests that are cut short', () => {
  const digest = `sha256:${'0'.repeat(64)}`;
  for (const { path, line, language, text } of BLOCKS) {
    if (language !== 'yaml') continue;
    const documents = parseAllDocuments(text);
    for (const { errors } of documents) assert.deepEqual(errors, [], `${path}:${line}`);
    // What has these is for Kubernetes: test/kubernetes/ judges what is deployed.
    if (documents.every((one) => one.has('apiVersion') || one.has('kind'))) continue;
    const whole = inPlace(text)
      .replaceAll(/sha256:[0-9a-f]*…/g, digest)
      .replaceAll(/\bage1…/g, RECIPIENT)
      .replaceAll(/\bed25519:…/g, SIGNER);
    assert.doesNotThrow(() => parseConfig(whole, path), `${path}:${line}`);
  }
  assert.throws(() => parseConfig('serve:\n  listens: 127.0.0.1:8321\n', 'page'));
  assert.throws(() => parseConfig(inPlace('fence: [ prayer ]\n'), 'page'));
});

const RECIPIENT = 'age1qyvttsjx048838e92z3frr7jngnfxm8zzxs5w29suxwqhdrmgsastfuq8t';
const SIGNER = 'ed25519:UtT65zcLcN7flnKsYT5vGzpAv-sH4WBueofzJNOkdww';
const SERVERS = 'servers: ["postgres://postgres@db-1.east.example.com/events"]';

/** Keys that pages show by themselves, put where they belong in a configuration. */
function inPlace(text: string): string {
  const below = (spaces: number) => text.trimEnd().replaceAll(/^/gm, ' '.repeat(spaces));
  if (/^fence:/.test(text)) {
    return `disaster:\n  regions:\n    - region: east\n      ${SERVERS}\n${below(6)}\n`;
  }
  if (/^(?:name|lease):/.test(text)) {
    return `disaster:\n${below(2)}\n  regions:\n    - { region: east, value: db-1.east.example.com., ${SERVERS} }\n`;
  }
  return text;
}

test('blocks of JSON, and of lines of it, can be read', () => {
  for (const { path, line, language, text } of BLOCKS) {
    const texts = language === 'json' ? [text] : language === 'jsonl' ? text.trimEnd().split('\n') : [];
    for (const one of texts) assert.doesNotThrow(() => JSON.parse(one), `${path}:${line}`);
  }
});
