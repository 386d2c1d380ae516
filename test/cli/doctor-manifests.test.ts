import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { after, before, describe, it } from 'node:test';
import { readSources } from '../../src/cli/manifests/read.ts';
import { isBackupError } from '../../src/core/errors.ts';
import { runHere } from '../harness/command.ts';

const SCHEDULE = `apiVersion: postgresql.cnpg.io/v1
kind: ScheduledBackup
metadata: { name: daily }
spec:
  schedule: "0 2 * * *"
  cluster: { name: events }
  method: plugin
  pluginConfiguration: { name: barman-cloud.cloudnative-pg.io }
`;
const SERVICE = '{"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}}\n';

interface Report {
  readonly healthy: boolean;
  readonly manifests: {
    readonly files: number;
    readonly resources: number;
    readonly kinds: readonly string[];
  };
  readonly checks: readonly {
    readonly name: string;
    readonly verdict: string;
    readonly message: string;
    readonly hint: string | null;
    readonly code: string | null;
    readonly rule?: string;
    readonly line?: number;
    readonly path?: string;
  }[];
}

let folder: string;

before(() => {
  folder = mkdtempSync(join(tmpdir(), 'eventcore-manifests-'));
});
after(() => rmSync(folder, { recursive: true, force: true }));

/** Files of a folder of their own, by their paths in it. Gives the folder. */
function write(name: string, files: Readonly<Record<string, string>>): string {
  const place = join(folder, name);
  mkdirSync(place, { recursive: true });
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(join(place, path, '..'), { recursive: true });
    writeFileSync(join(place, path), text);
  }
  return place;
}

async function doctor(...names: string[]): Promise<{ code: number | null; report: Report }> {
  const words = names.flatMap((name) => ['--manifests', name]);
  const { code, stdout } = await runHere(['doctor', '--json', ...words]);
  return { code, report: JSON.parse(stdout) as Report };
}

