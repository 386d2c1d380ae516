/**
 * Gives the memory of a large buffer back at once, instead of at the next garbage collection: the collector sees only
 * small objects and lets hundreds of MiB of buffers stand. The caller must own the whole buffer, and nobody may look
 * at it again. Small buffers share their memory with others and are left alone.
 */
export function releaseBytes({ buffer }: Uint8Array): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength > SHARED_POOL_BYTES) buffer.transfer(0);
}

/** Above this no Buffer comes out of Node's shared pool. Its size differs between versions: Node 26 has 64 bytes more than `Buffer.poolSize`. */
const SHARED_POOL_BYTES = Math.max(65_536, Buffer.from('x').buffer.byteLength);
