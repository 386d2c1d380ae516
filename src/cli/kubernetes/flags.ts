import { InvalidArgumentError } from 'commander';
import type { ClaimedVolume } from '../../kubernetes/render/wanted.ts';

/** What `eventcore init --kubernetes` is told beside the configuration. */
export interface KubernetesFlags {
  readonly name?: string;
  readonly namespace?: string;
  readonly image?: string;
  readonly cronJobs?: true;
  readonly prometheusOperator?: true;
  readonly keda?: true;
  readonly volume?: readonly ClaimedVolume[];
  readonly passwordFrom?: { readonly secret: string; readonly key: string };
  readonly to?: string;
  readonly dryRun?: true;
  readonly force?: true;
}

/** Further words are put behind it: names of CronJobs have 52 characters at most. */
const MOST_NAME = 36;

/** A parser for an option that is a name of Kubernetes. */
export function readName(text: string): string {
  if (/^[a-z]([a-z0-9-]*[a-z0-9])?$/.test(text) && text.length <= MOST_NAME) return text;
  throw new InvalidArgumentError(
    `It must be small letters, digits and dashes, ${MOST_NAME} at most, as eventcore-backup.`,
  );
}

/** A parser for `--volume`, which may be given again. */
export function readVolume(text: string, before: readonly ClaimedVolume[] = []): ClaimedVolume[] {
  const [, path, claim] = /^(\/[^=:\0]+?)\/?=([a-z0-9]([a-z0-9.-]*[a-z0-9])?)$/.exec(text) ?? [];
  if (path === undefined || claim === undefined || path.split('/').some((part) => part === '..'))
    throw new InvalidArgumentError(
      'It must be a folder and a claim that is there, as /backups=eventcore-backups.',
    );
  if (before.some((volume) => volume.path === path))
    throw new InvalidArgumentError(`Two claims cannot be mounted at ${path}.`);
  return [...before, { path, claim }];
}

/** A parser for `--password-from`. */
export function readSecretKey(text: string): { secret: string; key: string } {
  const [, secret, key] = /^([a-z0-9](?:[a-z0-9.-]*[a-z0-9])?)\/([A-Za-z0-9._-]+)$/.exec(text) ?? [];
  if (secret !== undefined && key !== undefined) return { secret, key };
  throw new InvalidArgumentError('It must be a Secret and a key of it, as eventcore-serve-login/password.');
}
