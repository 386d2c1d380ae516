/**
 * Sees how large the largest buffer is that is made while an input is read. Memory that was never touched is in no figure
 * of the process, and may be gone before anybody looks; by the word of a file it must not be asked for all the same.
 */
let largest = 0;

export function forgetAllocations(): void {
  largest = 0;
}

export function largestAllocation(): number {
  return largest;
}

function note(sizeBytes: unknown): void {
  if (typeof sizeBytes === 'number' && sizeBytes > largest) largest = sizeBytes;
}

const ARRAYS = [
  'ArrayBuffer',
  'Uint8Array',
  'Uint32Array',
  'Int32Array',
  'Float64Array',
  'BigInt64Array',
] as const;

for (const name of ARRAYS) {
  const original = globalThis[name] as unknown as new (...args: unknown[]) => ArrayBuffer;
  const seen = new Proxy(original, {
    construct(target, args, newTarget) {
      const made = Reflect.construct(target, args, newTarget) as ArrayBuffer;
      if (typeof args[0] === 'number') note(made.byteLength);
      return made;
    },
  });
  Object.defineProperty(globalThis, name, { value: seen, writable: true, configurable: true });
}

for (const name of ['alloc', 'allocUnsafe', 'allocUnsafeSlow'] as const) {
  const original = Buffer[name].bind(Buffer) as (size: number, ...rest: unknown[]) => Buffer;
  const seen = (size: number, ...rest: unknown[]): Buffer => {
    note(size);
    return original(size, ...rest);
  };
  Object.assign(Buffer, { [name]: seen });
}
