import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { BackupError } from '../../core/errors.ts';
import { CONFIG_FOLDER } from '../../kubernetes/render/pod.ts';
import { namesOf, type RecoveryTarget, type Variable, type Wanted } from '../../kubernetes/render/wanted.ts';
import { redactAddress, redactText } from '../address.ts';
import { CONFIG_NAME, configPath, requireAddress, type Settings, settingsOf } from '../config/config.ts';
import { readConfigText } from '../config/file.ts';
import type { CommandContext } from '../context.ts';
import { servedJobs } from '../serve/jobs.ts';
import type { KubernetesFlags } from './flags.ts';
import { cronJobsOf } from './jobs.ts';
import { type Needs, needsOf, secretFiles } from './needs.ts';
import { isWithin, requireVolumes } from './places.ts';
import { queueVariables, secretVariables } from './variables.ts';
import { workersOf } from './workers.ts';

/** What the manifests are made of, and what whoever applies them should know. */
export interface WantedRead {
  readonly wanted: Wanted;
  readonly settings: Settings;
  readonly notes: readonly string[];
}

const NAME = 'eventcore-backup';
const NAMESPACE = 'eventcore';
const DEADLINE_MS = 12 * 3_600_000;

/**
 * Reads the configuration as the pods will: from its folder there, and without this machine's environment. Throws `config_invalid` for what would not
 * work there, and for what must not stand in a ConfigMap.
 */
export async function readWanted(
  { flags, env, cwd, software }: Pick<CommandContext, 'flags' | 'env' | 'cwd' | 'software'>,
  options: KubernetesFlags,
): Promise<WantedRead> {
  const { path } = configPath({ flags, env, cwd });
  const { text, value } = await readConfigured(path);
  refuseSecrets(text, path, flags);
  const { name = NAME, namespace = NAMESPACE, volume: volumes = [] } = options;
  const fileName = fileNameOf(path, text);
  const settings = await settingsOf(text, `${CONFIG_FOLDER}/${fileName}`, { flags, env: {} });
  requireAddress(settings, 'store');
  requireAddress(settings, 'vault');
  requireVolumes(settings, volumes);
  requireJobs(settings, path);
  const given = { store: flags.store, vault: flags.vault };
  const configured = { ...(value as object), ...defined(given) };
  const needs = needsOf(configured, CONFIG_FOLDER);
  const workers = workersOf(settings, configured, options);
  for (const { path: folder } of volumes) refuseShared(folder);
  const wanted: Wanted = {
    ...{ name, namespace, image: options.image ?? software.replace(' ', ':') },
    config: { fileName, text },
    variables: [
      ...addressVariables(given),
      ...secretVariables(needs, options),
      ...(settings.queue.address === undefined ? [] : queueVariables(settings.queue.address)),
    ],
    files: filesOf(needs, volumes, name),
    ...{ volumes, endpoints: needs.endpoints },
    jobs: options.cronJobs ? cronJobsOf(settings) : [],
    isTls: settings.serve.tls !== undefined,
    deadlineSeconds: (settings.serve.deadline ?? DEADLINE_MS) / 1000,
    targets: targetsOf(settings),
    workers,
  };
  return { wanted, settings, notes: notesOf(wanted, settings, needs) };
}

async function readConfigured(path: string): Promise<{ readonly text: string; readonly value: unknown }> {
  try {
    return readConfigText(await readFile(path, 'utf8'), path);
  } catch (cause) {
    if (cause instanceof BackupError) throw cause;
    const code = (cause as NodeJS.ErrnoException).code ?? 'unknown';
    throw new BackupError('config_invalid', `cannot read the configuration ${path} (${code})`, {
      hint: 'manifests are made of a configuration: `eventcore init` writes one, or name yours with --config',
      cause,
    });
  }
}

/** Whoever may look at the namespace may read a ConfigMap and a pod's own variables. */
function refuseSecrets(text: string, path: string, flags: CommandContext['flags']): void {
  const addresses = [flags.store, flags.vault].filter((address) => address !== undefined);
  const hint = `take it out: PGPASSWORD of a Secret gives the password, and secrets are named by where they are (docs/keys.md)`;
  if (redactText(text) !== text || addresses.some((address) => redactAddress(address) !== address))
    throw new BackupError(
      'config_invalid',
      `an address in ${path} or in the flags has a password, which would be in a ConfigMap`,
      { hint },
    );
  if (/AGE-SECRET-KEY-|-----BEGIN [A-Z ]*PRIVATE/.test(text))
    throw new BackupError('config_invalid', `a secret key stands in ${path}, and would be in a ConfigMap`, {
      hint,
    });
}

