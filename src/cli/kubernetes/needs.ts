import { posix } from 'node:path';
import { endpointsOf } from '../../kubernetes/render/endpoints.ts';
import type { Endpoint, SecretFile } from '../../kubernetes/render/wanted.ts';

/** What a configuration names of the world around it, wherever it stands there: secrets and files by where they are, and whom it speaks to. */
export interface Needs {
  /** Variables that hold secrets. */
  readonly variables: readonly string[];
  /** Paths of files that are read, from the root. */
  readonly files: readonly string[];
  readonly endpoints: readonly Endpoint[];
  /** Keys under which a program is named, such as `notify.0.command`. */
  readonly programs: readonly string[];
  readonly usesPostgres: boolean;
  readonly usesAmazon: boolean;
  /** Whether a bucket is named without saying where it is. */
  readonly lacksRegion: boolean;
}

interface Text {
  /** From the top: `serve.tls.cert`. */
  readonly place: string;
  readonly text: string;
}

/** A path stands there without `file:` before it. */
const BARE_FILES = /(^|\.)(passphrase|identities\.\d+|sign_key|tls\.cert|tls\.key|ca|module)$/;
/** These begin with `file:` too, and are vaults. */
const VAULTS = /(^|\.)(vault|storage|spool)$/;
/** Where a notice goes may stand in a secret: whoever that is, it is asked over HTTPS. */
const HIDDEN_URL = /^(env|file|command):/;

/** Relative paths are seen from `folder`, as it is in the pod. */
export function needsOf(value: unknown, folder: string): Needs {
  const texts = textsOf(value, '');
  const variables = texts.flatMap(({ text }) => /^env:([A-Za-z_][A-Za-z0-9_]*)$/.exec(text)?.[1] ?? []);
  const files = texts.flatMap((found) => fileOf(found) ?? []).map((path) => posix.resolve(folder, path));
  const hidden = texts.some(({ place, text }) => /(^|\.)url$/.test(place) && HIDDEN_URL.test(text));
  const buckets = texts.filter(({ text }) => /^(s3|glacier):\/\//.test(text));
  return {
    variables: distinct(variables),
    files: distinct(files),
    endpoints: [
      ...texts.flatMap(({ text }) => endpointsOf(text)),
      ...(hidden ? [{ host: null, port: 443 }] : []),
    ],
    programs: texts.filter(isProgram).map(({ place }) => place.replace(/\.0$/, '')),
    usesPostgres: texts.some(({ text }) => /^postgres(ql)?:/.test(text)),
    usesAmazon: buckets.length > 0 || texts.some(({ text }) => text.startsWith('arn:')),
    lacksRegion: buckets.some(({ text }) => !/[?&](region|endpoint)=/.test(text)),
  };
}

function fileOf({ place, text }: Text): string | null {
  if (VAULTS.test(place)) return null;
  if (text.startsWith('file:')) return text.slice('file:'.length);
  return BARE_FILES.test(place) && !/^[a-z]+:/.test(text) ? text : null;
}

function isProgram({ place, text }: Text): boolean {
  return /(^|\.)(command|check|migrate)\.0$/.test(place) || text.startsWith('command:');
}

function textsOf(value: unknown, place: string): Text[] {
  if (typeof value === 'string') return [{ place, text: value }];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) =>
    textsOf(inner, place === '' ? key : `${place}.${key}`),
  );
}

function distinct(values: readonly string[]): string[] {
  return [...new Set(values)];
}

/** Files beside the configuration, as keys of a Secret, which have no folders. */
export function secretFiles(paths: readonly string[], folder: string): SecretFile[] {
  return paths
    .filter((path) => path.startsWith(`${folder}/`))
    .map((path) => path.slice(folder.length + 1))
    .map((path) => ({ key: path.replaceAll('/', '-'), path }));
}
