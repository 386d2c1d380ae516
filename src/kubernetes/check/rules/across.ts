import { archiverOf, BARMAN_PLUGIN, type Cluster, readCluster, selfOf } from '../cluster.ts';
import { error, type Remark, warning } from '../finding.ts';
import type { FieldPath, Manifest } from '../manifest.ts';
import { listAt, recordAt, textAt } from '../values.ts';
import { canBackUp } from './archiving.ts';
import { methodOf, saidMethod } from './backups.ts';
import { restoresFrom } from './recovery.ts';

/** All that was given, and what is found in it by name. */
export interface Given {
  readonly manifests: readonly Manifest[];
  readonly clusters: readonly Cluster[];
}

/** What a manifest says of others that are given, or ought to be. */
export function checkAcross(manifest: Manifest, given: Given): Remark[] {
  switch (manifest.kind) {
    case 'Backup':
    case 'ScheduledBackup':
      return checkNamedCluster(manifest, given);
    case 'Cluster': {
      const cluster = readCluster(manifest);
      return [
        ...checkNamedStores(cluster, given),
        ...checkSecrets(manifest, given),
        ...checkRoleSecrets(cluster, given),
        ...checkScheduled(cluster, given),
        ...checkArchivePlace(cluster, given),
        ...checkPrimaries(cluster, given),
        ...checkOwnEntry(cluster, given),
      ];
    }
    case 'ObjectStore':
      return checkSecrets(manifest, given);
    default:
      return [];
  }
}

/** Several may have one name, in folders for different places: the one that is nearest to who names it counts. */
export function findNamed(
  from: Manifest,
  kind: string,
  name: string,
  { manifests }: Pick<Given, 'manifests'>,
): Manifest | null {
  const found = manifests.filter((one) => one.kind === kind && one.name === name && isSameSpace(from, one));
  const near = (one: Manifest): number =>
    one.file === from.file ? 0 : folderOf(one.file) === folderOf(from.file) ? 1 : 2;
  return found.sort((a, b) => near(a) - near(b))[0] ?? null;
}

function isSameSpace(a: Manifest, b: Manifest): boolean {
  return a.namespace === null || b.namespace === null || a.namespace === b.namespace;
}

function folderOf(file: string): string {
  return file.slice(0, Math.max(file.lastIndexOf('/'), 0));
}

/** What is named and not given: wrong where others of its kind are given, else perhaps elsewhere. */
export function missing(
  from: Manifest,
  kind: string,
  name: string,
  at: FieldPath,
  given: Pick<Given, 'manifests'>,
): Remark {
  const others = given.manifests
    .filter((one) => one.kind === kind && isSameSpace(from, one))
    .map((one) => one.name);
  const elsewhere = given.manifests.find((one) => one.kind === kind && one.name === name);
  if (elsewhere !== undefined) {
    const message = `${kind} ${name} is in namespace ${elsewhere.namespace}, and this in ${from.namespace}`;
    return error('reference_missing', at, message, 'what a manifest names must be in its namespace');
  }
  const message = `there is no ${kind} ${name} among what was given`;
  if (others.length === 0)
    return warning('reference_missing', at, message, 'name its file as well, to have it checked');
  return error('reference_missing', at, message, `there is ${[...new Set(others)].join(', ')}`);
}

function checkNamedCluster(manifest: Manifest, given: Given): Remark[] {
  const at = ['spec', 'cluster', 'name'];
  const name = textAt(manifest.value, ...at);
  if (name === null) return [];
  const found = findNamed(manifest, 'Cluster', name, given);
  if (found === null) return [missing(manifest, 'Cluster', name, at, given)];
  const method = methodOf(manifest);
  const plugin = textAt(manifest.value, 'spec', 'pluginConfiguration', 'name');
  if (canBackUp(readCluster(found), method, plugin)) return [];
  const what = method === 'plugin' ? `plugin ${plugin}` : `${method}${saidMethod(manifest)}`;
  const message = `it takes backups by ${what}, and Cluster ${name} has no such thing`;
  const isSaid = textAt(manifest.value, 'spec', 'method') !== null;
  const hint = archiverOf(readCluster(found)) === null ? 'one of the two must change' : METHOD_HINT;
  return [error('backup_method', isSaid ? ['spec', 'method'] : ['spec'], message, hint)];
}

