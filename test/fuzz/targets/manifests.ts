import { checkManifests } from '../../../src/kubernetes/check/check.ts';
import { readManifests } from '../../../src/kubernetes/check/manifest.ts';
import { mutateJson } from '../engine/mutate-json.ts';
import { demand, type FuzzTarget } from '../engine/target.ts';

const CLUSTER = {
  ...{ apiVersion: 'postgresql.cnpg.io/v1', kind: 'Cluster', metadata: { name: 'events', annotations: {} } },
  spec: {
    ...{ instances: 3, imageName: 'postgresql:18.6', storage: { size: '10Gi' }, walStorage: { size: '5Gi' } },
    postgresql: {
      synchronous: { method: 'any', number: 1, dataDurability: 'required', failoverQuorum: true },
      parameters: { max_slot_wal_keep_size: '2GB', max_wal_size: '1GB', wal_level: 'logical' },
    },
    backup: { retentionPolicy: '30d', barmanObjectStore: { destinationPath: 's3://a/b', s3Credentials: {} } },
    plugins: [
      { name: 'barman-cloud.cloudnative-pg.io', isWALArchiver: true, parameters: { barmanObjectName: 'a' } },
    ],
    bootstrap: { recovery: { source: 'o', recoveryTarget: { targetTime: '2026-09-01T10:30:00Z' } } },
    externalClusters: [{ name: 'o', plugin: { name: 'barman-cloud.cloudnative-pg.io', parameters: {} } }],
    replica: { self: 'events', primary: 'events', source: 'o', promotionToken: 'e30=' },
    managed: { roles: [{ name: 'a', passwordSecret: { name: 's' } }] },
  },
};
const SCHEDULE = {
  ...{ apiVersion: 'postgresql.cnpg.io/v1', kind: 'ScheduledBackup', metadata: { name: 'daily' } },
  spec: {
    schedule: '0 0 2 * * *',
    cluster: { name: 'events' },
    method: 'plugin',
    pluginConfiguration: { name: 'x' },
  },
};
const LIST = { apiVersion: 'v1', kind: 'List', items: [CLUSTER, SCHEDULE] };
const STORE = `# one
apiVersion: barmancloud.cnpg.io/v1
kind: ObjectStore
metadata: { name: &name a }
spec:
  retentionPolicy: 30d
  configuration: { destinationPath: "s3://b", s3Credentials: { accessKeyId: { name: *name, key: k } } }
---
apiVersion: v1
kind: Secret
metadata: { name: a }
stringData: { k: "", password: "kanarienvogel" }
`;

/** Whatever it is: read or refused, with places that are there, and never with what may be a secret. */
export const MANIFEST_TARGETS: readonly FuzzTarget[] = [
  {
    name: 'manifests',
    refusals: [],
    seeds: () => [JSON.stringify(LIST, null, 1), STORE].map((text) => Buffer.from(text)),
    reshape: (random, seed) => Buffer.from(mutateJson(random, Buffer.from(seed).toString('utf8'), 1)),
    run: (input) => {
      const text = Buffer.from(input).toString('utf8');
      const { manifests, findings } = readManifests(text, 'a.yaml');
      const lines = text.split('\n').length;
      for (const { line, message, hint } of [...findings, ...checkManifests(manifests, () => [])]) {
        demand(line >= 1 && line <= lines, `a line that is there, not ${line} of ${lines}`);
        demand(!`${message} ${hint}`.includes('kanarienvogel'), 'no secret in what is said');
      }
      return findings.length === 0;
    },
  },
];
