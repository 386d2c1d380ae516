import { readCluster } from './cluster.ts';
import { checkFields } from './field-checks.ts';
import { error, findingOf, type ManifestFinding, type Remark, warning } from './finding.ts';
import type { Manifest } from './manifest.ts';
import { checkAcross, type Given } from './rules/across.ts';
import { checkAnnotations, checkArchiving } from './rules/archiving.ts';
import { checkAvailability } from './rules/availability.ts';
import { checkBackup } from './rules/backups.ts';
import { checkStoreManifest } from './rules/object-store.ts';
import { checkPostgresql } from './rules/postgresql.ts';
import { checkRecovery } from './rules/recovery.ts';
import { checkScaling } from './rules/scaling.ts';
import { checkSecretValues } from './rules/secrets.ts';
import { checkStorage } from './rules/storage.ts';
import { recordAt } from './values.ts';

/** What reads the policy of this program, as it stands in a ConfigMap. */
export type JudgePolicy = (text: string, place: string) => readonly PolicyRemark[];

export interface PolicyRemark {
  readonly level: 'error' | 'warning';
  readonly message: string;
  readonly hint: string | null;
}

/** Under these names a ConfigMap holds a policy, or a whole configuration. */
const POLICY_KEYS = ['backup-policy.yaml', 'eventcore.config.yaml'];

/** Others have kinds of the same names. */
const OURS = /^(v1|(postgresql|barmancloud)\.cnpg\.io\/v1)$/;

/**
 * All that is wrong, or worth a look, with manifests that are applied together, by file and line. What the definitions and webhooks of CloudNativePG refuse is an
 * error, and so is what they take and would not do what it says; a warning is advice, or what will be refused by a later version.
 */
export function checkManifests(manifests: readonly Manifest[], judgePolicy: JudgePolicy): ManifestFinding[] {
  const clusters = manifests.filter(isCluster).map(readCluster);
  const given: Given = { manifests: manifests.filter(({ apiVersion }) => OURS.test(apiVersion)), clusters };
  return manifests
    .flatMap((manifest) =>
      [
        ...checkOne(manifest),
        ...(OURS.test(manifest.apiVersion) ? checkAcross(manifest, given) : []),
        ...checkTwice(manifest, manifests),
        ...checkScaling(manifest, manifests),
        ...checkPolicy(manifest, judgePolicy),
      ].map((remark) => findingOf(manifest, remark)),
    )
    .sort(inOrder);
}

export function inOrder(a: ManifestFinding, b: ManifestFinding): number {
  return a.file < b.file ? -1 : a.file > b.file ? 1 : a.document - b.document || a.line - b.line;
}

function isCluster({ apiVersion, kind }: Manifest): boolean {
  return kind === 'Cluster' && apiVersion === 'postgresql.cnpg.io/v1';
}

function checkOne(manifest: Manifest): Remark[] {
  return [...checkFields(manifest), ...checkKind(manifest), ...checkSecretValues(manifest)];
}

function checkKind(manifest: Manifest): Remark[] {
  const { apiVersion, kind } = manifest;
  if (apiVersion === 'barmancloud.cnpg.io/v1' && kind === 'ObjectStore') return checkStoreManifest(manifest);
  if (apiVersion !== 'postgresql.cnpg.io/v1') return [];
  if (kind === 'Backup' || kind === 'ScheduledBackup') return checkBackup(manifest);
  if (kind !== 'Cluster') return [];
  const cluster = readCluster(manifest);
  return [
    ...checkStorage(cluster),
    ...checkAvailability(cluster),
    ...checkPostgresql(cluster),
    ...checkArchiving(cluster),
    ...checkRecovery(cluster),
    ...checkAnnotations(cluster),
  ];
}

/** In one file, the second of two takes the place of the first. In several, each may be for another place. */
function checkTwice(manifest: Manifest, manifests: readonly Manifest[]): Remark[] {
  const { file, apiVersion, kind, name, namespace } = manifest;
  const first = manifests.find(
    (one) =>
      one.file === file &&
      one.apiVersion === apiVersion &&
      one.kind === kind &&
      one.name === name &&
      one.namespace === namespace,
  );
  if (first === undefined || first === manifest) return [];
  const message = `${kind} ${name} is in this file twice, first on line ${first.lineOf([])}: the later one counts`;
  return [error('resource_twice', ['metadata', 'name'], message, 'remove one, or give it another name')];
}

function checkPolicy(manifest: Manifest, judgePolicy: JudgePolicy): Remark[] {
  if (manifest.kind !== 'ConfigMap') return [];
  return POLICY_KEYS.flatMap((key) => {
    const text = recordAt(manifest.value, 'data')?.[key];
    if (typeof text !== 'string') return [];
    return judgePolicy(text, key).map(({ level, message, hint }) =>
      (level === 'error' ? error : warning)('policy', ['data', key], message, hint),
    );
  });
}
