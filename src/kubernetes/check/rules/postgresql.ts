import type { Cluster } from '../cluster.ts';
import { error, type Remark, warning } from '../finding.ts';
import { postgresBytes, quantityBytes } from '../quantity.ts';
import { flagAt, listAt, numberAt, recordAt, textAt } from '../values.ts';

/** Image, parameters, slots and roles. */
export function checkPostgresql(cluster: Cluster): Remark[] {
  return [
    ...checkImage(cluster),
    ...checkParameters(cluster),
    ...checkWal(cluster),
    ...checkLogicalSlots(cluster),
    ...checkRoles(cluster),
  ];
}

const IMAGE = ['spec', 'imageName'];
const OLDEST = 13;
/** Of the operator's own image, where none is named. */
const DEFAULT_MAJOR = 18;

function checkImage({ spec }: Cluster): Remark[] {
  const image = textAt(spec, 'imageName');
  if (image === null) return [];
  if (recordAt(spec, 'imageCatalogRef') !== null) {
    return [error('image_invalid', IMAGE, 'both an image and a catalog of images are named', 'remove one')];
  }
  const hint = 'name a version in the tag, as ghcr.io/cloudnative-pg/postgresql:18.6-system-trixie';
  const tag = tagOf(image);
  if (tag === '' || tag === 'latest') {
    const what = tag === '' ? 'the image has no tag' : 'the image has the tag latest';
    return [error('image_invalid', IMAGE, `${what}: the operator could not tell an upgrade`, hint)];
  }
  const major = majorOf(tag);
  if (major === null)
    return [error('image_invalid', IMAGE, `the tag ${tag} does not begin with a version`, hint)];
  if (major >= OLDEST) return [];
  return [error('image_invalid', IMAGE, `PostgreSQL ${major} is not supported: 13 or newer is`, hint)];
}

function tagOf(image: string): string {
  return /:([^/@:]+)(?:@.*)?$/.exec(image.replace(/@sha256:.*$/, ''))?.[1] ?? '';
}

function majorOf(tag: string): number | null {
  const match = /^(\d+)(?:[._-]|$)/.exec(tag);
  return match === null ? null : Number(match[1]);
}

/** Which version of PostgreSQL runs; null where that cannot be said. */
function majorOfCluster({ spec }: Cluster): number | null {
  const catalog = recordAt(spec, 'imageCatalogRef');
  if (catalog !== null) return numberAt(catalog, 'major');
  const image = textAt(spec, 'imageName');
  return image === null ? DEFAULT_MAJOR : majorOf(tagOf(image));
}

/** What the operator sets itself, and lets nobody else set. */
const FIXED = new Set([
  ...['allow_system_table_mods', 'archive_mode', 'bonjour', 'bonjour_name', 'cluster_name', 'config_file'],
  ...['data_directory', 'data_sync_retry', 'event_source', 'external_pid_file', 'hba_file', 'hot_standby'],
  ...['ident_file', 'jit_provider', 'listen_addresses', 'logging_collector', 'port', 'primary_conninfo'],
  ...['primary_slot_name', 'recovery_target', 'recovery_target_action', 'recovery_target_inclusive'],
  ...['recovery_target_lsn', 'recovery_target_name', 'recovery_target_time', 'recovery_target_timeline'],
  ...['recovery_target_xid', 'restore_command', 'shared_preload_libraries', 'temp_tablespaces'],
  ...['unix_socket_directories', 'unix_socket_group', 'unix_socket_permissions', 'archive_cleanup_command'],
  ...['archive_command', 'log_destination', 'log_directory', 'log_file_mode', 'log_filename'],
  ...['log_rotation_age', 'log_rotation_size', 'log_truncate_on_rotation', 'pg_failover_slots.primary_dsn'],
  ...['pg_failover_slots.standby_slot_names', 'promote_trigger_file', 'recovery_end_command'],
  ...['recovery_min_apply_delay', 'restart_after_crash', 'ssl', 'ssl_ca_file', 'ssl_cert_file'],
  ...['ssl_crl_file', 'ssl_dh_params_file', 'ssl_key_file', 'ssl_passphrase_command'],
  ...['ssl_passphrase_command_supports_reload', 'ssl_prefer_server_ciphers', 'stats_temp_directory'],
  ...['synchronous_standby_names', 'synchronized_standby_slots', 'syslog_facility', 'syslog_ident'],
  ...['syslog_sequence_numbers', 'syslog_split_messages'],
]);

