import type { FieldPath, Manifest } from './manifest.ts';

/** Something in a manifest that is wrong, or worth a look, and where it stands. */
export interface ManifestFinding {
  /** An error is refused by a cluster, dropped by it without a word, or loses what it is there to keep. */
  readonly severity: 'error' | 'warning';
  readonly rule: ManifestRule;
  readonly file: string;
  /** Which document of the file, from 1. */
  readonly document: number;
  /** As `Cluster events`; null where the document is no manifest. */
  readonly resource: string | null;
  /** As `spec.backup.data`; empty where all of the document is meant. */
  readonly path: string;
  /** From 1. */
  readonly line: number;
  readonly message: string;
  readonly hint: string | null;
}

/** By which a program may tell findings apart. */
export const MANIFEST_RULES = [
  'not_yaml',
  'not_a_manifest',
  'resource_twice',
  'field_unknown',
  'field_type',
  'field_value',
  'field_missing',
  'name_invalid',
  'schedule_invalid',
  'schedule_five_fields',
  'schedule_often',
  'schedule_elsewhere',
  'retention_invalid',
  'retention_unused',
  'storage_size',
  'destination_invalid',
  'credentials_invalid',
  'server_name_forbidden',
  'in_tree_removed',
  'in_tree_and_plugin',
  'wal_archivers',
  'wal_not_archived',
  'plugin_parameters',
  'backup_method',
  'synchronous_invalid',
  'synchronous_stops',
  'not_synchronous',
  'failover_loses',
  'one_instance',
  'no_backup',
  'no_schedule',
  'recovery_invalid',
  'archive_overwrites',
  'external_cluster',
  'replica_invalid',
  'image_invalid',
  'parameter_invalid',
  'slot_wal_unbounded',
  'change_log_off',
  'logical_slots',
  'role_invalid',
  'pod_monitor_deprecated',
  'checks_off',
  'scaling_invalid',
  'reference_missing',
  'secret_literal',
  'policy',
] as const;

export type ManifestRule = (typeof MANIFEST_RULES)[number];

/** What a rule says of a place in a manifest. */
export interface Remark {
  readonly severity: ManifestFinding['severity'];
  readonly rule: ManifestRule;
  readonly at: FieldPath;
  readonly message: string;
  readonly hint: string | null;
}

export function error(
  rule: ManifestRule,
  at: FieldPath,
  message: string,
  hint: string | null = null,
): Remark {
  return { severity: 'error', rule, at, message, hint };
}

export function warning(
  rule: ManifestRule,
  at: FieldPath,
  message: string,
  hint: string | null = null,
): Remark {
  return { severity: 'warning', rule, at, message, hint };
}

export function findingOf(manifest: Manifest, remark: Remark): ManifestFinding {
  const { severity, rule, at, message, hint } = remark;
  return {
    ...{ severity, rule, file: manifest.file, document: manifest.document },
    ...{ resource: `${manifest.kind} ${manifest.name}`, path: pathText(at), line: manifest.lineOf(at) },
    ...{ message, hint },
  };
}

/** As `spec.plugins[0].name`. */
export function pathText(path: FieldPath): string {
  return path.reduce<string>((text, step) => {
    if (typeof step === 'number') return `${text}[${step}]`;
    const shown = /^[A-Za-z_][\w-]*$/.test(step) ? step : JSON.stringify(step);
    return text === '' ? shown : `${text}.${shown}`;
  }, '');
}
