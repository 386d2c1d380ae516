/**
 * Gives the memory of a large buffer back at once, instead of at the next garbage collection: the collector sees only
 * small objects and lets hundreds of MiB of buffers stand. The caller must own the whole buffer, and nobody may look
 * at it again. Small buffers share their memory with others and are left alone.
 */
export function releaseBytes(bytes: Uint8Array): void {
  if (bytes.buffer instanceof ArrayBuffer && bytes.buffer.byteLength > SHARED_POOL_BYTES)
    bytes.buffer.transfer(0);
}

/** Above this no Buffer comes out of Node's shared pool. */
const SHARED_POOL_BYTES = 65_536;