const METHOD_HINT = `write method: plugin and pluginConfiguration: { name: ${BARMAN_PLUGIN} }`;

function checkNamedStores(cluster: Cluster, given: Given): Remark[] {
  const { manifest, plugins, externals } = cluster;
  const outside = externals.flatMap(({ plugin }) => (plugin === null ? [] : [plugin]));
  return [...plugins, ...outside].flatMap(({ name, objectStore, at }) => {
    if (name !== BARMAN_PLUGIN || objectStore === null) return [];
    if (findNamed(manifest, 'ObjectStore', objectStore, given) !== null) return [];
    return [missing(manifest, 'ObjectStore', objectStore, [...at, 'parameters', 'barmanObjectName'], given)];
  });
}

/** Keys of Secrets that are given; a Secret that is not is hardly ever in a file. */
function checkSecrets(manifest: Manifest, given: Given): Remark[] {
  return secretKeys(manifest.value.spec, ['spec']).flatMap(({ at, name, key }) => {
    const secret = findNamed(manifest, 'Secret', name, given);
    if (secret === null) return [];
    const keys = keysOf(secret);
    if (keys.includes(key)) return [];
    const message = `Secret ${name} has no key ${key}`;
    return [error('reference_missing', [...at, 'key'], message, `it has ${keys.join(', ') || 'none'}`)];
  });
}

function keysOf({ value }: Manifest): string[] {
  return [...Object.keys(recordAt(value, 'data') ?? {}), ...Object.keys(recordAt(value, 'stringData') ?? {})];
}

interface SecretKey {
  readonly at: FieldPath;
  readonly name: string;
  readonly key: string;
}

const DEEPEST = 20;

/** Whatever has just a name and a key is one of a Secret, in the parts of a Cluster or an ObjectStore that have credentials. */
function secretKeys(value: unknown, at: FieldPath): SecretKey[] {
  if (at.length > DEEPEST) return [];
  if (Array.isArray(value)) return value.flatMap((inner, i) => secretKeys(inner, [...at, i]));
  const record = recordAt(value);
  if (record === null) return [];
  const [name, key] = [textAt(record, 'name'), textAt(record, 'key')];
  const isKey =
    name !== null &&
    key !== null &&
    Object.keys(record).every((field) => ['name', 'key', 'optional'].includes(field));
  const isOfMap =
    String(at.at(-1)).toLowerCase().includes('configmap') ||
    at.some((step) => String(step).includes('onfigMap'));
  if (isKey) return isOfMap ? [] : [{ at, name, key }];
  return Object.entries(record).flatMap(([field, inner]) => secretKeys(inner, [...at, field]));
}

/** The operator takes user name and password from there, and refuses another name than the role's. */
function checkRoleSecrets({ manifest, spec }: Cluster, given: Given): Remark[] {
  return listAt(spec, 'managed', 'roles').flatMap((role, i) => {
    const name = textAt(role, 'passwordSecret', 'name');
    const secret = name === null ? null : findNamed(manifest, 'Secret', name, given);
    if (secret === null) return [];
    const at = ['spec', 'managed', 'roles', i, 'passwordSecret'];
    const lacking = ['username', 'password'].filter((key) => !keysOf(secret).includes(key));
    const user = textAt(secret.value, 'stringData', 'username');
    if (lacking.length > 0) {
      const message = `Secret ${name} has no ${lacking.join(' and no ')}`;
      return [error('reference_missing', at, message, 'a Secret of type kubernetes.io/basic-auth has both')];
    }
    if (user === null || user === '' || user === textAt(role, 'name')) return [];
    const message = `Secret ${name} has another username than the role`;
    return [error('reference_missing', at, message, 'they must be the same')];
  });
}

function checkScheduled(cluster: Cluster, given: Given): Remark[] {
  const { manifest, inTree, plugins, hasSnapshots } = cluster;
  const hasBackups = inTree !== null || hasSnapshots || plugins.some(({ name }) => name === BARMAN_PLUGIN);
  if (!hasBackups) return [];
  const isScheduled = given.manifests.some(
    (one) =>
      one.kind === 'ScheduledBackup' &&
      isSameSpace(one, manifest) &&
      textAt(one.value, 'spec', 'cluster', 'name') === manifest.name,
  );
  if (isScheduled) return [];
  const message =
    'no ScheduledBackup names this Cluster: base backups are taken only when somebody asks for one';
  return [
    warning(
      'no_schedule',
      ['metadata', 'name'],
      message,
      'write one, with schedule "0 0 2 * * *" and immediate: true',
    ),
  ];
}

