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

export const POLICY_KEY = 'backup-policy.yaml';

/**
 * All that is wrong, or worth a look, with manifests that are applied together, by file and line. What the definitions and webhooks of CloudNativePG refuse is an
 * error, and so is what they take and would not do what it says; a warning is advice, or what will be refused by a later version.
 */
export function checkManifests(manifests: readonly Manifest[], judgePolicy: JudgePolicy): ManifestFinding[] {
  const clusters = manifests.filter(isOf('postgresql.cnpg.io', 'Cluster')).map(readCluster);
  const given: Given = { manifests, clusters };
  return manifests
    .flatMap((manifest) =>
      [
        ...checkOne(manifest),
        ...checkAcross(manifest, given),
        ...checkTwice(manifest, manifests),
        ...checkPolicy(manifest, judgePolicy),
      ].map((remark) => findingOf(manifest, remark)),
    )
    .sort(inOrder);
}

export function inOrder(a: ManifestFinding, b: ManifestFinding): number {
  return a.file < b.file ? -1 : a.file > b.file ? 1 : a.document - b.document || a.line - b.line;
}

function isOf(group: string, kind: string): (manifest: Manifest) => boolean {
  return (manifest) => manifest.kind === kind && manifest.apiVersion.startsWith(`${group}/`);
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
  const text = recordAt(manifest.value, 'data')?.[POLICY_KEY];
  if (typeof text !== 'string') return [];
  return judgePolicy(text, POLICY_KEY).map(({ level, message, hint }) =>
    (level === 'error' ? error : warning)('policy', ['data', POLICY_KEY], message, hint),
  );
}
