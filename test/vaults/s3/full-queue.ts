import { type ChildProcess, spawn } from 'node:child_process';
import net from 'node:net';

/** Something whose connections are neither taken nor refused, as behind a network that is cut: a listener that is halted, with a full queue. */
export async function listenToNobody(): Promise<{ readonly port: number; readonly stop: () => void }> {
  const script = `const server = require('node:net').createServer(() => {});
    server.listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => console.log(server.address().port));`;
  const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  const port = await readPort(child);
  child.kill('SIGSTOP');
  const held = Array.from({ length: 8 }, () => net.connect(port, '127.0.0.1').on('error', () => undefined));
  await new Promise((resolve) => setTimeout(resolve, 200));
  return {
    port,
    stop: () => {
      for (const socket of held) socket.destroy();
      child.kill('SIGKILL');
    },
  };
}

function readPort(child: ChildProcess): Promise<number> {
  return new Promise((resolve) => child.stdout!.once('data', (text: Buffer) => resolve(Number(text))));
}
