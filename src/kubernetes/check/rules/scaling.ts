import { error, type Remark } from '../finding.ts';
import type { FieldPath, Manifest } from '../manifest.ts';
import { listAt, numberAt, recordAt, textAt } from '../values.ts';
import { findNamed, missing } from './across.ts';

/** What scales workers by what waits in their queue: a ScaledObject of KEDA, with the trigger `postgresql`. */

const KIND = 'ScaledObject';

export function isScaler({ apiVersion, kind }: Manifest): boolean {
  return kind === KIND && apiVersion.startsWith('keda.sh/');
}

/** What its webhook refuses, what its scaler cannot begin with, and what would leave jobs without a worker. */
export function checkScaling(manifest: Manifest, manifests: readonly Manifest[]): Remark[] {
  if (!isScaler(manifest)) return [];
  return [
    ...checkBounds(manifest),
    ...checkTarget(manifest, manifests),
    ...listAt(manifest.value, 'spec', 'triggers').flatMap((trigger, i) => [
      ...checkTrigger(trigger, ['spec', 'triggers', i]),
      ...checkAuthentication(manifest, trigger, ['spec', 'triggers', i], manifests),
    ]),
  ];
}

/** Of KEDA, where none is said. */
const FEWEST = 0;
const MOST = 100;

function checkBounds({ value }: Manifest): Remark[] {
  const count = (key: string, otherwise: number): number => numberAt(value, 'spec', key) ?? otherwise;
  const [fewest, most] = [count('minReplicaCount', FEWEST), count('maxReplicaCount', MOST)];
  const idle = numberAt(value, 'spec', 'idleReplicaCount');
  return [
    ...(fewest > most
      ? [
          error(
            'scaling_invalid',
            ['spec', 'minReplicaCount'],
            `at least ${fewest}, and at most ${most}: it is refused`,
          ),
        ]
      : []),
    ...(idle !== null && idle >= fewest
      ? [
          error(
            'scaling_invalid',
            ['spec', 'idleReplicaCount'],
            `${idle} at rest, and at least ${fewest}: it is refused`,
          ),
        ]
      : []),
  ];
}

function checkTarget(manifest: Manifest, manifests: readonly Manifest[]): Remark[] {
  const { value } = manifest;
  const at = ['spec', 'scaleTargetRef', 'name'];
  const name = textAt(value, ...at);
  const kind = textAt(value, 'spec', 'scaleTargetRef', 'kind') ?? 'Deployment';
  if (name === null) return [];
  const found = findNamed(manifest, kind, name, { manifests });
  if (found === null) return [missing(manifest, kind, name, at, { manifests })];
  const least =
    numberAt(value, 'spec', 'idleReplicaCount') ?? numberAt(value, 'spec', 'minReplicaCount') ?? 0;
  if (!isWorker(found) || least > 0) return [];
  return [
    error(
      'scaling_invalid',
      numberAt(value, 'spec', 'minReplicaCount') === null ? ['spec'] : ['spec', 'minReplicaCount'],
      'no worker may be left: who has work to give does it alone where nobody is there to take it, so nothing would ever wait for a first one',
      'write minReplicaCount: 1',
    ),
  ];
}

/** `eventcore worker`, as the manifests of this program have it. */
function isWorker({ value }: Manifest): boolean {
  return listAt(value, 'spec', 'template', 'spec', 'containers').some(
    (container) => listAt(container, 'args')[0] === 'worker',
  );
}

const PLACE = ['host', 'port', 'userName', 'dbName', 'sslmode'];
/** The scaler takes these from elsewhere, and passes over them here. */
const UNREAD = ['password', 'connection'];

function checkTrigger(trigger: unknown, at: FieldPath): Remark[] {
  if (textAt(trigger, 'type') !== 'postgresql') return [];
  const metadata = recordAt(trigger, 'metadata') ?? {};
  const [inside, has] = [[...at, 'metadata'], (key: string) => (metadata[key] ?? '') !== ''];
  const isElsewhere = has('connectionFromEnv') || recordAt(trigger, 'authenticationRef') !== null;
  const needed = ['query', ...(isElsewhere && !PLACE.some(has) ? [] : PLACE)];
  const target = Number(metadata.targetQueryValue ?? 0);
  return [
    ...needed
      .filter((key) => !has(key))
      .map((key) => error('scaling_invalid', inside, `the trigger postgresql needs \`${key}\``)),
    ...(target > 0
      ? []
      : [
          error(
            'scaling_invalid',
            inside,
            'the trigger postgresql needs a `targetQueryValue` greater than 0: how much is for one pod',
          ),
        ]),
    ...UNREAD.filter(has).map((key) =>
      error(
        'scaling_invalid',
        [...inside, key],
        `the trigger postgresql reads no \`${key}\` here`,
        'name a TriggerAuthentication in authenticationRef, which takes it from a Secret',
      ),
    ),
  ];
}

function checkAuthentication(
  manifest: Manifest,
  trigger: unknown,
  at: FieldPath,
  manifests: readonly Manifest[],
): Remark[] {
  const name = textAt(trigger, 'authenticationRef', 'name');
  const kind = textAt(trigger, 'authenticationRef', 'kind') ?? 'TriggerAuthentication';
  if (name === null || findNamed(manifest, kind, name, { manifests }) !== null) return [];
  return [missing(manifest, kind, name, [...at, 'authenticationRef', 'name'], { manifests })];
}
