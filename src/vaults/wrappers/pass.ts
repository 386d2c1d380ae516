import type { Vault } from '../../core/vault.ts';

/** What each wrapper was put around. */
const INSIDE = new WeakMap<Vault, Vault>();

/** A vault that passes all calls on to `inner`, but for those in `changes`: what a wrapper starts from. */
export function passOn(inner: Vault, changes: Partial<Vault>): Vault {
  const vault: Vault = {
    address: inner.address,
    open: (options) => inner.open(options),
    createObject: (name) => inner.createObject(name),
    readRange: (name, offset, length) => inner.readRange(name, offset, length),
    stat: (name) => inner.stat(name),
    list: (prefix) => inner.list(prefix),
    copyObject: (from, to) => inner.copyObject(from, to),
    removeObject: (name) => inner.removeObject(name),
    removeLeftovers: (prefix) => inner.removeLeftovers(prefix),
    // Two services know one another by what they are, not by what stands around them.
    copyFrom: (source, name) => inner.copyFrom(unwrap(source), name),
    recall: (name) => inner.recall(name),
    setLegalHold: (name, isHeld) => inner.setLegalHold(name, isHeld),
    traits: () => inner.traits(),
    freeBytes: () => inner.freeBytes(),
    close: () => inner.close(),
    ...changes,
  };
  INSIDE.set(vault, inner);
  return vault;
}

/** The vault inside all wrappers that only pass on. */
export function unwrap(vault: Vault): Vault {
  let innermost = vault;
  for (let inner = INSIDE.get(innermost); inner !== undefined; inner = INSIDE.get(inner)) innermost = inner;
  return innermost;
}
