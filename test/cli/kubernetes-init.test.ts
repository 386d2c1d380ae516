/** `eventcore init --kubernetes`: what it makes of a configuration, and what it refuses. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { parse, parseAllDocuments } from 'yaml';
import { runHere } from '../harness/command.ts';

const places: string[] = [];
after(() => {
  for (const place of places) rmSync(place, { recursive: true, force: true });
});

const CONFIG = `store: postgres://serve_login@events-rw.shop.svc:5432/shop
primary:
  region: us-east-1
  storage: s3://eventcore-backups-primary?region=us-east-1
  schedule: "0 */6 * * *" # Every 6 hours
  retention: "30d"
`;

function place(config = CONFIG, name = 'eventcore.config.yaml') {
  const folder = mkdtempSync(join(tmpdir(), 'eventcore-kubernetes-'));
  places.push(folder);
  writeFileSync(join(folder, name), config);
  const to = join(folder, 'out');
  const init = (...words: readonly string[]) =>
    runHere(['init', '--kubernetes', '--config', join(folder, name), '--to', to, ...words]);
  return { folder, to, init };
}

async function refusal(config: string, ...words: readonly string[]) {
  const { init, to } = place(config);
  const { code, stderr } = await init('--json', ...words);
  const { error } = JSON.parse(stderr.trim().split('\n').at(-1)!) as {
    error: { code: string; message: string; hint: string };
  };
  assert.throws(() => readdirSync(to), /ENOENT/, 'nothing is written');
  return { exit: code, ...error };
}

describe('manifests of a configuration', () => {
  it('hold it as it is, comments included, under the name of its file', async () => {
    const { init, to } = place(CONFIG, 'shop.yaml');
    const { code, stdout } = await init();
    assert.equal(code, 0);
    assert.match(stdout, /^Wrote .*out\n/);
    const { data } = parse(readFileSync(join(to, 'config-map.yaml'), 'utf8')) as { data: object };
    assert.deepEqual(data, { 'shop.yaml': CONFIG });
    const { resources } = parse(readFileSync(join(to, 'kustomization.yaml'), 'utf8')) as {
      resources: string[];
    };
    assert.deepEqual(resources, [
      'config-map.yaml',
      'service-account.yaml',
      'network-policy.yaml',
      'daemon.yaml',
    ]);
    assert.deepEqual(
      readdirSync(to).sort(),
      [...resources, 'kustomization.yaml', 'restore-job.example.yaml', 'secrets.example.yaml'].sort(),
    );
  });

  it('take the ConfigMap of the specification, with the store from a flag', async () => {
    const inner = CONFIG.replace(/^store.*\n/, '');
    const { init, to } = place(
      `apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: backup-config\ndata:\n  backup-policy.yaml: |\n${inner.replace(/^/gm, '    ')}`,
    );
    const { code } = await init('--store', 'postgres://serve_login@db/shop');
    assert.equal(code, 0);
    const { data } = parse(readFileSync(join(to, 'config-map.yaml'), 'utf8')) as {
      data: Record<string, string>;
    };
    assert.equal(data['eventcore.config.yaml']?.trimEnd(), inner.trimEnd());
    assert.match(
      readFileSync(join(to, 'daemon.yaml'), 'utf8'),
      /name: EVENTCORE_STORE\n\s+value: postgres:\/\/serve_login@db\/shop/,
    );
    // What was made can be read again as a configuration.
    const again = await runHere([
      ...['init', '--kubernetes', '--config', join(to, 'config-map.yaml'), '--to', '-'],
      ...['--store', 'postgres://serve_login@db/shop'],
    ]);
    assert.equal(again.code, 0);
  });

  it('are listed with --json, and go to stdout with --to -', async () => {
    const { init, to, folder } = place();
    const listed = JSON.parse((await init('--json', '--prometheus-operator')).stdout) as {
      files: { name: string; objects: string[] }[];
    };
    assert.deepEqual(listed.files.map(({ name }) => name).sort(), readdirSync(to).sort());
    const config = join(folder, 'eventcore.config.yaml');
    const { stdout } = await runHere(['init', '--kubernetes', '--config', config, '--to', '-']);
    const kinds = parseAllDocuments(stdout).map((document) => (document.toJS() as { kind: string }).kind);
    assert.deepEqual(kinds, [
      ...['ConfigMap', 'ServiceAccount', 'NetworkPolicy', 'Deployment', 'Service', 'PodDisruptionBudget'],
    ]);
  });

  it('overwrite nothing unless they are told to, and leave what is not theirs', async () => {
    const { init, to } = place();
    mkdirSync(to);
    writeFileSync(join(to, 'daemon.yaml'), 'mine');
    writeFileSync(join(to, 'ingress.yaml'), 'mine too');
    const refused = await init();
    assert.equal(refused.code, 9);
    assert.match(refused.stderr, /has daemon\.yaml already/);
    assert.deepEqual(readdirSync(to).sort(), ['daemon.yaml', 'ingress.yaml']);
    const dry = await init('--force', '--dry-run');
    assert.match(dry.stdout, /Would write[\s\S]*daemon\.yaml.*\(overwrites\)/);
    assert.equal(readFileSync(join(to, 'daemon.yaml'), 'utf8'), 'mine');
    assert.equal((await init('--force')).code, 0);
    assert.match(readFileSync(join(to, 'daemon.yaml'), 'utf8'), /kind: Deployment/);
    assert.equal(readFileSync(join(to, 'ingress.yaml'), 'utf8'), 'mine too');
  });

  it('name what must be in Secrets: variables, and files beside the configuration', async () => {
    const { init, to } = place(`${CONFIG}encryption:
  recipients: [age1yt3tfqlfrwdwx0z0ynwplcr6qxcxfaqycuprpmy89nr83ltx74tqdpszlw]
  sign_key: file:./keys/sign.pem
  passphrase: phrase.txt