describe('doctor --manifests', () => {
  it('ends with 2 for what is wrong, and says where, why and what to do', async () => {
    const place = write('wrong', { 'a.yaml': SCHEDULE });
    const { code, report } = await doctor(join(place, 'a.yaml'));
    assert.equal(code, 2);
    assert.equal(report.healthy, false);
    const found = report.checks.find(({ verdict }) => verdict === 'bad')!;
    const { rule, line, path, hint } = found;
    assert.deepEqual(
      { rule, line, path, code: found.code },
      { rule: 'schedule_five_fields', line: 5, path: 'spec.schedule', code: 'config_invalid' },
    );
    assert.match(found.name, /a\.yaml:5$/);
    assert.match(hint!, /"0 0 2 \* \* \*"/);
  });

  it('ends with 0 for what is only worth a look', async () => {
    const place = write('look', { 'a.yaml': SCHEDULE.replace('"0 2', '"0 0 2') });
    const { code, report } = await doctor(place);
    assert.equal(code, 0);
    assert.deepEqual(
      report.checks.map(({ verdict, rule }) => [verdict, rule]),
      [
        ['good', undefined],
        ['warn', 'reference_missing'],
      ],
    );
  });

  it('looks through folders, several of them, and takes no others for manifests', async () => {
    const place = write('folders', {
      ...{
        'a.yaml': SERVICE,
        'b/c.yml': SERVICE,
        'b/d.json': SERVICE,
        'b/e.txt': 'x: [',
        '.git/f.yaml': 'x: [',
      },
      ...{ 'values.yaml': 'a: 1\n', 'chart/Chart.yaml': 'name: x\n', 'chart/templates/a.yaml': '{{ x }}: [' },
    });
    const { code, report } = await doctor(place, write('more', { 'z.yaml': SERVICE }));
    assert.equal(code, 0, JSON.stringify(report));
    assert.deepEqual(report.manifests, { files: 5, resources: 4, kinds: ['Service'] });
    assert.deepEqual(
      report.checks
        .filter(({ verdict }) => verdict === 'skipped')
        .map(({ name }) => name.slice(place.length)),
      ['/values.yaml', '/chart'],
    );
  });

  it('does not go in circles, and follows links to files as ConfigMaps are mounted', async () => {
    const place = write('links', { '..data/a.yaml': SERVICE });
    symlinkSync(place, join(place, 'self'));
    symlinkSync('..data/a.yaml', join(place, 'a.yaml'));
    const { report } = await doctor(place);
    assert.equal(report.manifests.files, 1);
  });

  it('takes a file that was named for a manifest, and says so where it is none', async () => {
    const place = write('none', { 'a.yaml': 'a: 1\n', 'b.yaml': 'a: [\n', 'empty.yaml': '# nothing\n' });
    for (const [name, says] of [
      ['a.yaml', /no manifest of Kubernetes: it needs apiVersion and kind/],
      ['b.yaml', /not valid YAML/],
      ['empty.yaml', /there is no manifest/],
    ] as const) {
      const { code, report } = await doctor(join(place, name));
      assert.equal(code, 2);
      assert.ok(
        report.checks.some(({ verdict, message }) => verdict === 'bad' && says.test(message)),
        name,
      );
    }
  });

  it('refuses what is not there, and what goes with no manifests', async () => {
    const missing = await runHere(['doctor', '--manifests', join(folder, 'nowhere')]);
    assert.equal(missing.code, 2);
    assert.match(missing.stderr, /cannot read .*nowhere \(ENOENT\)/);
    const both = await runHere(['doctor', '--manifests', folder, '--large']);
    assert.equal(both.code, 2);
    assert.match(both.stderr, /cannot be used with/);
  });

  it('needs no configuration, and no store or vault is looked at', async () => {
    const place = write('alone', { 'a.yaml': SERVICE });
    const env = { EVENTCORE_CONFIG: join(folder, 'nowhere.yaml'), EVENTCORE_STORE: 'nonsense:' };
    const { code, stdout } = await runHere(['doctor', '--manifests', place], { env });
    assert.equal(code, 0);
    assert.match(stdout, /^All is well\n.*\n.*1 resource in 1 file: 1 Service/);
  });

  it('shows each hint below what it is for, and nothing with --quiet but that something is wrong', async () => {
    const place = write('shown', { 'a.yaml': SCHEDULE });
    const { stdout } = await runHere(['doctor', '--manifests', place]);
    assert.match(stdout, /^1 fault in these manifests\n/);
    assert.match(
      stdout,
      /bad .*a\.yaml:5 +ScheduledBackup daily: five fields.*\n +hint: write "0 0 2 \* \* \*"/,
    );
    const quiet = await runHere(['--quiet', 'doctor', '--manifests', place]);
    assert.equal(quiet.stdout, '1 fault in these manifests\n');
  });

  it('reads stdin', () => {
    const main = join(import.meta.dirname, '..', '..', 'src', 'cli', 'main.ts');
    const words = [main, 'doctor', '--json', '--manifests', '-'];
    const text = execFileSync(process.execPath, words, { input: SERVICE, encoding: 'utf8', cwd: folder });
    assert.deepEqual((JSON.parse(text) as Report).manifests, { files: 1, resources: 1, kinds: ['Service'] });
  });
});

describe('what is read for it', () => {
  const { signal } = new AbortController();
  const read = (stdin: Readable) => readSources(['-'], { cwd: folder, stdin, signal });

  it('is bounded, however much comes', async () => {
    let sent = 0;
    const endless = new Readable({
      read() {
        sent += 1 << 20;
        this.push(Buffer.alloc(1 << 20, 32));
      },
    });
    await assert.rejects(
      read(endless),
      (error) => isBackupError(error, 'config_invalid') && /more than/.test(error.message),
    );
    assert.ok(sent < 20 << 20, `${sent}`);
  });

  it('ends when the user wants to stop', async () => {
    const controller = new AbortController();
    const waiting = new Readable({ read: () => undefined });
    const reading = readSources(['-'], { cwd: folder, stdin: waiting, signal: controller.signal });
    controller.abort();
    await assert.rejects(reading, { name: 'AbortError' });
  });
});