/** Where a log goes: what of two Clusters is written into one place can be restored for neither. */
function placeOf(cluster: Cluster, given: Given): string | null {
  const { manifest, inTree } = cluster;
  if (inTree !== null)
    return place(textAt(inTree, 'destinationPath'), textAt(inTree, 'serverName') || manifest.name);
  const plugin = archiverOf(cluster);
  return plugin === null ? null : pluginPlace(manifest, plugin, given);
}

function pluginPlace(
  manifest: Manifest,
  { objectStore, serverName }: { readonly objectStore: string | null; readonly serverName: string | null },
  given: Given,
): string | null {
  if (objectStore === null) return null;
  const store = findNamed(manifest, 'ObjectStore', objectStore, given);
  const path = store === null ? null : textAt(store.value, 'spec', 'configuration', 'destinationPath');
  return place(path ?? `ObjectStore ${objectStore}`, serverName ?? manifest.name);
}

function place(path: string | null, serverName: string): string | null {
  return path === null ? null : `${path.replace(/\/+$/, '')}/${serverName}`;
}

function checkArchivePlace(cluster: Cluster, given: Given): Remark[] {
  const { manifest } = cluster;
  const here = placeOf(cluster, given);
  if (here === null) return [];
  const at = archiverOf(cluster)?.at ?? ['spec', 'backup', 'barmanObjectStore'];
  const hint = 'give it a serverName of its own';
  const source = restoresFrom(cluster);
  const from =
    source === null || cluster.isReplica
      ? null
      : source.plugin !== null
        ? pluginPlace(manifest, source.plugin, given)
        : place(textAt(source.inTree, 'destinationPath'), textAt(source.inTree, 'serverName') || source.name);
  if (from === here) {
    const message = `it archives into ${here}, which it is restored from: two histories would be in one place`;
    return [error('archive_overwrites', at, message, hint)];
  }
  const other = given.clusters.find((one) => !isSame(one.manifest, manifest) && placeOf(one, given) === here);
  if (other === undefined) return [];
  const message = `it archives into ${here}, as Cluster ${other.manifest.name} does: neither could be restored`;
  return [error('archive_overwrites', at, message, hint)];
}

function isSame(a: Manifest, b: Manifest): boolean {
  return a.name === b.name && isSameSpace(a, b);
}

/** Of Clusters that follow each other, all must say the same one is the primary. */
function checkPrimaries({ manifest, spec, externals }: Cluster, { clusters }: Given): Remark[] {
  const primary = textAt(spec, 'replica', 'primary') ?? '';
  const self = selfOf(spec, manifest.name);
  if (primary === '') return [];
  const other = clusters.find((one) => {
    const name = selfOf(one.spec, one.manifest.name);
    const theirs = textAt(one.spec, 'replica', 'primary') ?? '';
    const knowEachOther =
      externals.some((e) => e.name === name) && one.externals.some((e) => e.name === self);
    return name !== self && knowEachOther && theirs !== '' && theirs !== primary;
  });
  if (other === undefined) return [];
  const theirs = textAt(other.spec, 'replica', 'primary');
  const message = `the primary is ${primary} here, and ${theirs} in Cluster ${other.manifest.name}`;
  const hint =
    'two primaries would each accept events that the other does not have: demote one first, and promote with its token';
  return [error('replica_invalid', ['spec', 'replica', 'primary'], message, hint)];
}

/** By the entry of its own name, the others of a topology find what it archives. */
function checkOwnEntry(cluster: Cluster, given: Given): Remark[] {
  const { manifest, spec, externals } = cluster;
  const own = externals.find(({ name }) => name === selfOf(spec, manifest.name));
  if (recordAt(spec, 'replica') === null || own?.plugin?.name !== BARMAN_PLUGIN) return [];
  const here = placeOf(cluster, given);
  const entry = pluginPlace(manifest, own.plugin, given);
  if (here === null || entry === null || here === entry) return [];
  const message = `who follows it looks in ${entry}, and it archives into ${here}`;
  return [error('external_cluster', [...own.at, 'plugin'], message, 'say the same here as in spec.plugins')];
}
