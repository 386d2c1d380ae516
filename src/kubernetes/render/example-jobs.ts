import { podTemplate, type Resources } from './pod.ts';
import { type Manifest, metadataOf, namesOf, type Wanted } from './wanted.ts';

/** Jobs that people start by hand: `kubectl create -f`, after they have changed the words of the command. They change nothing as they are. */

const RESOURCES: Resources = { requests: { cpu: '250m', memory: '256Mi' }, limits: { memory: '1Gi' } };
const GRACE_SECONDS = 90;
const KEPT_SECONDS = 7 * 86_400;
/** Of the login restore_login, as of each login (docs/roles.md). */
const RESTORE_PASSWORD = { secret: 'eventcore-restore-login', key: 'password' };

/** One stream as it was, into the store in use, as a role of its own: what is missing there is added, once `--dry-run` is taken out. */
export function restoreJob(wanted: Wanted, store: string): Manifest {
  const variables = wanted.variables.map((variable) =>
    variable.name === 'PGPASSWORD'
      ? { name: variable.name, isOptional: false, ...RESTORE_PASSWORD }
      : variable,
  );
  // Workers log in with a password of their own, which is not this one's.
  const alone = wanted.workers === null ? [] : ['--no-queue'];
  const args = ['restore', '--to', store, '--stream', 'order-1', '--at', '2026-11-29T12:00:00Z', ...alone];
  return oneTime(
    { ...wanted, variables },
    {
      ...{ name: 'restore', args: [...args, '--merge', '--dry-run'] },
      ...{ account: wanted.name, mountsToken: false },
    },
  );
}

/** Who is the primary, and what would be lost; `dr plan` and `dr execute` take the place of its words. */
export function recoveryJob(wanted: Wanted): Manifest {
  const { recovery } = namesOf(wanted);
  const hasAccount = wanted.targets.length > 0;
  return oneTime(wanted, {
    ...{ name: 'recovery', args: ['dr', 'assess'], mountsToken: hasAccount },
    account: hasAccount ? recovery : wanted.name,
  });
}

interface OneTime {
  readonly name: string;
  readonly args: readonly string[];
  readonly account: string;
  readonly mountsToken: boolean;
}

function oneTime(wanted: Wanted, { name, args, account, mountsToken }: OneTime): Manifest {
  const { name: base, ...metadata } = metadataOf(wanted, `${wanted.name}-${name}`);
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    // Each time that it is created it has a name of its own.
    metadata: { generateName: `${base}-`, ...metadata },
    spec: {
      backoffLimit: 0,
      ttlSecondsAfterFinished: KEPT_SECONDS,
      template: podTemplate(wanted, name, {
        ...{ args, resources: RESOURCES, restartPolicy: 'Never', graceSeconds: GRACE_SECONDS },
        ...{ serviceAccount: account, mountsToken },
      }),
    },
  };
}