/** The daemon calls a store after its file; a ConfigMap of others has none. */
function fileNameOf(path: string, text: string): string {
  const name = basename(path);
  return text !== '' && /^[A-Za-z0-9._-]+\.ya?ml$/.test(name) ? name : CONFIG_NAME;
}

function requireJobs(settings: Settings, path: string): void {
  if (servedJobs(settings).some(({ timing, name }) => timing.kind !== 'asked' && name !== 'doctor')) return;
  throw new BackupError('config_invalid', `${path} does not say when backups are taken`, {
    hint: 'write `primary:` with a schedule (docs/policy.md), or `serve:` with `jobs:` (docs/serve.md)',
  });
}

function refuseShared(folder: string): void {
  const own = [CONFIG_FOLDER, '/tmp'].find((path) => isWithin(path, folder) || isWithin(folder, path));
  if (own === undefined) return;
  throw new BackupError('usage', `--volume ${folder}: ${own} of the pods is something else already`, {
    hint: 'mount the claim at another folder, as /backups',
  });
}

function defined(values: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(values).flatMap(([key, value]) => (value === undefined ? [] : [[key, value]])),
  );
}

/** Flags stand above the file there as well. */
function addressVariables(given: Readonly<Record<string, string | undefined>>): Variable[] {
  return Object.entries(defined(given)).map(([key, value]) => ({
    name: `EVENTCORE_${key.toUpperCase()}`,
    value,
  }));
}

function filesOf({ files }: Needs, volumes: Wanted['volumes'], name: string): Wanted['files'] {
  const elsewhere = files.find(
    (path) => !isWithin(path, CONFIG_FOLDER) && volumes.every((volume) => !isWithin(path, volume.path)),
  );
  if (elsewhere === undefined) return secretFiles(files, CONFIG_FOLDER);
  throw new BackupError('config_invalid', `the configuration names ${elsewhere}, which is in no pod`, {
    hint: `name it beside the configuration, as file:./${basename(elsewhere)}: there lies what is in the Secret ${namesOf({ name }).files}`,
    facts: { path: elsewhere },
  });
}

/** What is asked of the API server that a pod finds in itself. */
function targetsOf({ disaster }: Settings): RecoveryTarget[] {
  const found = (disaster?.regions ?? []).flatMap(({ servers, scale }) => [
    ...servers.flatMap(({ fences }) =>
      fences.map(({ kubernetes }) => ({ purpose: 'fence' as const, kubernetes })),
    ),
    { purpose: 'scale' as const, kubernetes: scale?.kubernetes },
  ]);
  const targets = found.flatMap(({ purpose, kubernetes }): RecoveryTarget[] => {
    if (kubernetes === undefined || kubernetes.api !== undefined) return [];
    const { namespace, cluster, workload } = kubernetes;
    const [kind, name] = cluster === undefined ? workload!.split('/') : ['cluster', cluster];
    return [{ purpose, namespace, kind: kind as RecoveryTarget['kind'], name: name! }];
  });
  return targets.filter((target, i) => targets.findIndex((other) => isSame(other, target)) === i);
}

function isSame(a: RecoveryTarget, b: RecoveryTarget): boolean {
  return a.purpose === b.purpose && a.namespace === b.namespace && a.kind === b.kind && a.name === b.name;
}

function notesOf(
  { name, jobs, volumes, workers }: Wanted,
  { serve, policyWarnings }: Settings,
  needs: Needs,
): string[] {
  const isOpen = (serve.access?.tokens ?? []).length > 0 || serve.access?.proxy !== undefined;
  return [
    ...(isOpen || jobs.length > 0
      ? []
      : [
          'nobody may read metrics or see the console until there is a token: `eventcore tokens generate` (docs/access.md)',
        ]),
    ...(needs.lacksRegion
      ? [
          `a bucket is named without its region: write ?region=… behind it, or AWS_REGION into the Secret ${name}`,
        ]
      : []),
    ...(needs.programs.length > 0
      ? [`the image must have the programs that are named in ${needs.programs.join(', ')}`]
      : []),
    ...(volumes.length > 0 ? ['with a claim there is one pod at a time, and none stands by'] : []),
    ...(volumes.length > 0 && workers !== null
      ? ['workers mount the claims too: their access mode must be ReadWriteMany, or all pods on one node']
      : []),
    ...policyWarnings.map(({ message, hint }) => `policy: ${message}; ${hint}`),
  ];
}
