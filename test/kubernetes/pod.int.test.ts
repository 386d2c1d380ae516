/**
 * What `eventcore init --kubernetes` makes, carried out without a cluster: the very words, variables, user, volumes and read-only file system of its
 * pods, against a real PostgreSQL.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { parseAllDocuments } from 'yaml';
import { makeIdentityFile } from '../../src/keys/identity-file.ts';
import { makeSigningKeyFile } from '../../src/keys/signer.ts';
import { awaitCommand, fillStore, runHere } from '../harness/command.ts';
import { until } from '../harness/daemon.ts';
import { freePort } from '../harness/free-port.ts';
import { startPostgres, type TestPostgres } from '../harness/postgres.ts';

const CHECKOUT = join(import.meta.dirname, '../..');
const SCRIPT = join(import.meta.dirname, 'in-pod.sh');
const canIsolate = process.getuid?.() === 0 && spawnSync('unshare', ['--mount', 'true']).status === 0;
const skip = canIsolate ? false : 'needs root, and the right to make namespaces';

interface Container {
  readonly args: readonly string[];
  readonly env: readonly {
    name: string;
    value?: string;
    valueFrom?: { secretKeyRef: { key: string; optional?: true } };
  }[];
  readonly volumeMounts: readonly { name: string; mountPath: string }[];
}

interface Pod {
  readonly securityContext: { readonly runAsUser: number; readonly fsGroup: number };
  readonly terminationGracePeriodSeconds: number;
  readonly containers: readonly [Container];
  readonly volumes: readonly {
    readonly name: string;
    readonly projected?: {
      readonly defaultMode: number;
      readonly sources: readonly {
        configMap?: object;
        secret?: { items: { key: string; path: string }[] };
      }[];
    };
    readonly persistentVolumeClaim?: object;
  }[];
}

describe('in a pod', { skip }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'eventcore-pod-'));
  const children: ChildProcess[] = [];
  let server: TestPostgres;
  let secrets: Record<string, string>;

  before(async () => {
    server = await startPostgres();
    const database = await server.createDatabase('shop');
    await fillStore(server.address(database), 10_000);
    // The password of the Secret is what lets it in.
    await server.exec("CREATE ROLE serve_login LOGIN PASSWORD 'from-the-secret'");
    await server.exec('GRANT SELECT ON ALL TABLES IN SCHEMA public TO serve_login', database);
    const rules = join(server.dataDir, 'pg_hba.conf');
    await server.exec("CREATE ROLE queue_login LOGIN PASSWORD 'of-the-queue'");
    await server.exec('CREATE DATABASE jobs OWNER queue_login');
    const logins = 'host all serve_login,queue_login 127.0.0.1/32 scram-sha-256';
    writeFileSync(rules, `${logins}\n${readFileSync(rules, 'utf8')}`);
    await server.exec('SELECT pg_reload_conf()');
    const identity = await makeIdentityFile(false, 'now');
    secrets = {
      ...{ PGPASSWORD: 'from-the-secret', 'sign.pem': makeSigningKeyFile().text },
      ...{ password: 'of-the-queue', 'queue.key': randomBytes(32).toString('base64') },
    };
    writeFileSync(
      join(folder, 'eventcore.config.yaml'),
      `store: postgres://serve_login@127.0.0.1:${server.port}/${database}
primary: { region: east, storage: /backups/east, schedule: "0 */6 * * *", retention: 30d }
encryption: { recipients: [${identity.recipient}], sign_key: file:./sign.pem }
serve: { jobs: { full: "0 2 * * 0", incremental: off, doctor: off } }
`,
    );
  });
  after(async () => {
    for (const child of children) child.kill('SIGKILL');
    await server?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  async function render(...words: readonly string[]): Promise<Record<string, unknown>[]> {
    return renderOf(join(folder, 'eventcore.config.yaml'), words);
  }

  async function renderOf(config: string, words: readonly string[]): Promise<Record<string, unknown>[]> {
    const { stdout, stderr, code } = await runHere([
      ...['init', '--kubernetes', '--config', config, '--volume', '/backups=claim', '--to', '-'],
      ...words,
    ]);
    assert.equal(code, 0, stderr);
    return parseAllDocuments(stdout).map((document) => document.toJS() as Record<string, unknown>);
  }

  /** As the kubelet does: files of root, for the group of the pod; the claim's folder is for that group too. */
  function layOut(pod: Pod, text: string): string {
    const place = mkdtempSync(join(folder, 'pod-'));
    const { fsGroup } = pod.securityContext;
    const { defaultMode, sources } = pod.volumes.find(({ name }) => name === 'config')!.projected!;
    const put = (path: string, content: string): void => {
      const file = join(place, 'config', path);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, content);
      chownSync(file, 0, fsGroup);
      chmodSync(file, defaultMode | 0o440);
    };
    for (const { configMap, secret } of sources) {
      if (configMap !== undefined) put('eventcore.config.yaml', text);
      for (const { key, path } of secret?.items ?? []) put(path, secrets[key]!);
    }
    const claim = join(place, 'claims/backups');
    mkdirSync(claim, { recursive: true });
    chownSync(claim, 0, fsGroup);
    chmodSync(claim, 0o2775);
    return place;
  }

  function start(pod: Pod, place: string, args: readonly string[]): ChildProcess {
    const { runAsUser, fsGroup } = pod.securityContext;
    const known = new Map<string, string>();
    for (const { name, value, valueFrom } of pod.containers[0].env) {
      // The kubelet puts variables in that stand before.
      const found =
        value?.replace(/\$\((\w+)\)/g, (text, other: string) => known.get(other) ?? text) ??
        secrets[valueFrom!.secretKeyRef.key];
      assert.ok(found !== undefined || valueFrom?.secretKeyRef.optional, name);
      if (found !== undefined) known.set(name, found);
    }
    const variables = [...known].map(([name, value]) => `${name}=${value}`);
    const command = ['/app/node', '/app/src/cli/main.ts', ...args];
    const words = [
      SCRIPT,
      place,
      process.execPath,
      CHECKOUT,
      `${runAsUser}:${fsGroup}`,
      ...variables,
      ...command,
    ];
    const child = spawn('unshare', ['--mount', 'sh', ...words], { stdio: ['ignore', 'pipe', 'pipe'] });
    children.push(child);
    return child;
  }

  it('the daemon is ready, takes a sealed backup onto its claim, and ends within its grace period', async () => {
    const manifests = await render();
    const text = (manifests.find(({ kind }) => kind === 'ConfigMap') as { data: Record<string, string> })
      .data;
    const deployment = manifests.find(({ kind }) => kind === 'Deployment') as {
      spec: { template: { spec: Pod } };
    };
    const pod = deployment.spec.template.spec;
    const place = layOut(pod, text['eventcore.config.yaml']!);
    const port = await freePort();
    const args = pod.containers[0].args.map((word) => word.replace('0.0.0.0:8321', `127.0.0.1:${port}`));
    const daemon = start(pod, place, args);
    const ended = awaitCommand(daemon);
    let log = '';
    daemon.stderr!.on('data', (part: Buffer) => {
      log += part.toString();
    });
    const isReady = (path: string) =>
      fetch(`http://127.0.0.1:${port}${path}`).then(
        ({ status }) => status === 200,
        () => false,
      );
    await until(
      () => isReady('/readyz'),
      () => log,
    );
    assert.ok(await isReady('/livez'));
    const backups = join(place, 'claims/backups/east/backups');
    await until(
      () => manifestsIn(backups).length === 1,
      () => log,
    );
    assert.equal(statSync(manifestsIn(backups)[0]!).uid, pod.securityContext.runAsUser);
    daemon.kill('SIGTERM');
    const startMs = performance.now();
    const { code } = await ended;
    assert.equal(code, 0, log);
    assert.ok(performance.now() - startMs < pod.terminationGracePeriodSeconds * 1000);
    assert.doesNotMatch(log, /"level":"(error|fatal)"|from-the-secret/);
  });

  it('a job of the CronJobs does its work and ends', async () => {
    const manifests = await render('--cron-jobs');
    const full = manifests.find(
      ({ kind, metadata }) =>
        kind === 'CronJob' && (metadata as { name: string }).name === 'eventcore-backup-full',
    ) as { spec: { jobTemplate: { spec: { template: { spec: Pod } } } } };
    const pod = full.spec.jobTemplate.spec.template.spec;
    const place = layOut(pod, readFileSync(join(folder, 'eventcore.config.yaml'), 'utf8'));
    const { code, stdout, stderr } = await awaitCommand(start(pod, place, pod.containers[0].args));
    assert.equal(code, 0, stderr);
    assert.match(stdout, /Backed up postgres:\/\/serve_login@127\.0\.0\.1/);
    assert.equal(manifestsIn(join(place, 'claims/backups/east/backups')).length, 1);
  });

  it('a worker does what a job gives it, with the password of the queue in its address, and ends in time', async () => {
    const config = join(mkdtempSync(join(folder, 'queue-')), 'eventcore.config.yaml');
    const text = `${readFileSync(join(folder, 'eventcore.config.yaml'), 'utf8')}queue:
  address: postgres://queue_login@127.0.0.1:${server.port}/jobs
  key: file:./queue.key
`;
    writeFileSync(config, text);
    const manifests = await renderOf(config, ['--cron-jobs']);
    const named = (kind: string, name: string): unknown =>
      manifests.find((one) => one.kind === kind && (one.metadata as { name: string }).name === name);
    const { spec } = named('Deployment', 'eventcore-backup-worker') as {
      spec: { template: { spec: Pod } };
    };
    const worker = spec.template.spec;
    const full = named('CronJob', 'eventcore-backup-full') as {
      spec: { jobTemplate: { spec: { template: { spec: Pod } } } };
    };
    const job = full.spec.jobTemplate.spec.template.spec;
    const [workersPlace, jobsPlace] = [layOut(worker, text), layOut(job, text)];
    // A claim that both mount.
    rmSync(join(jobsPlace, 'claims/backups'), { recursive: true });
    symlinkSync(join(workersPlace, 'claims/backups'), join(jobsPlace, 'claims/backups'));
    const working = start(worker, workersPlace, worker.containers[0].args);
    const ended = awaitCommand(working);
    let log = '';
    working.stderr!.on('data', (part: Buffer) => {
      log += part.toString();
    });
    await until(
      async () => log.includes('takes jobs from'),
      () => log,
    );
    const backup = await awaitCommand(start(job, jobsPlace, [...job.containers[0].args, '--part-size', '2']));
    assert.equal(backup.code, 0, backup.stderr);
    assert.doesNotMatch(backup.stderr, /done on this machine/);
    assert.match(log, /range done/);
    assert.equal(manifestsIn(join(workersPlace, 'claims/backups/east/backups')).length, 1);
    working.kill('SIGTERM');
    const { code } = await ended;
    assert.equal(code, 0, log);
    assert.doesNotMatch(log + backup.stderr + backup.stdout, /from-the-secret|of-the-queue/);
  });
});

function manifestsIn(folder: string): string[] {
  try {
    return readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith('manifest.json'))
      .map((path) => join(folder, path));
  } catch {
    return [];
  }
}
