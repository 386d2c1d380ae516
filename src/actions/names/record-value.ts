import { isIPv4, isIPv6 } from 'node:net';
import { BackupError } from '../../core/errors.ts';

export const RECORD_TYPES = ['A', 'AAAA', 'CNAME'] as const;
export type RecordType = (typeof RECORD_TYPES)[number];

/**
 * A record's value in the one form in which values are compared: addresses as systems write them, names in lower case without
 * the last dot. Throws `config_invalid` for what is no value of such a record.
 */
export function canonicalValue(type: RecordType, text: string): string {
  if (type === 'A' && isIPv4(text)) return text;
  if (type === 'AAAA' && isIPv6(text) && !text.includes('%')) {
    return new URL(`http://[${text}]`).hostname.slice(1, -1);
  }
  if (type === 'CNAME' && isHostName(text)) return canonicalName(text);
  const wanted = { A: 'an address of IPv4', AAAA: 'an address of IPv6', CNAME: 'the name of a host' }[type];
  throw new BackupError('config_invalid', `${JSON.stringify(text)} cannot be the value of a record ${type}`, {
    hint: `a record ${type} holds ${wanted}`,
  });
}

/** Names are the same whatever their case, and with or without the last dot. */
export function canonicalName(text: string): string {
  return text.toLowerCase().replace(/\.$/, '');
}

export function isHostName(text: string): boolean {
  return (
    /^(?=.{1,254}$)([A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?)(\.[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?)*\.?$/.test(
      text,
    ) && !isIPv4(text)
  );
}
