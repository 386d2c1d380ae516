import type { TokenEntry } from './tokens.ts';

/** Who gets in, as the configuration says it now. */
export interface AccessConfig {
  readonly tokens: readonly TokenEntry[];
  readonly proxy: ProxyConfig | null;
  /** Scheme, name and port that people come by, as `https://backups.example.com`; null: not said. */
  readonly publicOrigin: string | null;
  /** Connections are encrypted by this daemon. */
  readonly hasTls: boolean;
  /** Where what was done is written down; null: in the log only. */
  readonly auditLog: string | null;
}

/** A proxy that logs people in and says in headers who they are. */
export interface ProxyConfig {
  /** Addresses and networks that it comes from. */
  readonly from: readonly string[];
  readonly userHeader: string;
  readonly groupsHeader: string;
  readonly operators: readonly string[];
  readonly viewers: readonly string[];
}

/** Nobody can log in: there is nothing to log in with. */
export function isUnconfigured({ tokens, proxy }: AccessConfig): boolean {
  return tokens.length === 0 && proxy === null;
}

/** Browsers come over TLS, to this daemon or to what stands before it. */
export function isSecure({ hasTls, publicOrigin }: AccessConfig): boolean {
  return hasTls || (publicOrigin?.startsWith('https:') ?? false);
}
