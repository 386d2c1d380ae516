/** Kills drills at random moments: `npm run soak:drill [-- ROUNDS]`; each round kills one of each kind of target in turn. */
import { type KilledTarget, killOneDrill, prepareDrillGround } from '../harness/drill-kills.ts';
import { startPostgres } from '../harness/postgres.ts';

const rounds = Number(process.argv[2] ?? 50);
const TARGETS: readonly KilledTarget[] = ['files', 'databases', 'server'];

const server = await startPostgres();
const ground = await prepareDrillGround(server);
try {
  for (let round = 0; round < rounds; round += 1) {
    const target = TARGETS[round % TARGETS.length]!;
    const outcome = await killOneDrill(ground, target);
    console.log(`${String(round + 1).padStart(4)}  ${target.padEnd(10)} ${outcome}`);
  }
  console.log(
    `${ground.killed} of ${rounds} drills were killed: nothing was left, and the store is what it was`,
  );
} finally {
  ground.remove();
  await server.stop();
}
