/** Runs jobs one after the other, whether or not the ones before failed. */
export function makeInTurn(): (job: () => Promise<void>) => Promise<void> {
  let last: Promise<void> = Promise.resolve();
  return (job) => {
    const result = last.then(job);
    // Whoever asked for a job meets its failure; the next one is no part of that.
    last = result.catch(() => {});
    return result;
  };
}