notify:
  - slack: { url: env:SLACK_URL }
  - mail: { server: smtp://me@mail.example.com, password: file:/etc/eventcore/mail, from: a@b.example, to: [c@d.example] }
`);
    const { code, stderr } = await init();
    assert.equal(code, 0, stderr);
    const secrets = parseAllDocuments(readFileSync(join(to, 'secrets.example.yaml'), 'utf8')).map(
      (document) => document.toJS() as { metadata: { name: string }; stringData: object },
    );
    assert.deepEqual(
      secrets.map(({ metadata, stringData }) => [metadata.name, ...Object.keys(stringData)]),
      [
        ['eventcore-backup', 'PGPASSWORD', 'AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'SLACK_URL'],
        ['eventcore-backup-files', 'keys-sign.pem', 'phrase.txt', 'mail'],
        ['eventcore-backup-metrics', 'token'],
      ],
    );
    assert.match(readFileSync(join(to, 'network-policy.yaml'), 'utf8'), /port: 587/);
  });
});

describe('schedules as CronJobs', () => {
  const jobs = async (serve: string) => {
    const { init, to } = place(`${CONFIG}serve:\n  jobs:\n${serve.replace(/^/gm, '    ')}\n`);
    const { code, stderr } = await init('--cron-jobs');
    if (code !== 0) return stderr;
    const documents = parseAllDocuments(readFileSync(join(to, 'cron-jobs.yaml'), 'utf8'));
    const entries = documents.map((document) => {
      const { metadata, spec } = document.toJS() as {
        metadata: { name: string };
        spec: { schedule?: string; suspend?: boolean };
      };
      return [
        metadata.name.replace('eventcore-backup-', ''),
        spec.suspend ? 'asked' : (spec.schedule ?? 'always'),
      ];
    });
    return Object.fromEntries(entries) as Record<string, string>;
  };

  it('are those of the daemon, and what it runs on demand is suspended', async () => {
    assert.deepEqual(
      await jobs('archive: always\nfull: "0 2 * * SUN"\nprune: "30 3 * * 7"\ndoctor: { every: 6h }'),
      {
        ...{ archive: 'always', full: '0 2 * * SUN', incremental: '0 */6 * * *', prune: '30 3 * * 0' },
        ...{ doctor: '0 */6 * * *', verify: 'asked', drill: 'asked' },
      },
    );
  });

  it('are refused where Kubernetes has no such times', async () => {
    assert.match(
      String(await jobs('incremental: { every: 7m }')),
      /serve\.jobs\.incremental.*no CronJob runs so often/,
    );
    assert.match(String(await jobs('incremental: { every: 30s }')), /no CronJob runs so often/);
    for (const cron of ['0 3 L * *', '0 3 * * 5-7', '0 3 * * MON#2'])
      assert.match(String(await jobs(`prune: "${cron}"`)), /Kubernetes does not read the schedule/, cron);
  });
});

describe('what would not work in a pod, or must not stand there, is refused', () => {
  it('a password in an address, wherever it stands, and it is not shown', async () => {
    for (const config of [
      CONFIG.replace('serve_login@', 'serve_login:s3cr3t@'),
      `${CONFIG}# postgres://backup:s3cr3t@old.example.com/shop\n`,
      `${CONFIG}standby: "postgres://events/shop?password=s3cr3t"\n`,
    ]) {
      const found = await refusal(config);
      assert.equal(found.exit, 2);
      assert.match(found.message, /has a password, which would be in a ConfigMap/);
      assert.doesNotMatch(JSON.stringify(found), /s3cr3t/);
    }
    assert.match((await refusal(CONFIG, '--store', 'postgres://a:s3cr3t@b/c')).message, /has a password/);
  });

  it('a folder that nothing keeps, with the claim that would', async () => {
    const local = CONFIG.replace(/storage: .*/, 'storage: /backups/us-east-1');
    const found = await refusal(local);
    assert.match(found.message, /the vault is in \/backups\/us-east-1, and a pod keeps no folder/);
    assert.match(found.hint, /--volume \/backups=CLAIM/);
    const { init, to } = place(local);
    assert.equal((await init('--volume', '/backups=shop-backups')).code, 0);
    assert.match(readFileSync(join(to, 'daemon.yaml'), 'utf8'), /claimName: shop-backups/);
    assert.match(
      (await refusal(CONFIG.replace(/store: .*/, 'store: sqlite:./events.db'))).message,
      /the store is in \/etc\/eventcore\/events\.db/,
    );
    assert.match((await refusal(CONFIG, '--volume', '/etc=claim')).message, /is something else already/);
  });

  it('a file of this host, a configuration without jobs, and options without --kubernetes', async () => {
    const file = await refusal(`${CONFIG}encryption:\n  identities: [file:/root/backup.age-key]\n`);
    assert.match(`${file.message} ${file.hint}`, /\/root\/backup\.age-key.*file:\.\/backup\.age-key/);
    const idle = await refusal('store: postgres://a@b/c\nvault: s3://d\n');
    assert.match(idle.message, /does not say when backups are taken/);
    const { code, stderr } = await runHere(['init', '--cron-jobs']);
    assert.equal(code, 2);
    assert.match(stderr, /--cron-jobs is for manifests/);
  });

  it('a configuration that the daemon would refuse', async () => {
    assert.match((await refusal(`${CONFIG}unknown: 1\n`)).message, /unknown key `unknown`/);
  });
});

