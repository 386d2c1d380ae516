import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readManifests } from '../../../src/kubernetes/check/manifest.ts';

const HEAD = 'apiVersion: v1\nkind: ConfigMap\n';

function faults(text: string): string[] {
  return readManifests(text, 'a.yaml').findings.map(
    ({ rule, document, line, message }) => `${rule} ${document} ${line} ${message}`,
  );
}

describe('a file of manifests', () => {
  it('may hold several, with comments, and documents that are empty', () => {
    const text = `# first\n---\n${HEAD}metadata: {name: a}\n---\n# nothing\n---\n${HEAD}metadata: {name: b, namespace: shop}\n`;
    const { manifests, findings } = readManifests(text, 'a.yaml');
    assert.deepEqual(findings, []);
    assert.deepEqual(
      manifests.map(({ kind, name, namespace, lineOf }) => [kind, name, namespace, lineOf([])]),
      [
        ['ConfigMap', 'a', null, 3],
        ['ConfigMap', 'b', 'shop', 9],
      ],
    );
  });

  it('may be JSON, or a List, which is taken apart', () => {
    const item = (name: string) => ({ apiVersion: 'v1', kind: 'Secret', metadata: { name } });
    const list = { apiVersion: 'v1', kind: 'List', items: [item('a'), item('b')] };
    const { manifests } = readManifests(JSON.stringify(list, null, 1), 'a.json');
    assert.deepEqual(
      manifests.map(({ name, lineOf }) => [name, lineOf(['kind'])]),
      [
        ['a', 7],
        ['b', 14],
      ],
    );
  });

  it('says on which line a place stands, through aliases, and of what is not there the nearest above', () => {
    const text = `${HEAD}metadata:\n  name: a\nshared: &shared\n  deep:\n    - x: 1\n      z: 2\nuse: *shared\n`;
    const [manifest] = readManifests(text, 'a.yaml').manifests;
    const line = (...path: (string | number)[]) => manifest!.lineOf(path);
    assert.deepEqual(
      [
        line('metadata', 'name'),
        line('shared', 'deep', 0, 'z'),
        line('use', 'deep', 0, 'z'),
        line('metadata', 'none', 'x'),
        line('none'),
      ],
      [4, 8, 8, 3, 1],
    );
  });

  // Held once against `kubectl label --local -o json`.
  it('is read as kubectl reads it: words of YAML 1.1 are flags, times and numbers with colons are texts', () => {
    const text = `${HEAD}a: on\nb: "on"\nc: 2026-09-01T10:30:00Z\nd: 2026-09-01\ne: 12:30:45\n`;
    const { a, b, c, d, e } = readManifests(text, 'a.yaml').manifests[0]!.value;
    assert.deepEqual(
      { a, b, c, d, e },
      { a: true, b: 'on', c: '2026-09-01T10:30:00Z', d: '2026-09-01', e: '12:30:45' },
    );
  });

  it('that is no YAML is told with its line, and what is in it is not', () => {
    assert.deepEqual(faults(`${HEAD}---\nkind: "hunter2\n`).length, 1);
    assert.match(faults(`${HEAD}a: [1\nb: 2\n`)[0]!, /^not_yaml 1 \d not valid YAML/);
    assert.doesNotMatch(faults('password: "hunter2\n  more: hunter2').join(), /hunter2/);
  });

  it('may not say a key twice', () => {
    assert.match(
      faults(`${HEAD}data: {}\nspec: {}\ndata: {}\n`)[0]!,
      /^not_yaml 1 5 not valid YAML: map keys must be unique/,
    );
  });

  it('without apiVersion or kind is none', () => {
    assert.match(faults('name: x\n')[0]!, /^not_a_manifest 1 1 /);
    assert.match(faults('- a\n')[0]!, /^not_a_manifest/);
    assert.match(faults('just a text\n')[0]!, /^not_a_manifest/);
    assert.deepEqual(faults(''), []);
  });

  it('whose aliases stand for more than fits into memory is refused, at once', () => {
    const levels = Array.from(
      { length: 30 },
      (_, i) => `l${i + 1}: &l${i + 1} [${Array(9).fill(`*l${i}`).join(', ')}]`,
    );
    const startedMs = performance.now();
    assert.match(
      faults(`${HEAD}l0: &l0 [x]\n${levels.join('\n')}\n`)[0]!,
      /^not_yaml 1 \d+ its aliases stand for too much/,
    );
    assert.match(faults(`${HEAD}a: *nowhere\n`)[0]!, /^not_yaml 1/);
    assert.ok(performance.now() - startedMs < 2000);
  });

  it('that contains itself is refused', () => {
    const { manifests, findings } = readManifests(`${HEAD}a: &a\n  b: *a\n`, 'a.yaml');
    assert.equal(manifests.length + findings.length, 1);
  });
});
