import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { parse } from 'yaml';
import { BackupError } from '../../core/errors.ts';
import { printable } from '../../core/units.ts';
import { kustomization, type ManifestFile, renderFiles } from '../../kubernetes/render/files.ts';
import type { AlertRules } from '../../kubernetes/render/prometheus.ts';
import { exampleSecrets } from '../../kubernetes/render/shared.ts';
import { namesOf, type Wanted } from '../../kubernetes/render/wanted.ts';
import { requireAddress } from '../config/config.ts';
import type { CommandContext } from '../context.ts';
import type { KubernetesFlags } from './flags.ts';
import { readWanted, type WantedRead } from './wanted.ts';
import { filesThere, refuseThere, writeFiles } from './write-files.ts';

const FOLDER = 'kubernetes';
const KUSTOMIZATION = 'kustomization.yaml';

/** `eventcore init --kubernetes`: manifests of a configuration, into a folder or onto stdout. Neither store nor vault is asked. */
export async function initKubernetes(context: CommandContext, flags: KubernetesFlags): Promise<number> {
  const { output, cwd } = context;
  const { to = FOLDER } = flags;
  if (to === '-' && output.isJson)
    throw new BackupError('usage', '--json lists files, and --to - writes none', {
      hint: 'leave one of them out',
    });
  const read = await readWanted(context, flags);
  const files = await renderOf(read, flags);
  for (const note of read.notes) context.log.warn(note);
  if (to === '-') {
    await output.write(
      files
        .filter(({ isApplied }) => isApplied)
        .map(({ text }) => text)
        .join('---\n'),
    );
    return 0;
  }
  const folder = resolve(cwd, to);
  const written = [
    ...files,
    { name: KUSTOMIZATION, text: kustomization(files), isApplied: true, manifests: [] },
  ];
  const there = filesThere(folder, written);
  if (!flags.force) refuseThere(folder, there);
  if (!flags.dryRun) await writeFiles(folder, written);
  const listed = written.map(({ name, manifests, isApplied }) => ({
    ...{ name, isApplied, wasThere: there.includes(name) },
    objects: manifests.map(({ kind, metadata }) => `${kind}/${metadata.name ?? metadata.generateName}`),
  }));
  const dryRun = flags.dryRun === true;
  output.document({ folder, dryRun, namespace: read.wanted.namespace, files: listed, notes: read.notes });
  output.account(
    account(context, {
      dryRun,
      listed,
      wanted: read.wanted,
      to,
      hasPrometheus: flags.prometheusOperator === true,
    }),
  );
  return 0;
}

/** The files of a configuration, but for `kustomization.yaml`. */
export async function renderOf(
  { wanted, settings }: WantedRead,
  flags: KubernetesFlags,
): Promise<ManifestFile[]> {
  return renderFiles(wanted, {
    variant: flags.cronJobs ? 'cron-jobs' : 'daemon',
    keda: flags.keda === true,
    alerts: flags.prometheusOperator ? await readAlerts() : null,
    restoreTo: asRestorer(requireAddress(settings, 'store')),
    hasRecovery: settings.disaster !== null,
  });
}

/** Lies in the package as well. */
export const ALERTS_FILE = new URL('../../../deploy/prometheus/alerts.yaml', import.meta.url);

async function readAlerts(): Promise<AlertRules> {
  return parse(await readFile(ALERTS_FILE, 'utf8')) as AlertRules;
}

/** The role that takes backups may not write. */
function asRestorer(store: string): string {
  return store.replace(/^(postgres(?:ql)?:\/\/)(?:[^@/?]*@)?/, '$1restore_login@');
}

interface Account {
  readonly hasPrometheus: boolean;
  readonly to: string;
  readonly dryRun: boolean;
  readonly wanted: Wanted;
  readonly listed: readonly {
    readonly name: string;
    readonly objects: readonly string[];
    readonly wasThere: boolean;
    readonly isApplied: boolean;
  }[];
}

function account(
  { output }: CommandContext,
  { to, dryRun, wanted, listed, hasPrometheus }: Account,
): string[] {
  const head = dryRun ? output.paint('strong', 'Would write') : output.paint('good', 'Wrote');
  const rows = listed.map(({ name, objects, wasThere, isApplied }) => [
    name,
    `${name === KUSTOMIZATION ? 'for kubectl apply -k' : objects.join(', ')}${isApplied ? '' : ' (an example)'}${wasThere ? ' (overwrites)' : ''}`,
  ]);
  const secrets = [...new Set(exampleSecrets(wanted).map(({ metadata }) => String(metadata.name)))].filter(
    (name) => hasPrometheus || name !== namesOf(wanted).metrics,
  );
  return [
    `${head} ${printable(to)}`,
    ...rows.map(([name, objects]) => `  ${name!.padEnd(28)}${objects}`),
    ...(secrets.length === 0 ? [] : [secretsLine(secrets, to)]),
    ...(dryRun ? [] : [`Next: ${output.paint('strong', `kubectl apply -k ${to}`)}`]),
  ];
}

function secretsLine(names: readonly string[], to: string): string {
  const [what, them] = names.length === 1 ? ['Secret', 'it'] : ['Secrets', 'them'];
  return `Make the ${what} ${names.join(' and ')} first: ${join(to, 'secrets.example.yaml')} says what is in ${them}.`;
}
