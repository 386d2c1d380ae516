import type { ObjectInfo, Vault } from '../../core/vault.ts';
import { openOnce } from './open-once.ts';
import { passOn } from './pass.ts';

/**
 * A vault that every call opens first, where it is not open yet: for who goes on while it is away. It is created where it is not there.
 * What opening throws, the call throws.
 */
export function openWhenUsed(inner: Vault): Vault {
  const once = openOnce(inner);
  const whenOpen = async <Value>(call: () => Promise<Value>): Promise<Value> => {
    await once.open({ create: true });
    return call();
  };
  return passOn(once, {
    createObject: (name) => whenOpen(() => inner.createObject(name)),
    readRange: (name, offset, length) => whenOpen(() => inner.readRange(name, offset, length)),
    stat: (name) => whenOpen(() => inner.stat(name)),
    list: (prefix) => listWhenOpen(once, prefix),
    copyObject: (from, to) => whenOpen(() => inner.copyObject(from, to)),
    removeObject: (name) => whenOpen(() => inner.removeObject(name)),
    removeLeftovers: (prefix) => whenOpen(() => inner.removeLeftovers(prefix)),
    copyFrom: (source, name) => whenOpen(() => once.copyFrom(source, name)),
    recall: (name) => whenOpen(() => inner.recall(name)),
    setLegalHold: (name, isHeld) => whenOpen(() => inner.setLegalHold(name, isHeld)),
    traits: () => whenOpen(() => inner.traits()),
    freeBytes: () => whenOpen(() => inner.freeBytes()),
  });
}

async function* listWhenOpen(vault: Vault, prefix: string): AsyncGenerator<ObjectInfo> {
  await vault.open({ create: true });
  yield* vault.list(prefix);
}
