import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { toYaml } from '../../src/kubernetes/render/files.ts';

/** The SQL of `deploy/postgres` as a Job that grants it in a Cluster of CloudNativePG, which made the roles (`spec.managed.roles`). */

const ROOT = join(import.meta.dirname, '../..');
const SCRIPTS = ['public', 'backup', 'archive', 'monitor', 'restore'];
/** Of the images of CloudNativePG: the user postgres. */
const USER = 26;
const FOLDER = '/sql';
const AUTHORITY = '/authority';
/** Some two and a half hours, since the time between two tries grows to six minutes. */
const TRIES = 30;
const KEPT_SECONDS = 86_400;

export interface RolesPlace {
  /** Of the Cluster. */
  readonly cluster: string;
  readonly image: string;
}

/** A file of `deploy/cloudnative-pg`. */
export function rolesFile(place: RolesPlace): string {
  return `${HEAD}${toYaml(configMap())}---\n${toYaml(job(place))}`;
}

const HEAD = `# What the groups of the Cluster may do (spec.managed.roles), granted by the owner of its tables: the scripts of deploy/postgres, and a Job that runs them.
# It waits, for hours if need be, until the application's migrations have made the tables. Apply it with the Cluster, and once more whenever there are
# new tables or scripts:
#
#   kubectl replace --force -f roles.yaml
#
# For tables with other names, set them as docs/roles.md says: PGOPTIONS, with -c eventcore.tables=… Made by \`npm run manifests\`.
`;

const NAME = 'eventcore-roles';

function configMap() {
  const data = Object.fromEntries(
    SCRIPTS.map((name) => [
      `${name}.sql`,
      readFileSync(join(ROOT, 'deploy/postgres', `${name}.sql`), 'utf8'),
    ]),
  );
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: NAME }, data };
}

function job({ cluster, image }: RolesPlace) {
  const of = (key: string) => ({ valueFrom: { secretKeyRef: { name: `${cluster}-app`, key } } });
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name: NAME },
    spec: {
      backoffLimit: TRIES,
      ttlSecondsAfterFinished: KEPT_SECONDS,
      template: {
        spec: {
          // The pods of tries that failed stay, with what psql said.
          restartPolicy: 'Never',
          automountServiceAccountToken: false,
          enableServiceLinks: false,
          securityContext: {
            ...{ runAsNonRoot: true, runAsUser: USER, runAsGroup: USER, fsGroup: USER },
            seccompProfile: { type: 'RuntimeDefault' },
          },
          containers: [
            {
              ...{ name: 'psql', image, command: command() },
              env: [
                { name: 'PGHOST', value: `${cluster}-rw` },
                { name: 'PGSSLMODE', value: 'verify-full' },
                { name: 'PGSSLROOTCERT', value: `${AUTHORITY}/ca.crt` },
                { name: 'PGDATABASE', ...of('dbname') },
                { name: 'PGUSER', ...of('username') },
                { name: 'PGPASSWORD', ...of('password') },
              ],
              resources: { requests: { cpu: '50m', memory: '64Mi' }, limits: { memory: '128Mi' } },
              securityContext: {
                allowPrivilegeEscalation: false,
                readOnlyRootFilesystem: true,
                capabilities: { drop: ['ALL'] },
              },
              volumeMounts: [
                { name: 'sql', mountPath: FOLDER, readOnly: true },
                { name: 'authority', mountPath: AUTHORITY, readOnly: true },
              ],
            },
          ],
          volumes: [
            { name: 'sql', configMap: { name: NAME } },
            {
              name: 'authority',
              secret: { secretName: `${cluster}-ca`, items: [{ key: 'ca.crt', path: 'ca.crt' }] },
            },
          ],
        },
      },
    },
  };
}

/** All of them or nothing. */
function command(): string[] {
  const files = SCRIPTS.flatMap((name) => ['-f', `${FOLDER}/${name}.sql`]);
  return ['psql', '-X', '-v', 'ON_ERROR_STOP=1', '--single-transaction', ...files];
}