const PARAMETERS = ['spec', 'postgresql', 'parameters'];
const OFF = ['off', 'false', 'no', '0'];

function checkParameters({ parameters, instances }: Cluster): Remark[] {
  return Object.entries(parameters).flatMap(([name, value]) => {
    const at = [...PARAMETERS, name];
    const refuse = (message: string, hint: string | null = null): Remark[] => [
      error('parameter_invalid', at, message, hint),
    ];
    if (!/^[A-Za-z_][\w$]*(\.[A-Za-z_][\w$]*)?$/.test(name)) return refuse('this is no name of a parameter');
    if (FIXED.has(name)) return refuse(`${name} is set by the operator: it is refused`, 'remove it');
    const isOff = OFF.includes(String(value).toLowerCase());
    if (['fsync', 'full_page_writes'].includes(name) && isOff) {
      return refuse(`with ${name} off, a crash can damage all of the store`, 'remove it');
    }
    if (name === 'wal_log_hints' && isOff && instances > 1) {
      return refuse('wal_log_hints must be on where there is more than one instance', 'remove it');
    }
    return [];
  });
}

function checkWal(cluster: Cluster): Remark[] {
  const level = textAt(cluster.parameters, 'wal_level') ?? 'logical';
  return [
    ...(level === 'logical' ? checkSlotLimit(cluster) : [levelRemark(level, cluster)]),
    ...checkWalSizes(cluster),
    ...checkArchiveTimeout(cluster),
  ];
}

function levelRemark(level: string, { instances }: Cluster): Remark {
  const at = [...PARAMETERS, 'wal_level'];
  const hint = 'write logical, or remove it: logical is what CloudNativePG sets by itself';
  if (level === 'replica') {
    return warning(
      'change_log_off',
      at,
      '`eventcore archive` cannot follow the commits with wal_level replica',
      hint,
    );
  }
  const isMinimal = level === 'minimal' && instances > 1;
  const message = isMinimal
    ? 'wal_level minimal can be had neither with standbys nor with archived logs'
    : `wal_level ${JSON.stringify(level)} brings neither archived logs nor a change log`;
  return error('parameter_invalid', at, message, hint);
}

/** A slot that nobody reads keeps the log until the disk is full, and the primary stands still. */
function checkSlotLimit({ parameters, spec }: Cluster): Remark[] {
  const text = textAt(parameters, 'max_slot_wal_keep_size');
  const limit = text === null ? null : postgresBytes(text);
  if (limit === null || limit < 0) {
    const message =
      'nothing limits what slots keep of the log: an archiver or a standby that is away fills the disk and stops the primary';
    const hint = 'set max_slot_wal_keep_size to less than half of the volume of the log';
    return [
      warning(
        'slot_wal_unbounded',
        text === null ? PARAMETERS : [...PARAMETERS, 'max_slot_wal_keep_size'],
        message,
        hint,
      ),
    ];
  }
  const volume = walVolume(spec);
  if (volume === null || limit < volume.bytes) return [];
  const message = `slots may keep ${text} of the log, and ${volume.name} has ${volume.size}: the disk is full before`;
  return [
    warning(
      'slot_wal_unbounded',
      [...PARAMETERS, 'max_slot_wal_keep_size'],
      message,
      'let it be less than half of that',
    ),
  ];
}

function walVolume(
  spec: Readonly<Record<string, unknown>>,
): { readonly name: string; readonly size: string; readonly bytes: number } | null {
  const name = recordAt(spec, 'walStorage') === null ? 'storage' : 'walStorage';
  const size = textAt(spec, name, 'size');
  const bytes = size === null ? null : quantityBytes(size);
  return size === null || bytes === null ? null : { name, size, bytes };
}

