import { dirname, resolve } from 'node:path';
import { type AccessConfig, isSecure, isUnconfigured } from '../../console/access/config.ts';
import { isLoopback } from '../../console/access/peers.ts';
import { BackupError } from '../../core/errors.ts';
import type { Settings } from '../config/config.ts';
import { originOf } from './access-schema.ts';
import type { ServeSection } from './schema.ts';

export interface TlsFiles {
  readonly cert: string;
  readonly key: string;
}

/** How the daemon is reached, and by whom. */
export interface HttpSettings {
  readonly access: AccessConfig;
  /** Null: connections are not encrypted. */
  readonly tls: TlsFiles | null;
}

type Source = Pick<Settings, 'serve' | 'file'>;
const KEYS = ['access', 'tls', 'public_url', 'audit_log'] as const;

/**
 * One daemon has one door, whatever the number of its stores: each key may stand in one of their configurations. Throws `config_invalid` where it
 * stands in two, since what counts then would follow from the order on the command line.
 */
export function httpSettings(sources: readonly Source[]): HttpSettings {
  const [access, tls, publicUrl, auditLog] = KEYS.map((key) => sourceOf(sources, key));
  const { tokens = [], proxy } = access?.serve.access ?? {};
  return {
    access: {
      tokens,
      proxy: proxy === undefined ? null : proxyOf(proxy),
      publicOrigin: originOf(publicUrl?.serve.public_url ?? ''),
      hasTls: tls !== undefined,
      auditLog: auditLog === undefined ? null : inFolder(auditLog, auditLog.serve.audit_log!),
    },
    tls:
      tls === undefined
        ? null
        : { cert: inFolder(tls, tls.serve.tls!.cert), key: inFolder(tls, tls.serve.tls!.key) },
  };
}

function sourceOf(sources: readonly Source[], key: (typeof KEYS)[number]): Source | undefined {
  const [first, second] = sources.filter(({ serve }) => serve[key] !== undefined);
  if (second === undefined) return first;
  throw new BackupError(
    'config_invalid',
    `\`serve.${key}\` stands in ${first?.file ?? ''} and in ${second.file ?? ''}`,
    {
      hint: 'one daemon has one door: leave it in one of them',
    },
  );
}

function inFolder({ file }: Source, path: string): string {
  return resolve(dirname(file ?? '.'), path);
}

type ProxySection = NonNullable<NonNullable<ServeSection['access']>['proxy']>;

function proxyOf(proxy: ProxySection): AccessConfig['proxy'] {
  return {
    from: proxy.from,
    userHeader: proxy.user_header ?? 'X-Forwarded-User',
    groupsHeader: proxy.groups_header ?? 'X-Forwarded-Groups',
    operators: proxy.operators ?? [],
    viewers: proxy.viewers ?? [],
  };
}

/** What of it is worth a word in the log when the daemon begins. */
export function accessWarnings(access: AccessConfig, boundAddress: string): string[] {
  if (isLoopback(boundAddress)) return [];
  if (isUnconfigured(access)) {
    return [
      `${boundAddress} is reached from elsewhere and nobody can log in: nothing but /livez and /readyz is answered there (docs/access.md)`,
    ];
  }
  if (isSecure(access)) return [];
  return [
    'tokens and cookies go over the network in the clear: set `serve.tls`, or `serve.public_url` to the https address of a proxy',
  ];
}
