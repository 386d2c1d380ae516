/** The items of several sorted lists as one; `shard` is the place of the list that an item is of. Ends all of them when it is left. */
export async function* mergeSorted<Item>(
  lists: readonly AsyncIterable<Item>[],
  compare: (a: Item, b: Item) => number,
): AsyncGenerator<{ readonly shard: number; readonly item: Item }> {
  const readers = lists.map((list) => list[Symbol.asyncIterator]());
  try {
    const steps = await Promise.all(readers.map((reader) => reader.next()));
    for (;;) {
      let least = -1;
      for (const [shard, step] of steps.entries()) {
        if (step.done === true) continue;
        if (least === -1 || compare(step.value, steps[least]!.value) < 0) least = shard;
      }
      if (least === -1) return;
      yield { shard: least, item: steps[least]!.value };
      steps[least] = await readers[least]!.next();
    }
  } finally {
    await Promise.allSettled(readers.map((reader) => reader.return?.()));
  }
}
