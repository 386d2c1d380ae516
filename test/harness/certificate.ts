import { execFileSync, spawnSync } from 'node:child_process';
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
