import assert from 'node:assert/strict';
import { type ErrorCode, isBackupError } from '../../core/errors.ts';
import type { ObjectInfo, Vault } from '../../core/vault.ts';

/** An empty, opened vault, and a way to let go of it. */
export interface VaultFixture {
  readonly vault: Vault;
  /** A second, opened handle on the same place, as another process would have; closed by the contract. */
  reopen(): Promise<Vault>;
  /** Removes the place; called once, also after a failed case. */
  dispose(): Promise<void>;
}

/** A promise in words, and how it is tried. */
export type VaultCase = readonly [string, (fixture: VaultFixture) => Promise<void>];

/** Writes a whole object; aborts when that fails, as every caller of the port does. */
export async function put(vault: Vault, name: string, bytes: Uint8Array): Promise<void> {
  const writer = await vault.createObject(name);
  try {
    await writer.write(bytes);
    await writer.commit();
  } catch (error) {
    await writer.abort();
    throw error;
  }
}

export async function collect(vault: Vault, prefix: string): Promise<ObjectInfo[]> {
  const found: ObjectInfo[] = [];
  for await (const info of vault.list(prefix)) found.push(info);
  return found;
}

export async function names(vault: Vault, prefix: string): Promise<string[]> {
  return (await collect(vault, prefix)).map((info) => info.name);
}

export async function rejects(promise: Promise<unknown>, code: ErrorCode): Promise<void> {
  const outcome = await promise.then(
    () => 'it resolved',
    (error: unknown) => error,
  );
  assertCode(outcome, code);
}

export function assertCode(error: unknown, code: ErrorCode): void {
  if (!isBackupError(error, code)) assert.fail(`expected ${code}, but: ${String(error)}`);
}

/** Without printing megabytes when they differ. */
export function assertSameBytes(actual: Uint8Array, expected: Uint8Array): void {
  assert.equal(actual.length, expected.length);
  if (Buffer.compare(actual, expected) === 0) return;
  const at = actual.findIndex((byte, i) => byte !== expected[i]);
  assert.fail(`byte ${at} is ${actual[at]}, expected ${expected[at]}`);
}

export function text(value: string): Uint8Array {
  return new TextEncoder().encode(value);
}

/** Bytes that repeat nowhere within reach, the same for the same seed (xorshift32). */
export function noise(length: number, seed = 1): Uint8Array {
  const words = new Uint32Array(Math.ceil(length / 4));
  let state = seed * 2_654_435_761 || 1;
  for (let i = 0; i < words.length; i += 1) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[i] = state;
  }
  return new Uint8Array(words.buffer, 0, length);
}
