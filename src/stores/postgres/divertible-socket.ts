import net from 'node:net';
import type { Duplex } from 'node:stream';
import type pg from 'pg';

/**
 * Leads the bytes of a connection past the driver, which would make objects of them. Where the socket is one of
 * `makeSocket`, they are received right where the receiver wants them; a TLS connection gives its bytes as they come,
 * and they are copied.
 */
export interface Receiver {
  /** Where the next bytes belong; not empty. */
  room(): Uint8Array;
  /** Bytes were put at the start of `room`. False: no more until `resume`. Does not throw. */
  received(length: number): boolean;
}

export interface Diversion {
  /** Goes on after `received` returned false. */
  resume(): void;
  /** Gives the connection back to the driver. */
  end(): void;
  /** Hands bytes to the driver, as if they had just come. */
  toDriver(bytes: Buffer): void;
}

interface Diverted {
  receiver: Receiver | null;
  /** Set while the socket gathers some more bytes before it is read again. */
  gathering: NodeJS.Timeout | null;
  /** Bytes that came elsewhere than in the receiver's room, and that it has not taken yet. */
  rest: Uint8Array | null;
  /** The next bytes will lie at the start of the receiver's room. */
  isInRoom: boolean;
}

/** What the driver reads is short: answers to commands. */
const DRIVER_BUFFER_BYTES = 32_768;

/**
 * PostgreSQL sends 8 KiB at a time. A reader that is quicker than the server would be woken for each of them, which costs
 * both sides more than the bytes do (measured on two virtual processors: 4.6 instead of 6.3 s for 1 GB over two
 * connections). So a read that brought little is followed by a short wait, in which the kernel gathers.
 */
const LITTLE_BYTES = 1 << 17;
const GATHER_MS = 2;

const divertible = new WeakMap<Duplex, Diverted>();

/** A socket that a driver uses as any other, and whose bytes can be diverted without an allocation for each read. */
export function makeSocket(): net.Socket {
  const diverted: Diverted = { receiver: null, gathering: null, rest: null, isInRoom: false };
  const driverBuffer = Buffer.allocUnsafeSlow(DRIVER_BUFFER_BYTES);
  const options: net.SocketConstructorOpts = {
    onread: {
      // Asked for before each read, also when the read waits for `resume`. With a rest to take first, the room moves.
      buffer: () => {
        const { receiver, rest } = diverted;
        diverted.isInRoom = receiver !== null && rest === null;
        return diverted.isInRoom ? receiver!.room() : driverBuffer;
      },
      callback: (length, buffer) => {
        const { receiver } = diverted;
        if (receiver !== null && diverted.isInRoom) {
          return receiver.received(length) && (length >= LITTLE_BYTES || !gather(diverted, socket));
        }
        const bytes = Buffer.copyBytesFrom(buffer, 0, length);
        if (receiver !== null) return feed(diverted, bytes);
        socket.emit('data', bytes);
        return true;
      },
    },
  };
  const socket = new net.Socket(options);
  divertible.set(socket, diverted);
  return socket;
}

/** Reads on after a while; true when there is something to wait for. */
function gather(diverted: Diverted, socket: net.Socket): boolean {
  // The last bytes of a diversion ended it.
  if (diverted.receiver === null) return false;
  diverted.gathering = setTimeout(() => stopGathering(diverted, socket), GATHER_MS);
  return true;
}

function stopGathering(diverted: Diverted, socket: net.Socket): void {
  if (diverted.gathering === null) return;
  clearTimeout(diverted.gathering);
  diverted.gathering = null;
  socket.resume();
}

/** From now on the connection's bytes go to `receiver`. */
export function divert(client: pg.Client, receiver: Receiver): Diversion {
  const { stream } = client.connection;
  const diverted = divertible.get(stream);
  return diverted === undefined
    ? divertStream(stream, receiver)
    : divertSocket(stream as net.Socket, diverted, receiver);
}

function divertSocket(socket: net.Socket, diverted: Diverted, receiver: Receiver): Diversion {
  diverted.receiver = receiver;
  // The next read was prepared before.
  diverted.isInRoom = false;
  return {
    resume: () => {
      if (feedRest(diverted)) socket.resume();
    },
    end: () => {
      diverted.receiver = null;
      stopGathering(diverted, socket);
    },
    toDriver: (bytes) => void socket.emit('data', bytes),
  };
}

function divertStream(stream: Duplex, receiver: Receiver): Diversion {
  const diverted: Diverted = { receiver, gathering: null, rest: null, isInRoom: false };
  const driver = stream.listeners('data') as ((bytes: Buffer) => void)[];
  const onData = (bytes: Uint8Array): void => {
    if (!feed(diverted, bytes)) stream.pause();
  };
  for (const listener of driver) stream.off('data', listener);
  stream.on('data', onData);
  return {
    resume: () => {
      if (feedRest(diverted)) stream.resume();
    },
    end: () => {
      stream.off('data', onData);
      for (const listener of driver) stream.on('data', listener);
    },
    toDriver: (bytes) => {
      for (const listener of driver) listener(bytes);
    },
  };
}

function feedRest(diverted: Diverted): boolean {
  const { rest } = diverted;
  diverted.rest = null;
  return rest === null || feed(diverted, rest);
}

/** Copies bytes into the receiver's room, as often as there is some. False: the receiver wants no more. */
function feed(diverted: Diverted, bytes: Uint8Array): boolean {
  const receiver = diverted.receiver!;
  let from = 0;
  while (from < bytes.length) {
    const room = receiver.room();
    const part = bytes.subarray(from, from + room.length);
    room.set(part);
    from += part.length;
    if (receiver.received(part.length)) continue;
    if (from < bytes.length) diverted.rest = bytes.subarray(from);
    return false;
  }
  return true;
}
