import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Why no certificates can be made here; null when they can. */
export function whyNoCertificates(): string | null {
  return spawnSync('openssl', ['version']).status === 0 ? null : 'there is no openssl';
}

export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

/** A certificate for localhost under this name, signed by itself, in files of the folder. */
export function makeCertificate(folder: string, name: string): Certificate {
  const [cert, key] = [join(folder, `${name}.pem`), join(folder, `${name}.key.pem`)];
  const subject = ['-subj', `/CN=${name}`, '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'];
  const made = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'];
  execFileSync('openssl', ['req', ...made, ...subject, '-keyout', key, '-out', cert], { stdio: 'ignore' });
  return { cert, key };
}

/** A certificate that this authority signed; `names` as openssl spells them: `DNS:db.test,IP:127.0.0.1`. */
export function signCertificate(
  folder: string,
  authority: Certificate,
  name: string,
  names: string | null = null,
): Certificate {
  const [cert, key] = [join(folder, `${name}.pem`), join(folder, `${name}.key.pem`)];
  const by = ['-x509', '-CA', authority.cert, '-CAkey', authority.key, '-nodes', '-days', '2'];
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-subj', `/CN=${name}`];
  const more = names === null ? [] : ['-addext', `subjectAltName=${names}`];
  const leaf = ['-addext', 'basicConstraints=critical,CA:FALSE'];
  execFileSync('openssl', ['req', ...by, ...kind, ...leaf, ...more, '-keyout', key, '-out', cert], {
    stdio: 'ignore',
  });
  return { cert, key };
}

/** What this authority took back, as a list in a file of the folder. */
export function revoke(folder: string, authority: Certificate, taken: readonly Certificate[]): string {
  const place = mkdtempSync(join(folder, 'revoked-'));
  const [config, list] = [join(place, 'ca.conf'), join(place, 'list.crl')];
  const settings = ['[ca]', 'default_ca = own', '[own]', `database = ${place}/index`, 'default_md = sha256'];
  writeFileSync(config, [...settings, 'default_crl_days = 2', ''].join('\n'));
  writeFileSync(join(place, 'index'), '');
  const ca = ['ca', '-config', config, '-cert', authority.cert, '-keyfile', authority.key];
  for (const { cert } of taken) execFileSync('openssl', [...ca, '-revoke', cert], { stdio: 'ignore' });
  execFileSync('openssl', [...ca, '-gencrl', '-out', list], { stdio: 'ignore' });
  return list;
}

/** A folder in which lists lie as `openssl rehash` names them. */
export function hashedLists(folder: string, lists: readonly string[]): string {
  const place = mkdtempSync(join(folder, 'lists-'));
  for (const [i, list] of lists.entries()) copyFileSync(list, join(place, `${i}.pem`));
  execFileSync('openssl', ['rehash', place], { stdio: 'ignore' });
  return place;
}