describe('a configuration with a queue', () => {
  const QUEUE = `${CONFIG}queue:
  address: postgres://queue_login@queue-rw.shop.svc:5433/jobs?sslmode=require
  key: file:./queue.key
  concurrency: 6
notify: [{ slack: { url: env:HOOK_URL } }]
encryption: { sign_key: file:./sign.pem, recipients: [age1yt3tfqlfrwdwx0z0ynwplcr6qxcxfaqycuprpmy89nr83ltx74tqdpszlw] }
`;
  const containerOf = (text: string) => {
    const [{ spec }] = parseAllDocuments(text).map((document) => document.toJS()) as [
      {
        spec: {
          template: {
            spec: {
              containers: [{ args: string[]; env: { name: string; value?: string }[] }];
              volumes: object[];
            };
          };
        };
      },
    ];
    const { containers, volumes } = spec.template.spec;
    return { ...containers[0], volumes };
  };

  it('has workers, who know the queue, the store and the vault, and no other secret of the daemon', async () => {
    const { init, to } = place(QUEUE);
    const { code, stdout, stderr } = await init('--keda');
    assert.equal(code, 0, stderr);
    assert.match(stdout, /workers\.yaml +Deployment\/eventcore-backup-worker, PodDisruptionBudget/);
    const worker = containerOf(readFileSync(join(to, 'workers.yaml'), 'utf8'));
    assert.deepEqual(worker.args.slice(0, 3), ['worker', '--concurrency', '6']);
    const names = worker.env.map(({ name }) => name);
    assert.ok(!names.includes('HOOK_URL'), names.join());
    assert.ok(
      names.indexOf('QUEUE_PASSWORD') < names.indexOf('EVENTCORE_QUEUE'),
      'the kubelet looks back only',
    );
    const address = 'postgres://queue_login:$(QUEUE_PASSWORD)@queue-rw.shop.svc:5433/jobs?sslmode=require';
    assert.equal(worker.env.find(({ name }) => name === 'EVENTCORE_QUEUE')?.value, address);
    assert.match(JSON.stringify(worker.volumes), /queue\.key/);
    assert.doesNotMatch(JSON.stringify(worker.volumes), /sign\.pem/);
    const daemon = containerOf(readFileSync(join(to, 'daemon.yaml'), 'utf8'));
    assert.equal(daemon.env.find(({ name }) => name === 'EVENTCORE_QUEUE')?.value, address);
    assert.match(JSON.stringify(daemon.volumes), /queue\.key.*sign\.pem|sign\.pem.*queue\.key/);
    const scaling = readFileSync(join(to, 'scaling.yaml'), 'utf8');
    assert.match(
      scaling,
      /host: queue-rw\.shop\.svc\n\s+port: "5433"\n\s+userName: queue_login\n\s+dbName: jobs\n\s+sslmode: require/,
    );
    assert.match(scaling, /targetQueryValue: "6"/);
    const restore = containerOf(readFileSync(join(to, 'restore-job.example.yaml'), 'utf8'));
    assert.ok(restore.args.includes('--no-queue'), 'workers do not have the password of its login');
  });

  it('has no scaler unless one is asked for, and nothing that could be scaled without a queue', async () => {
    const { init, to } = place(QUEUE);
    assert.equal((await init()).code, 0);
    assert.ok(!readdirSync(to).includes('scaling.yaml'));
    const { code, message } = await refusal(CONFIG, '--keda').then(({ exit, message }) => ({
      code: exit,
      message,
    }));
    assert.equal(code, 2);
    assert.match(message, /names no queue/);
  });

  it('must say who logs in, and where: a pod has no account', async () => {
    for (const address of [
      'postgres://db/jobs',
      'postgres://queue_login@db',
      'postgres:///jobs?host=/run/postgresql',
    ]) {
      const { code, hint } = await refusal(QUEUE.replace(/address: .*/, `address: ${address}`));
      assert.equal(code, 'config_invalid', address);
      assert.match(hint, /queue_login@/);
    }
  });
});