function checkWalSizes({ parameters, spec }: Cluster): Remark[] {
  const [least, most] = [textAt(parameters, 'min_wal_size'), textAt(parameters, 'max_wal_size')];
  const [leastBytes, mostBytes] = [postgresBytes(least ?? '80MB'), postgresBytes(most ?? '1GB')];
  const size = textAt(spec, 'walStorage', 'size');
  const volume = size === null ? null : quantityBytes(size);
  const hint = 'a number and kB, MB, GB or TB';
  const remarks: Remark[] = [];
  const refuse = (name: string, message: string): void => {
    remarks.push(error('parameter_invalid', [...PARAMETERS, name], message, hint));
  };
  if (leastBytes === null) refuse('min_wal_size', `min_wal_size ${JSON.stringify(least)} is no size`);
  if (mostBytes === null) refuse('max_wal_size', `max_wal_size ${JSON.stringify(most)} is no size`);
  if (leastBytes === null || mostBytes === null) return remarks;
  if (leastBytes >= mostBytes) refuse('min_wal_size', 'min_wal_size must be less than max_wal_size');
  if (volume !== null && most !== null && mostBytes >= volume) {
    refuse('max_wal_size', `max_wal_size ${most} must be less than walStorage, ${size}`);
  }
  return remarks;
}

function checkArchiveTimeout({ parameters }: Cluster): Remark[] {
  const text = textAt(parameters, 'archive_timeout');
  if (text === null || !/^0\s*[a-z]*$/.test(text)) return [];
  const message = 'with archive_timeout 0, a quiet store archives its newest events only when 16 MB are full';
  return [
    warning('parameter_invalid', [...PARAMETERS, 'archive_timeout'], message, 'remove it: it is 5min then'),
  ];
}

function checkLogicalSlots(cluster: Cluster): Remark[] {
  const { spec, parameters } = cluster;
  const at = ['spec', 'replicationSlots', 'highAvailability', 'synchronizeLogicalDecoding'];
  if (!flagAt({ spec }, ...at)) return [];
  if (Object.keys(parameters).some((name) => name.startsWith('pg_failover_slots.'))) return [];
  const major = majorOfCluster(cluster);
  if (major === null) return [];
  if (major < 17) {
    const message = `PostgreSQL ${major} copies logical slots only with the extension pg_failover_slots: it is refused`;
    return [
      error('logical_slots', at, message, 'remove it: `eventcore archive` begins a new log after a failover'),
    ];
  }
  const missing = ['hot_standby_feedback', 'sync_replication_slots'].filter(
    (name) => !['on', 'true', 'yes', '1'].includes(textAt(parameters, name)?.toLowerCase() ?? ''),
  );
  return missing.map((name) =>
    error('logical_slots', at, `it needs ${name}: it is refused`, `set ${name}: "on"`),
  );
}

function checkRoles({ spec }: Cluster): Remark[] {
  const roles = listAt(spec, 'managed', 'roles');
  const names = roles.map((role) => textAt(role, 'name') ?? '');
  return roles.flatMap((role, i) => {
    const name = names[i]!;
    const at = ['spec', 'managed', 'roles', i];
    const limit = numberAt(role, 'connectionLimit') ?? -1;
    const faults = [
      ...(names.indexOf(name) < i ? [`there are two roles ${name}`] : []),
      ...(/^(cnpg_|pg_)|^(postgres|streaming_replica)$/.test(name)
        ? [`${name} is a role of the server or the operator`]
        : []),
      ...(limit < -1 ? ['its connectionLimit is less than 0'] : []),
      ...(flagAt(role, 'disablePassword') && recordAt(role, 'passwordSecret') !== null
        ? ['it has a password, and disablePassword']
        : []),
    ];
    return faults.map((fault) => error('role_invalid', at, `${fault}: it is refused`));
  });
}
