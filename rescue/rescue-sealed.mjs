/**
 * Keys and sealed pieces: FORMAT.md §13, and as much of age (age-encryption.org/v1) as it takes to open a key record with an
 * X25519 identity or a passphrase. For every other kind of recipient let `age` itself open it: --age, or --key-file.
 */
import { spawnSync } from 'node:child_process';
import crypto from 'node:crypto';
import fs from 'node:fs';
import { join } from 'node:path';
import { check } from './rescue-chunks.mjs';

const secrets = { identities: [], passphrase: null, keys: [], command: null };

/** Takes the files that were named on the command line. */
export function useSecrets({ identity, passphrase, keys, age = null }) {
  secrets.command = age;
  const lines = (path) =>
    fs
      .readFileSync(path, 'utf8')
      .split(/\s*\n\s*/)
      .filter((line) => /^[^#]/.test(line));
  if (identity !== undefined) secrets.identities = lines(identity).map(readIdentity);
  if (passphrase !== undefined)
    secrets.passphrase = fs.readFileSync(passphrase, 'utf8').replace(/\r?\n$/, '');
  if (keys === undefined) return;
  secrets.keys = lines(keys).map((line) => Buffer.from(line, 'hex'));
  check(
    secrets.keys.every(({ length }) => length === 32),
    'a key has 64 hexadecimal digits',
  );
}

export const sha256 = (bytes) => crypto.createHash('sha256').update(bytes).digest('hex');
export const form = (value) => JSON.stringify(value, null, 2);
/** §3.1: there is one spelling, and the last key is a digest of the rest. */
export function readForm(path, lastKey) {
  const text = fs.readFileSync(path, 'utf8');
  const value = JSON.parse(text);
  const { [lastKey]: digest, ...rest } = value;
  check(text === `${form(value)}\n` && digest === sha256(form(rest)), 'it does not have its checksum');
  return value;
}

const hkdf = (secret, salt, info) => Buffer.from(crypto.hkdfSync('sha256', secret, salt, info, 32));
const X25519_PRIVATE = Buffer.from('302e020100300506032b656e04220420', 'hex'); // PKCS #8 and SPKI before the 32 bytes
const X25519_PUBLIC = Buffer.from('302a300506032b656e032100', 'hex');
/** Ciphertext with its tag behind it; null when it is not sealed with this key. */
function open(cipher, key, nonce, sealed, additional = Buffer.alloc(0)) {
  const decipher = crypto.createDecipheriv(cipher, key, nonce, { authTagLength: 16 });
  decipher.setAAD(additional, { plaintextLength: sealed.length - 16 }).setAuthTag(sealed.subarray(-16));
  try {
    return Buffer.concat([decipher.update(sealed.subarray(0, -16)), decipher.final()]);
  } catch {
    return null;
  }
}
/** §13.2. `place`: scope, file, number, last or more. */
export function openPiece(piece, key, place) {
  check(piece.length >= 28, `what is sealed as ${place} is too short`);
  const additional = Buffer.from(`eventcore-sealed-1\n${place.join('\n')}\n`);
  const plain = open('aes-256-gcm', key, piece.subarray(0, 12), piece.subarray(12), additional);
  check(plain !== null, `what is sealed as ${place.slice(1)} is damaged, or not from there`);
  return plain;
}
/** An identity is Bech32 (BIP 173): a prefix, `1`, digits of five bits, of which the last six are a checksum. */
function readIdentity(text) {
  const [prefix, word] = [text.slice(0, 15).toLowerCase(), text.slice(16).toLowerCase()];
  const digits = [...word].map((letter) => 'qpzry9x8gf2tvdw0s3jn54khce6mua7l'.indexOf(letter));
  check(
    prefix === 'age-secret-key-' && text[15] === '1',
    'only X25519 identities can be read: use age itself',
  );
  const codes = [...prefix].map((letter) => letter.charCodeAt(0));
  let sum = 1;
  for (const value of [...codes.map((code) => code >> 5), 0, ...codes.map((code) => code & 31), ...digits]) {
    const factors = [0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3];
    sum = factors.reduce(
      (x, factor, i) => x ^ ((sum >>> (25 + i)) & 1 ? factor : 0),
      ((sum & 0x1ffffff) << 5) ^ value,
    );
  }
  check(sum === 1 && digits.length === 58, 'an identity is misspelt');
  const bits = digits.slice(0, 52).map((digit) => digit.toString(2).padStart(5, '0'));
  const secret = Buffer.from(
    bits
      .join('')
      .match(/.{8}/g)
      .map((byte) => Number.parseInt(byte, 2)),
  );
  const der = Buffer.concat([X25519_PRIVATE, secret]);
  const privateKey = crypto.createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  const recipient = crypto.createPublicKey(privateKey).export({ format: 'der', type: 'spki' }).subarray(-32);
  return { privateKey, recipient };
}
/** The keys that a stanza of an age header may be wrapped with, for who has these secrets. */
function stanzaKeys([kind, text, cost]) {
  const share = Buffer.from(text ?? '', 'base64');
  if (kind === 'scrypt' && secrets.passphrase !== null && Number(cost) <= 18) {
    const salt = Buffer.concat([Buffer.from('age-encryption.org/v1/scrypt'), share]);
    const limits = { N: 2 ** Number(cost), r: 8, p: 1, maxmem: 2 ** (Number(cost) + 11) };
    return [crypto.scryptSync(secrets.passphrase, salt, 32, limits)];
  }
  if (kind !== 'X25519') return [];
  const key = Buffer.concat([X25519_PUBLIC, share]);
  const publicKey = crypto.createPublicKey({ key, format: 'der', type: 'spki' });
  return secrets.identities.map(({ privateKey, recipient }) => {
    const salt = Buffer.concat([share, recipient]);
    return hkdf(crypto.diffieHellman({ privateKey, publicKey }), salt, 'age-encryption.org/v1/X25519');
  });
}
/** What an age file of up to 64 KiB holds, or null when nobody here may open it. */
export function openAge(file) {
  const end = file.indexOf('\n---') + 4;
  const lines = file.subarray(0, end).toString('latin1').split('\n');
  const [nonce, sealed] = [file.subarray(end + 45, end + 61), file.subarray(end + 61)];
  for (const [i, line] of lines.entries()) {
    if (!line.startsWith('-> ')) continue;
    for (const wrapKey of stanzaKeys(line.slice(3).split(' '))) {
      const body = Buffer.from(lines[i + 1], 'base64');
      const fileKey = body.length === 32 ? open('chacha20-poly1305', wrapKey, Buffer.alloc(12), body) : null;
      if (fileKey === null) continue;
      const mac = crypto.createHmac('sha256', hkdf(fileKey, '', 'header')).update(file.subarray(0, end));
      const macLine = ` ${mac.digest('base64').slice(0, 43)}\n`;
      check(file.toString('latin1', end, end + 45) === macLine, 'a key record is damaged');
      const last = Buffer.from('000000000000000000000001', 'hex'); // chunk 0, and the last one
      return open('chacha20-poly1305', hkdf(fileKey, nonce, 'payload'), last, sealed);
    }
  }
  return null;
}
/** The same by a command, which asks for passphrases and the like on the terminal itself; what it complains of is shown. */
function openByCommand(file) {
  const stdio = ['pipe', 'pipe', 'inherit'];
  const { status, stdout, error } = spawnSync(secrets.command, { input: file, shell: true, stdio });
  if (status === null) throw error ?? new Error(`${secrets.command} was ended`);
  return status === 0 ? stdout : null;
}
/** §13.1, §13.3: from what was given, or from the newest key record that opens. */
export function findKey(folder, keyId) {
  const isRight = (key) =>
    crypto.createHmac('sha256', key).update('eventcore key id 1').digest('hex').slice(0, 32) === keyId;
  const given = secrets.keys.find(isRight);
  if (given !== undefined) return given;
  const name = new RegExp(`^key-${keyId}-(\\d+)\\.json$`);
  const records = fs.readdirSync(folder).filter((one) => name.test(one));
  records.sort((a, b) => name.exec(b)[1] - name.exec(a)[1]);
  const known = new Set();
  for (const record of records) {
    try {
      for (const { kind, recipient, wrapped } of readForm(join(folder, record), 'checksum').recipients) {
        known.add(recipient);
        if (kind === 'aws-kms') continue;
        const openOne = secrets.command === null ? openAge : openByCommand;
        const key = openOne(Buffer.from(wrapped, 'base64'));
        if (key !== null && isRight(key)) return key;
      }
    } catch (error) {
      known.add(`(${record}: ${error.message})`);
    }
  }
  const names = records.length === 0 ? 'nobody: it has no key record' : [...known].join(', ');
  throw new Error(`what was given does not open key ${keyId}; it is wrapped for ${names}`);
}
