/** One event that a writer sent. Instants are milliseconds of one clock, the laboratory's own. */
export interface Sent {
  readonly id: string;
  readonly sentAtMs: number;
  /** Null while nobody has said that it is committed: it may be, or not. */
  ackedAtMs: number | null;
  /** The server that was written to, as `host:port`. */
  readonly server: string;
}

/** What the writers were told: the only account of what may not be lost. */
export interface AckLog {
  /** Call what comes back when the store has said that it has the event. */
  send(id: string, server: string): () => void;
  readonly all: readonly Sent[];
}

export function makeAckLog(nowMs: () => number): AckLog {
  const all: Sent[] = [];
  return {
    all,
    send: (id, server) => {
      const sent: Sent = { id, sentAtMs: nowMs(), ackedAtMs: null, server };
      all.push(sent);
      return () => {
        sent.ackedAtMs = nowMs();
      };
    },
  };
}

/** What the writers lost, counted by what they were told and by what a store has afterwards. */
export interface Account {
  readonly acked: number;
  /** Acknowledged, and not there. */
  readonly lost: number;
  readonly lostIds: readonly string[];
  /** Never acknowledged, and there all the same. */
  readonly inDoubt: number;
  /** From the last acknowledgement of what is kept to the last one of what is lost; 0 when nothing is. */
  readonly rpoMs: number;
}

export function settle(sent: readonly Sent[], present: ReadonlySet<string>): Account {
  const acked = sent.filter(({ ackedAtMs }) => ackedAtMs !== null);
  const lost = acked.filter(({ id }) => !present.has(id));
  const lastLostMs = Math.max(...lost.map(({ ackedAtMs }) => ackedAtMs!));
  const keptBefore = acked.filter(({ id, ackedAtMs }) => present.has(id) && ackedAtMs! < lastLostMs);
  const lastKeptMs = Math.max(...keptBefore.map(({ ackedAtMs }) => ackedAtMs!));
  return {
    ...{ acked: acked.length, lost: lost.length, lostIds: lost.map(({ id }) => id) },
    inDoubt: sent.filter(({ id, ackedAtMs }) => ackedAtMs === null && present.has(id)).length,
    rpoMs: lost.length === 0 ? 0 : lastLostMs - (keptBefore.length === 0 ? acked[0]!.ackedAtMs! : lastKeptMs),
  };
}

/** A write that a server took: it began at one instant, and was acknowledged at another. */
export interface Taken {
  readonly server: string;
  readonly sentAtMs: number;
  readonly ackedAtMs: number;
}

export interface Handover {
  readonly from: string;
  readonly to: string;
  /** From the last acknowledgement of one server to the first one of the next; below 0, both took writes for so long. */
  readonly gapMs: number;
}

/**
 * From which server to which the writes went, in the order of their first acknowledgements. A server that takes writes again after
 * another one did counts as one that never stopped: a recovery goes one way.
 */
export function handovers(taken: readonly Taken[]): Handover[] {
  const spans = new Map<string, { firstMs: number; lastMs: number }>();
  for (const { server, ackedAtMs } of taken) {
    const span = spans.get(server);
    if (span === undefined) spans.set(server, { firstMs: ackedAtMs, lastMs: ackedAtMs });
    else {
      span.firstMs = Math.min(span.firstMs, ackedAtMs);
      span.lastMs = Math.max(span.lastMs, ackedAtMs);
    }
  }
  const inOrder = [...spans].toSorted(([, a], [, b]) => a.firstMs - b.firstMs);
  return inOrder.slice(1).map(([to, { firstMs }], i) => {
    const [from, { lastMs }] = inOrder[i]!;
    return { from, to, gapMs: firstMs - lastMs };
  });
}

/** Most servers that took writes at one moment: from the first to the last acknowledgement each of them is taken for a writer. */
export function writersAtOnce(taken: readonly Taken[]): number {
  const byServer = Map.groupBy(taken, ({ server }) => server);
  const edges = [...byServer.values()].flatMap((writes) => {
    const acks = writes.map(({ ackedAtMs }) => ackedAtMs);
    return [
      { atMs: Math.min(...acks), change: 1 },
      { atMs: Math.max(...acks), change: -1 },
    ];
  });
  let [now, most] = [0, 0];
  for (const { change } of edges.toSorted((a, b) => a.atMs - b.atMs || b.change - a.change)) {
    now += change;
    most = Math.max(most, now);
  }
  return most;
}
